//! Sealing, and how far a sender may go without an answer.

use rand_core::CryptoRng;

use super::{Session, SessionError};
use crate::envelope::{self, Header};

/// Which part of a sending chain a payload may use.
///
/// A relay that delivers in one direction only could otherwise push a sender past the point where
/// the receiver's bound on skipped keys ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The first 1,500 messages: everything that has no reason to be in the other.
    Ordinary,
    /// 100 more, for what gets a stuck conversation moving: records sealed again, new
    /// certificates, moves and rotations.
    Reserved,
}

impl Lane {
    const fn end(self) -> u32 {
        match self {
            Self::Ordinary => 1500,
            Self::Reserved => 1600,
        }
    }
}

impl Session {
    /// How many more payloads `lane` takes before the peer answers.
    pub fn room(&self, lane: Lane) -> u32 {
        lane.end().saturating_sub(self.send.n)
    }

    /// Seals `payload` into an envelope of at most `max_envelope` bytes, and moves the sending
    /// chain. The bytes must be stored with the new state before they are sent, and a retry sends
    /// the same bytes.
    ///
    /// # Errors
    /// [`SessionError::ChainFull`] and [`SessionError::TooLarge`]; nothing has changed then.
    pub fn seal(
        &mut self,
        lane: Lane,
        payload: &[u8],
        max_envelope: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, SessionError> {
        if self.room(lane) == 0 {
            return Err(SessionError::ChainFull);
        }
        let too_large =
            SessionError::TooLarge { len: payload.len(), max: envelope::max_payload(max_envelope) };
        let len = envelope::sealed_len(payload.len()).filter(|len| *len <= max_envelope).ok_or(too_large)?;

        let header = Header { dh: self.dh.public(), pn: self.send.pn, n: self.send.n };
        let (next, mk) = self.send.ck.step();
        let sealed = envelope::seal((&self.send.hk, &mk), &header, self.id.as_bytes(), payload, len, rng);
        self.send.ck = next;
        self.send.n += 1;
        self.changed();
        Ok(sealed)
    }
}
