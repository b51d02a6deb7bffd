//! Go's syntax of regular expressions (RE2, as its `regexp/syntax` reads it) in that of the `regex` crate.
//!
//! Everything is read, and written anew in forms that both take for the same, so that what only the crate knows (set
//! operations, nested classes, `(?x)`, `\<`) means here what it means in Go, or is an error. Groups lose their names, as
//! the two do not agree on which are names; they are kept beside.

mod class;

use std::fmt::Write as _;

use regex::Regex;

/// The most repetitions, also of one inside of another.
const MAX_REPEAT: u32 = 1000;
/// The deepest nesting of groups.
const MAX_DEPTH: usize = 1000;

/// An expression in the crate's syntax.
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The names of the groups from 1 on, `None` for those without.
    pub(super) names: Vec<Option<String>>,
}

/// The flags in force, in the order `imsU`.
type Flags = [bool; 4];

/// A group that is still open.
struct Group {
    flags: Flags,
    repeats: u32,
}

struct Reader<'a> {
    rest: &'a str,
    made: String,
    names: Vec<Option<String>>,
    open: Vec<Group>,
    flags: Flags,
    /// The most repetitions nested within the atoms of this group, and within the last atom.
    repeats: u32,
    last: Last,
}

/// What stands before the current place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// What can be repeated, and the repetitions in it.
    Atom(u32),
    Repetition,
}

/// Translates an expression.
pub(super) fn translate(pattern: &str) -> Result<Translation, String> {
    let mut reader = Reader {
        rest: pattern,
        made: String::with_capacity(pattern.len() * 2),
        names: Vec::new(),
        open: Vec::new(),
        flags: [false; 4],
        repeats: 1,
        last: Last::Nothing,
    };
    while let Some(character) = reader.next() {
        reader.item(character)?;
    }
    if !reader.open.is_empty() {
        return Err("missing closing )".to_owned());
    }
    Ok(Translation { pattern: reader.made, names: reader.names })
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn take(&mut self, text: &str) -> bool {
        self.rest.strip_prefix(text).map(|rest| self.rest = rest).is_some()
    }

    fn item(&mut self, character: char) -> Result<(), String> {
        match character {
            '(' => return self.group(),
            ')' => {
                let group = self.open.pop().ok_or("unexpected )")?;
                self.made.push(')');
                self.last = Last::Atom(self.repeats);
                self.repeats = self.repeats.max(group.repeats);
                self.flags = group.flags;
                return Ok(());
            }
            '|' => {
                self.made.push('|');
                self.last = Last::Nothing;
                return Ok(());
            }
            '*' | '+' | '?' => return self.repetition(&character.to_string(), 1),
            '{' => {
                if let Some((low, high)) = self.count() {
                    if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || high < low) {
                        return Err("invalid repeat count".to_owned());
                    }
                    let (operator, times) = match high {
                        None => (format!("{{{low},}}"), low),
                        Some(high) if high == low => (format!("{{{low}}}"), low),
                        Some(high) => (format!("{{{low},{high}}}"), high),
                    };
                    return self.repetition(&operator, times.max(1));
                }
                literal(&mut self.made, '{');
            }
            '[' => {
                let class = self.class()?;
                self.made.push_str(&class);
            }
            '\\' => return self.escape(),
            '.' | '^' | '$' => self.made.push(character),
            other => literal(&mut self.made, other),
        }
        self.last = Last::Atom(1);
        Ok(())
    }

    fn repetition(&mut self, operator: &str, times: u32) -> Result<(), String> {
        let within = match self.last {
            Last::Atom(within) => within,
            Last::Nothing => return Err(format!("missing argument to repetition operator: `{operator}`")),
            Last::Repetition => return Err(format!("invalid nested repetition operator: `{operator}`")),
        };
        let times = within.saturating_mul(times);
        if times > MAX_REPEAT {
            return Err("invalid repeat count".to_owned());
        }
        self.repeats = self.repeats.max(times);
        self.made.push_str(operator);
        if self.take("?") {
            self.made.push('?');
        }
        self.last = Last::Repetition;
        Ok(())
    }

    /// The rest of `{2}`, `{2,}` or `{2,3}`; anything else is no repetition.
    fn count(&mut self) -> Option<(u32, Option<u32>)> {
        let (inside, after) = self.rest.split_once('}')?;
        let number = |digits: &str| {
            let canonical = digits == "0" || !digits.starts_with('0');
            let digit = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (digit && canonical).then(|| digits.parse().unwrap_or(u32::MAX))
        };
        let count = match inside.split_once(',') {
            None => number(inside).map(|number| (number, Some(number))),
            Some((low, "")) => number(low).map(|low| (low, None)),
            Some((low, high)) => number(low).zip(number(high)).map(|(low, high)| (low, Some(high))),
        };
        if count.is_some() {
            self.rest = after;
        }
        count
    }

    fn group(&mut self) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err("expression nests too deeply".to_owned());
        }
        let outer = self.flags;
        if !self.rest.starts_with('?') {
            self.names.push(None);
            self.made.push('(');
        } else if self.take("?P<") || self.take("?<") {
            let (name, rest) = self.rest.split_once('>').ok_or("invalid named capture")?;
            if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                return Err(format!("invalid named capture: `{name}`"));
            }
            self.names.push(Some(name.to_owned()));
            self.rest = rest;
            self.made.push('(');
        } else {
            self.take("?");
            if !self.read_flags()? {
                // Flags for the rest of the group that is open.
                self.write_flags(outer, ')');
                self.last = Last::Nothing;
                return Ok(());
            }
            self.write_flags(outer, ':');
        }
        self.open.push(Group { flags: outer, repeats: self.repeats });
        self.repeats = 1;
        self.last = Last::Nothing;
        Ok(())
    }

    /// Reads flags up to `:`, which begins a group, or `)`, which does not.
    fn read_flags(&mut self) -> Result<bool, String> {
        let (mut set, mut seen) = (true, true);
        loop {
            let character = self.next().ok_or("missing closing )")?;
            let flag = match character {
                'i' => 0,
                'm' => 1,
                's' => 2,
                'U' => 3,
                '-' if set => {
                    (set, seen) = (false, false);
                    continue;
                }
                ':' | ')' if seen => return Ok(character == ':'),
                other => return Err(format!("invalid or unsupported Perl syntax: `(?{other}`")),
            };
            seen = true;
            if let Some(flag) = self.flags.get_mut(flag) {
                *flag = set;
            }
        }
    }

    fn write_flags(&mut self, outer: Flags, end: char) {
        let changed = |to: bool| {
            let pairs = outer.iter().zip(self.flags).zip("imsU".chars());
            pairs.filter(move |((before, now), _)| **before != *now && *now == to).map(|(_, name)| name)
        };
        let (on, off): (String, String) = (changed(true).collect(), changed(false).collect());
        if on.is_empty() && off.is_empty() && end == ')' {
            return;
        }
        let minus = if off.is_empty() { "" } else { "-" };
        let _ = write!(self.made, "(?{on}{minus}{off}{end}");
    }

    fn escape(&mut self) -> Result<(), String> {
        let next = self.rest.chars().next().ok_or("trailing backslash at end of expression")?;
        match next {
            'A' | 'z' => {
                self.next();
                let _ = write!(self.made, "\\{next}");
            }
            'b' | 'B' => {
                self.next();
                let _ = write!(self.made, "(?-u:\\{next})");
            }
            'Q' => {
                self.next();
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                quoted.chars().for_each(|character| literal(&mut self.made, character));
                self.rest = rest;
                if quoted.is_empty() {
                    return Ok(());
                }
            }
            _ => {
                if let Some(class) = self.named_class()? {
                    self.made.push_str(&class);
                } else {
                    let character = self.escaped_character()?;
                    literal(&mut self.made, character);
                }
            }
        }
        self.last = Last::Atom(1);
        Ok(())
    }

    /// `\d`, `\pL` and the like, after the backslash, as a class.
    fn named_class(&mut self) -> Result<Option<String>, String> {
        let Some(letter) = self.rest.chars().next() else { return Ok(None) };
        let class = match letter {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            's' => "[\\t\\n\\x0C\\r\\x20]",
            'S' => "[^\\t\\n\\x0C\\r\\x20]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            'p' | 'P' => {
                self.next();
                let mut negated = letter == 'P';
                let name = if self.take("{") {
                    let (name, rest) = self.rest.split_once('}').ok_or("invalid character class range")?;
                    self.rest = rest;
                    name.to_owned()
                } else {
                    self.next().ok_or("invalid character class range")?.to_string()
                };
                let bare = name.strip_prefix('^').unwrap_or(&name);
                negated ^= bare.len() < name.len();
                if bare.is_empty() || !bare.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || c == ' ') {
                    return Err(format!("invalid character class range: `{name}`"));
                }
                // Go knows categories and scripts; the crate also knows properties.
                let kind = ["gc", "sc"].into_iter().find(|kind| Regex::new(&format!("\\p{{{kind}={bare}}}")).is_ok());
                let kind = kind.ok_or_else(|| format!("invalid character class range: `{name}`"))?;
                return Ok(Some(format!("\\{}{{{kind}={bare}}}", if negated { 'P' } else { 'p' })));
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(class.to_owned()))
    }

    /// The one character that an escape stands for, after the backslash.
    fn escaped_character(&mut self) -> Result<char, String> {
        let character = self.next().ok_or("trailing backslash at end of expression")?;
        let invalid = || format!("invalid escape sequence: `\\{character}`");
        let code = match character {
            'a' => 7,
            'f' => 12,
            't' => 9,
            'n' => 10,
            'r' => 13,
            'v' => 11,
            '0'..='7' => {
                if character != '0' && !self.rest.starts_with(|next| matches!(next, '0'..='7')) {
                    return Err(invalid());
                }
                let mut code = character.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|next| next.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.next();
                }
                code
            }
            'x' => {
                let digits = if self.take("{") {
                    let (digits, rest) = self.rest.split_once('}').ok_or_else(invalid)?;
                    self.rest = rest;
                    digits
                } else {
                    let (digits, rest) = self.rest.split_at_checked(2).ok_or_else(invalid)?;
                    self.rest = rest;
                    digits
                };
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(invalid());
                }
                u32::from_str_radix(digits, 16).map_err(|_| invalid())?
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => return Ok(other),
            _ => return Err(invalid()),
        };
        char::from_u32(code).ok_or_else(invalid)
    }
}

/// `character` as itself, in a class and outside.
fn literal(made: &mut String, character: char) {
    if character.is_ascii_alphanumeric() || !character.is_ascii() {
        made.push(character);
    } else {
        let _ = write!(made, "\\x{:02X}", u32::from(character));
    }
}
