//! Files that a signature does not cover: patterns as Go's `path.Match` has them, which OPA uses.

use regex::Regex;

/// Patterns of paths.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Regex>);

impl Patterns {
    /// The pattern that is none is the error.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let compile = |pattern: &String| {
            translate(pattern).and_then(|text| Regex::new(&text).ok()).ok_or_else(|| pattern.clone())
        };
        patterns.iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them is of this whole path.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(path))
    }
}

/// `*` and `?` stop at `/`; `[a-z]` and `[^a-z]` are classes; a backslash takes what follows as it is.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::from(r"(?s)\A");
    let mut rest = pattern.chars();
    let literal = |out: &mut String, one: char| out.push_str(&regex::escape(one.encode_utf8(&mut [0; 4])));
    while let Some(one) = rest.next() {
        match one {
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '\\' => literal(&mut out, rest.next()?),
            '[' => {
                let (first, mut members) = (rest.clone().next()?, 0);
                out.push('[');
                if first == '^' {
                    out.push('^');
                    rest.next();
                }
                loop {
                    let member = |rest: &mut std::str::Chars<'_>| match rest.next()? {
                        '\\' => rest.next(),
                        '-' | ']' => None,
                        one => Some(one),
                    };
                    if members > 0 && rest.as_str().starts_with(']') {
                        rest.next();
                        break;
                    }
                    let low = member(&mut rest)?;
                    push_member(&mut out, low);
                    if rest.as_str().starts_with('-') {
                        rest.next();
                        let high = member(&mut rest)?;
                        out.push('-');
                        push_member(&mut out, high);
                    }
                    members += 1;
                }
                out.push(']');
            }
            one => literal(&mut out, one),
        }
    }
    out.push_str(r"\z");
    Some(out)
}

fn push_member(out: &mut String, one: char) {
    if one.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        let holds = |pattern: &str, path: &str| Patterns::new(&[pattern.to_owned()]).unwrap().holds(path);
        for (pattern, path) in [
            ("*.md", "notes.md"),
            ("a/*/c", "a/b/c"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[^a-c]x", "dx"),
            (r"[\]]", "]"),
            (r"\*", "*"),
            ("*", ".manifest"),
            ("a.b+c", "a.b+c"),
            ("{a,b}", "{a,b}"),
        ] {
            assert!(holds(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.md", "a/notes.md"), ("a?c", "a/c"), ("[a-c]x", "dx"), ("a.c", "abc"), ("**", "a/b"), ("a", "ab")]
        {
            assert!(!holds(pattern, path), "{pattern} {path}");
        }
        for pattern in ["[", "[]", "[a", "[a-]", "a\\", "[]a]"] {
            assert_eq!(Patterns::new(&[pattern.to_owned()]).unwrap_err(), pattern);
        }
    }
}
