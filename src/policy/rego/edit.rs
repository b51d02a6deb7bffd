//! Edits of a text, and where each place of the edited text was before.

use super::ast::Span;

/// What stands at `at` becomes `with`; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) at: Span,
    pub(crate) with: String,
}

impl Edit {
    /// Replaces `at`.
    pub(crate) fn replace(at: Span, with: impl Into<String>) -> Self {
        Self { at, with: with.into() }
    }

    /// Inserts before the byte `at`.
    pub(crate) fn insert(at: u32, with: impl Into<String>) -> Self {
        Self { at: Span { start: at, end: at }, with: with.into() }
    }
}

/// A text after its edits. It has the lines of the original, so that only columns differ, and more lines at most at its
/// end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edited {
    pub(crate) text: String,
    // For each edit, in order: where it begins and ends in the new text, and its span in the old one.
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    new: Span,
    old: Span,
}

impl Edited {
    /// A text without edits.
    pub(crate) fn unchanged(text: &str) -> Self {
        Self { text: text.to_owned(), steps: Vec::new() }
    }

    /// Applies edits; those at one place in their order. What overlaps an earlier one, or is outside of the text or in the
    /// middle of a character, is left out: the caller's bug must not become a panic.
    ///
    /// Line ends that an edit removes are put back after it, so that whatever follows keeps its line.
    pub(crate) fn new(text: &str, mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|edit| edit.at.start);
        let mut edited = Self { text: String::with_capacity(text.len() * 2), steps: Vec::with_capacity(edits.len()) };
        let mut done = 0;
        for Edit { at, with } in edits {
            let (Some(between), Some(removed)) = (text.get(done..at.start as usize), text.get(at.range())) else {
                debug_assert!(false, "an edit at {at:?} out of order");
                continue;
            };
            edited.text.push_str(between);
            let start = position(edited.text.len());
            edited.text.push_str(&with);
            let lost = removed.matches('\n').count().saturating_sub(with.matches('\n').count());
            edited.text.extend(std::iter::repeat_n('\n', lost));
            edited.steps.push(Step { new: Span { start, end: position(edited.text.len()) }, old: at });
            done = at.end as usize;
        }
        edited.text.push_str(text.get(done..).unwrap_or_default());
        edited
    }

    /// Whether anything was edited.
    pub(crate) fn is_changed(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Where a byte of the new text was in the old one; the start of an edit for what it made.
    pub(crate) fn original(&self, at: usize) -> usize {
        let at = position(at);
        let after = self.steps.partition_point(|step| step.new.start <= at);
        let Some(step) = after.checked_sub(1).and_then(|last| self.steps.get(last)) else { return at as usize };
        if at < step.new.end {
            return step.old.start as usize;
        }
        (step.old.end + (at - step.new.end)) as usize
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_known_after_edits() {
        let text = "a + b\nc";
        let span = |start, end| Span { start, end };
        let edited =
            Edited::new(text, vec![Edit::insert(0, "plus("), Edit::replace(span(1, 4), ", "), Edit::insert(5, ")")]);
        assert_eq!(edited.text, "plus(a, b)\nc");
        for (part, old) in [("a", 0), ("b)", 4), ("c", 6), ("plus", 0), (")", 5), ("\n", 5)] {
            assert_eq!(edited.original(edited.text.find(part).unwrap()), old, "{part}");
        }
        assert_eq!(edited.original(edited.text.len()), text.len());
    }

    #[test]
    fn lines_stay_where_they_were() {
        let edited = Edited::new("x := `a\nb`\ny", vec![Edit::replace(Span { start: 5, end: 10 }, "1")]);
        assert_eq!(edited.text, "x := 1\n\ny");
    }
}
