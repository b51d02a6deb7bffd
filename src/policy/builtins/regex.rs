//! `regex.*`, as Go's `regexp` package has them, on the `regex` crate.

mod compiled;
mod syntax;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use regex::Captures;
use regorus::Value as Rego;

pub(super) use self::compiled::Compiled;
use self::compiled::compiled;
use super::{
    Failure, Function,
    operand::{Answer, array_of, failed, int, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "regex.find_all_string_submatch_n", arity: 3, call: find_submatches },
    Function { name: "regex.find_n", arity: 3, call: find },
    Function { name: "regex.is_valid", arity: 1, call: is_valid },
    Function { name: "regex.match", arity: 2, call: matches },
    Function { name: "re_match", arity: 2, call: matches },
    Function { name: "regex.replace", arity: 3, call: replace },
    Function { name: "regex.split", arity: 2, call: split },
    Function { name: "regex.template_match", arity: 4, call: template_match },
];

/// How long all matches of a text may take: finding them is quadratic at worst.
const MAX_TIME: Duration = Duration::from_secs(1);
/// The most bytes that a call may make.
const MAX_BYTES: usize = 16 << 20;

pub(super) fn expression(pattern: &str) -> Result<Rc<Compiled>, Failure> {
    compiled(pattern, || {
        let translation = syntax::translate(pattern);
        let translation = translation.map_err(|fault| Failure::Operand(format!("error parsing regexp: {fault}")))?;
        Ok((translation.pattern, translation.names))
    })
}

/// Calls `each` with the first `n` matches, all of them if it is negative.
fn for_each<'a>(
    compiled: &Compiled,
    text: &'a str,
    n: i64,
    mut each: impl FnMut(&Captures<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    compiled.admits(text)?;
    let started = Instant::now();
    for found in compiled.regex.captures_iter(text).take(usize::try_from(n).unwrap_or(usize::MAX)) {
        each(&found)?;
        if started.elapsed() > MAX_TIME {
            return Err(Failure::Spent("finding the matches takes too long".to_owned()));
        }
    }
    Ok(())
}

fn matches(arguments: &[Rego]) -> Answer {
    let (pattern, text) = (text(arguments, 0)?, text(arguments, 1)?);
    let compiled = expression(pattern)?;
    compiled.admits(text)?;
    Ok(Rego::from(compiled.regex.is_match(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
fn is_valid(arguments: &[Rego]) -> Answer {
    let valid = text(arguments, 0).is_ok_and(|pattern| !matches!(expression(pattern), Err(Failure::Operand(_))));
    Ok(Rego::from(valid))
}

fn find(arguments: &[Rego]) -> Answer {
    let (pattern, text, n) = (text(arguments, 0)?, text(arguments, 1)?, int(arguments, 2)?);
    let mut found = Vec::new();
    for_each(&*expression(pattern)?, text, n, |captures| {
        found.push(string(captures.get_match().as_str()));
        Ok(())
    })?;
    Ok(Rego::from(found))
}

fn find_submatches(arguments: &[Rego]) -> Answer {
    let (pattern, text, n) = (text(arguments, 0)?, text(arguments, 1)?, int(arguments, 2)?);
    let mut found = Vec::new();
    for_each(&*expression(pattern)?, text, n, |captures| {
        found.push(array_of(captures.iter().map(|group| string(group.map_or("", |group| group.as_str())))));
        Ok(())
    })?;
    Ok(Rego::from(found))
}

fn split(arguments: &[Rego]) -> Answer {
    let (pattern, text) = (text(arguments, 0)?, text(arguments, 1)?);
    let compiled = expression(pattern)?;
    if text.is_empty() && !pattern.is_empty() {
        return Ok(array_of([string("")]));
    }
    let (mut parts, mut begin, mut end) = (Vec::new(), 0, 0);
    for_each(&compiled, text, -1, |captures| {
        let found = captures.get_match();
        end = found.start();
        if found.end() > 0 {
            parts.push(string(text.get(begin..end).unwrap_or_default()));
        }
        begin = found.end();
        Ok(())
    })?;
    if end != text.len() {
        parts.push(string(text.get(begin..).unwrap_or_default()));
    }
    Ok(Rego::from(parts))
}

fn replace(arguments: &[Rego]) -> Answer {
    let (text, pattern, template) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let compiled = expression(pattern)?;
    let (mut made, mut last) = (String::with_capacity(text.len()), 0);
    for_each(&compiled, text, -1, |captures| {
        let found = captures.get_match();
        made.push_str(text.get(last..found.start()).unwrap_or_default());
        expand(&mut made, template, captures, &compiled);
        last = found.end();
        if made.len() > MAX_BYTES {
            return Err(Failure::Spent(format!("the result would have more than {MAX_BYTES} bytes")));
        }
        Ok(())
    })?;
    made.push_str(text.get(last..).unwrap_or_default());
    Ok(string(made))
}

/// Adds `template`, with `$1` and `${name}` in it replaced by groups, as Go's `Regexp.Expand` does.
fn expand(made: &mut String, template: &str, captures: &Captures<'_>, compiled: &Compiled) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            made.push('$');
            rest = after;
            continue;
        }
        let is_name = |character: char| character == '_' || character.is_alphanumeric();
        let braced = after.strip_prefix('{');
        let after = braced.unwrap_or(after);
        let (name, tail) = after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()));
        let after = if braced.is_some() { tail.strip_prefix('}') } else { Some(tail) };
        let (Some(tail), false) = (after, name.is_empty()) else {
            made.push('$');
            rest = rest.split_once('$').map_or("", |(_, after)| after);
            continue;
        };
        let canonical = name == "0" || !name.starts_with('0');
        let number = if canonical { name.parse::<usize>().ok() } else { None };
        // Of several groups of one name, the first that takes part.
        let named = || {
            let groups = compiled.names.iter().enumerate().filter(|(_, known)| known.as_deref() == Some(name));
            groups.map(|(at, _)| at + 1).find(|at| captures.get(*at).is_some())
        };
        if let Some(group) = number.or_else(named).and_then(|group| captures.get(group)) {
            made.push_str(group.as_str());
        }
        rest = tail;
    }
    made.push_str(rest);
}

/// A template has expressions between delimiters, and text between these.
fn template_match(arguments: &[Rego]) -> Answer {
    let (template, value) = (text(arguments, 0)?, text(arguments, 1)?);
    let delimiter = |at: usize| match text(arguments, at)?.as_bytes() {
        [byte] => Ok(char::from(*byte)),
        other => failed(format!("a delimiter has to be exactly one character long but is {} long", other.len())),
    };
    let (open, close) = (delimiter(2)?, delimiter(3)?);
    let mut pattern = "^".to_owned();
    let (mut level, mut begin) = (0_usize, 0);
    for (at, character) in template.char_indices() {
        if character == open {
            level += 1;
            if level == 1 {
                template.get(begin..at).unwrap_or_default().chars().for_each(|c| quoted(&mut pattern, c));
                begin = at + 1;
            }
        } else if character == close {
            let Some(less) = level.checked_sub(1) else { return failed("unbalanced braces") };
            level = less;
            if level == 0 {
                let part = template.get(begin..at).unwrap_or_default();
                // On its own, it must be an expression, too: it can't close the group around it.
                expression(&format!("^{part}$"))?;
                pattern.extend(["(", part, ")"]);
                begin = at + 1;
            }
        }
    }
    if level != 0 {
        return failed("unbalanced braces");
    }
    template.get(begin..).unwrap_or_default().chars().for_each(|c| quoted(&mut pattern, c));
    pattern.push('$');
    matches(&[string(pattern), string(value)])
}

/// A character that stands for itself, in Go's syntax.
fn quoted(pattern: &mut String, character: char) {
    if character.is_ascii_punctuation() {
        pattern.push('\\');
    }
    pattern.push(character);
}
