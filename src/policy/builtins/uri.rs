//! `uri.*` and `urlquery.*`: URLs as Go's `net/url` reads and writes them.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv6Addr};

use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, array_of, exact_text, failed, mismatch, object_of, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "uri.parse", arity: 1, call: parse },
    Function { name: "uri.is_valid", arity: 1, call: is_valid },
    Function { name: "urlquery.encode", arity: 1, call: encode },
    Function { name: "urlquery.decode", arity: 1, call: decode },
    Function { name: "urlquery.encode_object", arity: 1, call: encode_object },
    Function { name: "urlquery.decode_object", arity: 1, call: decode_object },
];

/// The most parameters of a query, as in Go.
const MAX_PARAMETERS: usize = 10_000;

/// The part of a URL that a text is in; each has its own rules of escaping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Query,
    Fragment,
}

impl Part {
    /// Whether `byte` must be escaped here.
    fn escapes(self, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            return false;
        }
        let in_host = matches!(self, Self::Host | Self::Zone);
        if in_host && b"!$&'()*+,;=:[]<>\"".contains(&byte) {
            return false;
        }
        if b"$&+,/:;=?@".contains(&byte) {
            return match self {
                Self::Path => byte == b'?',
                Self::User => b"@/?:".contains(&byte),
                Self::Fragment => false,
                Self::Query | Self::Host | Self::Zone => true,
            };
        }
        self != Self::Fragment || !b"!()*".contains(&byte)
    }

    fn escape(self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        for byte in bytes {
            if *byte == b' ' && self == Self::Query {
                text.push('+');
            } else if self.escapes(*byte) {
                let _ = write!(text, "%{byte:02X}");
            } else {
                text.push(char::from(*byte));
            }
        }
        text
    }

    fn unescape(self, text: &str) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'%' => {
                    let digits = after.split_at_checked(2).map(|(digits, after)| {
                        rest = after;
                        digits
                    });
                    let hex = |digit: &u8| char::from(*digit).to_digit(16);
                    let value = match digits {
                        Some([high, low]) => hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low),
                        _ => None,
                    };
                    let Some(value) = value.and_then(|value| u8::try_from(value).ok()) else {
                        return failed(format!("invalid URL escape in {text:?}"));
                    };
                    let refused = match self {
                        Self::Host => value < 0x80 && value != b'%',
                        Self::Zone => value != b'%' && value != b' ' && Self::Host.escapes(value),
                        _ => false,
                    };
                    if refused {
                        return failed(format!("invalid URL escape in {text:?}"));
                    }
                    bytes.push(value);
                }
                b'+' if self == Self::Query => bytes.push(b' '),
                byte if matches!(self, Self::Host | Self::Zone) && *byte < 0x80 && self.escapes(*byte) => {
                    return failed(format!("invalid character in host name {text:?}"));
                }
                byte => bytes.push(*byte),
            }
        }
        Ok(bytes)
    }
}

/// A fragment without its escapes.
pub(super) fn unescaped(fragment: &str) -> Result<String, Failure> {
    Part::Fragment.unescape(fragment).and_then(exact_text)
}

/// A fragment as Go writes it again: as it was, where all that must have an escape there has one.
pub(super) fn rewritten(fragment: &str) -> Result<String, Failure> {
    let stays = |byte: u8| b"%'[]".contains(&byte) || !Part::Fragment.escapes(byte);
    let bytes = Part::Fragment.unescape(fragment)?;
    Ok(if fragment.bytes().all(stays) { fragment.to_owned() } else { Part::Fragment.escape(&bytes) })
}

/// The parts of a URL that are not empty.
pub(super) fn parse(arguments: &[Rego]) -> Answer {
    let whole = text(arguments, 0)?;
    let (before, fragment) = whole.split_once('#').unwrap_or((whole, ""));
    if before.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return failed("invalid control character in URL");
    }
    let mut parts: BTreeMap<&str, String> = BTreeMap::new();
    if before == "*" {
        parts.insert("path", "*".to_owned());
        parts.insert("raw_path", "*".to_owned());
    } else {
        let (scheme, rest) = scheme(before)?;
        let scheme = scheme.to_ascii_lowercase();
        let (rest, query) = match rest.strip_suffix('?') {
            Some(path) if !path.contains('?') => (path, ""),
            _ => rest.split_once('?').unwrap_or((rest, "")),
        };
        parts.insert("raw_query", query.to_owned());
        if rest.starts_with('/') || scheme.is_empty() {
            hierarchy(&scheme, rest, &mut parts)?;
        }
        parts.insert("scheme", scheme);
    }
    parts.insert("fragment", exact_text(Part::Fragment.unescape(fragment)?)?);
    let present = parts.into_iter().filter(|(_, text)| !text.is_empty());
    Ok(object_of(present.map(|(name, text)| (string(name), string(text)))))
}

/// What follows the scheme where it is not opaque: host, port and path.
fn hierarchy(scheme: &str, rest: &str, parts: &mut BTreeMap<&str, String>) -> Result<(), Failure> {
    if !rest.starts_with('/') && rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
        return failed("first path segment in URL cannot contain colon");
    }
    let mut path = rest;
    if let Some(authority) = rest.strip_prefix("//").filter(|_| !scheme.is_empty() || !rest.starts_with("///")) {
        let end = authority.find('/').unwrap_or(authority.len());
        let (authority, after) = authority.split_at(end);
        path = after;
        let host = match authority.rsplit_once('@') {
            Some((user, host)) => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
                if !user.chars().all(allowed) {
                    return failed("invalid userinfo");
                }
                Part::User.unescape(user)?;
                host
            }
            None => authority,
        };
        let host = self::host(scheme, host)?;
        let (name, port) = match host.rfind(':').map(|at| host.split_at(at)) {
            Some((name, port)) if is_port(port) => (name, port.get(1..).unwrap_or_default()),
            _ => (host.as_str(), ""),
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        parts.insert("hostname", name.to_owned());
        parts.insert("port", port.to_owned());
    }
    let unescaped = Part::Path.unescape(path)?;
    let usual = Part::Path.escape(&unescaped) == path;
    let unescaped = exact_text(unescaped)?;
    parts.insert("raw_path", if usual { unescaped.clone() } else { path.to_owned() });
    parts.insert("path", unescaped);
    Ok(())
}

fn scheme(text: &str) -> Result<(&str, &str), Failure> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return failed("missing protocol scheme"),
            b':' => return Ok(text.split_once(':').unwrap_or(("", text))),
            _ => break,
        }
    }
    Ok(("", text))
}

/// A host with its port, unescaped.
fn host(scheme: &str, host: &str) -> Result<String, Failure> {
    match host.rfind('[') {
        Some(0) => return literal(host),
        Some(_) => return failed("invalid IP-literal"),
        None => {}
    }
    let colon = if matches!(scheme, "http" | "https") { host.find(':') } else { host.rfind(':') };
    if colon.and_then(|at| host.get(at..)).is_some_and(|port| !is_port(port)) {
        return failed("invalid port after host");
    }
    Part::Host.unescape(host).and_then(exact_text)
}

/// An IPv6 address in brackets (RFC 3986 §3.2.2, RFC 6874).
fn literal(host: &str) -> Result<String, Failure> {
    let Some((name, port)) = host.strip_prefix('[').and_then(|host| host.rsplit_once(']')) else {
        return failed("missing ']' in host");
    };
    if !is_port(port) {
        return failed("invalid port after host");
    }
    let (name, zone) = name.split_at(name.find("%25").unwrap_or(name.len()));
    let (name, zone) = (exact_text(Part::Host.unescape(name)?)?, exact_text(Part::Zone.unescape(zone)?)?);
    let (bare, own_zone) = name.split_once('%').map_or((name.as_str(), None), |(bare, zone)| (bare, Some(zone)));
    if bare.parse::<Ipv6Addr>().is_err() || zone == "%" || own_zone == Some("") {
        return failed("invalid host");
    }
    Ok(format!("[{name}{zone}]{port}"))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_valid(arguments: &[Rego]) -> Answer {
    let empty = text(arguments, 0).is_ok_and(str::is_empty);
    match parse(arguments) {
        Err(Failure::Spent(cause)) => Err(Failure::Spent(cause)),
        read => Ok(Rego::from(!empty && read.is_ok())),
    }
}

fn encode(arguments: &[Rego]) -> Answer {
    Ok(string(Part::Query.escape(text(arguments, 0)?.as_bytes())))
}

fn decode(arguments: &[Rego]) -> Answer {
    Ok(string(exact_text(Part::Query.unescape(text(arguments, 0)?)?)?))
}

fn encode_object(arguments: &[Rego]) -> Answer {
    let Rego::Object(members) = any(arguments, 0) else { return mismatch(arguments, 0, "object") };
    let refused = || Failure::Type("operand 1 values must be string, array[string], or set[string]".to_owned());
    let mut pairs: Vec<(String, Vec<Rego>)> = Vec::new();
    for (key, value) in members.iter() {
        let key = match key {
            Rego::String(key) => key.to_string(),
            other => serde_json::to_string(other).map_err(|error| Failure::Operand(error.to_string()))?,
        };
        let values = match value {
            Rego::String(_) => vec![value.clone()],
            Rego::Array(items) => items.iter().cloned().collect(),
            Rego::Set(items) => items.iter_sorted().cloned().collect(),
            _ => return Err(refused()),
        };
        pairs.push((key, values));
    }
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    let mut encoded = String::new();
    for (key, values) in &pairs {
        for value in values {
            let Rego::String(value) = value else { return Err(refused()) };
            let separator = if encoded.is_empty() { "" } else { "&" };
            let (key, value) = (Part::Query.escape(key.as_bytes()), Part::Query.escape(value.as_bytes()));
            let _ = write!(encoded, "{separator}{key}={value}");
        }
    }
    Ok(string(encoded))
}

fn decode_object(arguments: &[Rego]) -> Answer {
    let query = text(arguments, 0)?;
    if query.matches('&').count() >= MAX_PARAMETERS {
        return failed("number of URL query parameters exceeded limit");
    }
    let mut values: BTreeMap<String, Vec<Rego>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return failed("invalid semicolon separator in query");
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = string(exact_text(Part::Query.unescape(value)?)?);
        values.entry(exact_text(Part::Query.unescape(key)?)?).or_default().push(value);
    }
    Ok(object_of(values.into_iter().map(|(key, values)| (string(key), array_of(values)))))
}
