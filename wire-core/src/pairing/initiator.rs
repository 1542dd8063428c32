//! A, the side that made the code: M1, then M3 for M2, then the end on M4.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::message::{M1, M2};
use super::sealed::Sealing;
use super::stored::{self, Kind};
use super::transcript::Schedule;
use super::{
    Context, Established, InviteId, LocalOffer, PairingError, PairingSecret, PeerOffer, Rendezvous, Role,
};
use crate::crypto::cpace::{self, Ephemeral};
use crate::crypto::dh::DhKeyPair;
use crate::crypto::kdf::sha256;
use crate::crypto::kem::KemSeed;
use crate::encoding::{Malformed, Reader};
use crate::identity::Root;
use crate::mailbox::RelayId;
use crate::session::Session;

/// A after M1. The first bytes that come back use it up, whatever they are.
pub struct Initiator {
    context: Context,
    durable: bool,
    scalar: Ephemeral,
    seed: KemSeed,
    m1: Vec<u8>,
}

/// A after M2: the keys are there, and are not yet known to be shared with anyone.
pub struct InitiatorKeyed {
    schedule: Schedule,
    durable: bool,
}

/// A after M3. One M4 ends it, well or badly.
pub struct AwaitingConfirmation {
    schedule: Schedule,
    durable: bool,
    m3_hash: [u8; 32],
    dh: DhKeyPair,
    own: Root,
}

impl Initiator {
    /// Starts a run and gives M1. The secret is not kept: it is in the share already.
    pub fn start(secret: &PairingSecret, context: Context, rng: &mut impl CryptoRng) -> (Self, Vec<u8>) {
        let mut sid = [0u8; 32];
        rng.fill_bytes(&mut sid);
        let (scalar, share) = Ephemeral::start(secret.prs(), &context.channel_id(), &sid, rng);
        let seed = KemSeed::random(rng);
        let m1 = M1::encode(&sid, &share, &seed.encapsulation_key());
        let durable = is_durable(secret, &context.rendezvous);
        (Self { context, durable, scalar, seed, m1: m1.clone() }, m1)
    }

    /// Takes the first bytes that came back.
    pub fn receive_m2(self, m2: &[u8]) -> Result<InitiatorKeyed, PairingError> {
        let a = M1::parse(&self.m1)?;
        let b = M2::parse(m2)?;
        if b.share == a.share {
            return Err(PairingError::Failed);
        }
        if !a.suites.contains(&b.suite) {
            return Err(PairingError::Suite);
        }
        let k = self.scalar.agree(&b.share)?;
        let isk = cpace::isk(&a.sid, &k, (&a.share, a.ad), (&b.share, b.ad));
        let ss = self.seed.decapsulate(b.ct);
        let schedule = Schedule::derive(&self.context, &a.sid, &self.m1, m2, &isk, &ss);
        Ok(InitiatorKeyed { schedule, durable: self.durable })
    }

    /// For the store, until M2 comes: `01 01 ‖ relay32 ‖ rid16 ‖ scalar32 ‖ KEM seed64 ‖ M1`.
    /// Refused for a typed code.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, PairingError> {
        let Rendezvous::Invite(id) = &self.context.rendezvous else { return Err(PairingError::NotDurable) };
        if !self.durable {
            return Err(PairingError::NotDurable);
        }
        let mut out = stored::begin(Kind::Initiator, 32 + 16 + 32 + 64 + self.m1.len());
        out.extend_from_slice(self.context.relay.as_bytes());
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(self.scalar.to_bytes().as_ref());
        out.extend_from_slice(self.seed.expose());
        out.extend_from_slice(&self.m1);
        Ok(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PairingError> {
        Self::read(stored::open(Kind::Initiator, bytes)?).map_err(|_| PairingError::Stored)
    }

    /// M1 again, for a post that may not have arrived.
    pub fn m1(&self) -> &[u8] {
        &self.m1
    }

    fn read(mut r: Reader<'_>) -> Result<Self, Malformed> {
        let relay = RelayId::from_bytes(r.array()?);
        let rendezvous = Rendezvous::Invite(InviteId::from_bytes(r.array()?));
        let scalar = Zeroizing::new(r.array()?);
        let scalar = Ephemeral::from_bytes(&scalar).map_err(|_| Malformed)?;
        let seed = KemSeed::from_bytes(r.array()?);
        let m1 = r.rest().to_vec();
        let ours = M1::parse(&m1).is_ok_and(|m| *m.ek == seed.encapsulation_key());
        let context = Context { relay, rendezvous };
        if ours { Ok(Self { context, durable: true, scalar, seed, m1 }) } else { Err(Malformed) }
    }
}

impl InitiatorKeyed {
    #[cfg(any(test, feature = "test-support"))]
    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Gives M3. Commit the burned code, the mailbox of the offer and, for an invite, the new state
    /// before it is posted.
    pub fn offer(
        self,
        offer: LocalOffer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<(AwaitingConfirmation, Vec<u8>), PairingError> {
        let dh = DhKeyPair::generate(rng);
        let m3 = offer.seal(&Sealing::m3(&self.schedule), dh.public(), rng)?;
        let awaiting = AwaitingConfirmation {
            durable: self.durable,
            m3_hash: sha256(&[&m3]),
            dh,
            own: offer.identity.root(),
            schedule: self.schedule,
        };
        Ok((awaiting, m3))
    }
}

impl AwaitingConfirmation {
    /// Takes M4. Commit what comes out, and the first record to the peer, in one transaction.
    pub fn receive_m4(self, m4: &[u8], rng: &mut impl CryptoRng) -> Result<Established, PairingError> {
        let peer = PeerOffer::open(&Sealing::m4(&self.schedule, &self.m3_hash), m4, self.own)?;
        let id = self.schedule.session_id(self.own, peer.root(), &self.m3_hash, m4);
        let session = Session::initiator(id, self.schedule.session_keys(), self.dh, peer.dr_pub, rng)
            .map_err(|_| PairingError::Failed)?;
        Ok(Established {
            session,
            peer,
            sas: self.schedule.sas(),
            reset_keys: self.schedule.reset_keys(Role::Initiator),
            role: Role::Initiator,
        })
    }

    /// For the store, until M4 comes: `01 03 ‖ schedule ‖ H(M3)32 ‖ ratchet key32 ‖ own root32`.
    /// Refused for a typed code.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, PairingError> {
        if !self.durable {
            return Err(PairingError::NotDurable);
        }
        let mut out = stored::begin(Kind::AwaitingConfirmation, Schedule::STORED_LEN + 3 * 32);
        self.schedule.write(&mut out);
        out.extend_from_slice(&self.m3_hash);
        out.extend_from_slice(self.dh.secret_bytes().as_ref());
        out.extend_from_slice(self.own.as_bytes());
        Ok(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PairingError> {
        Self::read(stored::open(Kind::AwaitingConfirmation, bytes)?).map_err(|_| PairingError::Stored)
    }

    fn read(mut r: Reader<'_>) -> Result<Self, Malformed> {
        let schedule = Schedule::read(&mut r)?;
        let m3_hash = r.array()?;
        let dh = DhKeyPair::from_secret_bytes(&Zeroizing::new(r.array()?));
        let own = Root::from_bytes(r.array()?);
        r.finish()?;
        Ok(Self { schedule, durable: true, m3_hash, dh, own })
    }
}

/// Only an invite outlives its process: the scalar of a typed code would let whoever reads the disk
/// try words against M1.
pub(super) fn is_durable(secret: &PairingSecret, rendezvous: &Rendezvous) -> bool {
    matches!((secret, rendezvous), (PairingSecret::Invite(_), Rendezvous::Invite(_)))
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator").field("context", &self.context).finish_non_exhaustive()
    }
}

impl fmt::Debug for InitiatorKeyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitiatorKeyed").finish_non_exhaustive()
    }
}

impl fmt::Debug for AwaitingConfirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingConfirmation").field("own", &self.own).finish_non_exhaustive()
    }
}
