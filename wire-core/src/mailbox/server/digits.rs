//! Which digits a new code gets: random ones, as few as keep the names sparse.
//!
//! At each width at most a tenth of all names is in use or in quarantine, so that guessing a live
//! one takes ten tries on average, and the rate limit on missed claims bites first.

use std::collections::VecDeque;

use rand_core::CryptoRng;

use crate::mailbox::{Nameplate, Rendezvous};
use crate::time::Timestamp;

const WIDTHS: std::ops::RangeInclusive<usize> = 4..=9;
const CANDIDATES: usize = 8;

/// When the names of each width become free; soonest first, because all live equally long.
#[derive(Debug, Default)]
pub(super) struct DigitsInUse([VecDeque<Timestamp>; 6]);

impl DigitsInUse {
    pub(super) fn new(occupied: impl IntoIterator<Item = (Nameplate, Timestamp)>) -> Self {
        let mut in_use = Self::default();
        let mut all: Vec<_> = occupied.into_iter().collect();
        all.sort_by_key(|(_, free_at)| *free_at);
        for (digits, free_at) in all {
            in_use.take(&digits, free_at);
        }
        in_use
    }

    pub(super) fn take(&mut self, digits: &Nameplate, free_at: Timestamp) {
        if let Some(queue) =
            digits.as_str().len().checked_sub(*WIDTHS.start()).and_then(|i| self.0.get_mut(i))
        {
            queue.push_back(free_at);
        }
    }

    /// A few random names of the smallest width that is sparse enough, or none if none is.
    pub(super) fn candidates(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Vec<Rendezvous> {
        for (width, queue) in WIDTHS.zip(&mut self.0) {
            while queue.front().is_some_and(|free_at| *free_at <= now) {
                queue.pop_front();
            }
            let names = 10u64.pow(width as u32);
            if (queue.len() as u64) < names / 10 {
                return (0..CANDIDATES)
                    .filter_map(|_| format!("{:0width$}", rng.next_u64() % names).parse().ok())
                    .map(Rendezvous::Nameplate)
                    .collect();
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    fn width(places: &[Rendezvous]) -> usize {
        let Some(Rendezvous::Nameplate(digits)) = places.first() else { panic!("no candidate") };
        digits.as_str().len()
    }

    #[test]
    fn names_grow_when_a_tenth_is_in_use_and_shrink_when_quarantine_ends() {
        let now = Timestamp::from_millis(0);
        let free_at = now.plus_millis(100);
        let mut in_use = DigitsInUse::default();
        for n in 0..1000 {
            assert_eq!(width(&in_use.candidates(now, &mut rng())), 4, "{n}");
            in_use.take(&format!("{n:04}").parse().unwrap(), free_at);
        }
        assert_eq!(width(&in_use.candidates(now, &mut rng())), 5);
        assert_eq!(width(&in_use.candidates(free_at, &mut rng())), 4);
    }

    #[test]
    fn what_is_occupied_at_the_start_counts() {
        let now = Timestamp::from_millis(0);
        let name = |n| (format!("{n:04}").parse().unwrap(), now.plus_millis(n));
        let mut in_use = DigitsInUse::new((1..=1000).rev().map(name));
        assert_eq!(width(&in_use.candidates(now, &mut rng())), 5);
        assert_eq!(width(&in_use.candidates(now.plus_millis(1), &mut rng())), 4);
    }
}
