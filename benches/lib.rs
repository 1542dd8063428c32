//! What the benchmarks share: two things measured alternately in one run, and the ratio between them.
//!
//! Absolute times differ from machine to machine and from hour to hour; the ratio of neighbouring
//! measurements does so much less. What one thread computes is measured by the processor time that it
//! got, so that other work on the machine hardly shows.

pub mod ceiling;
pub mod rig;
pub mod this_process;

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How much to measure, from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// `--quick` or `--test`: once, in a few seconds at most, to show that it works.
    Quick,
    /// Enough for figures that can be quoted.
    Full,
}

impl Effort {
    /// Reads the arguments of this process. What cargo adds is ignored.
    #[allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]
    pub fn from_args() -> Self {
        let quick = std::env::args().any(|arg| arg == "--quick" || arg == "--test");
        #[cfg(debug_assertions)]
        println!("unoptimised: this says that it runs, its figures mean nothing");
        if quick { Self::Quick } else { Self::Full }
    }

    /// Whether a section of a benchmark is to run: all do unless the arguments name some.
    pub fn wants(section: &str) -> bool {
        let mut named = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
        named.peek().is_none() || named.any(|arg| arg == section)
    }

    /// One of two amounts.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// The time that `work` takes, and what it gives, which must be kept until the clock has stopped.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    let elapsed = start.elapsed();
    drop(result);
    elapsed
}

/// Like [`time`], but the processor time of this thread: for work that never waits.
pub fn cpu_time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = thread_time();
    let result = std::hint::black_box(work());
    let elapsed = thread_time().saturating_sub(start);
    drop(result);
    elapsed
}

fn thread_time() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// The processor time that all threads of this process have used so far.
pub fn process_time() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let now = clock_gettime(id);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.try_into().unwrap_or_default())
}

/// The `percent`th percentile of `times`, which it sorts.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    let at = times.len().saturating_sub(1) * percent / 100;
    times.get(at).copied().unwrap_or_default()
}

/// `min / median / max` of ratios, or of whatever else has no unit here.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// One more.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In another unit.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = self.0.first().zip(self.0.last());
        let (min, max) = ends.map_or((f64::NAN, f64::NAN), |(a, b)| (*a, *b));
        write!(f, "{min:.2} / {:.2} / {max:.2}", self.median())
    }
}

/// A thing and its yardstick, measured in turn.
#[derive(Clone, Debug)]
pub struct Compared {
    ratios: Spread,
    yardstick: Duration,
    thing: Duration,
}

/// Measures `yardstick` and `thing` alternately `runs` times (at least once), the order of the two
/// changing from run to run.
pub fn alternate(
    runs: usize,
    mut yardstick: impl FnMut() -> Duration,
    mut thing: impl FnMut() -> Duration,
) -> Compared {
    let mut pairs = Vec::new();
    for run in 0..runs.max(1) {
        if run % 2 == 0 {
            let y = yardstick();
            pairs.push((y, thing()));
        } else {
            let t = thing();
            pairs.push((yardstick(), t));
        }
    }
    let mut ratios = Spread::default();
    pairs.iter().for_each(|(y, t)| ratios.push(t.as_secs_f64() / y.as_secs_f64()));
    let median = |mut times: Vec<Duration>| percentile(&mut times, 50);
    Compared {
        ratios,
        yardstick: median(pairs.iter().map(|p| p.0).collect()),
        thing: median(pairs.iter().map(|p| p.1).collect()),
    }
}

impl Compared {
    /// The middle ratio of thing to yardstick.
    pub fn median(&self) -> f64 {
        self.ratios.median()
    }

    /// Median times of yardstick and thing.
    pub fn times(&self) -> (Duration, Duration) {
        (self.yardstick, self.thing)
    }
}

/// `min / median / max` of the ratios.
impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ratios.fmt(f)
    }
}
