//! A dishonest side, for tests: it knows the code, and offers what it likes.

use rand_core::CryptoRng;

use super::InitiatorKeyed;
use super::sealed::Sealing;
use crate::identity::Identity;

impl InitiatorKeyed {
    /// M3 with anything for a body, signed by anyone, and its plaintext changed by `tamper`. `None` if that is no
    /// longer of a length that an offer can have.
    pub(crate) fn forge(
        &self,
        body: &[u8],
        signer: &Identity,
        rng: &mut impl CryptoRng,
        tamper: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Vec<u8>> {
        Sealing::m3(self.schedule()).forge(body, signer, rng, tamper)
    }
}
