//! Insertions into a text, in the right order where several are at one place.

/// What is put into a text.
pub(super) struct Insertion {
    pub(super) at: u32,
    pub(super) closes: bool,
    /// Whether it goes with the body (least where it opens, last where it closes), the condition, what is put under a
    /// hidden name, an operand, or what is inside of one.
    pub(super) rank: u8,
    pub(super) text: String,
}

/// Puts insertions into a text: at one place, what closes goes before what opens, and else by rank, then as they came.
pub(super) fn apply(text: &str, mut insertions: Vec<Insertion>) -> String {
    insertions.sort_by_key(|insertion| (insertion.at, !insertion.closes, insertion.rank));
    let mut out = String::with_capacity(text.len() * 2);
    let mut from = 0;
    for insertion in insertions {
        let at = usize::try_from(insertion.at).unwrap_or(usize::MAX).min(text.len());
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(&insertion.text);
        from = at;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}
