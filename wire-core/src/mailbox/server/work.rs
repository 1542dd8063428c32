//! Challenges of work: minted without keeping anything, each good once within ten minutes.
//!
//! challenge16 = minute4 ‖ random4 ‖ HMAC-SHA256(process key, minute4 ‖ random4)[..8]

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::crypto::kdf::hmac256;
use crate::mailbox::proves_work;
use crate::time::Timestamp;

const GOOD_FOR_MINUTES: u32 = 10;
const MAX_USED: usize = 65_536;

pub(super) struct WorkDesk {
    key: Zeroizing<[u8; 32]>,
    used: BTreeSet<(u32, [u8; 4])>,
}

impl WorkDesk {
    pub(super) fn new(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut());
        Self { key, used: BTreeSet::new() }
    }

    pub(super) fn challenge(&self, now: Timestamp, rng: &mut impl CryptoRng) -> [u8; 16] {
        let mut random = [0; 4];
        rng.fill_bytes(&mut random);
        self.mint(minute(now), random)
    }

    /// Accepts an answer once.
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        challenge: &[u8; 16],
        answer: &[u8; 8],
        bits: u8,
    ) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = *challenge;
        let (minted, random) = (u32::from_be_bytes([a, b, c, d]), [e, f, g, h]);
        let genuine: bool = self.mint(minted, random).ct_eq(challenge).into();
        let oldest = minute(now).saturating_sub(GOOD_FOR_MINUTES);
        if !genuine || minted < oldest || !proves_work(challenge, answer, bits) {
            return false;
        }
        self.used = self.used.split_off(&(oldest, [0; 4]));
        self.used.len() < MAX_USED && self.used.insert((minted, random))
    }

    fn mint(&self, minute: u32, random: [u8; 4]) -> [u8; 16] {
        let minute = minute.to_be_bytes();
        let tag = hmac256(self.key.as_ref(), &[&minute, &random]);
        let mut challenge = [0; 16];
        let parts = minute.iter().chain(&random).chain(&tag);
        for (to, from) in challenge.iter_mut().zip(parts) {
            *to = *from;
        }
        challenge
    }
}

impl std::fmt::Debug for WorkDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkDesk").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

fn minute(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / 60_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::solve_work;
    use crate::tests_rng::rng;

    #[test]
    fn an_answer_is_good_once_for_a_genuine_challenge_and_ten_minutes() {
        let now = Timestamp::from_millis(60_000 * 1000);
        let mut desk = WorkDesk::new(&mut rng());
        let challenge = desk.challenge(now, &mut rng());
        let answer = solve_work(&challenge, 8).unwrap();
        assert!(!desk.accept(now.plus_millis(60_000 * 11), &challenge, &answer, 8));
        assert!(desk.accept(now.plus_millis(60_000 * 10), &challenge, &answer, 8));
        assert!(!desk.accept(now, &challenge, &answer, 8));
        let mut other = WorkDesk::new(&mut rng());
        assert!(!other.accept(now, &challenge, &answer, 8));
        let fresh = desk.challenge(now, &mut rng());
        let lazy = (0..).map(u64::to_be_bytes).find(|x| !proves_work(&fresh, x, 8)).unwrap();
        assert!(!desk.accept(now, &fresh, &lazy, 8));
    }
}
