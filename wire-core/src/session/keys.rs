//! The key schedule of the ratchet: one root key, one key per chain, one per message.

use crate::crypto::kdf;
use crate::encoding::secret_bytes;
use crate::envelope::{HeaderKey, MessageKey};

const ROOT_LABEL: &[u8] = b"wire/dr/1 rk";

secret_bytes!(
    /// Changes with every turn of the conversation.
    RootKey,
    32
);
secret_bytes!(
    /// Changes with every message of a chain.
    ChainKey,
    32
);

/// What a pairing hands to a session: the first root key and the first header key of each side.
pub struct SessionKeys {
    pub(super) root: RootKey,
    pub(super) hk_a: HeaderKey,
    pub(super) hk_b: HeaderKey,
}

impl SessionKeys {
    /// `hk_a` seals what the initiator sends first, `hk_b` what the responder does.
    pub(crate) fn new(rk0: [u8; 32], hk_a: [u8; 32], hk_b: [u8; 32]) -> Self {
        Self {
            root: RootKey::from_bytes(rk0),
            hk_a: HeaderKey::from_bytes(hk_a),
            hk_b: HeaderKey::from_bytes(hk_b),
        }
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(..)")
    }
}

impl RootKey {
    /// KDF_RK: `HKDF-SHA256(salt = root key, shared, "wire/dr/1 rk", 96)` is the next root key, a
    /// chain key, and the header key of the chain after that one.
    pub(super) fn turn(&self, shared: &[u8; 32]) -> (Self, ChainKey, HeaderKey) {
        let okm = kdf::hkdf256::<96>(self.expose(), shared, ROOT_LABEL);
        let third = |i: usize| {
            let mut key = [0u8; 32];
            key.copy_from_slice(&okm[32 * i..32 * (i + 1)]);
            key
        };
        (Self::from_bytes(third(0)), ChainKey::from_bytes(third(1)), HeaderKey::from_bytes(third(2)))
    }
}

impl ChainKey {
    /// KDF_CK: the message key is `HMAC-SHA256(ck, 01)`, the next chain key `HMAC-SHA256(ck, 02)`.
    pub(super) fn step(&self) -> (Self, MessageKey) {
        #[cfg(any(test, feature = "test-support"))]
        crate::testing::count_chain_step();
        let [mk, ck] = kdf::hmac256_pair(self.expose(), 1, 2);
        (Self::from_bytes(*ck), MessageKey::from_bytes(*mk))
    }
}
