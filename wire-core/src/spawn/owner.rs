//! Who makes containers: one secret of an installation, and all that is derived from it.
//!
//! Whoever may list containers sees their labels, and whoever makes an image may forge them. What proves
//! that a container is ours is made with the secret: the labels' MAC, the shim's token, the spec's digest.
//!
//! ```
//! use wire_core::spawn::{OwnerSecret, SpawnName};
//! let secret = OwnerSecret::from_bytes([7; 32]);
//! let name = secret.owner().name_for("job 7");
//! assert!(name.as_str().starts_with("w-"));
//! assert_eq!(format!("{secret:?}"), "OwnerSecret(..)");
//! ```

use wire_shim::protocol::Token;

use super::ids::{OwnerId, SpawnName};
use crate::crypto::kdf;
use crate::encoding::{fixed_bytes, lv, secret_bytes};

secret_bytes! {
    /// The secret of an installation, 32 random bytes. It stays on the machine that makes containers.
    OwnerSecret, 32
}

fixed_bytes! {
    /// A spec's digest, as the label `wire.spec` carries it. It is keyed by the owner's secret: it covers
    /// values that may be guessed, such as a password in a variable, and everybody can read labels.
    SpecDigest, 32
}

impl OwnerSecret {
    /// The owner that everybody may know.
    pub fn owner(&self) -> OwnerId {
        let mut id = [0; OwnerId::LEN];
        id.iter_mut().zip(self.mac(b"wire/owner/1", &[])).for_each(|(to, from)| *to = from);
        OwnerId::from_bytes(id)
    }

    /// What clients prove to the shim of the container of this name.
    pub(super) fn shim_token(&self, name: &SpawnName) -> Token {
        Token::from_bytes(self.mac(b"wire/shim/1", &[name.as_str().as_bytes()]))
    }

    /// HMAC-SHA256 over the context and the parts, each with its length before it.
    pub(super) fn mac(&self, context: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut message = Vec::new();
        lv(&mut message, context);
        parts.iter().for_each(|part| lv(&mut message, part));
        kdf::hmac256(self.expose(), &[&message])
    }
}

impl OwnerId {
    /// The name of the container of this key, if its caller gave none: `w-` and 32 characters of base 32.
    pub fn name_for(&self, key: &str) -> SpawnName {
        let hash = kdf::sha256(&[b"wire/name/1", self.as_bytes(), key.as_bytes()]);
        SpawnName::made(format!("w-{}", base32(&hash)))
    }
}

/// The first 20 bytes, in lower case.
fn base32(hash: &[u8; 32]) -> String {
    let mut text = data_encoding::BASE32_NOPAD.encode(hash.split_at(20).0);
    text.make_ascii_lowercase();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Containers that are out there carry these.
    #[test]
    fn what_is_derived_never_changes() {
        let secret = OwnerSecret::from_bytes([7; 32]);
        let name = secret.owner().name_for("k");
        assert_eq!(secret.owner().to_hex(), "32e5feef3ceb69c2b0cefab095c3df53");
        assert_eq!(name.as_str(), "w-6pdcpqng2fy6eq7pqgpcqg7jqyj4kfej");
        assert!(SpawnName::parse(name.as_str()).is_ok());
        let other = secret.owner().name_for("k2");
        assert!(!secret.shim_token(&name).is(&secret.shim_token(&other)));
        let stranger = OwnerSecret::from_bytes([8; 32]);
        assert_ne!(stranger.owner(), secret.owner());
        assert!(!secret.shim_token(&name).is(&stranger.shim_token(&name)));
    }

    #[test]
    fn parts_keep_their_borders() {
        let secret = OwnerSecret::from_bytes([7; 32]);
        assert_ne!(secret.mac(b"c", &[b"ab", b"c"]), secret.mac(b"c", &[b"a", b"bc"]));
        assert_ne!(secret.mac(b"c", &[b"a"]), secret.mac(b"ca", &[]));
    }
}
