//! How sure a median is, and in which order turns are taken.

use crate::cli::bench::compare::median;

/// A median, and where the one of endless rounds is with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Spread {
    /// By the ranks of what was measured, whatever its distribution: half of what is measured is below the median, so how
    /// many are is binomial, and about normal. Fewer than six rounds are never that sure: it is all of them then.
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let count = figures.len();
        // n/2 - 1.96 * sqrt(n)/2, rounded down.
        let below = (1..=count / 2).rev().find(|below| {
            let beside = count - 2 * below;
            10_000 * beside * beside >= 38_416 * count
        });
        let low = below.map_or(0, |below| below.saturating_sub(1));
        let at = |at: usize| figures.get(at).copied().unwrap_or(f64::NAN);
        Self { median: median(figures.iter().copied()), low: at(low), high: at(count.saturating_sub(1 + low)) }
    }
}

/// The servers' turns in a round. In 24 rounds there are all orders of four: each is in each place and after each other
/// as often as the others are.
pub(super) fn order<const N: usize>(round: usize) -> [usize; N] {
    let mut order = std::array::from_fn(|at| at);
    // Seven steps on each time, so that no place stays the same for long.
    let mut which = round.wrapping_mul(7);
    for left in (1..=N).rev() {
        order.get_mut(..left).unwrap_or_default().rotate_left(which % left);
        which /= left;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_come_equally_often() {
        let orders: std::collections::HashSet<[usize; 4]> = (0..24).map(order).collect();
        assert_eq!(orders.len(), 24);
        for order in orders {
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn the_more_is_measured_the_surer_it_is() {
        let spread = |count: u32| Spread::of((0..count).map(f64::from));
        assert_eq!(spread(5), Spread { median: 2.0, low: 0.0, high: 4.0 });
        assert_eq!(spread(48), Spread { median: 24.0, low: 16.0, high: 31.0 });
        assert_eq!(spread(100), Spread { median: 50.0, low: 39.0, high: 60.0 });
        assert!(Spread::of(std::iter::empty()).median.is_nan());
    }
}
