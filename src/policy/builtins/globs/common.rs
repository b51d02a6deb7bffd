//! What all alternatives begin and end with, taken out of the braces.

use std::collections::HashSet;

use super::{
    super::Failure,
    pattern::{Id, Node, Syntax},
    work::Work,
};

/// The alternatives as a pattern in which what they have in common is before and behind what they have not; `None` if
/// they have nothing in common.
pub(super) fn factored(syntax: &mut Syntax, alternatives: &[Id], work: &mut Work) -> Result<Option<Id>, Failure> {
    let mut patterns = Vec::with_capacity(alternatives.len());
    for id in alternatives {
        let Node::Pattern(parts) = syntax.node(*id) else { return Ok(None) };
        work.take(1 + parts.len())?;
        patterns.push(parts.clone());
    }
    let (left, right) = ends_in_common(&patterns);
    if left + right == 0 {
        return Ok(None);
    }
    let shortest = patterns.iter().min_by_key(|parts| parts.len()).cloned().unwrap_or_default();
    let (mut rest, mut known) = (Vec::new(), HashSet::new());
    for mut parts in patterns {
        parts.truncate(parts.len().saturating_sub(right));
        let own = parts.split_off(left.min(parts.len()));
        let own = syntax.add(if own.is_empty() { Node::Nothing } else { Node::Pattern(own) });
        if known.insert(own) {
            rest.push(own);
        }
    }
    let mut made = Vec::new();
    if left > 0 {
        made.push(syntax.add(Node::Pattern(shortest.iter().copied().take(left).collect())));
    }
    match rest.as_slice() {
        [only] if *syntax.node(*only) == Node::Nothing => {}
        [only] => made.push(*only),
        _ => made.push(syntax.add(Node::AnyOf(rest))),
    }
    if right > 0 {
        made.push(syntax.add(Node::Pattern(shortest.iter().copied().skip(shortest.len() - right).collect())));
    }
    Ok(Some(syntax.add(Node::Pattern(made))))
}

/// How many nodes all patterns begin with, and how many they end with. Both ends are looked at in turn, so that what
/// could be either is counted once.
fn ends_in_common(patterns: &[Vec<Id>]) -> (usize, usize) {
    let Some((shortest, model)) = patterns.iter().enumerate().min_by_key(|(_, parts)| parts.len()) else {
        return (0, 0);
    };
    if patterns.len() < 2 {
        return (0, 0);
    }
    let (mut left, mut right, mut is_left, mut is_right) = (0, 0, true, true);
    for at in 0..model.len() {
        if left + right >= model.len() || !(is_left || is_right) {
            break;
        }
        let from_end = |parts: &[Id]| parts.iter().nth_back(at).copied();
        let meets = model.len() <= 2 * at + 1;
        for (_, parts) in patterns.iter().enumerate().filter(|(number, _)| *number != shortest) {
            is_left = is_left && parts.get(at) == model.get(at);
            // As long as the left goes on, it has what is in the middle.
            is_right = is_right && !(is_left && meets) && from_end(parts) == from_end(model);
            if !(is_left || is_right) {
                break;
            }
        }
        left += usize::from(is_left);
        right += usize::from(is_right);
    }
    (left, right)
}
