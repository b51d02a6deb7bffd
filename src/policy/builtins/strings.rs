//! The built-ins on strings, as Go's `strings` package has them: positions count characters, case maps one to one.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_traits::Zero as _;
use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, array_of, big, exact_text, failed, int, items, mismatch, number, object, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "concat", arity: 2, call: concat },
    Function { name: "contains", arity: 2, call: |arguments| test(arguments, |text, part| text.contains(part)) },
    Function { name: "endswith", arity: 2, call: |arguments| test(arguments, |text, part| text.ends_with(part)) },
    Function { name: "startswith", arity: 2, call: |arguments| test(arguments, |text, part| text.starts_with(part)) },
    Function { name: "format_int", arity: 2, call: format_int },
    Function { name: "indexof", arity: 2, call: indexof },
    Function { name: "indexof_n", arity: 2, call: indexof_n },
    Function { name: "lower", arity: 1, call: |arguments| map(arguments, lower) },
    Function { name: "upper", arity: 1, call: |arguments| map(arguments, upper) },
    Function { name: "replace", arity: 3, call: replace },
    Function { name: "split", arity: 2, call: split },
    Function { name: "strings.any_prefix_match", arity: 2, call: |arguments| any_match(arguments, str::to_owned) },
    Function { name: "strings.any_suffix_match", arity: 2, call: |arguments| any_match(arguments, reversed) },
    Function { name: "strings.count", arity: 2, call: count },
    Function { name: "strings.replace_n", arity: 2, call: replace_n },
    Function { name: "strings.reverse", arity: 1, call: |arguments| Ok(string(reversed(text(arguments, 0)?))) },
    Function { name: "strings.split_n", arity: 3, call: split_n },
    Function { name: "substring", arity: 3, call: substring },
    Function { name: "trim", arity: 2, call: |arguments| trim(arguments, true, true) },
    Function { name: "trim_left", arity: 2, call: |arguments| trim(arguments, true, false) },
    Function { name: "trim_right", arity: 2, call: |arguments| trim(arguments, false, true) },
    Function {
        name: "trim_prefix",
        arity: 2,
        call: |arguments| trim_affix(arguments, |text, affix| text.strip_prefix(affix)),
    },
    Function {
        name: "trim_suffix",
        arity: 2,
        call: |arguments| trim_affix(arguments, |text, affix| text.strip_suffix(affix)),
    },
    Function { name: "trim_space", arity: 1, call: |arguments| Ok(string(text(arguments, 0)?.trim())) },
];

/// The most comparisons of bytes that a search may come to.
const MAX_WORK: usize = 1 << 32;

fn test(arguments: &[Rego], holds: fn(&str, &str) -> bool) -> Answer {
    Ok(Rego::from(holds(text(arguments, 0)?, text(arguments, 1)?)))
}

fn map(arguments: &[Rego], of: fn(char) -> char) -> Answer {
    Ok(string(text(arguments, 0)?.chars().map(of).collect::<String>()))
}

/// Unicode's simple lower case: one character for one.
pub(super) fn lower(character: char) -> char {
    if character == 'İ' {
        return 'i';
    }
    only(character.to_lowercase()).unwrap_or(character)
}

/// Unicode's simple upper case: one character for one.
fn upper(character: char) -> char {
    match character {
        'ᾀ'..='ᾇ' | 'ᾐ'..='ᾗ' | 'ᾠ'..='ᾧ' => char::from_u32(u32::from(character) + 8).unwrap_or(character),
        'ᾳ' => 'ᾼ',
        'ῃ' => 'ῌ',
        'ῳ' => 'ῼ',
        _ => only(character.to_uppercase()).unwrap_or(character),
    }
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next();
    first.filter(|_| characters.next().is_none())
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

fn concat(arguments: &[Rego]) -> Answer {
    let delimiter = text(arguments, 0)?;
    Ok(string(texts(arguments, 1)?.join(delimiter)))
}

/// An array or a set of strings.
fn texts(arguments: &[Rego], at: usize) -> Result<Vec<String>, Failure> {
    let strings = items(arguments, at)?;
    let text = |item: &Rego| match item {
        Rego::String(text) => Ok(text.to_string()),
        _ => mismatch(arguments, at, "collection of strings"),
    };
    strings.iter().map(text).collect()
}

fn any_match(arguments: &[Rego], turned: fn(&str) -> String) -> Answer {
    let strings = |at: usize| match any(arguments, at) {
        Rego::String(text) => Ok(vec![text.to_string()]),
        _ => texts(arguments, at),
    };
    let turned = |strings: Vec<String>| strings.iter().map(|text| turned(text)).collect::<BTreeSet<_>>();
    let (texts, affixes) = (turned(strings(0)?), turned(strings(1)?));
    // The first text that does not sort before an affix is the one that begins with it, if any does.
    let begins = |affix: &String| texts.range(affix.clone()..).next().is_some_and(|text| text.starts_with(affix));
    Ok(Rego::from(affixes.iter().any(begins)))
}

fn format_int(arguments: &[Rego]) -> Answer {
    let value = number(arguments, 0)?;
    number(arguments, 1)?;
    let radix = match int(arguments, 1) {
        Ok(radix @ (2 | 8 | 10 | 16)) => u32::try_from(radix).unwrap_or(10),
        _ => return Err(Failure::Type("operand 2 must be one of {2, 8, 10, 16}".to_owned())),
    };
    let whole = big(arguments, 0).ok();
    let whole = whole.or_else(|| num_traits::FromPrimitive::from_f64(value.as_f64().ok()?.trunc()));
    // It may be written with an exponent: of such numbers OPA takes 64 bits.
    let is_long = |whole: &BigInt| whole.bits() - whole.trailing_zeros().unwrap_or(0) > 64;
    if whole.as_ref().is_some_and(|whole| is_long(whole) && (whole % 10_u8).is_zero()) {
        return Err(Failure::Spent("the number has more than 64 bits, and may have an exponent".to_owned()));
    }
    whole.map(|whole| string(whole.to_str_radix(radix))).map_or_else(|| failed("no number"), Ok)
}

/// Where `search` is in `text`, counted in characters.
fn positions<'a>(text: &'a str, search: &'a str) -> Result<impl Iterator<Item = usize> + 'a, Failure> {
    if search.is_empty() {
        return failed("empty search character");
    }
    if text.len().saturating_mul(search.len()) > MAX_WORK {
        return Err(Failure::Spent("the search is too long".to_owned()));
    }
    let starts = text.char_indices().enumerate();
    Ok(starts.filter_map(move |(position, (at, _))| text.get(at..)?.starts_with(search).then_some(position)))
}

fn indexof(arguments: &[Rego]) -> Answer {
    let first = positions(text(arguments, 0)?, text(arguments, 1)?)?.next();
    Ok(first.map_or_else(|| Rego::from(-1_i64), Rego::from))
}

fn indexof_n(arguments: &[Rego]) -> Answer {
    Ok(array_of(positions(text(arguments, 0)?, text(arguments, 1)?)?.map(Rego::from)))
}

fn count(arguments: &[Rego]) -> Answer {
    let (text, part) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Rego::from(if part.is_empty() { text.chars().count() + 1 } else { text.matches(part).count() }))
}

fn substring(arguments: &[Rego]) -> Answer {
    let (text, start, length) = (text(arguments, 0)?, int(arguments, 1)?, int(arguments, 2)?);
    let Ok(start) = usize::try_from(start) else { return failed("negative offset") };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(string(text.chars().skip(start).take(length).collect::<String>()))
}

fn parts<'a>(text: &'a str, delimiter: &str) -> Vec<&'a str> {
    if delimiter.is_empty() {
        return text.split_inclusive(|_| true).collect();
    }
    text.split(delimiter).collect()
}

fn split(arguments: &[Rego]) -> Answer {
    Ok(array_of(parts(text(arguments, 0)?, text(arguments, 1)?).into_iter().map(string)))
}

/// The first `n` parts, or the last for a negative `n`.
fn split_n(arguments: &[Rego]) -> Answer {
    let (parts, n) = (parts(text(arguments, 0)?, text(arguments, 1)?), int(arguments, 2)?);
    let many = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX).min(parts.len());
    let skipped = if n < 0 { parts.len() - many } else { 0 };
    Ok(array_of(parts.into_iter().skip(skipped).take(many).map(string)))
}

fn trim(arguments: &[Rego], left: bool, right: bool) -> Answer {
    let text = text(arguments, 0)?;
    let cut: BTreeSet<char> = super::operand::text(arguments, 1)?.chars().collect();
    let is_cut = |character: char| cut.contains(&character);
    let text = if left { text.trim_start_matches(is_cut) } else { text };
    Ok(string(if right { text.trim_end_matches(is_cut) } else { text }))
}

fn trim_affix(arguments: &[Rego], strip: for<'a> fn(&'a str, &str) -> Option<&'a str>) -> Answer {
    let (text, affix) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(string(strip(text, affix).unwrap_or(text)))
}

fn replace(arguments: &[Rego]) -> Answer {
    let (text, old, new) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    if old.is_empty() {
        return replaced(text, &[(old, new)]);
    }
    Ok(string(text.replace(old, new)))
}

fn replace_n(arguments: &[Rego]) -> Answer {
    let (patterns, text) = (object(arguments, 0)?, text(arguments, 1)?);
    let pairs = patterns.iter_sorted().map(|pair| match pair {
        (Rego::String(old), Rego::String(new)) => Ok((&**old, &**new)),
        (Rego::String(_), _) => Err(Failure::Type("operand 1 non-string value found in pattern object".to_owned())),
        _ => Err(Failure::Type("operand 1 non-string key found in pattern object".to_owned())),
    });
    replaced(text, &pairs.collect::<Result<Vec<_>, _>>()?)
}

/// `text`, at each place the first of `pairs` that is there replaced. Go looks at each byte, not at each character: an
/// empty text is also found inside one.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> Answer {
    let mut by_first: BTreeMap<u8, Vec<(&str, &str)>> = BTreeMap::new();
    for (old, new) in pairs {
        if let Some(first) = old.bytes().next() {
            by_first.entry(first).or_default().push((old, new));
        }
    }
    let most = by_first.values().map(|pairs| pairs.iter().map(|(old, _)| old.len()).sum()).max().unwrap_or(1_usize);
    if text.len().saturating_mul(most) > MAX_WORK {
        return Err(Failure::Spent("there is too much to replace".to_owned()));
    }
    let empty = pairs.iter().find(|(old, _)| old.is_empty()).map(|(_, new)| *new);
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        made.extend(empty.unwrap_or_default().bytes());
        let Some((first, after)) = rest.split_first() else { break };
        let pairs = by_first.get(first).map(Vec::as_slice).unwrap_or_default();
        if let Some((old, new)) = pairs.iter().find(|(old, _)| rest.starts_with(old.as_bytes())) {
            made.extend(new.bytes());
            rest = rest.get(old.len()..).unwrap_or_default();
        } else {
            made.push(*first);
            rest = after;
        }
    }
    Ok(string(exact_text(made)?))
}
