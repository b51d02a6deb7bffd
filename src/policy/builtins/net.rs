//! `net.cidr_*`: networks, as Go's `net` package reads them.

use std::net::{IpAddr, Ipv6Addr};

use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, array_of, failed, items, set_of, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "net.cidr_contains", arity: 2, call: contains },
    Function { name: "net.cidr_overlap", arity: 2, call: contains },
    Function { name: "net.cidr_contains_matches", arity: 2, call: contains_matches },
    Function { name: "net.cidr_expand", arity: 1, call: expand },
    Function { name: "net.cidr_intersects", arity: 2, call: intersects },
    Function { name: "net.cidr_is_valid", arity: 1, call: is_valid },
    Function { name: "net.cidr_merge", arity: 1, call: merge },
];

/// The most bits of a network that is written out.
const MAX_HOST_BITS: u32 = 16;
/// The most pairs of networks that a call may compare.
const MAX_PAIRS: usize = 5_000_000;
/// Where IPv4 is in the addresses of IPv6 (RFC 4291 §2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

/// A network: its addresses from `first` to `last`, those of IPv4 as IPv6 maps them.
#[derive(Clone, Copy, Debug)]
struct Network {
    first: u128,
    last: u128,
}

impl Network {
    /// `prefix` counts bits of IPv6.
    fn new(address: u128, prefix: u32) -> Self {
        let hosts = u128::MAX.checked_shr(prefix).unwrap_or(0);
        Self { first: address & !hosts, last: address | hosts }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let address: IpAddr = address.parse().ok()?;
        let prefix: u32 = prefix.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then(|| Self::new(number(address), prefix + 128 - bits))
    }

    /// Whether it is of IPv4.
    fn is_mapped(self) -> bool {
        self.first >= MAPPED && self.last < MAPPED + (1 << 32)
    }

    fn has(self, address: u128) -> bool {
        // `::/0` has no IPv4 in it, though their mapped addresses are.
        self.is_mapped() == (address >> 32 == MAPPED >> 32) && (self.first..=self.last).contains(&address)
    }

    fn write(self) -> String {
        let prefix = (self.last - self.first).leading_zeros();
        match u32::try_from(self.first - MAPPED.min(self.first)) {
            Ok(_) if self.is_mapped() => format!("{}/{}", address(self.first), prefix - 96),
            _ => format!("{}/{prefix}", address(self.first)),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(number: u128) -> IpAddr {
    let address = Ipv6Addr::from_bits(number);
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

fn network(arguments: &[Rego], at: usize) -> Result<Network, Failure> {
    let text = text(arguments, at)?;
    Network::parse(text).ok_or_else(|| Failure::Operand(format!("invalid CIDR address: {text}")))
}

/// A network, or an address as the network of it alone.
fn network_or_address(arguments: &[Rego], at: usize) -> Result<Network, Failure> {
    let text = text(arguments, at)?;
    if let Ok(address) = text.parse() {
        return Ok(Network::new(number(address), 128));
    }
    Network::parse(text)
        .ok_or_else(|| Failure::Operand(format!("not a valid textual representation of an IP address or CIDR: {text}")))
}

fn contains(arguments: &[Rego]) -> Answer {
    let (outer, inner) = (network(arguments, 0)?, network_or_address(arguments, 1)?);
    Ok(Rego::from(outer.has(inner.first) && outer.has(inner.last)))
}

fn intersects(arguments: &[Rego]) -> Answer {
    let (one, other) = (network(arguments, 0)?, network(arguments, 1)?);
    Ok(Rego::from(one.has(other.first) || other.has(one.first)))
}

#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
fn is_valid(arguments: &[Rego]) -> Answer {
    Ok(Rego::from(network(arguments, 0).is_ok()))
}

fn expand(arguments: &[Rego]) -> Answer {
    let network = network(arguments, 0)?;
    if network.last - network.first >= 1 << MAX_HOST_BITS {
        return Err(Failure::Spent(format!("the network has more than {MAX_HOST_BITS} host bits")));
    }
    Ok(set_of((network.first..=network.last).map(|number| string(address(number).to_string()))))
}

fn contains_matches(arguments: &[Rego]) -> Answer {
    let outer = tagged(any(arguments, 0), 1)?;
    if outer.is_empty() {
        // As in OPA, the second operand is gone through for each of the first.
        return Ok(Rego::new_set());
    }
    let inner = tagged(any(arguments, 1), 2)?;
    match outer.len().checked_mul(inner.len()) {
        Some(0) => return Ok(Rego::new_set()),
        Some(pairs) if pairs <= MAX_PAIRS => {}
        _ => return Err(Failure::Spent(format!("more than {MAX_PAIRS} pairs to compare"))),
    }
    let parse = |tagged: &[(Rego, Rego)], read: fn(&[Rego], usize) -> Result<Network, Failure>| {
        let networks = tagged.iter().map(|(tag, text)| Ok((tag.clone(), read(std::slice::from_ref(text), 0)?)));
        networks.collect::<Result<Vec<_>, Failure>>()
    };
    let (outer, inner) = (parse(&outer, network)?, parse(&inner, network_or_address)?);
    let pairs = outer.iter().flat_map(|outer| inner.iter().map(move |inner| (outer, inner)));
    let matching = pairs.filter(|((_, outer), (_, inner))| outer.has(inner.first) && outer.has(inner.last));
    Ok(set_of(matching.map(|((outer, _), (inner, _))| array_of([outer.clone(), inner.clone()]))))
}

/// The networks of an operand, each with what names it in the answer: its index, its key, itself.
fn tagged(operand: &Rego, position: usize) -> Result<Vec<(Rego, Rego)>, Failure> {
    let element = |element: &Rego| match element {
        Rego::String(_) => Ok(element.clone()),
        Rego::Array(items) if !items.is_empty() => Ok(items.first().cloned().unwrap_or(Rego::Undefined)),
        _ => failed(format!("operand {position}: element must be string or non-empty array")),
    };
    match operand {
        Rego::String(_) => Ok(vec![(operand.clone(), operand.clone())]),
        Rego::Array(items) => items.iter().enumerate().map(|(at, item)| Ok((Rego::from(at), element(item)?))).collect(),
        Rego::Set(items) => items.iter().map(|item| Ok((item.clone(), element(item)?))).collect(),
        Rego::Object(members) => members.iter().map(|(key, item)| Ok((key.clone(), element(item)?))).collect(),
        _ => Ok(Vec::new()),
    }
}

/// The fewest networks that have the same addresses. An IPv4 address alone stands for the network of its class.
fn merge(arguments: &[Rego]) -> Answer {
    // A network that stays alone is written with the address that it came with.
    let mut ranges: Vec<(Network, Option<String>)> = Vec::new();
    let Ok(items) = items(arguments, 0) else { return failed("operand must be an array") };
    for item in items.iter() {
        let Rego::String(text) = item else { return failed("element must be string") };
        ranges.push(match text.parse().map(number).map(address) {
            Ok(IpAddr::V4(address)) => {
                let prefix = match address.octets() {
                    [0..128, ..] => 8,
                    [128..192, ..] => 16,
                    _ => 24,
                };
                (Network::new(number(address.into()), 96 + prefix), Some(format!("{address}/{prefix}")))
            }
            Ok(IpAddr::V6(_)) => return failed("IPv6 invalid: needs prefix length"),
            Err(_) => match Network::parse(text) {
                // OPA takes it for other addresses when it merges.
                Some(network) if network.is_mapped() && text.contains(':') && items.len() > 1 => {
                    return Err(Failure::Halt(format!("a network of IPv4 that is written as IPv6: {text}")));
                }
                Some(network) => (network, Some(network.write())),
                None => return failed(format!("invalid CIDR address: {text}")),
            },
        });
    }
    ranges.sort_by_key(|(network, _)| (network.last, network.first));
    let mut merged = Vec::new();
    let mut later: Option<(Network, Option<String>)> = None;
    for (network, written) in ranges.into_iter().rev() {
        later = Some(match later.take() {
            Some((next, _)) if before(next.first) <= network.last => {
                (Network { first: network.first.min(next.first), last: next.last }, None)
            }
            next => {
                merged.extend(next);
                (network, written)
            }
        });
    }
    merged.extend(later);
    if merged.iter().any(|(range, written)| written.is_none() && is_lost(*range)) {
        return Err(Failure::Halt("OPA can't write the networks that are merged".to_owned()));
    }
    let written = merged.into_iter().flat_map(|(range, written)| match written {
        Some(written) => vec![written],
        None => networks(range.first, range.last).into_iter().map(Network::write).collect(),
    });
    Ok(set_of(written.map(string)))
}

fn before(address: u128) -> u128 {
    if address == MAPPED { address } else { address.saturating_sub(1) }
}

/// Whether OPA's process ends over a range, or its networks have no address of it: it forgets zeros before the first address
/// of the smallest network around the range, and takes the address beside the range for one of IPv4.
fn is_lost(range: Network) -> bool {
    let is_ipv4 = |address: u128| address >> 32 == MAPPED >> 32;
    if is_ipv4(range.first) {
        return !range.is_mapped();
    }
    let around = Network::new(range.first, (range.first ^ range.last).leading_zeros());
    let is_short = around.first != 0 && around.first.leading_zeros() >= 8;
    let ends_beside = around.first < range.first && is_ipv4(range.first - 1)
        || range.last < around.last && (is_ipv4(range.last) || is_ipv4(range.last + 1));
    is_short || ends_beside
}

/// The fewest networks that have the addresses from `first` to `last`.
fn networks(mut first: u128, last: u128) -> Vec<Network> {
    let mut networks = Vec::new();
    loop {
        // The largest that begins here, and does not end too late.
        let aligned = if first == 0 { 128 } else { first.trailing_zeros() };
        let fits = (last - first).checked_add(1).map_or(128, u128::ilog2);
        let network = Network::new(first, 128 - aligned.min(fits));
        networks.push(network);
        match network.last.checked_add(1) {
            Some(next) if next <= last => first = next,
            _ => return networks,
        }
    }
}
