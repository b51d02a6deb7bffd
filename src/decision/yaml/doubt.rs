//! What OPA's reader and ours may take otherwise in a text: refused, or known before its scalars are looked at.

use std::collections::BTreeSet;

use super::Unreadable;

/// What is in a text, found once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// A tag in angle brackets.
    pub(super) has_verbatim_tag: bool,
    /// A tag that makes another value of a text.
    pub(super) has_converting_tag: bool,
    /// `\/`, which is an escape in YAML 1.2 only.
    pub(super) has_escaped_slash: bool,
}

/// Looks through a text.
pub(super) fn facts(text: &str) -> Result<Facts, Unreadable> {
    let unsure = |cause: &str| Err(Unreadable::unsure(cause));
    if text.lines().any(|line| line.strip_prefix("%YAML").is_some_and(|version| version.trim() != "1.1")) {
        return unsure("another version of YAML than 1.1");
    }
    if text.lines().any(|line| line.starts_with("%TAG")) {
        return unsure("`%TAG`");
    }
    if text.contains('!') && text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return unsure("a tag, or what looks like one, beside a line end of Unicode");
    }
    let mut anchors = BTreeSet::new();
    for (at, letter) in text.match_indices(['&', '!']) {
        let before = text.get(..at).unwrap_or_default();
        if !(before.is_empty() || before.ends_with(|letter: char| letter.is_whitespace() || "[{,".contains(letter))) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let token = rest.split(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
        if letter == "!" && token.contains(',') && text.contains(['[', '{']) {
            return unsure("a tag, or what looks like one, with a comma");
        }
        let name = token.split([',', '[', ']', '{', '}']).next().unwrap_or_default();
        if letter == "&" && name.len() > 1 && !anchors.insert(name) && text.contains('*') {
            return unsure("an anchor that is there twice");
        }
    }
    let converting = |(at, _): (usize, &str)| text.get(..at).is_some_and(|before| before.ends_with(['!', ':']));
    Ok(Facts {
        has_verbatim_tag: text.contains("!<"),
        has_converting_tag: ["binary", "timestamp"].iter().any(|tag| text.match_indices(tag).any(converting)),
        has_escaped_slash: text.contains("\\/"),
    })
}

/// Whether `?` is within a plain scalar of the flow style, where YAML 1.1 has none: by what stands around it.
pub(super) fn asks_in_flow(before: &str, found: &str, mut after: &str) -> bool {
    if !found.chars().skip(1).any(|letter| letter == '?') {
        return false;
    }
    loop {
        after = after.trim_start();
        match after.strip_prefix('#') {
            Some(comment) => after = comment.split_once('\n').map_or("", |(_, rest)| rest),
            None => break,
        }
    }
    after.starts_with([',', ']', '}']) || before.trim_end().ends_with([',', '[', '{'])
}
