//! How deep a Rego text's brackets nest, told without parsing it.
//!
//! regorus 0.14.1 reads each `[` or `{` of an expression twice, first as a comprehension: its time doubles with each
//! level (0.06 s at 14 levels, 4 s at 20 in a debug build), so deeper text must not reach it.

/// The most levels of `[` and `{` inside each other.
pub(super) const MAX_NESTING: usize = 14;

/// Where, as line and column from 1, brackets first nest deeper than [`MAX_NESTING`].
pub(super) fn too_deep(text: &str) -> Option<(u32, u32)> {
    let mut depth = 0_usize;
    let (mut line, mut column) = (1_u32, 0_u32);
    let mut inside = Inside::Code;
    for character in text.chars() {
        column = column.saturating_add(1);
        inside = match (inside, character) {
            (Inside::Code, '[' | '{') => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Some((line, column));
                }
                Inside::Code
            }
            (Inside::Code, ']' | '}') => {
                depth = depth.saturating_sub(1);
                Inside::Code
            }
            (Inside::Code, '"') | (Inside::Escape, _) => Inside::String,
            (Inside::Code, '`') => Inside::Raw,
            (Inside::Code, '#') => Inside::Comment,
            (Inside::String, '\\') => Inside::Escape,
            (Inside::String, '"') | (Inside::Raw, '`') | (Inside::Comment | Inside::String, '\n') => Inside::Code,
            (unchanged, _) => unchanged,
        };
        if character == '\n' {
            (line, column) = (line.saturating_add(1), 0);
        }
    }
    None
}

#[derive(Clone, Copy)]
enum Inside {
    Code,
    String,
    Escape,
    Raw,
    Comment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_of_code_and_no_others() {
        let deep = "[{".repeat(7);
        assert_eq!(too_deep(&deep), None);
        assert_eq!(too_deep(&format!("x\n {deep}[")), Some((2, 16)));
        for text in [format!("\"{deep}[[\""), format!("`{deep}[[`"), format!("# {deep}[["), format!("\"\\\"{deep}[[\"")]
        {
            assert_eq!(too_deep(&text), None, "{text}");
        }
        assert_eq!(too_deep(&"[]{}".repeat(100)), None);
    }
}
