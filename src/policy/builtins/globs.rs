//! `glob.*` (the patterns of `gobwas/glob`), and `regex.globs_match`.

mod intersection;

use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, failed, mismatch, string, text},
    regex::{compiled, literal},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "glob.match", arity: 3, call: matches },
    Function { name: "glob.quote_meta", arity: 1, call: quote_meta },
    Function { name: "regex.globs_match", arity: 2, call: globs_match },
];

fn matches(arguments: &[Rego]) -> Answer {
    let pattern = text(arguments, 0)?;
    let delimiters = match any(arguments, 1) {
        Rego::Null => String::new(),
        Rego::Array(items) if items.is_empty() => ".".to_owned(),
        Rego::Array(items) => {
            let rune = |item: &Rego| match item {
                Rego::String(text) if text.chars().count() == 1 => text.chars().next().ok_or(()),
                _ => Err(()),
            };
            match items.iter().map(rune).collect::<Result<String, ()>>() {
                Ok(delimiters) => delimiters,
                Err(()) => return mismatch(arguments, 1, "array of characters"),
            }
        }
        _ => return mismatch(arguments, 1, "array, null"),
    };
    let value = text(arguments, 2)?;
    let glob = compiled(&format!("\0{delimiters}\0{pattern}"), || {
        translate(pattern, &delimiters).map(|pattern| (pattern, Vec::new())).map_err(Failure::Operand)
    })?;
    glob.admits(value)?;
    Ok(Rego::from(glob.regex.is_match(value)))
}

fn quote_meta(arguments: &[Rego]) -> Answer {
    let mut quoted = String::new();
    for character in text(arguments, 0)?.chars() {
        if "*?\\[]{}".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    Ok(string(quoted))
}

fn globs_match(arguments: &[Rego]) -> Answer {
    match intersection::exists(text(arguments, 0)?, text(arguments, 1)?) {
        Ok(Some(exists)) => Ok(Rego::from(exists)),
        Ok(None) => Err(Failure::Spent("the globs are too long".to_owned())),
        Err(fault) => failed(fault),
    }
}

/// A glob as a regular expression.
fn translate(glob: &str, delimiters: &str) -> Result<String, String> {
    let mut single = String::new();
    for delimiter in delimiters.chars() {
        literal(&mut single, delimiter);
    }
    let single = if single.is_empty() { ".".to_owned() } else { format!("[^{single}]") };
    let mut made = "(?s)\\A".to_owned();
    let (mut rest, mut level) = (glob.chars().peekable(), 0_usize);
    while let Some(character) = rest.next() {
        match character {
            '{' => {
                level += 1;
                made.push_str("(?:");
            }
            ',' if level > 0 => made.push('|'),
            '}' if level > 0 => {
                level -= 1;
                made.push(')');
            }
            '[' => made.push_str(&class(&mut rest)?),
            '?' => made.push_str(&single),
            '*' if rest.next_if_eq(&'*').is_some() => made.push_str(".*"),
            '*' => made.extend([&single, "*"]),
            '\\' => rest.next().into_iter().for_each(|character| literal(&mut made, character)),
            other => literal(&mut made, other),
        }
    }
    // A brace that is never closed is closed by the end.
    made.push_str(&")".repeat(level));
    made.push_str("\\z");
    Ok(made)
}

/// The rest of a class: a range, or a list in which only `\` and `]` are special.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let unexpected = || "unexpected end of input".to_owned();
    let mut made = "[".to_owned();
    if rest.next_if_eq(&'!').is_some() {
        made.push('^');
    }
    let mut ahead = rest.clone();
    let low = ahead.next().ok_or_else(unexpected)?;
    if ahead.next() == Some('-') {
        let high = ahead.next().ok_or_else(unexpected)?;
        if high < low {
            return Err(format!("hi character '{high}' should be greater than lo '{low}'"));
        }
        if ahead.next() != Some(']') {
            return Err("expected close range character".to_owned());
        }
        *rest = ahead;
        literal(&mut made, low);
        made.push('-');
        literal(&mut made, high);
        made.push(']');
        return Ok(made);
    }
    let mut listed = false;
    loop {
        let character = match rest.next().ok_or_else(unexpected)? {
            ']' if listed => {
                made.push(']');
                return Ok(made);
            }
            ']' => return Err("could not parse range".to_owned()),
            '\\' => rest.next().ok_or_else(unexpected)?,
            other => other,
        };
        listed = true;
        literal(&mut made, character);
    }
}
