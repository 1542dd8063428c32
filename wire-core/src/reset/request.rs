//! RESET: made by one side, checked by the other.

use rand_core::CryptoRng;

use super::answer::{Agreed, Role};
use super::message::{ANSWER_LABEL, REQUEST_LABEL, RequestBody, Split, Standing, VERSION, continued, signed};
use super::{MAX_AHEAD_MILLIS, ResetError, ResetHash};
use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::crypto::kem::{CT_LEN, EK_LEN, KemSeed, check_key};
use crate::encoding::{Malformed, Reader, Wiped, cbor};
use crate::identity::{Identity, NextKey, Root, StatementChain};
use crate::session::SessionId;
use crate::time::Timestamp;

/// Whoever asks for a reset, with the keys of the RESET that it made.
pub struct Requester {
    message: Vec<u8>,
    from: Root,
    to: Root,
    dh: DhKeyPair,
    kem: KemSeed,
}

impl Requester {
    /// Makes a RESET. `ctr` is above that of every one before for this peer, and is best the time in milliseconds.
    /// `session` is the one to be replaced, if it is known.
    ///
    /// `rotation` is the key that signed the last of the statements of `identity`, where this is the rotation that
    /// it signed them for: see [`Request::is_rotation`].
    pub fn new(
        identity: &Identity,
        rotation: Option<&NextKey>,
        to: Root,
        ctr: u64,
        session: Option<SessionId>,
        standing: Standing,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let dh = DhKeyPair::generate(rng);
        let kem = KemSeed::random(rng);
        let body = cbor::to_vec(&RequestBody {
            version: VERSION,
            from: identity.root(),
            to,
            old: session,
            ctr,
            dh: dh.public(),
            ek: &kem.encapsulation_key(),
            last: standing.last,
            head: standing.head,
            recv: standing.recv,
            recv_head: standing.recv_head,
            statements: identity.statements().to_bytes(),
        });
        let key = rotation.map_or(identity.key(), NextKey::pair);
        Self { message: signed(key, REQUEST_LABEL, body), from: identity.root(), to, dh, kem }
    }

    /// The RESET, which is sent as it is until it is answered.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The state for the store, which is secret: `dh32 ‖ kem64 ‖ RESET`.
    pub fn to_bytes(&self) -> Wiped {
        Wiped::with_capacity(32 + KemSeed::LEN + self.message.len(), |out| {
            out.extend_from_slice(self.dh.secret_bytes().as_ref());
            out.extend_from_slice(self.kem.expose());
            out.extend_from_slice(&self.message);
        })
    }

    /// The state of stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let secret = zeroize::Zeroizing::new(r.array()?);
        let dh = DhKeyPair::from_secret_bytes(&secret);
        let kem = KemSeed::from_bytes(r.array()?);
        let message = r.rest().to_vec();
        let body = Split::of(&message)?.request()?;
        let (from, to) = (body.from, body.to);
        Ok(Self { message, from, to, dh, kem })
    }

    /// Takes a RESET_OK: it has to answer this RESET, be signed by the key that speaks for the peer, and bring
    /// statements that begin with the `pinned` ones.
    pub fn accept(
        &self,
        answer: &[u8],
        pinned: &StatementChain,
        rng: &mut impl CryptoRng,
    ) -> Result<Agreed, ResetError> {
        let split = Split::of(answer)?;
        let body = split.answer()?;
        if body.from != self.to || body.to != self.from {
            return Err(ResetError::NotForUs);
        }
        if body.answers != ResetHash::of(&self.message) {
            return Err(ResetError::AnotherReset);
        }
        let statements = continued(body.statements, pinned)?;
        if !split.is_signed_by(&statements.current(), ANSWER_LABEL) {
            return Err(ResetError::Crypto);
        }
        let ct: &[u8; CT_LEN] = body.ct.try_into().map_err(|_| ResetError::Malformed)?;
        let dh = self.dh.agree(&body.dh)?;
        let ss = self.kem.decapsulate(ct);
        let role = Role::Requester { own: self.dh.clone(), peer: body.dh };
        Agreed::derive((&self.message, answer), (&dh, &ss), role, statements, body.standing(), rng)
    }
}

impl std::fmt::Debug for Requester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requester").field("to", &self.to).finish_non_exhaustive()
    }
}

/// A RESET of the peer that was verified. It changes nothing until the owner has asked for it.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) message: Vec<u8>,
    pub(super) from: Root,
    ctr: u64,
    old: Option<SessionId>,
    pub(super) dh: DhPublic,
    pub(super) ek: Box<[u8; EK_LEN]>,
    pub(super) standing: Standing,
    pub(super) statements: StatementChain,
    by_rotation: bool,
}

impl Request {
    /// Checks a RESET for `own` by the peer of whom `pinned` is known: its form, from whom and for whom it is, its
    /// statements, which have to begin with the pinned ones, its signature, by the key of the last of them or by the
    /// one that signed that, and that its keys are such.
    pub fn verify(message: &[u8], own: Root, pinned: &StatementChain) -> Result<Self, ResetError> {
        let split = Split::of(message)?;
        let body = split.request()?;
        if body.from != pinned.root() || body.to != own {
            return Err(ResetError::NotForUs);
        }
        let statements = continued(body.statements, pinned)?;
        let brings_more = statements.to_bytes().len() > pinned.to_bytes().len();
        let by_rotation = brings_more && split.is_signed_by(&statements.rotated_by(), REQUEST_LABEL);
        if !by_rotation && !split.is_signed_by(&statements.current(), REQUEST_LABEL) {
            return Err(ResetError::Crypto);
        }
        let ek: Box<[u8; EK_LEN]> = body.ek.try_into().map(Box::new).map_err(|_| ResetError::Malformed)?;
        // So that what is shown to the owner can be answered.
        body.dh.check_contributory()?;
        check_key(&ek)?;
        Ok(Self {
            from: body.from,
            ctr: body.ctr,
            old: body.old,
            dh: body.dh,
            ek,
            standing: body.standing(),
            message: message.to_vec(),
            statements,
            by_rotation,
        })
    }

    /// Its hash.
    pub fn hash(&self) -> ResetHash {
        ResetHash::of(&self.message)
    }

    /// Its counter.
    pub fn ctr(&self) -> u64 {
        self.ctr
    }

    /// Whether its counter is above `last`, that of the last one that was taken from this peer, and not more than
    /// 24 hours ahead of `now`. So a RESET is taken once.
    pub fn is_timely(&self, last: u64, now: Timestamp) -> bool {
        self.ctr > last && self.ctr <= now.plus_millis(MAX_AHEAD_MILLIS).as_millis()
    }

    /// Whether it brings statements that the receiver lacked and is signed by the key that signed the last of
    /// them. That key was committed to before, lay in no store, and is erased: so a thief of a store did not make
    /// this. The key that such a statement *names* lies in the store from then on, and proves nothing of the kind.
    pub fn is_rotation(&self) -> bool {
        self.by_rotation
    }

    /// The session that it is to replace, if the peer knows it.
    pub fn session(&self) -> Option<SessionId> {
        self.old
    }

    /// What the peer says of that session.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}
