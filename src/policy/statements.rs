//! A Rego text's top-level statements, told apart by their first column, for texts that no parser reads.

/// One statement.
pub(super) struct Statement {
    /// The text with all other statements but the head (package and imports) blanked, so that lines stay what they are.
    pub(super) alone: String,
    /// The line, from 1, of its last text.
    pub(super) last_line: u32,
}

/// Each statement below the head; a first item has the head alone.
pub(super) fn each(text: &str) -> impl Iterator<Item = Statement> {
    let lines: Vec<&str> = text.split('\n').collect();
    let head: Vec<bool> = lines.iter().map(|line| is_head(line)).collect();
    let mut starts: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| is_start(line) && !is_head(line))
        .map(|(number, _)| number)
        .collect();
    starts.push(lines.len());
    let ranges: Vec<(usize, usize)> = std::iter::once((0, starts.first().copied().unwrap_or(0)))
        .chain(starts.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))))
        .collect();
    let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    ranges.into_iter().map(move |(from, to)| {
        let keep = |number: usize| (from..to).contains(&number) || head.get(number).copied().unwrap_or(false);
        let kept = lines.iter().enumerate().map(|(number, line)| if keep(number) { line.as_str() } else { "" });
        let last = lines.iter().take(to).rposition(|line| !line.trim().is_empty()).map_or(to, |at| at + 1);
        Statement { alone: kept.collect::<Vec<_>>().join("\n"), last_line: u32::try_from(last).unwrap_or(u32::MAX) }
    })
}

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
