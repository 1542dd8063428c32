//! The rendezvous: who may open and claim a place, and at which name.

use rand_core::CryptoRng;

use super::MailboxServer;
use crate::mailbox::Rendezvous;
use crate::mailbox::plan::{Op, Origin, Pending, Plan, ReadSpec, Ticket};
use crate::mailbox::{Allocate, Claim, Close, Get, MAX_SLOT, MAX_WAIT_MS, Put, Refusal};
use crate::time::Timestamp;

impl MailboxServer {
    pub(super) fn plan_allocate(
        &self,
        now: Timestamp,
        origin: Origin,
        body: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Plan, Refusal> {
        let call = Allocate::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        let limits = &self.limits;
        let counters = &mut *self.counters();
        let crowded = !counters.rates.may_open(now, limits, origin, call.invite.is_some());
        self.admit(counters, now, &call.right, crowded, rng)?;
        if !counters.rates.has_room(now, limits) {
            return Err(Refusal::Unavailable { retry_after: 60 });
        }
        let (candidates, life, linger, quarantine) = match call.invite {
            Some(id) => (vec![Rendezvous::Invite(id)], limits.invite_life, None, 0),
            None => (
                counters.digits.candidates(now, rng),
                limits.code_life,
                Some(limits.code_linger),
                limits.quarantine,
            ),
        };
        let until = now.plus_millis(life);
        Ok(Plan::Apply(
            Ticket(Pending::Allocate { origin, invite: call.invite.is_some() }),
            Op::SlotOpen { candidates, token: call.token, until, linger, quarantine, now },
        ))
    }

    pub(super) fn plan_claim(&self, now: Timestamp, origin: Origin, body: &[u8]) -> Result<Plan, Refusal> {
        let call = Claim::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        if let Some(retry_after) = self.counters().rates.claim_barred(now, &self.limits, origin) {
            return Err(Refusal::Rate { retry_after });
        }
        Ok(Plan::Apply(
            Ticket(Pending::Claim { origin }),
            Op::SlotClaim { place: call.place, token: call.token, lapse: self.limits.claim_lapse, now },
        ))
    }

    pub(super) fn plan_put(&self, now: Timestamp, body: &[u8]) -> Result<Plan, Refusal> {
        let call = Put::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        if call.bytes.len() > MAX_SLOT {
            return Err(Refusal::TooLarge);
        }
        let token = call.token.hash();
        let op = Op::SlotPut { place: call.place, token, slot: call.slot, bytes: call.bytes, now };
        Ok(Plan::Apply(Ticket(Pending::Put), op))
    }

    pub(super) fn plan_get(&self, now: Timestamp, body: &[u8]) -> Result<Plan, Refusal> {
        let call = Get::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        let spec = ReadSpec::Slot { place: call.place, token: call.token.hash(), slot: call.slot, now };
        Ok(Plan::Read(Ticket(Pending::Get), spec, call.wait_ms.min(MAX_WAIT_MS)))
    }

    pub(super) fn plan_close(&self, now: Timestamp, origin: Origin, body: &[u8]) -> Result<Plan, Refusal> {
        let call = Close::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        Ok(Plan::Apply(
            Ticket(Pending::Close { origin, place: call.place.clone() }),
            Op::SlotClose { place: call.place, token: call.token.hash(), now },
        ))
    }
}
