//! Which version of Rego a file is written in.

use regex::{Regex, RegexBuilder};

/// A version of Rego.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegoVersion {
    /// Before OPA 1.0: `if` and `contains` are not needed.
    V0,
    /// Since OPA 1.0.
    V1,
}

/// A key of `file_rego_versions`: a glob over the whole path. OPA names no separator, so that `*` crosses `/`.
pub(super) struct Pattern(Regex);

/// Bytes of a pattern.
const MAX_PATTERN: usize = 4 << 10;

impl Pattern {
    /// `None` for what is no pattern: `*` and `**` are any text, `?` is any character, `[a-c]` and `[!ab]` are classes,
    /// `{a,b}` are alternatives and `\` takes the next character as it is.
    pub(super) fn new(glob: &str) -> Option<Self> {
        if glob.len() > MAX_PATTERN {
            return None;
        }
        let (mut regex, mut open, mut characters) = (String::from("^(?s:"), 0_usize, glob.chars());
        while let Some(character) = characters.next() {
            match character {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                '\\' => {
                    let next = characters.next().unwrap_or('\\');
                    regex.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                }
                '[' => regex.push_str(&class(&mut characters)?),
                '{' => {
                    open += 1;
                    regex.push_str("(?:");
                }
                ',' if open > 0 => regex.push('|'),
                '}' if open > 0 => {
                    open -= 1;
                    regex.push(')');
                }
                other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        // As in OPA, alternatives end with the pattern at the latest.
        regex.extend(std::iter::repeat_n(')', open));
        regex.push_str(")$");
        let mut built = RegexBuilder::new(&regex);
        let built = built.size_limit(1 << 16).dfa_size_limit(1 << 16).nest_limit(32).build();
        built.ok().map(Self)
    }

    /// Whether it is the path of one file.
    pub(super) fn is_literal(glob: &str) -> bool {
        !glob.contains(['*', '?', '[', '{', '}', '\\'])
    }

    /// Whether it is the path of this file. OPA sees a `/` before it if the archive was written so, as its own are.
    pub(super) fn is_of(&self, path: &str) -> bool {
        self.0.is_match(&format!("/{path}")) || self.0.is_match(path)
    }
}

fn class(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let (mut class, mut inside) = (String::from("["), String::new());
    loop {
        match characters.next()? {
            ']' => break,
            '\\' => inside.push(characters.next()?),
            other => inside.push(other),
        }
    }
    let members = match inside.strip_prefix('!') {
        Some(rest) => {
            class.push('^');
            rest
        }
        None => &inside,
    };
    let mut parts = members.chars();
    let range = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(low), Some('-'), Some(high), None) if low <= high => Some((low, high)),
        (_, Some('-'), ..) | (None, ..) => return None,
        _ => None,
    };
    let escaped = |character: char| format!("\\x{{{:x}}}", u32::from(character));
    match range {
        Some((low, high)) => class.extend([escaped(low), "-".to_owned(), escaped(high)]),
        None => members.chars().for_each(|character| class.push_str(&escaped(character))),
    }
    class.push(']');
    Some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_opas() {
        for (glob, expected) in [
            ("/a/p.rego", Some(true)),
            ("a/p.rego", Some(true)),
            ("/a/*.rego", Some(true)),
            ("/*", Some(true)),
            ("**/p.rego", Some(true)),
            ("/a/?.rego", Some(true)),
            ("/a/[a-q].rego", Some(true)),
            ("/a/[!p].rego", Some(false)),
            ("/a/[!a-c].rego", Some(true)),
            ("/a/[px].rego", Some(true)),
            ("/a/[^p].rego", Some(true)),
            ("/a/[^x].rego", Some(false)),
            ("/a/[-p].rego", Some(true)),
            ("/a/[p\\]].rego", Some(true)),
            ("/{a,b}/p.rego", Some(true)),
            ("/a/{p,{q,r}}.rego", Some(true)),
            ("/a/{,p}.rego", Some(true)),
            ("{/a/p.rego", Some(true)),
            ("/a/p.rego}", Some(false)),
            ("/a/p.re\\go", Some(true)),
            ("/a/p,rego", Some(false)),
            ("/A/p.rego", Some(false)),
            ("/b*", Some(false)),
            ("", Some(false)),
            ("{", Some(false)),
            ("\\", Some(false)),
            ("[", None),
            ("/a/[].rego", None),
            ("/a/[!].rego", None),
            ("/a/[a-].rego", None),
            ("/a/[p-a].rego", None),
            ("/a/[a-cp].rego", None),
        ] {
            assert_eq!(Pattern::new(glob).map(|pattern| pattern.is_of("a/p.rego")), expected, "{glob}");
        }
    }
}
