//! What the two sides prove to each other that they know.

use super::{InviteSecret, Rendezvous, SecretWords};
use crate::crypto::kdf::hmac256;

/// The secret half of a code or of an invite.
#[derive(Clone, Debug)]
pub enum PairingSecret {
    /// Of a typed code. The state of its pairing is never stored.
    Words(SecretWords),
    /// Of an invite.
    Invite(InviteSecret),
}

impl PairingSecret {
    /// The password-related string of the PAKE: the full words joined by `-`, or the 16 bytes.
    pub(super) fn prs(&self) -> &[u8] {
        match self {
            Self::Words(words) => words.joined().as_bytes(),
            Self::Invite(secret) => secret.expose(),
        }
    }
}

impl From<SecretWords> for PairingSecret {
    fn from(words: SecretWords) -> Self {
        Self::Words(words)
    }
}

impl From<InviteSecret> for PairingSecret {
    fn from(secret: InviteSecret) -> Self {
        Self::Invite(secret)
    }
}

/// What a store remembers of a code that was used: HMAC-SHA256 under a key that never leaves the
/// store, over number ‖ words. Commit it before the first message that answers the other side is
/// posted, and refuse a code whose tag is there.
pub fn consumed_tag(store_key: &[u8; 32], rendezvous: &Rendezvous, secret: &PairingSecret) -> [u8; 32] {
    hmac256(store_key, &[rendezvous.as_bytes(), secret.prs()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairing::Code;

    #[test]
    fn the_tag_depends_on_key_number_and_words_and_not_on_spelling() {
        let tag = |key: u8, text: &str| {
            let code = Code::parse(text).unwrap();
            consumed_tag(&[key; 32], &code.nameplate.into(), &code.words.into())
        };
        let used = tag(1, "4821-canyon-velvet-oyster");
        assert_eq!(used, tag(1, "4821 CANY VELV OYST"));
        assert_ne!(used, tag(2, "4821-canyon-velvet-oyster"));
        assert_ne!(used, tag(1, "4822-canyon-velvet-oyster"));
        assert_ne!(used, tag(1, "4821-canyon-velvet-oxygen"));
    }
}
