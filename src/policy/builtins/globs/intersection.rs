//! Whether two globs match a text in common: `regex.globs_match`. These globs have `.`, `[a-z]`, `*`, `+` and `\`.
//!
//! The steps are those of `yashtewari/glob-intersection`, which is what OPA asks, also where they err; but each pair of
//! places is looked at only once (twice: either glob may lead), so that the time is not exponential.

use std::collections::HashMap;

/// The most tokens of both globs.
const MAX_TOKENS: usize = 500;

/// How often a token may come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Once,
    Plus,
    Star,
}

/// What a token matches.
#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Any,
    One(char),
    /// Ranges in order, none of which touches another. Not the same as [`Self::One`], even where there is one in it.
    Of(Vec<(u32, u32)>),
}

#[derive(Clone)]
struct Token {
    kind: Kind,
    flag: Flag,
}

impl Token {
    fn meets(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Any, _) | (_, Kind::Any) => true,
            (Kind::One(one), Kind::One(other)) => one == other,
            (Kind::One(one), Kind::Of(set)) | (Kind::Of(set), Kind::One(one)) => {
                set.iter().any(|(low, high)| (*low..=*high).contains(&u32::from(*one)))
            }
            (Kind::Of(one), Kind::Of(other)) => {
                one.iter().any(|(low, high)| other.iter().any(|(from, to)| low <= to && from <= high))
            }
        }
    }

    fn is_flagged(&self) -> bool {
        self.flag != Flag::Once
    }
}

/// Whether both match something; `None` if they are too long to tell.
pub(super) fn exists(one: &str, other: &str) -> Result<Option<bool>, String> {
    let (one, other) = (simplified(tokens(one)?), simplified(tokens(other)?));
    if one.len() + other.len() > MAX_TOKENS {
        return Ok(None);
    }
    let Some((one, other)) = trimmed(&one, &other) else { return Ok(Some(false)) };
    Ok(Some(Globs { one, other, known: HashMap::new() }.normal(false, 0, 0)))
}

/// The next character, and whether it is escaped.
fn next(rest: &mut &[char]) -> Result<Option<(char, bool)>, String> {
    match rest {
        ['\\', escaped, after @ ..] => {
            let escaped = *escaped;
            *rest = after;
            Ok(Some((escaped, true)))
        }
        ['\\'] => Err("input ends with a \\ (escape) character".to_owned()),
        [character, after @ ..] => {
            let character = *character;
            *rest = after;
            Ok(Some((character, false)))
        }
        [] => Ok(None),
    }
}

fn tokens(glob: &str) -> Result<Vec<Token>, String> {
    let characters: Vec<char> = glob.chars().collect();
    let mut rest = characters.as_slice();
    let mut tokens = Vec::new();
    while let Some((character, escaped)) = next(&mut rest)? {
        let kind = match (character, escaped) {
            ('.', false) => Kind::Any,
            ('[', false) => set(&mut rest)?,
            (']', false) => return Err("set-close ']' with no preceding '['".to_owned()),
            ('*' | '+', false) => return Err(format!("flag '{character}' must be preceded by a non-flag")),
            _ => Kind::One(character),
        };
        let flag = match rest {
            ['*', after @ ..] => {
                rest = after;
                Flag::Star
            }
            ['+', after @ ..] => {
                rest = after;
                Flag::Plus
            }
            ['\\'] => return Err("input ends with a \\ (escape) character".to_owned()),
            _ => Flag::Once,
        };
        tokens.push(Token { kind, flag });
    }
    Ok(tokens)
}

/// The rest of a set.
fn set(rest: &mut &[char]) -> Result<Kind, String> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut previous: Option<char> = None;
    loop {
        match next(rest)?.ok_or("found [ without matching ]")? {
            (']', false) => break,
            ('-', false) => {
                let low = previous.take().ok_or("range character '-' must be preceded by a Unicode character")?;
                match next(rest)? {
                    Some((']' | '-', false)) | None => {
                        return Err("range character '-' cannot be followed by a special symbol".to_owned());
                    }
                    Some((high, _)) if high < low || rest.is_empty() => return Err("range is out of order".to_owned()),
                    Some((high, _)) => ranges.push((low.into(), high.into())),
                }
            }
            (character, _) => {
                ranges.push((character.into(), character.into()));
                previous = Some(character);
            }
        }
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    Ok(Kind::Of(merged))
}

/// Flagged tokens that follow their like are one.
fn simplified(tokens: Vec<Token>) -> Vec<Token> {
    let mut simple: Vec<Token> = Vec::new();
    for token in tokens {
        match simple.last_mut() {
            Some(last) if token.is_flagged() && last.is_flagged() && token.kind == last.kind => {
                if token.flag == Flag::Plus {
                    last.flag = Flag::Plus;
                }
            }
            _ => simple.push(token),
        }
    }
    simple
}

/// Both without the tokens that they have in common at either end, but for one; `None` if these do not match.
fn trimmed<'a>(one: &'a [Token], other: &'a [Token]) -> Option<(&'a [Token], &'a [Token])> {
    let plain = |pair: &(&Token, &Token)| !pair.0.is_flagged() && !pair.1.is_flagged();
    let start = one
        .iter()
        .zip(other)
        .take_while(plain)
        .try_fold(0_usize, |count, (one, other)| one.meets(other).then_some(count + 1))?;
    let start = start.saturating_sub(1);
    let (one, other) = (one.get(start..)?, other.get(start..)?);
    let end = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(plain)
        .try_fold(0_usize, |count, (one, other)| one.meets(other).then_some(count + 1))?;
    let end = end.saturating_sub(1);
    Some((one.get(..one.len() - end)?, other.get(..other.len() - end)?))
}

struct Globs<'a> {
    one: &'a [Token],
    other: &'a [Token],
    /// What is known from a place of each on: [`Self::normal`]'s arguments.
    known: HashMap<(bool, usize, usize), bool>,
}

impl Globs<'_> {
    fn token(&self, swapped: bool, at: usize) -> Option<&Token> {
        if swapped { self.other.get(at) } else { self.one.get(at) }
    }

    /// Whether what is left of both meets. One of them leads, `other` if they are `swapped`: where both have a flag, its flag
    /// is taken first. The one whose flag is followed leads from there on.
    fn normal(&mut self, swapped: bool, mut leading: usize, mut led: usize) -> bool {
        loop {
            let (first, second) = match (self.token(swapped, leading), self.token(!swapped, led)) {
                (Some(first), Some(second)) => (first, second),
                (first, second) => return first.is_none() && second.is_none(),
            };
            if !first.is_flagged() && !second.is_flagged() {
                if !first.meets(second) {
                    return false;
                }
                (leading, led) = (leading + 1, led + 1);
                continue;
            }
            let place = (swapped, leading, led);
            if let Some(known) = self.known.get(&place) {
                return *known;
            }
            let (swapped, flag, flagged, plain) = if first.is_flagged() {
                (swapped, first.flag, leading, led)
            } else {
                (!swapped, second.flag, led, leading)
            };
            let meet = if flag == Flag::Plus {
                self.plus(swapped, flagged, plain)
            } else {
                self.star(swapped, flagged, plain)
            };
            self.known.insert(place, meet);
            return meet;
        }
    }

    fn plus(&mut self, swapped: bool, flagged: usize, plain: usize) -> bool {
        let (Some(plus), Some(other)) = (self.token(swapped, flagged), self.token(!swapped, plain)) else {
            return false;
        };
        let (meets, other_flagged) = (plus.meets(other), other.is_flagged());
        meets && (self.star(swapped, flagged, plain + 1) || other_flagged && self.normal(swapped, flagged + 1, plain))
    }

    fn star(&mut self, swapped: bool, flagged: usize, plain: usize) -> bool {
        let Some(star) = self.token(swapped, flagged).cloned() else { return false };
        let following = self.token(swapped, flagged + 1).cloned();
        let mut at = plain;
        while let Some(token) = self.token(!swapped, at).cloned() {
            let matches_next = following.as_ref().is_some_and(|following| token.meets(following));
            if matches_next && self.normal(swapped, flagged + 1, at) {
                return true;
            }
            if !token.meets(&star) {
                return false;
            }
            at += 1;
        }
        following.is_none()
    }
}
