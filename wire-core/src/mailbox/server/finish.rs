//! What the store said, in the words of the protocol.

use super::MailboxServer;
use crate::mailbox::Rendezvous;
use crate::mailbox::plan::{Outcome, Pending, Reply, Ticket};
use crate::mailbox::{Allocated, Claimed, Done, Empty, Got, MailboxId, Page, Posted, Refusal, Verdict};
use crate::time::Timestamp;

const SHORTLY: Refusal = Refusal::Unavailable { retry_after: 1 };

impl MailboxServer {
    /// Words the answer to a planned request. A store that failed says how, as
    /// [`Refusal::Unavailable`] or [`Refusal::Full`]: nothing is then acknowledged.
    pub fn finish(&self, now: Timestamp, ticket: Ticket, outcome: Result<Outcome, Refusal>) -> Reply {
        let reply = match ticket.0 {
            Pending::Post { mailbox, verdicts, sizes, expires_at } => {
                self.finish_post(now, mailbox, verdicts, &sizes, expires_at, outcome)
            }
            pending @ (Pending::Done
            | Pending::Create { .. }
            | Pending::Poll
            | Pending::Allocate { .. }
            | Pending::Claim { .. }
            | Pending::Put
            | Pending::Get
            | Pending::Close { .. }) => outcome.and_then(|outcome| self.finish_other(now, pending, outcome)),
        };
        reply.unwrap_or_else(|refusal| Reply::refused(refusal, now))
    }

    fn finish_other(&self, now: Timestamp, pending: Pending, outcome: Outcome) -> Result<Reply, Refusal> {
        match (pending, outcome) {
            (Pending::Create { wanted, .. }, Outcome::NotEntitled) => Err(wanted),
            (Pending::Claim { origin }, Outcome::Absent) => {
                self.counters().rates.claim_missed(now, &self.limits, origin);
                Err(Refusal::NotFound)
            }
            // All of a handful of random digits were taken: the next handful will do.
            (Pending::Allocate { invite: false, .. }, Outcome::Taken) => Err(SHORTLY),
            (_, Outcome::Absent) => Err(Refusal::NotFound),
            (_, Outcome::Taken) => Err(Refusal::Taken),
            (_, Outcome::Stale { incarnation, first, head }) => {
                Err(Refusal::Stale { incarnation, first, head })
            }
            (Pending::Create { origin, .. }, Outcome::Done(incarnation)) => {
                self.counters().rates.created(now, &self.limits, origin);
                Ok(Reply::ok(Done { time: now, incarnation }.to_bytes()))
            }
            (Pending::Done, Outcome::Done(incarnation)) => {
                Ok(Reply::ok(Done { time: now, incarnation }.to_bytes()))
            }
            (Pending::Poll, Outcome::Page { page, .. }) => {
                Ok(Reply::ok(Page { time: now, ..page }.to_bytes()))
            }
            (Pending::Allocate { origin, .. }, Outcome::Opened { place, until }) => {
                let counters = &mut *self.counters();
                if let Rendezvous::Nameplate(digits) = &place {
                    let free_at = until.plus_millis(self.limits.code_linger + self.limits.quarantine);
                    counters.digits.take(digits, free_at);
                }
                counters.rates.opened(now, &self.limits, origin, place.clone(), until);
                Ok(Reply::ok(Allocated { place, until }.to_bytes()))
            }
            (Pending::Claim { .. }, Outcome::Claimed { until }) => {
                Ok(Reply::ok(Claimed { until }.to_bytes()))
            }
            (Pending::Put, Outcome::Written) => Ok(Reply::ok(Empty.to_bytes())),
            (Pending::Get, Outcome::Slot { bytes, contested }) => {
                Ok(Reply::ok(Got { bytes, contested }.to_bytes()))
            }
            (Pending::Close { origin, place }, Outcome::Written) => {
                self.counters().rates.closed(origin, &place);
                Ok(Reply::ok(Empty.to_bytes()))
            }
            // A store that answers another question than it was asked.
            _ => Err(SHORTLY),
        }
    }

    fn finish_post(
        &self,
        now: Timestamp,
        mailbox: MailboxId,
        known: Vec<Option<Verdict>>,
        sizes: &[u64],
        expires_at: Timestamp,
        outcome: Result<Outcome, Refusal>,
    ) -> Result<Reply, Refusal> {
        let outcome = match outcome {
            Ok(Outcome::Appended { incarnation, verdicts }) if verdicts.len() == sizes.len() => {
                Ok((incarnation, verdicts))
            }
            Ok(Outcome::Absent) => Err(Refusal::NotFound),
            Ok(Outcome::OldEpoch) => Err(Refusal::OldEpoch),
            Ok(_) => Err(SHORTLY),
            Err(refusal) => Err(refusal),
        };
        let stored = |i: usize| matches!(&outcome, Ok((_, v)) if v.get(i) == Some(&Verdict::Stored));
        let not_stored: u64 =
            sizes.iter().enumerate().filter(|(i, _)| !stored(*i)).map(|(_, size)| size).sum();
        if not_stored > 0 {
            self.counters().day.give_back(&mailbox, not_stored);
        }
        let (incarnation, decided) = outcome?;
        let mut decided = decided.into_iter();
        let verdicts =
            known.into_iter().map(|v| v.or_else(|| decided.next()).unwrap_or(Verdict::Quota)).collect();
        let body = Posted { time: now, incarnation, verdicts, expires_at }.to_bytes();
        Ok(Reply { status: 202, ..Reply::ok(body) })
    }
}
