//! Full jitter (Brooker, "Exponential Backoff And Jitter"): a wait is drawn from the whole span
//! between nothing and a bound that doubles.

use crate::mailbox::Refusal;
use crate::time::Timestamp;

const FIRST_MS: u64 = 250;
const MAX_MS: u64 = 30_000;
/// A relay that asks for more patience than this is asked again all the same.
const MAX_ASKED_MS: u64 = 3_600_000;

/// How long to wait, and until when nothing at all is sent.
#[derive(Debug)]
pub(super) struct Backoff {
    state: u64,
    failures: u32,
    until: Option<Timestamp>,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        // xorshift has no way out of zero.
        Self { state: seed | 1, failures: 0, until: None }
    }

    /// The relay answered.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// No answer came. What was sent at the same time fails at the same time, and counts once.
    pub(super) fn failed(&mut self, now: Timestamp) {
        if self.blocks(now).is_none() {
            self.until = Some(now.plus_millis(self.delay(self.failures)));
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Until when nothing is sent.
    pub(super) fn blocks(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|t| *t > now)
    }

    /// A wait in milliseconds before another try, when there were so many in vain before this one.
    pub(super) fn delay(&mut self, tries: u32) -> u64 {
        self.draw(span(tries))
    }

    /// The same, but at least what the relay asks for.
    pub(super) fn delay_after(&mut self, refusal: Option<Refusal>, tries: u32) -> u64 {
        let asked = refusal.and_then(|r| r.retry_after()).map_or(0, |s| u64::from(s) * 1_000);
        asked.min(MAX_ASKED_MS).saturating_add(self.delay(tries))
    }

    /// A wait of at least `millis`, spread over as much again.
    pub(super) fn spread(&mut self, millis: u64, tries: u32) -> u64 {
        let millis = millis.min(MAX_ASKED_MS);
        millis.saturating_add(self.draw(millis.max(span(tries))))
    }

    fn draw(&mut self, span: u64) -> u64 {
        // Marsaglia's xorshift64: spreads clients, decides nothing else.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % span.max(1)
    }
}

fn span(tries: u32) -> u64 {
    FIRST_MS.saturating_mul(1 << tries.min(16)).min(MAX_MS)
}
