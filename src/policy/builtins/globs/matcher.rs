//! What a glob is compiled to, and whether a text is one of it.
//!
//! The matchers and what they take are those of `gobwas/glob`, which is what OPA asks, also where they err: a prefix and
//! a suffix may overlap, an alternative is tried in its first way only, a row of characters cuts those of several bytes
//! apart.

use std::{collections::HashMap, rc::Rc};

use super::{
    super::Failure,
    runes::{find, find_any, first, has, runes},
    work::Work,
};

/// The delimiters.
pub(super) type Delimiters = Rc<[char]>;

pub(super) enum Matcher {
    Nothing,
    /// Any text.
    Super,
    /// Any text without a delimiter.
    Any(Delimiters),
    /// A character that is no delimiter.
    Single(Delimiters),
    List {
        not: bool,
        characters: Rc<[char]>,
    },
    Range {
        not: bool,
        low: char,
        high: char,
    },
    /// A text, and how many characters it has.
    Text(String, usize),
    Prefix(String),
    Suffix(String),
    PrefixSuffix(String, String),
    PrefixAny(String, Delimiters),
    SuffixAny(String, Delimiters),
    Contains {
        not: bool,
        needle: String,
    },
    /// At least so many characters.
    Min(usize),
    /// At most so many characters.
    Max(usize),
    /// One after the other, each behind its length, and the sum of these.
    Row(Vec<(usize, Matcher)>, usize),
    /// Alternatives, and how long all are said to be.
    AnyOf(Vec<Matcher>, Option<usize>),
    EveryOf(Vec<Matcher>),
    Tree(Box<Tree>),
}

/// A value, and what is before and behind it.
pub(super) struct Tree {
    /// Its number in its glob.
    pub(super) number: usize,
    pub(super) value: Matcher,
    pub(super) left: Option<Matcher>,
    pub(super) right: Option<Matcher>,
    /// The lengths of the three when it was made; what is not there has none.
    pub(super) lengths: [Option<usize>; 3],
}

impl Tree {
    pub(super) fn new(number: usize, value: Matcher, left: Option<Matcher>, right: Option<Matcher>) -> Self {
        let length = |side: &Option<Matcher>| side.as_ref().map_or(Some(0), Matcher::length);
        let lengths = [length(&left), value.length(), length(&right)];
        Self { number, value, left, right, lengths }
    }

    fn length(&self) -> Option<usize> {
        self.lengths.iter().copied().sum()
    }
}

/// A part of the text: from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One text that is matched.
pub(super) struct Run<'a> {
    text: &'a [u8],
    pub(super) work: Work,
    /// What trees said of parts.
    known: HashMap<(usize, Part), bool>,
}

/// How many steps are taken before answers are remembered, which costs, too.
const SOON: usize = 1 << 12;
/// The most answers that are remembered.
const MOST_KNOWN: usize = 1 << 18;

impl<'a> Run<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), work: Work::new(), known: HashMap::new() }
    }

    pub(super) fn all(&self) -> Part {
        Part { from: 0, to: self.text.len() }
    }

    pub(super) fn bytes(&self, part: Part) -> &'a [u8] {
        self.text.get(part.from..part.to).unwrap_or_default()
    }
}

impl Matcher {
    pub(super) fn text(text: String) -> Self {
        let length = text.chars().count();
        Self::Text(text, length)
    }

    pub(super) fn any_of(alternatives: Vec<Self>) -> Self {
        // What has no fixed length is no hindrance where it comes before the first that has one.
        let fixed = alternatives.iter().map(Self::length).skip_while(Option::is_none);
        let length = fixed.reduce(|all, length| if length == all { all } else { None }).flatten();
        Self::AnyOf(alternatives, length)
    }

    /// How many characters each text of it has, where that is fixed.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Single(_) | Self::List { .. } | Self::Range { .. } => Some(1),
            Self::Text(_, length) | Self::Row(_, length) => Some(*length),
            Self::AnyOf(_, length) => *length,
            Self::Tree(tree) => tree.length(),
            _ => None,
        }
    }

    /// Whether this part of the text is one of it.
    pub(super) fn matches(&self, part: Part, run: &mut Run<'_>) -> Result<bool, Failure> {
        let bytes = run.bytes(part);
        let without = |bytes: &[u8], delimiters: &[char]| find_any(bytes, delimiters).is_none();
        run.work.take(1 + self.steps(bytes.len()))?;
        Ok(match self {
            Self::Nothing => bytes.is_empty(),
            Self::Super => true,
            Self::Any(delimiters) => without(bytes, delimiters),
            Self::Single(delimiters) => is_one(bytes, |rune| !has(delimiters, rune)),
            Self::List { not, characters } => is_one(bytes, |rune| has(characters, rune) != *not),
            Self::Range { not, low, high } => is_one(bytes, |rune| in_range(rune, *low, *high) != *not),
            Self::Text(text, _) => bytes == text.as_bytes(),
            Self::Prefix(prefix) => bytes.starts_with(prefix.as_bytes()),
            Self::Suffix(suffix) => bytes.ends_with(suffix.as_bytes()),
            Self::PrefixSuffix(prefix, suffix) => {
                bytes.starts_with(prefix.as_bytes()) && bytes.ends_with(suffix.as_bytes())
            }
            Self::PrefixAny(prefix, delimiters) => {
                bytes.strip_prefix(prefix.as_bytes()).is_some_and(|rest| without(rest, delimiters))
            }
            Self::SuffixAny(suffix, delimiters) => {
                bytes.strip_suffix(suffix.as_bytes()).is_some_and(|rest| without(rest, delimiters))
            }
            Self::Contains { not, needle } => find(bytes, needle.as_bytes()).is_some() != *not,
            Self::Min(least) => runes(bytes).take(*least).count() >= *least,
            Self::Max(most) => runes(bytes).take(most.saturating_add(1)).count() <= *most,
            Self::Row(matchers, length) => {
                runes(bytes).take(length.saturating_add(1)).count() == *length && begins_with(matchers, part, run)?
            }
            Self::AnyOf(matchers, _) => {
                for matcher in matchers {
                    if matcher.matches(part, run)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::EveryOf(matchers) => {
                for matcher in matchers {
                    if !matcher.matches(part, run)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Tree(tree) => return tree.matches(part, run),
        })
    }

    /// How many steps looking at so many bytes takes at most, without those of other matchers.
    pub(super) fn steps(&self, bytes: usize) -> usize {
        let each = match self {
            Self::Nothing | Self::Super | Self::AnyOf(..) | Self::EveryOf(_) | Self::Tree(_) => return 1,
            Self::Any(delimiters) | Self::Single(delimiters) => delimiters.len(),
            Self::List { characters, .. } => characters.len(),
            Self::PrefixAny(text, delimiters) | Self::SuffixAny(text, delimiters) => delimiters.len() + text.len() / 16,
            Self::Text(text, _) | Self::Prefix(text) | Self::Suffix(text) | Self::Contains { needle: text, .. } => {
                text.len() / 16
            }
            Self::PrefixSuffix(prefix, suffix) => (prefix.len() + suffix.len()) / 16,
            Self::Range { .. } | Self::Min(_) | Self::Max(_) | Self::Row(..) => 1,
        };
        bytes.saturating_mul(1 + each)
    }
}

/// What ends OPA's process has no answer.
pub(super) fn ends_opa() -> Failure {
    Failure::Halt("this glob has no answer for this text, not for OPA either".to_owned())
}

pub(super) fn in_range(rune: u32, low: char, high: char) -> bool {
    (u32::from(low)..=u32::from(high)).contains(&rune)
}

/// Whether it is one character, and that is as it should be; nothing is taken for one that no class has.
fn is_one(bytes: &[u8], is_it: impl Fn(u32) -> bool) -> bool {
    let (rune, width) = first(bytes);
    bytes.len() <= width && is_it(rune)
}

/// Whether the part begins with a text of each matcher, one after the other. What a matcher is asked about ends with the
/// first byte of its last character.
pub(super) fn begins_with(matchers: &[(usize, Matcher)], part: Part, run: &mut Run<'_>) -> Result<bool, Failure> {
    let mut rest = part;
    for (length, matcher) in matchers {
        let bytes = run.bytes(rest);
        let (mut count, mut last) = (0, 0);
        for (at, _) in runes(bytes) {
            (count, last) = (count + 1, at);
            if count == *length {
                break;
            }
        }
        run.work.take(1 + last)?;
        if count < *length {
            return Ok(false);
        }
        if bytes.is_empty() {
            // `a{}` and `a`.
            return Err(ends_opa());
        }
        let end = rest.from + last + 1;
        if !matcher.matches(Part { to: end, ..rest }, run)? {
            return Ok(false);
        }
        rest.from = end;
    }
    Ok(true)
}

impl Tree {
    fn matches(&self, part: Part, run: &mut Run<'_>) -> Result<bool, Failure> {
        let key = (self.number, part);
        if let Some(known) = run.known.get(&key) {
            return Ok(*known);
        }
        let matches = self.looks(part, run)?;
        if run.work.taken() > SOON && run.known.len() < MOST_KNOWN {
            run.known.insert(key, matches);
        }
        Ok(matches)
    }

    /// Looks for the value from left to right. Only how long it is may vary at one place, not how it came to be there.
    fn looks(&self, part: Part, run: &mut Run<'_>) -> Result<bool, Failure> {
        let size = part.to - part.from;
        // Characters are taken for bytes here, of which there are as many at least.
        if self.length().is_some_and(|length| length > size) {
            return Ok(false);
        }
        let [left, _, right] = self.lengths;
        let Some(to) = part.to.checked_sub(right.unwrap_or(0)) else { return Ok(false) };
        let mut from = part.from + left.unwrap_or(0);
        while from < to {
            let Some(found) = self.value.find(Part { from, to }, run)? else { return Ok(false) };
            let at = from + found.at;
            let before = Part { to: at, ..part };
            let is_left = match &self.left {
                Some(left) => left.matches(before, run)?,
                None => before.from == before.to,
            };
            if is_left {
                for length in found.lengths.iter().rev() {
                    let behind = Part { from: part.to.min(at + length), ..part };
                    let is_right = match &self.right {
                        Some(right) => right.matches(behind, run)?,
                        None => behind.from == behind.to,
                    };
                    if is_right {
                        return Ok(true);
                    }
                }
            }
            from = at + first(run.bytes(Part { from: at, ..part })).1;
        }
        Ok(false)
    }
}
