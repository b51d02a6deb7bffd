//! A Rego text's top-level statements, told apart by their first column, for texts that no parser reads.

/// The text with the statement around `line` (from 1) blanked; `None` if there is none, or it is the head.
pub(super) fn without(text: &str, line: u32) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let from = lines.iter().take(at + 1).rposition(|line| is_start(line))?;
    let to = lines.iter().skip(at + 1).position(|line| is_start(line)).map_or(lines.len(), |after| at + 1 + after);
    if lines.get(from).is_none_or(|line| is_head(line)) {
        return None;
    }
    let kept = lines.iter().enumerate().map(|(number, line)| if (from..to).contains(&number) { "" } else { line });
    Some(kept.collect::<Vec<_>>().join("\n"))
}

/// The package that the text says it is in, as written; empty if it says none.
pub(super) fn package(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or_default();
    line.split(['#', ' ']).next().unwrap_or_default().to_owned()
}

fn is_start(line: &str) -> bool {
    let first_is_name = line.starts_with(|first: char| first.is_alphabetic() || first == '_');
    first_is_name && !line.starts_with("else")
}

fn is_head(line: &str) -> bool {
    line.starts_with("package ") || line.starts_with("import ")
}
