//! Matchers that follow each other, as one, where they are of a kind.

use super::{super::Failure, matcher::Matcher, work::Work};

/// What one matcher may be glued to.
#[derive(Clone, Copy)]
struct Kind<'a> {
    /// The characters that it does not take; `None` if it is of no such kind.
    without: Option<&'a [char]>,
    length: Option<usize>,
}

fn kind(matcher: &Matcher) -> Kind<'_> {
    let without: Option<&[char]> = match matcher {
        Matcher::Super => Some(&[]),
        Matcher::Any(delimiters) | Matcher::Single(delimiters) => Some(delimiters),
        Matcher::List { not: true, characters } => Some(characters),
        _ => None,
    };
    Kind { without, length: matcher.length() }
}

/// One matcher of all of these, or they as they are.
pub(super) fn glued(matchers: Vec<Matcher>) -> Result<Matcher, Vec<Matcher>> {
    if matchers.len() < 2 {
        return Err(matchers);
    }
    if let Some(every) = as_every(&matchers) {
        return Ok(every);
    }
    match matchers.iter().map(Matcher::length).sum::<Option<usize>>() {
        Some(length) => {
            let each = |matcher: Matcher| (matcher.length().unwrap_or(0), matcher);
            Ok(Matcher::Row(matchers.into_iter().map(each).collect(), length))
        }
        None => Err(matchers),
    }
}

/// All that take the same characters: what is left to say is how many, and that the characters which they do not take
/// are not there; as a text, though, not each of them.
fn as_every(matchers: &[Matcher]) -> Option<Matcher> {
    let without = kind(matchers.first()?).without?;
    if matchers.iter().any(|matcher| kind(matcher).without != Some(without)) {
        return None;
    }
    let count = |is_it: fn(&Matcher) -> bool| matchers.iter().filter(|matcher| is_it(matcher)).count();
    let supers = count(|matcher| matches!(matcher, Matcher::Super));
    let anys = count(|matcher| matches!(matcher, Matcher::Any(_)));
    let least = matchers.len() - supers - anys;
    if supers == matchers.len() {
        return Some(Matcher::Super);
    }
    if anys == matchers.len() {
        return Some(Matcher::Any(without.into()));
    }
    let is_open = supers + anys > 0;
    if is_open && least > 0 && without.is_empty() {
        return Some(Matcher::Min(least));
    }
    let mut every = Vec::new();
    if least > 0 {
        every.push(Matcher::Min(least));
        if !is_open {
            every.push(Matcher::Max(least));
        }
    }
    if !without.is_empty() {
        every.push(Matcher::Contains { not: true, needle: without.iter().collect() });
    }
    Some(Matcher::EveryOf(every))
}

/// The run of matchers that is glued.
struct Chosen {
    from: usize,
    count: usize,
    length: Option<usize>,
}

/// The matchers with the longest run of a kind glued, again and again until there is none.
pub(super) fn minimized(mut matchers: Vec<Matcher>, work: &mut Work) -> Result<Vec<Matcher>, Failure> {
    loop {
        work.take(matchers.len())?;
        let Some(Chosen { from, count, .. }) = longest(&matchers) else { return Ok(matchers) };
        let behind = matchers.split_off(from + count);
        match glued(matchers.split_off(from)) {
            Ok(one) => matchers.push(one),
            Err(same) => {
                matchers.extend(same);
                matchers.extend(behind);
                return Ok(matchers);
            }
        }
        matchers.extend(behind);
    }
}

/// The first run with the most matchers, unless a later one that has more characters.
fn longest(matchers: &[Matcher]) -> Option<Chosen> {
    let kinds: Vec<Kind<'_>> = matchers.iter().map(kind).collect();
    let mut runs = Vec::with_capacity(kinds.len());
    // How far each goes on: those of a kind, and those of a fixed length with their sum.
    let (mut alike, mut fixed, mut sum) = (0, 0, 0);
    let mut next: Option<Kind<'_>> = None;
    for kind in kinds.iter().rev() {
        let goes_on = next.is_some_and(|next| next.without == kind.without);
        alike = if kind.without.is_none() {
            0
        } else if goes_on {
            alike + 1
        } else {
            1
        };
        (fixed, sum) = kind.length.map_or((0, 0), |length| (fixed + 1, sum + length));
        runs.push((alike, fixed, sum));
        next = Some(*kind);
    }
    let mut chosen: Option<Chosen> = None;
    for (from, (alike, fixed, sum)) in runs.into_iter().rev().enumerate() {
        let run = if alike >= fixed {
            Chosen { from, count: alike, length: None }
        } else {
            Chosen { from, count: fixed, length: Some(sum) }
        };
        let is_better = chosen.as_ref().is_none_or(|best| {
            run.count > best.count || best.length.zip(run.length).is_some_and(|(best, length)| length > best)
        });
        if run.count > 1 && is_better {
            chosen = Some(run);
        }
    }
    chosen
}
