//! Choices: proptest draws a tape of numbers, and whoever generates reads one for each choice. A tape that ends goes
//! on with zeros, and 0 is always the simplest choice, so that a shorter or smaller tape makes a simpler policy.

use proptest::{
    collection::vec,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

/// A drawn tape.
pub(crate) type Choices = Vec<u16>;

/// Reads choices.
pub(crate) struct Tape<'a> {
    rest: std::slice::Iter<'a, u16>,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(choices: &'a [u16]) -> Self {
        Self { rest: choices.iter() }
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.rest.next().copied().unwrap_or(0)) % end
    }

    /// One of `all`.
    pub(crate) fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// True in `percent` of cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// An index into `weights`, as often as its weight says; the first is the simplest.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut number = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if number < *weight {
                return index;
            }
            number -= weight;
        }
        0
    }

    /// Whether every choice was read.
    pub(crate) fn ended(&self) -> bool {
        self.rest.len() == 0
    }
}

/// Draws a tape of at most `length` choices.
pub(crate) fn draw(runner: &mut TestRunner, length: usize) -> Choices {
    vec(0..u16::MAX, length / 2..=length).new_tree(runner).expect("a tape").current()
}

/// The simplest tape found for which `fails` still holds, in at most `tries` tries.
///
/// proptest would remove one number after another; taking whole runs out first is what makes a policy lose a rule.
pub(crate) fn shrink(choices: &Choices, tries: usize, mut fails: impl FnMut(&Choices) -> bool) -> Choices {
    let mut best = choices.clone();
    let mut left = tries;
    let mut attempt = |candidate: Choices, best: &mut Choices| {
        if left == 0 || candidate == *best {
            return false;
        }
        left -= 1;
        let better = fails(&candidate);
        if better {
            *best = candidate;
        }
        better
    };
    loop {
        let before = best.clone();
        for size in [128, 64, 32, 16, 8, 4, 3, 2, 1] {
            let mut at = best.len();
            while at > 0 {
                at = at.saturating_sub(size);
                let end = (at + size).min(best.len());
                let without: Choices = best[..at].iter().chain(&best[end..]).copied().collect();
                if !attempt(without, &mut best) && size <= 8 {
                    let mut zeroed = best.clone();
                    zeroed[at..end].fill(0);
                    attempt(zeroed, &mut best);
                }
                at = at.min(best.len());
            }
        }
        for at in 0..best.len() {
            let (mut low, mut high) = (0, best.get(at).copied().unwrap_or(0) % 1000);
            while low < high {
                let middle = low.midpoint(high);
                let mut smaller = best.clone();
                smaller[at] = middle;
                if attempt(smaller, &mut best) { high = middle } else { low = middle + 1 }
            }
        }
        if best == before {
            return best;
        }
    }
}
