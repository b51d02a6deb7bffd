//! What an author may have meant.

use crate::policy::builtins;

/// What to try for a function that there is not.
pub(super) fn function(written: &str) -> String {
    let near = builtins::names().map(|known| (distance(known, written), known)).min();
    match near {
        Some((steps, known)) if steps <= 2 && steps < written.len() / 2 => format!("did you mean `{known}`?"),
        _ if ["http.", "io.jwt.", "crypto.x509", "net.lookup"].iter().any(|family| written.starts_with(family)) => {
            "this built-in of OPA is not available here; `docs/policies.md` says which are".to_owned()
        }
        _ => "define it in this package, import its package, or call it by its whole path (`data.lib.f`)".to_owned(),
    }
}

/// Levenshtein distance of two short names.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let best = (diagonal + usize::from(a != *b)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
