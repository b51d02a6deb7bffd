//! Classes of characters: only what Go knows in them is special.

use std::fmt::Write as _;

use super::{Reader, literal};

/// The classes of POSIX that Go knows.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

impl Reader<'_> {
    /// The rest of a class.
    pub(super) fn class(&mut self) -> Result<String, String> {
        let mut class = "[".to_owned();
        if self.take("^") {
            class.push('^');
        }
        let mut first = true;
        loop {
            let before = self.rest;
            let character = self.next().ok_or("missing closing ]")?;
            if character == ']' && !first {
                class.push(']');
                return Ok(class);
            }
            first = false;
            if character == '['
                && let Some(name) = self.rest.strip_prefix(':').and_then(|rest| rest.split_once(":]"))
            {
                let (name, rest) = name;
                if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("invalid character class range: `[:{name}:]`"));
                }
                let _ = write!(class, "[:{name}:]");
                self.rest = rest;
                continue;
            }
            if character == '\\'
                && let Some(named) = self.named_class()?
            {
                class.push_str(&named);
                continue;
            }
            self.rest = before;
            let low = self.class_character()?;
            literal(&mut class, low);
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.take("-");
                let high = self.class_character()?;
                if high < low {
                    return Err(format!("invalid character class range: `{low}-{high}`"));
                }
                class.push('-');
                literal(&mut class, high);
            }
        }
    }

    fn class_character(&mut self) -> Result<char, String> {
        match self.next().ok_or("missing closing ]")? {
            '\\' => self.escaped_character(),
            character => Ok(character),
        }
    }
}
