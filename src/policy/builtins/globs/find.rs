//! Where a matcher finds a text of its own first in another, and how long that may be.

use super::{
    super::Failure,
    matcher::{Matcher, Part, Run, begins_with, ends_opa, in_range},
    runes::{find, find_any, find_any_last, find_last, has, runes, width},
};

/// What was found: where it begins, and how long it may be, in bytes, of which the last is tried first.
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) lengths: Vec<usize>,
}

impl Matcher {
    pub(super) fn find(&self, part: Part, run: &mut Run<'_>) -> Result<Option<Found>, Failure> {
        let bytes = run.bytes(part);
        run.work.take(1 + self.steps(bytes.len()))?;
        let found = |at, lengths| Some(Found { at, lengths });
        Ok(match self {
            Self::Nothing => found(0, vec![0]),
            Self::Super => {
                run.work.take(bytes.len())?;
                found(0, starts(bytes, 0))
            }
            Self::Any(delimiters) => {
                let end = find_any(bytes, delimiters).unwrap_or(bytes.len());
                found(0, starts(bytes.get(..end).unwrap_or_default(), 0))
            }
            Self::Single(delimiters) => one(bytes, |rune| !has(delimiters, rune)),
            Self::List { not, characters } => one(bytes, |rune| has(characters, rune) != *not),
            Self::Range { not, low, high } => one(bytes, |rune| in_range(rune, *low, *high) != *not),
            Self::Text(text, _) => find(bytes, text.as_bytes()).and_then(|at| found(at, vec![text.len()])),
            Self::Prefix(prefix) => find(bytes, prefix.as_bytes()).and_then(|at| {
                let rest = bytes.get(at + prefix.len()..).unwrap_or_default();
                found(at, ends(rest, prefix.len()))
            }),
            Self::PrefixAny(prefix, delimiters) => find(bytes, prefix.as_bytes()).and_then(|at| {
                let rest = bytes.get(at + prefix.len()..).unwrap_or_default();
                let end = find_any(rest, delimiters).unwrap_or(rest.len());
                found(at, ends(rest.get(..end).unwrap_or_default(), prefix.len()))
            }),
            Self::Suffix(suffix) => find(bytes, suffix.as_bytes()).and_then(|at| found(0, vec![at + suffix.len()])),
            Self::SuffixAny(suffix, delimiters) => {
                let Some(at) = find(bytes, suffix.as_bytes()) else { return Ok(None) };
                let last = find_any_last(bytes.get(..at).unwrap_or_default(), delimiters).map_err(|()| ends_opa())?;
                let from = last.map_or(0, |last| last + 1);
                found(from, vec![at + suffix.len() - from])
            }
            Self::PrefixSuffix(prefix, suffix) => {
                let Some(at) = find(bytes, prefix.as_bytes()) else { return Ok(None) };
                let (mut rest, mut lengths) = (bytes.get(at..).unwrap_or_default(), Vec::new());
                while let Some(last) = find_last(rest, suffix.as_bytes()) {
                    lengths.push(last + suffix.len());
                    rest = rest.get(..last).unwrap_or_default();
                }
                lengths.reverse();
                if lengths.is_empty() { None } else { found(at, lengths) }
            }
            Self::Contains { not, needle } => match (find(bytes, needle.as_bytes()), not) {
                (None, false) => None,
                (Some(at), false) => {
                    let from = at + needle.len();
                    found(0, starts(bytes.get(from..).unwrap_or_default(), from))
                }
                (at, true) => found(0, starts(bytes.get(..at.unwrap_or(bytes.len())).unwrap_or_default(), 0)),
            },
            Self::Min(least) => {
                let lengths: Vec<usize> = ends(bytes, 0).into_iter().skip(*least).collect();
                if lengths.is_empty() { None } else { found(0, lengths) }
            }
            Self::Max(most) => {
                let mut lengths = ends(bytes, 0);
                lengths.truncate(most.saturating_add(1));
                found(0, lengths)
            }
            Self::Row(matchers, length) => {
                for (at, _) in runes(bytes) {
                    let rest = Part { from: part.from + at, ..part };
                    if rest.to - rest.from < *length {
                        break;
                    }
                    if begins_with(matchers, rest, run)? {
                        return Ok(found(at, vec![*length]));
                    }
                }
                None
            }
            Self::AnyOf(matchers, _) => any(matchers, part, run)?,
            Self::EveryOf(matchers) => every(matchers, part, run)?,
            // What has a value in it is not looked for.
            Self::Tree(_) => None,
        })
    }
}

/// Where each character begins, and the end.
fn starts(bytes: &[u8], offset: usize) -> Vec<usize> {
    runes(bytes).map(|(at, _)| offset + at).chain([offset + bytes.len()]).collect()
}

/// The begin, and where each character ends.
fn ends(bytes: &[u8], offset: usize) -> Vec<usize> {
    let ends = runes(bytes).map(|(at, rune)| offset + at + width(rune));
    [offset].into_iter().chain(ends).collect()
}

fn one(bytes: &[u8], is_it: impl Fn(u32) -> bool) -> Option<Found> {
    let (at, rune) = runes(bytes).find(|(_, rune)| is_it(*rune))?;
    Some(Found { at, lengths: vec![width(rune)] })
}

/// The leftmost of what is found, with the lengths of all that are found there.
fn any(matchers: &[Matcher], part: Part, run: &mut Run<'_>) -> Result<Option<Found>, Failure> {
    let mut leftmost: Option<Found> = None;
    for matcher in matchers {
        let Some(found) = matcher.find(part, run)? else { continue };
        run.work.take(found.lengths.len())?;
        leftmost = Some(match leftmost {
            Some(before) if before.at < found.at => before,
            Some(before) if before.at == found.at => {
                Found { at: found.at, lengths: merged(&before.lengths, &found.lengths) }
            }
            _ => found,
        });
    }
    Ok(leftmost)
}

/// Two lists in order as one; where they are in none, what comes of it.
fn merged(one: &[usize], other: &[usize]) -> Vec<usize> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one, other);
    loop {
        match (one, other) {
            ([], rest) | (rest, []) => {
                all.extend_from_slice(rest);
                return all;
            }
            ([x, ones @ ..], [y, others @ ..]) => {
                all.push(*x.min(y));
                if x <= y {
                    one = ones;
                }
                if y <= x {
                    other = others;
                }
            }
        }
    }
}

/// Lengths that all find; all of these matchers find at the begin.
fn every(matchers: &[Matcher], part: Part, run: &mut Run<'_>) -> Result<Option<Found>, Failure> {
    let mut common: Option<Vec<usize>> = None;
    for matcher in matchers {
        let Some(found) = matcher.find(part, run)? else { return Ok(None) };
        let Some(before) = common else {
            common = Some(found.lengths);
            continue;
        };
        run.work.take(before.len().saturating_mul(found.lengths.len()) / 64)?;
        let mut both = Vec::new();
        for length in &before {
            both.extend(found.lengths.iter().filter(|other| *other == length));
        }
        if both.is_empty() {
            return Ok(None);
        }
        common = Some(both);
    }
    Ok(common.map(|lengths| Found { at: 0, lengths }))
}
