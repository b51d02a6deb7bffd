//! `semver.*` and `uuid.parse`.

use std::cmp::Ordering;

use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, failed, object_of, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "semver.compare", arity: 2, call: compare },
    Function {
        name: "semver.is_valid",
        arity: 1,
        call: |arguments| Ok(Rego::from(text(arguments, 0).is_ok_and(|text| Version::parse(text).is_some()))),
    },
    Function { name: "uuid.parse", arity: 1, call: parse },
];

/// A version as OPA reads it: not as strictly as the standard (it takes a `v` and zeros before), but comparing as it.
struct Version<'a> {
    numbers: [i64; 3],
    release: &'a str,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = text.split_once('+').unwrap_or((text, ""));
        let (text, release) = text.split_once('-').unwrap_or((text, ""));
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_well_formed = |parts: &str| parts.is_empty() || parts.split('.').all(is_part);
        let mut parts = text.split('.').map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<i64>().ok()).flatten()
        });
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        (parts.next().is_none() && is_well_formed(metadata) && is_well_formed(release))
            .then_some(Self { numbers, release })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let releases = match (self.release, other.release) {
            (one, other) if one == other => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => releases(one, other),
        };
        self.numbers.cmp(&other.numbers).then(releases)
    }
}

/// Semantic Versioning 2.0.0 §11.4: numbers by value, before texts.
fn releases(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (number(one), number(other)) {
                (Some(one), Some(other)) => one.cmp(&other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A part of digits alone, however large.
fn number(part: &str) -> Option<(usize, &str)> {
    let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let significant = part.trim_start_matches('0');
    digits.then_some((significant.len(), significant))
}

fn compare(arguments: &[Rego]) -> Answer {
    let (one, other) = (text(arguments, 0)?, text(arguments, 1)?);
    let (Some(one), Some(other)) = (Version::parse(one), Version::parse(other)) else {
        return failed("an operand is not a valid SemVer");
    };
    // What has more digits than Go's integers compares otherwise there, or never ends.
    if [0, 1].iter().any(|at| text(arguments, *at).is_ok_and(has_large_part)) {
        return Err(Failure::Spent("a version has a part of more than 18 digits".to_owned()));
    }
    Ok(Rego::from(one.compare(&other) as i64))
}

/// Whether a part of digits before the build is larger than 18 of them may be.
fn has_large_part(version: &str) -> bool {
    let (counts, _) = version.split_once('+').unwrap_or((version, ""));
    counts.split(['.', '-']).any(|part| part.len() > 18 && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a UUID says (RFC 4122 §4.1): for versions 1 and 2 also when and where it was made.
fn parse(arguments: &[Rego]) -> Answer {
    let text = text(arguments, 0)?;
    let text = match text.len() {
        38 => text.get(1..37),
        45 if text.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("urn:uuid:")) => text.get(9..),
        32 | 36 => Some(text),
        _ => None,
    };
    let hyphens = |text: &str| [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let text = text.filter(|text| text.len() == 32 || hyphens(text));
    let digits = text.map(|text| text.replace('-', "")).filter(|digits| digits.len() == 32);
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let Some(bits) = digits.and_then(|digits| u128::from_str_radix(&digits, 16).ok()) else {
        // As in OPA, also where errors are strict.
        return Ok(Rego::Undefined);
    };
    let part = |shift: u32, mask: u64| u64::try_from(bits >> shift & u128::from(mask)).unwrap_or(0);
    let version = part(76, 0xf);
    let variant = match part(56, 0xff) {
        0x80..0xc0 => "RFC4122",
        0xc0..0xe0 => "Microsoft",
        0xe0.. => "Future",
        _ => "Reserved",
    };
    let mut told = vec![("version", Rego::from(version)), ("variant", string(variant))];
    if matches!(version, 1 | 2) {
        let ticks = part(64, 0xfff) << 48 | part(80, 0xffff) << 32 | part(96, 0xffff_ffff);
        // From 100 ns since 1582 to 1 ns since 1970; where Go's arithmetic overflows, this does.
        let ticks = ticks.cast_signed().wrapping_sub(0x01b2_1dd2_1381_4000);
        told.push(("time", Rego::from(ticks.wrapping_mul(100))));
        let node = part(0, 0xffff_ffff_ffff).to_be_bytes();
        let node: Vec<String> = node.iter().skip(2).map(|byte| format!("{byte:02x}")).collect();
        told.push(("nodeid", string(node.join("-"))));
        let reach = ["global:unicast", "global:multicast", "local:unicast", "local:multicast"];
        let reach = usize::try_from(part(40, 3)).ok().and_then(|at| reach.get(at)).copied();
        told.push(("macvariables", string(reach.unwrap_or_default())));
        told.push(("clocksequence", Rego::from(part(48, 0x3fff))));
    }
    if version == 2 {
        told.push(("id", Rego::from(part(96, 0xffff_ffff))));
        let domain = match part(48, 0xff) {
            0 => "Person".to_owned(),
            1 => "Group".to_owned(),
            2 => "Org".to_owned(),
            other => format!("Domain{other}"),
        };
        told.push(("domain", string(domain)));
    }
    Ok(object_of(told.into_iter().map(|(name, value)| (string(name), value))))
}
