//! Requests to mailboxes: prove first, then what is asked, then how much of it.

use rand_core::CryptoRng;

use super::MailboxServer;
use crate::crypto::kdf::sha256;
use crate::mailbox::plan::{Entitled, Guard, Op, Origin, Pending, Plan, ReadSpec, Ticket};
use crate::mailbox::{
    Caller, Certificate, Cursor, EnvelopeHash, Incarnation, MAX_BATCH, MAX_BATCH_BYTES, MAX_ENVELOPE,
    MAX_SKEW_MS, MAX_WAIT_MS, MailboxId, Operation, Refusal, Right, STREAM_WINDOW, STREAM_WINDOW_BYTES,
    SignedRequest, Verdict,
};
use crate::time::Timestamp;

impl MailboxServer {
    pub(super) fn plan_mailbox(
        &self,
        now: Timestamp,
        origin: Origin,
        body: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Plan, Refusal> {
        let request = SignedRequest::from_bytes(body).map_err(|_| Refusal::NotFound)?;
        let (caller, operation) = self.authenticate(now, &request)?;
        let mailbox = request.mailbox();
        let apply = |op| Plan::Apply(Ticket(Pending::Done), op);
        match (caller, operation) {
            (Caller::Sender(certificate), Operation::Post { envelopes }) => {
                self.plan_post(now, mailbox, &certificate, envelopes)
            }
            (Caller::Owner, Operation::Create { min_epoch, right }) => {
                Ok(self.plan_create(now, origin, mailbox, min_epoch, &right, rng))
            }
            (Caller::Owner, Operation::Poll { incarnation, after, max, wait_ms }) => {
                let max = usize::try_from(max).unwrap_or(usize::MAX).clamp(1, MAX_BATCH);
                let spec = page(now, mailbox, incarnation, after, max, MAX_BATCH_BYTES);
                Ok(Plan::Read(Ticket(Pending::Poll), spec, wait_ms.min(MAX_WAIT_MS)))
            }
            (Caller::Owner, Operation::Ack { at, hash }) => Ok(apply(Op::Ack { mailbox, at, hash, now })),
            (Caller::Owner, Operation::Epoch { min_epoch }) => Ok(apply(Op::Epoch { mailbox, min_epoch })),
            (Caller::Owner, Operation::Delete) => Ok(apply(Op::Delete { mailbox, now })),
            // A sender has proved nothing but the right to post, an owner all but that.
            (Caller::Sender(_), _) | (Caller::Owner, Operation::Post { .. }) => Err(Refusal::NotFound),
        }
    }

    /// One poll of a stream.
    pub(super) fn plan_stream(&self, now: Timestamp, poll: &SignedRequest) -> Result<ReadSpec, Refusal> {
        match self.authenticate(now, poll)? {
            (Caller::Owner, Operation::Poll { incarnation, after, .. }) => {
                Ok(page(now, poll.mailbox(), incarnation, after, STREAM_WINDOW, STREAM_WINDOW_BYTES))
            }
            _ => Err(Refusal::NotFound),
        }
    }

    /// Verifies without looking at any state of the mailbox, so that a stranger learns nothing of it.
    fn authenticate(&self, now: Timestamp, request: &SignedRequest) -> Result<(Caller, Operation), Refusal> {
        let caller = match request.certificate() {
            None => request.verify_owner(&self.id).map(|()| Caller::Owner),
            Some(bytes) => self
                .certificate(bytes)
                .and_then(|c| request.verify_sender(&self.id, &c).ok().map(|()| Caller::Sender(Box::new(c))))
                .ok_or(crate::mailbox::Unproven),
        }
        .map_err(|_| Refusal::NotFound)?;
        if now.signed_since(request.time()).unsigned_abs() > MAX_SKEW_MS {
            return Err(Refusal::Skew);
        }
        let operation = request.operation().map_err(|_| Refusal::Malformed)?;
        Ok((caller, operation))
    }

    fn certificate(&self, bytes: &[u8]) -> Option<Certificate> {
        let hash = sha256(&[bytes]);
        if let Some(known) = self.certificates().get(&hash) {
            return Some(known);
        }
        let certificate = Certificate::verify(bytes).ok()?;
        self.certificates().insert(hash, certificate.clone());
        Some(certificate)
    }

    fn plan_create(
        &self,
        now: Timestamp,
        origin: Origin,
        mailbox: MailboxId,
        min_epoch: u32,
        right: &Right,
        rng: &mut impl CryptoRng,
    ) -> Plan {
        let counters = &mut *self.counters();
        let crowded = !counters.rates.may_create(now, &self.limits, origin);
        let admitted = self.admit(counters, now, right, crowded, rng);
        let entitled = match (&admitted, right) {
            (Ok(()), _) => Entitled::Yes,
            (Err(_), Right::Pairing { place, token }) => Entitled::ByPlace(place.clone(), token.hash()),
            (Err(_), _) => Entitled::No,
        };
        let wanted = admitted.err().unwrap_or(Refusal::RightWanted);
        let incarnation = Incarnation::random(rng);
        Plan::Apply(
            Ticket(Pending::Create { origin, wanted }),
            Op::Create { mailbox, min_epoch, incarnation, entitled, now },
        )
    }

    fn plan_post(
        &self,
        now: Timestamp,
        mailbox: MailboxId,
        certificate: &Certificate,
        posted: Vec<Vec<u8>>,
    ) -> Result<Plan, Refusal> {
        if posted.is_empty() {
            return Err(Refusal::Malformed);
        }
        if posted.len() > MAX_BATCH || posted.iter().map(Vec::len).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(Refusal::TooLarge);
        }
        let quota = certificate.quota();
        let largest = (quota.max_envelope.min(self.limits.max_envelope) as usize).min(MAX_ENVELOPE);
        let a_day = quota.bytes_per_day.min(self.limits.bytes_per_day);
        let mut verdicts = Vec::with_capacity(posted.len());
        let mut sizes = Vec::with_capacity(posted.len());
        let mut envelopes = Vec::with_capacity(posted.len());
        let mut spent = None;
        for envelope in posted {
            let size = envelope.len() as u64;
            let verdict = if envelope.len() > largest {
                Some(Verdict::TooLarge)
            } else if spent.is_some() {
                Some(Verdict::Quota)
            } else if let Err(retry_after) = self.counters().day.take(now, mailbox, size, a_day) {
                spent = Some(retry_after);
                Some(Verdict::Quota)
            } else {
                sizes.push(size);
                envelopes.push((EnvelopeHash::of(&envelope), envelope));
                None
            };
            verdicts.push(verdict);
        }
        if let (Some(retry_after), true) = (spent, envelopes.is_empty()) {
            return Err(Refusal::Quota { retry_after });
        }
        let until = now.plus_millis(self.limits.envelope_life);
        let guard = Guard {
            epoch: certificate.epoch(),
            max_pending: quota.max_pending.min(self.limits.max_pending),
            max_bytes: self.limits.max_pending_bytes,
        };
        Ok(Plan::Apply(
            Ticket(Pending::Post { mailbox, verdicts, sizes, expires_at: until }),
            Op::Append { mailbox, guard, envelopes, until },
        ))
    }
}

fn page(
    now: Timestamp,
    mailbox: MailboxId,
    incarnation: Option<Incarnation>,
    seq: u64,
    max_envelopes: usize,
    max_bytes: usize,
) -> ReadSpec {
    let after = incarnation.map(|incarnation| Cursor { incarnation, seq });
    ReadSpec::Mailbox { mailbox, after, max_envelopes, max_bytes, now }
}
