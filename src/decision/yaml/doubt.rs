//! What OPA's reader and ours may take otherwise in a text: refused.

use std::collections::BTreeSet;

use super::{
    Unreadable,
    node::{Node, Shape},
};

/// The ends of lines in YAML 1.1.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

const BLANKS: [char; 2] = [' ', '\t'];

/// What both readers say of a text; each is the end of a message. Of 20,000 texts none had a value in OPA.
const BROKEN: [&str; 22] = [
    "block sequence entries are not allowed in this context",
    "control characters are not allowed",
    "could not find expected ':'",
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "did not find expected '-' indicator",
    "did not find expected <document start>",
    "did not find expected alphabetic or numeric character",
    "did not find expected comment or line break",
    "did not find expected hexdecimal number",
    "did not find expected key",
    "did not find expected node content",
    "found a tab character",
    "found an indentation indicator equal to 0",
    "found character that cannot start any token",
    "found invalid Unicode character escape code",
    "found unexpected document indicator",
    "found unexpected end of stream",
    "found unknown escape character",
    "mapping keys are not allowed in this context",
    "mapping values are not allowed in this context",
    "unknown anchor",
];

/// How long a key may be.
const KEY: usize = 1024;

/// How far back `<<` is looked around, in bytes.
const NEAR: usize = 1024;

/// Refuses what is seen without its grammar, and says whether there may be an alias.
pub(super) fn refuse(text: &str) -> Result<bool, Unreadable> {
    if text.contains('\u{feff}') {
        return Err(Unreadable::unsure("a byte order mark that is not first"));
    }
    if text.split(LINE_ENDS).any(|line| line.starts_with('%')) {
        return Err(Unreadable::unsure("a directive, or what looks like one: a line that begins with `%`"));
    }
    let (mut names, mut is_twice, mut has_alias) = (BTreeSet::new(), false, false);
    for (at, sign) in text.match_indices(['&', '*']).filter(|(at, _)| may_begin(text, *at)) {
        let rest = text.get(at + sign.len()..).unwrap_or_default();
        let name = rest.split(|letter| !is_of_name(letter)).next().unwrap_or_default();
        match sign {
            _ if name.is_empty() => {}
            "*" => has_alias = true,
            _ => is_twice |= !names.insert(name),
        }
    }
    if is_twice && has_alias {
        return Err(Unreadable::unsure("an anchor that is there twice, or what looks like one"));
    }
    Ok(has_alias)
}

/// Whether a letter may be of the name of an anchor.
fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

/// Whether what is at a place may be the first letter of a token.
fn may_begin(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    before.is_none_or(|letter| letter.is_whitespace() || "[]{},\"':?".contains(letter))
}

/// Whether OPA's reader, too, finds a text broken for this cause.
pub(super) fn is_broken(text: &str, cause: &str) -> bool {
    let opens = |(at, _): (usize, &str)| {
        let inside = text.get(at + 1..).unwrap_or_default().trim_start();
        inside.starts_with([']', '}', '#'])
    };
    BROKEN.iter().any(|one| cause.contains(one))
        // Keys have 1,024 bytes here, and as many letters there.
        && (text.is_ascii() || text.len() <= KEY)
        // Tags, `?` between brackets, `\'`, and what follows empty brackets are taken otherwise.
        && !text.match_indices('!').any(|(at, _)| may_begin(text, at))
        && !(text.contains('?') && text.contains(['[', '{']))
        && !text.contains("\\'")
        && !text.match_indices(['[', '{']).any(opens)
}

/// Refuses tags, `?` outside quotes but in a text of the block style, and `\/` in double quotes, by reading the text
/// once more with other letters in their places: only a letter of a scalar or a comment can be changed for another.
pub(super) fn refuse_unlike(text: &str, node: &Node<'_>, shape: &Shape) -> Result<(), Unreadable> {
    let other = changed(text);
    if other == text || shape.fill(&other).is_ok_and(|other| node.is_like(&other, changed)) {
        return Ok(());
    }
    Err(Unreadable::unsure("a tag, `?` outside quotes, or `\\/`: write it without tags, with quotes, with `/`"))
}

/// Tags become texts, `?` ends a text where there are brackets around it, and `\/` no escape.
fn changed(text: &str) -> String {
    text.replace("\\/", "\\q").replace('!', "x").replace('?', ",")
}

/// Whether `<<`, which stands between the two, is a key in its own place: not an alias to one that has an anchor.
pub(super) fn merges_here(before: &str, after: &str) -> bool {
    after.trim_start_matches(BLANKS).starts_with(':') && !may_have_anchor(before)
}

/// Whether an anchor may be the last of a text.
fn may_have_anchor(before: &str) -> bool {
    let start = before.ceil_char_boundary(before.len().saturating_sub(NEAR));
    let near = before.get(start..).unwrap_or_default();
    let line = near.trim_end_matches(BLANKS);
    if line.ends_with(['{', '[', ',']) || line.strip_suffix('-').is_some_and(|rest| rest.ends_with(char::is_whitespace))
    {
        return false;
    }
    let mut lines = near.rsplit(LINE_ENDS).map(|line| line.trim_matches(BLANKS)).peekable();
    if lines.next().is_some_and(|line| !matches!(line, "" | "-")) {
        return true;
    }
    while let Some(line) = lines.next() {
        if lines.peek().is_none() && start > 0 {
            return true;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Behind `:` or `-` it is that of the mapping: `base: &base`.
        return line.split_once('&').is_some_and(|(before, name)| {
            let before = before.trim_end_matches(BLANKS);
            !before.ends_with([':', '-']) || before.contains('#') || !name.chars().all(is_of_name)
        });
    }
    start > 0
}
