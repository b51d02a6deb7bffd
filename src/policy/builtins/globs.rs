//! `glob.*` (the patterns of `gobwas/glob`), and `regex.globs_match`.

mod common;
mod compile;
mod find;
mod glue;
mod intersection;
mod matcher;
mod pattern;
mod runes;
#[cfg(test)]
mod tests;
mod work;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regorus::Value as Rego;

use self::compile::Glob;
use super::{
    Failure, Function,
    operand::{Answer, any, failed, mismatch, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "glob.match", arity: 3, call: matches },
    Function { name: "glob.quote_meta", arity: 1, call: quote_meta },
    Function { name: "regex.globs_match", arity: 2, call: globs_match },
];

fn matches(arguments: &[Rego]) -> Answer {
    let pattern = text(arguments, 0)?;
    let delimiters = match any(arguments, 1) {
        Rego::Null => Vec::new(),
        Rego::Array(items) if items.is_empty() => vec!['.'],
        Rego::Array(items) => {
            let rune = |item: &Rego| match item {
                Rego::String(text) if text.chars().count() == 1 => text.chars().next().ok_or(()),
                _ => Err(()),
            };
            match items.iter().map(rune).collect::<Result<Vec<char>, ()>>() {
                Ok(delimiters) => delimiters,
                Err(()) => return mismatch(arguments, 1, "array of characters"),
            }
        }
        _ => return mismatch(arguments, 1, "array, null"),
    };
    let value = text(arguments, 2)?;
    Ok(Rego::from(compiled(pattern, &delimiters)?.matches(value)?))
}

/// The most globs that are kept, and the longest pattern of one that is.
const KEPT: (usize, usize) = (256, 1 << 10);

thread_local! {
    static CACHE: RefCell<HashMap<String, Rc<Glob>>> = RefCell::default();
}

/// The glob of this pattern: from the cache, which each thread has to itself, or made.
fn compiled(pattern: &str, delimiters: &[char]) -> Result<Rc<Glob>, Failure> {
    let (most, longest) = KEPT;
    if pattern.len() > longest || delimiters.len() > longest {
        return Glob::new(pattern, delimiters).map(Rc::new);
    }
    let mut key = format!("{} ", delimiters.len());
    key.extend(delimiters);
    key.push_str(pattern);
    if let Some(known) = CACHE.with_borrow(|cache| cache.get(&key).cloned()) {
        return Ok(known);
    }
    let glob = Rc::new(Glob::new(pattern, delimiters)?);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= most {
            cache.clear();
        }
        cache.insert(key, Rc::clone(&glob));
    });
    Ok(glob)
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
