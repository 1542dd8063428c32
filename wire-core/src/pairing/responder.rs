//! B, the side that was given the code: M2 for M1, then M4 for M3.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::initiator::is_durable;
use super::message::{M1, M2};
use super::sealed::Sealing;
use super::stored::{self, Kind};
use super::transcript::Schedule;
use super::{Context, Established, LocalOffer, PairingError, PairingSecret, PeerOffer, Role};
use crate::crypto::cpace::{self, Ephemeral};
use crate::crypto::dh::DhKeyPair;
use crate::crypto::kdf::sha256;
use crate::crypto::kem;
use crate::identity::Root;
use crate::session::Session;

/// B after M2. Secret, scalar and shared secrets are gone already; one M3 uses it up.
pub struct Responder {
    schedule: Schedule,
    durable: bool,
}

/// B after a good M3: it knows who A is, and A does not know B yet. The place to ask whether this
/// peer, at this relay, is wanted.
pub struct ResponderVerified {
    schedule: Schedule,
    m3_hash: [u8; 32],
    peer: PeerOffer,
}

impl Responder {
    #[cfg(test)]
    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Answers M1 with M2. Commit the burned code before M2 is posted.
    pub fn respond(
        secret: &PairingSecret,
        context: Context,
        m1: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), PairingError> {
        let a = M1::parse(m1)?;
        let suite = a.choose_suite()?;
        cpace::check_share(&a.share)?;
        let (ct, ss) = kem::encapsulate(a.ek, rng)?;
        let (scalar, share) = Ephemeral::start(secret.prs(), &context.channel_id(), &a.sid, rng);
        if share == a.share {
            return Err(PairingError::Failed);
        }
        let k = scalar.agree(&a.share)?;
        let isk = cpace::isk(&a.sid, &k, (&a.share, a.ad), (&share, &M2::ad(suite, &ct)));
        let m2 = M2::encode(&share, suite, &ct);
        let schedule = Schedule::derive(&context, &a.sid, m1, &m2, &isk, &ss);
        Ok((Self { schedule, durable: is_durable(secret, &context.rendezvous) }, m2))
    }

    /// Takes M3; `own` is this agent's root, which must not come back.
    pub fn receive_m3(self, m3: &[u8], own: Root) -> Result<ResponderVerified, PairingError> {
        let peer = PeerOffer::open(&Sealing::m3(&self.schedule), m3, own)?;
        Ok(ResponderVerified { schedule: self.schedule, m3_hash: sha256(&[m3]), peer })
    }

    /// For the store, until M3 comes: `01 02 ‖ schedule`. Refused for a typed code.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, PairingError> {
        if !self.durable {
            return Err(PairingError::NotDurable);
        }
        let mut out = stored::begin(Kind::Responder, Schedule::STORED_LEN);
        self.schedule.write(&mut out);
        Ok(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PairingError> {
        let mut r = stored::open(Kind::Responder, bytes)?;
        let schedule = Schedule::read(&mut r).map_err(|_| PairingError::Stored)?;
        r.finish().map_err(|_| PairingError::Stored)?;
        Ok(Self { schedule, durable: true })
    }
}

impl ResponderVerified {
    /// Who A is and what it offers.
    pub fn peer(&self) -> &PeerOffer {
        &self.peer
    }

    /// Gives M4. Commit the peer as pending, the session, the own mailbox and the bytes of M4 before
    /// M4 is posted, and from then on post only those bytes.
    pub fn confirm(
        self,
        offer: LocalOffer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Established, Vec<u8>), PairingError> {
        let own = offer.identity.root();
        let dh = DhKeyPair::generate(rng);
        let m4 = offer.seal(&Sealing::m4(&self.schedule, &self.m3_hash), dh.public(), rng)?;
        let id = self.schedule.session_id(self.peer.root(), own, &self.m3_hash, &m4);
        let session = Session::responder(id, self.schedule.session_keys(), dh, self.peer.dr_pub)
            .map_err(|_| PairingError::Failed)?;
        let established = Established {
            session,
            peer: self.peer,
            sas: self.schedule.sas(),
            reset_keys: self.schedule.reset_keys(Role::Responder),
            role: Role::Responder,
        };
        Ok((established, m4))
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponderVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponderVerified").field("peer", &self.peer).finish_non_exhaustive()
    }
}
