//! The relay's half of the protocol, without I/O: it decides, a store carries out.
//!
//! 1. [`MailboxServer::plan`] parses a body, verifies certificate and signature, counts what is
//!    limited, and says what the store has to do.
//! 2. The caller has the store do it; a change must be durable before its answer goes out.
//! 3. [`MailboxServer::finish`] turns what the store said into the answer.
//!
//! [`MailboxServer::plan_read`] does 1 for the many polls of one stream, and
//! [`MailboxServer::prove`] signs a client's challenge.

mod certificates;
mod day;
mod digits;
mod finish;
mod mailbox_calls;
mod pair_calls;
mod rates;
mod work;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_core::CryptoRng;

use self::certificates::Certificates;
use self::day::BytesOfDay;
use self::digits::DigitsInUse;
use self::rates::Rates;
use self::work::WorkDesk;
use super::{
    Call, Challenge, Limits, OperatorToken, Origin, Plan, ReadRequest, ReadSpec, Refusal, RelayId,
    RelayKeyPair, RelayProof, Reply, Right,
};
use crate::mailbox::Nameplate;
use crate::time::Timestamp;

/// Who may make a mailbox or open a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CreatePolicy {
    /// Anybody; who wants many has to work for them.
    #[default]
    Open,
    /// Who shows a token of the operator (here their hashes), or holds a place of one who did.
    Token(Vec<[u8; 32]>),
    /// Who works, or holds a place of one who did.
    Work,
}

/// The relay's half of the protocol.
///
/// All methods take `&self`: signatures, which cost nearly everything, are verified outside the
/// short locks, on as many threads as call. What it holds beside the relay key is counters, caches
/// and public keys; all of it is bounded by [`Limits`] and may be lost at any time.
///
/// ```
/// use wire_core::mailbox::*;
/// use wire_core::time::Timestamp;
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let relay = RelayKeyPair::generate(&mut rng);
/// let server = MailboxServer::new(relay, CreatePolicy::Open, Limits::default(), [], &mut rng);
///
/// let now = Timestamp::from_millis(1_700_000_000_000);
/// let owner = MailboxKeyPair::generate(&mut rng);
/// let create = Operation::Create { min_epoch: 0, right: Right::None };
/// let body = SignedRequest::by_owner(&owner, &server.relay_id(), now, &create).to_bytes();
///
/// let plan = server.plan(now, Origin::UNKNOWN, Call::Mailbox, &body, &mut rng).unwrap();
/// let Plan::Apply(ticket, Op::Create { incarnation, .. }) = plan else { panic!() };
/// // here a store makes the mailbox, and says so
/// let reply = server.finish(now, ticket, Ok(Outcome::Done(incarnation)));
/// assert_eq!(Done::from_bytes(&reply.body).unwrap().incarnation, incarnation);
///
/// // whoever cannot prove anything is told nothing
/// let stranger = server.plan(now, Origin::UNKNOWN, Call::Mailbox, &body[..90], &mut rng);
/// assert_eq!(stranger.unwrap_err(), Refusal::NotFound);
/// ```
#[derive(Debug)]
pub struct MailboxServer {
    key: RelayKeyPair,
    id: RelayId,
    create: CreatePolicy,
    limits: Limits,
    certificates: Mutex<Certificates>,
    counters: Mutex<Counters>,
}

#[derive(Debug)]
struct Counters {
    rates: Rates,
    digits: DigitsInUse,
    day: BytesOfDay,
    work: WorkDesk,
}

/// What to read for one stream.
#[derive(Debug)]
pub struct StreamPlan {
    /// Go on when everything that waits was sent.
    pub follow: bool,
    /// One for each poll, in order.
    pub reads: Vec<Result<ReadSpec, Refusal>>,
}

impl MailboxServer {
    /// A relay with this key. `occupied` are digits that may not be given out before the given time,
    /// as a store remembers them.
    pub fn new(
        key: RelayKeyPair,
        create: CreatePolicy,
        limits: Limits,
        occupied: impl IntoIterator<Item = (Nameplate, Timestamp)>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let counters = Counters {
            rates: Rates::new(),
            digits: DigitsInUse::new(occupied),
            day: BytesOfDay::new(limits.tracked_quotas),
            work: WorkDesk::new(rng),
        };
        let certificates = Mutex::new(Certificates::new(limits.cached_certificates));
        Self { id: key.public(), key, create, limits, certificates, counters: Mutex::new(counters) }
    }

    /// The relay's public key.
    pub fn relay_id(&self) -> RelayId {
        self.id
    }

    /// The limits that it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers `GET /v1/relay?c=challenge`, asked as `host`.
    pub fn prove(&self, now: Timestamp, challenge: &str, host: &str) -> Result<Reply, Refusal> {
        let challenge = Challenge::from_text(challenge).map_err(|_| Refusal::Malformed)?;
        Ok(Reply::ok(RelayProof::sign(&self.key, &challenge, host, now).to_bytes()))
    }

    /// Decides what is to be done for one request.
    pub fn plan(
        &self,
        now: Timestamp,
        origin: Origin,
        call: Call,
        body: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Plan, Refusal> {
        match call {
            Call::Mailbox => self.plan_mailbox(now, origin, body, rng),
            Call::Allocate => self.plan_allocate(now, origin, body, rng),
            Call::Claim => self.plan_claim(now, origin, body),
            Call::Put => self.plan_put(now, body),
            Call::Get => self.plan_get(now, body),
            Call::Close => self.plan_close(now, origin, body),
        }
    }

    /// Decides what is to be read for a stream; each poll stands for itself.
    pub fn plan_read(&self, now: Timestamp, body: &[u8]) -> Result<StreamPlan, Refusal> {
        let request = ReadRequest::from_bytes(body).map_err(|_| Refusal::Malformed)?;
        if request.polls.len() > super::MAX_STREAMS {
            return Err(Refusal::TooLarge);
        }
        let reads = request.polls.iter().map(|poll| self.plan_stream(now, poll)).collect();
        Ok(StreamPlan { follow: request.follow, reads })
    }

    /// Whether `right` entitles to something new under the policy; `crowded` is whether this origin
    /// had its share. If it does not, the refusal says what would.
    fn admit(
        &self,
        counters: &mut Counters,
        now: Timestamp,
        right: &Right,
        crowded: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Refusal> {
        let bits = self.limits.work_bits;
        let worked = match right {
            Right::Work { challenge, answer } => counters.work.accept(now, challenge, answer, bits),
            Right::Operator(token) if self.is_operators(token) => return Ok(()),
            Right::None | Right::Operator(_) | Right::Pairing { .. } => false,
        };
        match &self.create {
            CreatePolicy::Token(_) => Err(Refusal::RightWanted),
            CreatePolicy::Open if worked || !crowded => Ok(()),
            CreatePolicy::Work if worked => Ok(()),
            CreatePolicy::Open | CreatePolicy::Work => {
                Err(Refusal::Work { challenge: counters.work.challenge(now, rng), bits })
            }
        }
    }

    fn is_operators(&self, token: &OperatorToken) -> bool {
        match &self.create {
            CreatePolicy::Token(hashes) => hashes.contains(&token.hash()),
            CreatePolicy::Open | CreatePolicy::Work => false,
        }
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certificates(&self) -> MutexGuard<'_, Certificates> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
