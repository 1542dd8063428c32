//! The one place that reads the clock.
//!
//! Readings by their uses: [`Clock::now`] is the wall clock, which people and clock jumps may move, for what is
//! stored; [`Clock::monotonic`] never goes back, for timers and leases; [`Steady`] is both, for what has to wait
//! and to be signed with a relay's time.

#![expect(clippy::disallowed_methods, reason = "the adapter of the system's clocks")]

#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::time::Timestamp;

/// A source of both times; clones read the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    #[cfg(test)]
    Manual(Arc<Manual>),
}

#[cfg(test)]
#[derive(Debug)]
struct Manual {
    wall: AtomicU64,
    origin: Instant,
    elapsed: AtomicU64,
}

impl Clock {
    /// The system's clocks.
    pub(crate) const fn system() -> Self {
        Self(Source::System)
    }

    /// Wall-clock time. A clock set before 1970 reads as 1970.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(millis(since))
            }
            #[cfg(test)]
            Source::Manual(m) => Timestamp::from_millis(m.wall.load(Ordering::SeqCst)),
        }
    }

    /// Time that never goes back; comparable only within this process.
    pub(crate) fn monotonic(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            #[cfg(test)]
            Source::Manual(m) => m.origin + Duration::from_millis(m.elapsed.load(Ordering::SeqCst)),
        }
    }
}

/// The wall clock's time when this was made, from where monotonic time goes on: nobody moves it.
#[derive(Debug)]
pub(crate) struct Steady {
    clock: Clock,
    wall: Timestamp,
    monotonic: Instant,
}

impl Steady {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic(), clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.plus_millis(millis(self.clock.monotonic() - self.monotonic))
    }
}

#[cfg(test)]
impl Clock {
    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    pub(crate) fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            wall: AtomicU64::new(start.as_millis()),
            origin: Instant::now(),
            elapsed: AtomicU64::new(0),
        })))
    }

    /// Moves both times of a manual clock forward; the system's clocks move by themselves.
    pub(crate) fn advance(&self, by: Duration) {
        if let Source::Manual(m) = &self.0 {
            m.wall.fetch_add(millis(by), Ordering::SeqCst);
            m.elapsed.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Sets the wall time of a manual clock, as a person or NTP would; monotonic time stays.
    pub(crate) fn set_wall(&self, to: Timestamp) {
        if let Source::Manual(m) = &self.0 {
            m.wall.store(to.as_millis(), Ordering::SeqCst);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let start = clock.monotonic();
        assert_eq!(clock.clone().now(), Timestamp::from_millis(1_000));
        clock.advance(Duration::from_millis(250));
        assert_eq!(clock.now(), Timestamp::from_millis(1_250));
        assert_eq!(clock.monotonic() - start, Duration::from_millis(250));
    }

    #[test]
    fn a_jump_of_the_wall_clock_leaves_monotonic_time_alone() {
        let clock = Clock::manual(Timestamp::from_millis(5_000));
        let start = clock.monotonic();
        clock.set_wall(Timestamp::from_millis(10));
        assert_eq!(clock.now(), Timestamp::from_millis(10));
        assert_eq!(clock.monotonic(), start);
    }

    #[test]
    fn steady_time_goes_on_whoever_moves_the_wall_clock() {
        let clock = Clock::manual(Timestamp::from_millis(5_000));
        let steady = Steady::new(clock.clone());
        for jump in [10, 5_000_000] {
            clock.set_wall(Timestamp::from_millis(jump));
            clock.advance(Duration::from_millis(250));
        }
        assert_eq!(steady.now(), Timestamp::from_millis(5_500));
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(Clock::system().now() > Timestamp::from_millis(1_750_000_000_000));
    }
}
