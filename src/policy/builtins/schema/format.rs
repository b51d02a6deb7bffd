//! The formats that `gojsonschema` knows, as laxly as it has them; of others it says nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regorus::Value as Rego;

use super::super::{Failure, regex::expression, time::parse::parse as time, uri};

const HOSTNAME: &str = r"^([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])(\.([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]{0,61}[a-zA-Z0-9]))*$";
const UUID: &str = "^(?i)[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$";
const POINTER: &str = "^(?:/(?:[^~/]|~0|~1)*)*$";
const RELATIVE_POINTER: &str = "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~0|~1)*)*)$";
const URI_TEMPLATE: &str = r"^([^{]*(\{[^}]*\})?)*$";
const DATE: &str = "2006-01-02";
const TIMES: [&str; 2] = ["15:04:05", "15:04:05Z07:00"];
const MOMENTS: [&str; 2] = ["2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.999999999Z07:00"];

/// Whether `text` has the format.
pub(super) fn is(format: &str, text: &str) -> Result<bool, Failure> {
    let matches = |pattern: &str| {
        let compiled = expression(pattern)?;
        compiled.admits(text)?;
        Ok(compiled.regex.is_match(text))
    };
    let any = |layouts: &[&str]| layouts.iter().any(|layout| time(layout, text).is_ok());
    Ok(match format {
        "date" => any(&[DATE]),
        "time" => any(&TIMES),
        "date-time" => any(&TIMES) || any(&[DATE]) || any(&MOMENTS),
        "hostname" => return Ok(text.len() < 256 && matches(HOSTNAME)?),
        "email" | "idn-email" => is_email(text),
        "ipv4" => text.contains('.') && text.parse::<IpAddr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<IpAddr>().is_ok(),
        "uri" | "iri" => parts(text).is_some_and(|parts| parts.has_scheme),
        "uri-reference" | "iri-reference" => parts(text).is_some(),
        "uri-template" => match parts(text) {
            Some(parts) => {
                let compiled = expression(URI_TEMPLATE)?;
                compiled.admits(text)?;
                compiled.regex.is_match(&parts.path)
            }
            None => false,
        },
        "uuid" => return matches(UUID),
        "json-pointer" => return matches(POINTER),
        "relative-json-pointer" => return matches(RELATIVE_POINTER),
        "regex" => match expression(text) {
            Ok(_) => true,
            Err(Failure::Operand(_)) => false,
            Err(halt) => return Err(halt),
        },
        _ => true,
    })
}

/// What is asked of a URL.
struct Parts {
    has_scheme: bool,
    path: String,
}

fn parts(text: &str) -> Option<Parts> {
    if text.contains('\\') {
        return None;
    }
    let parsed = uri::parse(&[Rego::from(text)]).ok()?;
    let part = |name: &str| parsed.as_object().ok()?.get(&Rego::from(name))?.as_string().ok().map(ToString::to_string);
    Some(Parts { has_scheme: part("scheme").is_some(), path: part("path").unwrap_or_default() })
}

/// RFC 5322 §3.4: an address, or a name and an address in angle brackets; a comment only at the end, no folding.
fn is_email(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    let comment =
        text.strip_suffix(')').and_then(|text| text.rsplit_once('(')).filter(|(_, c)| !c.contains([')', '\\']));
    let text = comment.map_or(text, |(before, _)| before.trim_end_matches([' ', '\t']));
    match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, address)) => is_name(name.trim_matches([' ', '\t'])) && is_address(address),
        None => is_address(text),
    }
}

/// A display name: words, each an atom (of which dots may be a part) or quoted.
fn is_name(mut name: &str) -> bool {
    while !name.is_empty() {
        let rest = if let Some(quoted) = name.strip_prefix('"') {
            after_quoted(quoted)
        } else {
            let end = name.find(|character| !is_atom(character) && character != '.').unwrap_or(name.len());
            if end == 0 { None } else { name.get(end..) }
        };
        let Some(rest) = rest else { return false };
        name = rest.trim_start_matches([' ', '\t']);
    }
    true
}

/// What follows a string whose first quotation mark is gone already.
fn after_quoted(text: &str) -> Option<&str> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return text.get(at + 1..),
            '\\' => {
                characters.next().filter(|(_, escaped)| !escaped.is_control())?;
            }
            '\t' => {}
            control if control.is_control() => return None,
            _ => {}
        }
    }
    None
}

fn is_address(address: &str) -> bool {
    let (local, rest) = match address.strip_prefix('"') {
        Some(quoted) => {
            let Some(rest) = after_quoted(quoted).filter(|rest| rest.len() + 1 < quoted.len()) else { return false };
            (true, rest.strip_prefix('@'))
        }
        None => match address.split_once('@') {
            Some((local, domain)) => (is_dotted(local), Some(domain)),
            None => return false,
        },
    };
    let domain = rest.unwrap_or_default();
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    local
        && match literal {
            Some(literal) => match literal.strip_prefix("IPv6:") {
                Some(address) => address.parse::<Ipv6Addr>().is_ok(),
                None => literal.parse::<Ipv4Addr>().is_ok(),
            },
            None => is_dotted(domain),
        }
}

fn is_dotted(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_atom(character: char) -> bool {
    character.is_ascii_alphanumeric() || !character.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}
