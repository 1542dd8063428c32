//! The one place that draws on the system's randomness.

#[cfg(feature = "client")]
use std::time::Duration;

use rand_core::Rng as _;
use rand_core::UnwrapErr;

/// The operating system's generator as an infallible [`rand_core::CryptoRng`].
///
/// A system that cannot give randomness cannot run this protocol: the process ends with a panic that
/// carries the system's error and nothing else.
pub(crate) type OsRng = UnwrapErr<getrandom::SysRng>;

/// The generator.
pub(crate) const fn os_rng() -> OsRng {
    UnwrapErr(getrandom::SysRng)
}

#[cfg(feature = "client")]
/// A uniformly drawn delay in `0..=max`, in whole milliseconds, so that retries do not march in step.
pub(crate) fn jitter(max: Duration) -> Duration {
    let span = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
    // The bias of a 64-bit draw over such spans is far below anything that a delay shows.
    Duration::from_millis(match span.checked_add(1) {
        Some(choices) => os_rng().next_u64() % choices,
        None => os_rng().next_u64(),
    })
}

/// Random bytes.
pub(crate) fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut raw = [0; BYTES];
    os_rng().fill_bytes(&mut raw);
    raw
}

/// `BYTES` random bytes as lower-case hex, for names that must not collide.
pub(crate) fn random_name<const BYTES: usize>() -> String {
    data_encoding::HEXLOWER.encode(&random::<BYTES>())
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_bounds_and_moves() {
        let max = Duration::from_millis(7);
        let draws: std::collections::BTreeSet<_> = (0..500).map(|_| jitter(max)).collect();
        assert!(draws.iter().all(|d| *d <= max));
        assert_eq!(draws.len(), 8, "each of the eight delays turns up in 500 draws");
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn names_do_not_repeat() {
        let a = random_name::<8>();
        assert_eq!(a.len(), 16);
        assert_ne!(a, random_name::<8>());
    }
}
