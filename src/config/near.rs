//! "Did you mean": the known name that is nearest to one that is not known.

/// The candidate that takes the fewest edits, if those are few for the name's length.
pub(super) fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    let limit = name.chars().count().div_ceil(3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, &candidate), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters to insert, delete or replace (Levenshtein), row by row.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, wanted) in from.chars().enumerate() {
        let (mut diagonal, mut left) = (index, index + 1);
        for (cell, found) in row.iter_mut().skip(1).zip(to.chars()) {
            let up = *cell;
            *cell = (diagonal + usize::from(wanted != found)).min(up + 1).min(left + 1);
            (diagonal, left) = (up, *cell);
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, edits) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(from, to), edits, "{from} -> {to}");
        }
    }

    #[test]
    fn suggests_only_what_is_close() {
        let candidates = || ["grpc".to_owned(), "log".to_owned()];
        assert_eq!(nearest("grcp", candidates()).as_deref(), Some("grpc"));
        assert_eq!(nearest("foo", candidates()), None);
        assert_eq!(nearest("", candidates()), None);
    }
}
