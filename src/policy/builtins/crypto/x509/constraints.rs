//! Name constraints (RFC 5280 §4.2.1.10): which names an authority may vouch for.

use regorus::Value as Rego;

use super::{
    super::{
        super::Failure,
        asn1::{Input, tag},
        encoding::to_standard,
    },
    certificate::Certificate,
    extension::Names,
    value::{self, record, texts},
};

/// The most comparisons of a name with a constraint.
const MAX_COMPARISONS: usize = 500_000;

/// What an authority may vouch for, and what not.
pub(super) struct NameConstraints {
    critical: bool,
    /// Whether every kind of name in it is known.
    pub(super) understood: bool,
    permitted: Subtrees,
    excluded: Subtrees,
}

#[derive(Default)]
struct Subtrees {
    dns: Vec<String>,
    /// Networks, each with its mask.
    networks: Vec<(Vec<u8>, Vec<u8>)>,
    emails: Vec<String>,
    domains: Vec<String>,
}

impl NameConstraints {
    pub(super) fn parse(der: &[u8], critical: bool) -> Option<Self> {
        let mut input = Input(der);
        let mut subtrees = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        let permitted = subtrees.optional(tag::constructed(0))?.unwrap_or(Input(&[]));
        let excluded = subtrees.optional(tag::constructed(1))?.unwrap_or(Input(&[]));
        if !subtrees.is_empty() || (permitted.is_empty() && excluded.is_empty()) {
            return None;
        }
        let mut understood = true;
        let permitted = Subtrees::parse(permitted, &mut understood)?;
        let excluded = Subtrees::parse(excluded, &mut understood)?;
        Some(Self { critical, understood, permitted, excluded })
    }

    /// Writes the members that Go has, empty where there are no constraints.
    pub(super) fn write(constraints: Option<&Self>, members: &mut regorus::value::Object) {
        let none = Subtrees::default();
        let permitted = constraints.map_or(&none, |constraints| &constraints.permitted);
        let excluded = constraints.map_or(&none, |constraints| &constraints.excluded);
        let critical = constraints.is_some_and(|constraints| constraints.critical);
        members.insert("PermittedDNSDomainsCritical".into(), Rego::from(critical));
        for (kind, subtrees) in [("Permitted", permitted), ("Excluded", excluded)] {
            let networks = value::slice(&subtrees.networks, |(network, mask)| {
                record([("IP", value::address(network)), ("Mask", to_standard(mask).into())])
            });
            for (name, value) in [
                ("DNSDomains", texts(&subtrees.dns)),
                ("IPRanges", networks),
                ("EmailAddresses", texts(&subtrees.emails)),
                ("URIDomains", texts(&subtrees.domains)),
            ] {
                members.insert(format!("{kind}{name}").into(), value);
            }
        }
    }

    /// Whether all of these names are permitted, and none is excluded.
    fn admit(&self, names: &Names) -> bool {
        let domain_in = |constraints: &[String], domain: &str, excluded: bool| {
            constraints.iter().any(|constraint| {
                has_suffix(constraint, domain)
                    || (excluded && domain.starts_with('*') && without_label(constraint) == without_label(domain))
            })
        };
        // Without constraints of a kind, all of that kind is permitted.
        let addresses = names.addresses.iter().all(|address| {
            let of_family: Vec<_> = self.permitted.networks.iter().collect();
            (of_family.is_empty() || of_family.iter().any(|network| contains(network, address)))
                && !self.excluded.networks.iter().any(|network| contains(network, address))
        });
        let dns = names.dns.iter().all(|name| {
            valid_domain(name, false)
                && (self.permitted.dns.is_empty() || domain_in(&self.permitted.dns, name, false))
                && !domain_in(&self.excluded.dns, name, true)
        });
        let uris = names.uris.iter().all(|uri| {
            let Some(domain) = domain_of(&uri.host) else { return false };
            (self.permitted.domains.is_empty() || domain_in(&self.permitted.domains, &domain, false))
                && !domain_in(&self.excluded.domains, &domain, true)
        });
        let emails = names.emails.iter().all(|email| {
            let Some((local, domain)) = mailbox(email) else { return false };
            let matches = |constraints: &[String], excluded: bool| {
                constraints.iter().any(|constraint| match mailbox(constraint) {
                    Some((only, at)) => only == local && at.eq_ignore_ascii_case(domain),
                    None => domain_in(std::slice::from_ref(constraint), domain, excluded),
                })
            };
            (self.permitted.emails.is_empty() || matches(&self.permitted.emails, false))
                && !matches(&self.excluded.emails, true)
        });
        addresses && dns && uris && emails
    }

    fn len(&self) -> usize {
        let count = |subtrees: &Subtrees| {
            subtrees.dns.len() + subtrees.networks.len() + subtrees.emails.len() + subtrees.domains.len()
        };
        count(&self.permitted) + count(&self.excluded)
    }
}

impl Subtrees {
    fn parse(mut input: Input, understood: &mut bool) -> Option<Self> {
        let mut subtrees = Self::default();
        while !input.is_empty() {
            let name = input.expect(tag::SEQUENCE)?.any()?;
            let bytes = name.value.0;
            let text = || std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(str::to_owned);
            let domain = || text().filter(|domain| valid_domain(domain, true));
            match name.tag {
                0x81 => {
                    let email = text()?;
                    let valid =
                        if email.contains('@') { mailbox(&email).is_some() } else { valid_domain(&email, true) };
                    subtrees.emails.push(Some(email).filter(|_| valid)?);
                }
                0x82 => subtrees.dns.push(domain()?),
                0x86 => subtrees.domains.push(domain().filter(|domain| domain.parse::<std::net::IpAddr>().is_err())?),
                0x87 if matches!(bytes.len(), 8 | 32) => {
                    let (network, mask) = bytes.split_at_checked(bytes.len() / 2)?;
                    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
                    let zeros: u32 = mask.iter().map(|byte| byte.count_zeros()).sum();
                    let in_order = mask.is_sorted_by(|one, next| *one == 0xff || *next == 0);
                    if !in_order || ones + zeros != u32::try_from(mask.len()).ok()? * 8 {
                        return None;
                    }
                    subtrees.networks.push((network.to_vec(), mask.to_vec()));
                }
                0x87 => return None,
                _ => *understood = false,
            }
        }
        Some(subtrees)
    }
}

/// Whether every name in the chain, the leaf first, is one that the authorities above may vouch for.
pub(super) fn admit(chain: &[&Certificate]) -> Result<bool, Failure> {
    let mut comparisons = 0_usize;
    for (at, certificate) in chain.iter().enumerate() {
        let Some(names) = &certificate.extensions.names else { continue };
        let count = names.dns.len() + names.emails.len() + names.addresses.len() + names.uris.len();
        let above =
            chain.iter().skip(at + 1).filter_map(|certificate| certificate.extensions.name_constraints.as_ref());
        for constraints in above {
            comparisons = comparisons.saturating_add(count.saturating_mul(constraints.len()));
            if comparisons > MAX_COMPARISONS {
                return Err(Failure::Spent(format!("more than {MAX_COMPARISONS} comparisons of names")));
            }
            if !constraints.admit(names) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether this can be a domain's name; a constraint may begin with a period.
pub(super) fn valid_domain(domain: &str, constraint: bool) -> bool {
    if domain.is_empty() {
        return true;
    }
    let labels = if constraint { domain.strip_prefix('.').unwrap_or(domain) } else { domain };
    labels.split('.').all(|label| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte)))
}

/// Whether `domain` is `constraint`, or is below it. The empty constraint is above all.
fn has_suffix(constraint: &str, domain: &str) -> bool {
    let Some(start) = domain.len().checked_sub(constraint.len()) else { return false };
    let (before, end) = domain.as_bytes().split_at(start);
    end.eq_ignore_ascii_case(constraint.as_bytes())
        && (before.is_empty() || constraint.is_empty() || constraint.starts_with('.') || before.last() == Some(&b'.'))
}

/// What is after the first label, with the period.
fn without_label(domain: &str) -> Option<String> {
    domain.find('.').and_then(|at| domain.get(at..)).map(str::to_ascii_lowercase)
}

fn contains((network, mask): &(Vec<u8>, Vec<u8>), address: &[u8]) -> bool {
    network.len() == address.len()
        && network.iter().zip(mask).zip(address).all(|((network, mask), address)| network & mask == address & mask)
}

/// The domain of a URI; one that has none, or an address, can't be compared with constraints.
fn domain_of(host: &str) -> Option<String> {
    let host = match host.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') => host,
        Some(_) => return None,
        None => host,
    };
    let domain = !host.is_empty() && host.parse::<std::net::IpAddr>().is_err() && valid_domain(host, false);
    domain.then(|| host.to_ascii_lowercase())
}

/// The local part and the domain. Quoted local parts, which Go reads, are refused here: nobody may use them.
fn mailbox(email: &str) -> Option<(&str, &str)> {
    let (local, domain) = email.split_once('@')?;
    let atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    (local.split('.').all(atom) && valid_domain(domain, false)).then_some((local, domain))
}
