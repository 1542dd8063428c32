//! A dishonest sender, for tests: it has the session's keys and keeps none of the rules.

use rand_core::CryptoRng;

use super::Session;
use crate::crypto::dh::DhPublic;
use crate::envelope::{self, Header};

/// Header fields that a dishonest sender puts in place of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forged {
    /// Ratchet key.
    pub dh: Option<[u8; 32]>,
    /// Length of the previous chain.
    pub pn: Option<u32>,
    /// Message number. Up to 10,000 ahead the chain moves there, so the body authenticates too.
    pub n: Option<u32>,
}

impl Session {
    /// Seals under a header with `forged` fields, past all bounds of a sender. The payload must fit
    /// an envelope.
    pub(crate) fn forge(&mut self, forged: Forged, payload: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let n = forged.n.unwrap_or(self.send.n);
        if n.checked_sub(self.send.n).is_some_and(|ahead| ahead <= 10_000) {
            for _ in self.send.n..n {
                self.send.ck = self.send.ck.step().0;
            }
            self.send.n = n;
        }
        let (next, mk) = self.send.ck.step();
        let header = Header {
            dh: forged.dh.map_or(self.dh.public(), DhPublic::from_bytes),
            pn: forged.pn.unwrap_or(self.send.pn),
            n,
        };
        let len = envelope::sealed_len(payload.len()).unwrap_or(envelope::HARD_MAX);
        let sealed = envelope::seal((&self.send.hk, &mk), &header, self.id.as_bytes(), payload, len, rng);
        if n == self.send.n {
            self.send.ck = next;
            self.send.n = self.send.n.saturating_add(1);
        }
        self.changed();
        sealed
    }

    /// Where the sending chain stands: a second seal at one place would use a message key again.
    #[cfg(all(test, feature = "client"))]
    pub(crate) fn place(&self) -> SendingPlace {
        SendingPlace { chain: self.dh.public(), n: self.send.n }
    }
}

/// A place of a sending chain.
#[cfg(all(test, feature = "client"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendingPlace {
    chain: DhPublic,
    pub(crate) n: u32,
}
