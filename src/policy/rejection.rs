//! What regorus says against a text, put as a fault.

use anyhow::Error;

use super::{fault::Fault, text::Texts};

/// regorus' error text, which has the place in it, as a fault of the lowered text.
pub(super) fn fault_of(error: &Error, code: &'static str, texts: &Texts) -> Fault {
    let message = format!("{error:#}");
    let (place, cause) = split_message(&message);
    let cause = cause.trim().trim_start_matches("error: ").to_owned();
    let advice = advice(&cause);
    let fault = Fault::new(code, cause).help(advice);
    match place {
        Some((file, line, column)) => {
            let text = texts.lowered(&file);
            fault.at(&file, text, line, in_characters(text, line, column), 1)
        }
        None => fault,
    }
}

/// regorus counts four columns for a tab; this is the column in characters.
fn in_characters(text: &str, line: u32, column: u32) -> u32 {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let row = text.split('\n').nth(before).unwrap_or_default();
    let mut reached = 1_u32;
    let mut characters = 1_u32;
    for character in row.chars() {
        if reached >= column {
            break;
        }
        reached = reached.saturating_add(if character == '\t' { 4 } else { 1 });
        characters = characters.saturating_add(1);
    }
    // What is past the end stays past it.
    characters.saturating_add(column.saturating_sub(reached))
}

/// File, line, column.
type Place = (String, u32, u32);

/// `\n--> FILE:LINE:COLUMN\n … \nerror: CAUSE` into its parts.
fn split_message(message: &str) -> (Option<Place>, &str) {
    let Some((_, located)) = message.split_once("--> ") else { return (None, message) };
    let (place, rest) = located.split_once('\n').unwrap_or((located, ""));
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next().and_then(|number| number.parse().ok());
    let line = parts.next().and_then(|number| number.parse().ok());
    let cause = rest.split_once("\nerror: ").map_or(rest, |(_, cause)| cause);
    match (parts.next(), line, column) {
        (Some(file), Some(line), Some(column)) => (Some((file.to_owned(), line, column)), cause),
        _ => (None, message),
    }
}

fn advice(cause: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if has(&["unsafe", "used before", "not defined", "undefined var"]) {
        "give the variable a value on every path: `some x in …`, `x := …`, or import what it should name"
    } else if has(&["`if`", "contains", "rego.v1", "future.keywords"]) {
        "Rego v1 wants `if` before a body and `contains` for sets; for older files use `--rego-v0`"
    } else if has(&["recursion", "cyclic"]) {
        "break the cycle: a rule can't depend on itself"
    } else if has(&["limit", "exceeds"]) {
        "split the file"
    } else {
        "see the language reference of Rego; `verdict lint DIR` shows every fault of a folder at once"
    }
}
