//! An invite: the same pairing with a 128-bit secret and a life of days, as a link.
//!
//! `https://HOST[:PORT]/j#1.` ‖ base64url(id16 ‖ secret16 ‖ check4). The secret stands in the fragment,
//! which no browser sends to a server. The check, a truncated hash of both, is there so that a mistyped
//! link is refused on the spot: the relay would let it claim the invite, and with it spend it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{InviteId, LinkError, Origin, PairingSecret, Rendezvous};
use crate::crypto::kdf::sha256;
use crate::encoding::{Reader, secret_bytes};

const PATH: &str = "/j#";
const VERSION: &str = "1.";
const CHECK: &[u8] = b"wire/invite/1";
const CHECK_LEN: usize = 4;
const PAYLOAD_LEN: usize = InviteId::LEN + InviteSecret::LEN + CHECK_LEN;

secret_bytes!(
    /// The secret of an invite: 16 random bytes, used as the password of the PAKE.
    InviteSecret,
    16
);

/// An invite link. Only [`id`](Self::id) may be sent to a relay; `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// The relay to meet at.
    pub origin: Origin,
    /// The public half.
    pub id: InviteId,
    /// The secret.
    pub secret: InviteSecret,
}

impl InviteLink {
    /// A fresh invite at `origin`. Id and secret are independent.
    pub fn generate(origin: Origin, rng: &mut impl CryptoRng) -> Self {
        Self { origin, id: InviteId::random(rng), secret: InviteSecret::random(rng) }
    }

    /// Reads a link; accepts white space around it and nothing else besides the exact form.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (origin, fragment) = text.trim_ascii().split_once(PATH).ok_or(LinkError::NotALink)?;
        let origin = origin.parse().map_err(|_| LinkError::NotALink)?;
        let payload = fragment.strip_prefix(VERSION).ok_or(LinkError::Version)?;
        let bytes =
            BASE64URL_NOPAD.decode(payload.as_bytes()).map(Zeroizing::new).map_err(|_| LinkError::Damaged)?;
        let mut r = Reader::new(&bytes);
        let id = r.array().map(InviteId::from_bytes).map_err(|_| LinkError::Damaged)?;
        let secret = r.array().map(InviteSecret::from_bytes).map_err(|_| LinkError::Damaged)?;
        let check: [u8; CHECK_LEN] = r.array().map_err(|_| LinkError::Damaged)?;
        r.finish().map_err(|_| LinkError::Damaged)?;
        let link = Self { origin, id, secret };
        if link.check() == check { Ok(link) } else { Err(LinkError::Damaged) }
    }

    /// Over both halves, so that it says nothing about the secret without the rest of the link.
    fn check(&self) -> [u8; CHECK_LEN] {
        let [a, b, c, d, ..] = sha256(&[CHECK, self.id.as_bytes(), self.secret.expose()]);
        [a, b, c, d]
    }

    /// The link in full, for the person who passes it on. Wiped on drop.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new([0u8; PAYLOAD_LEN]);
        let (id, rest) = payload.split_at_mut(InviteId::LEN);
        let (secret, check) = rest.split_at_mut(InviteSecret::LEN);
        id.copy_from_slice(self.id.as_bytes());
        secret.copy_from_slice(self.secret.expose());
        check.copy_from_slice(&self.check());
        let encoded = Zeroizing::new(BASE64URL_NOPAD.encode(payload.as_ref()));
        Zeroizing::new([self.origin.as_str(), PATH, VERSION, &encoded].concat())
    }

    /// Where to meet.
    pub fn rendezvous(&self) -> Rendezvous {
        Rendezvous::Invite(self.id)
    }

    /// What to prove.
    pub fn pairing_secret(&self) -> PairingSecret {
        PairingSecret::Invite(self.secret.clone())
    }
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteLink")
            .field("origin", &self.origin)
            .field("id", &self.id)
            .field("secret", &self.secret)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    #[test]
    fn a_link_reads_back_and_its_form_is_fixed() {
        let link = InviteLink {
            origin: "https://relay.example.org:8443".parse().unwrap(),
            id: InviteId::from_bytes([0; 16]),
            secret: InviteSecret::from_bytes([0xff; 16]),
        };
        let text = link.reveal();
        assert_eq!(
            *text,
            "https://relay.example.org:8443/j#1.AAAAAAAAAAAAAAAAAAAAAP____________________-iNk8H"
        );
        assert_eq!(InviteLink::parse(&text), Ok(link.clone()));
        assert_eq!(InviteLink::parse(&format!(" {}\n", *text)), Ok(link.clone()));
        assert!(!format!("{link:?}").contains("255"));
        assert!(format!("{link:?}").contains("InviteSecret(..)"));

        let fresh = InviteLink::generate("http://127.0.0.1:1".parse().unwrap(), &mut rng());
        assert_eq!(InviteLink::parse(&fresh.reveal()), Ok(fresh));
    }

    #[test]
    fn anything_else_is_refused() {
        let payload = "AAAAAAAAAAAAAAAAAAAAAP____________________-iNk8H";
        let parse = |text: String| InviteLink::parse(&text).unwrap_err();
        assert_eq!(parse(format!("relay.example.org/j#1.{payload}")), LinkError::NotALink);
        assert_eq!(parse(format!("https://h/k#1.{payload}")), LinkError::NotALink);
        assert_eq!(parse(format!("https://u@h/j#1.{payload}")), LinkError::NotALink);
        assert_eq!(parse(format!("https://h/j#2.{payload}")), LinkError::Version);
        assert_eq!(parse(format!("https://h/j#{payload}")), LinkError::Version);
        for damaged in [
            format!("https://h/j#1.{}", &payload[1..]),
            format!("https://h/j#1.{payload}A"),
            format!("https://h/j#1.{payload}="),
            format!("https://h/j#1.{payload}AAAA"),
            "https://h/j#1.".to_owned(),
        ] {
            assert_eq!(InviteLink::parse(&damaged).unwrap_err(), LinkError::Damaged, "{damaged}");
        }
    }

    #[test]
    fn a_wrong_character_anywhere_is_found_before_the_invite_is_claimed() {
        let link = InviteLink::generate("https://h".parse().unwrap(), &mut rng()).reveal();
        let (head, payload) = link.split_at(link.len() - 48);
        for at in 0..payload.len() {
            let other = if payload.as_bytes()[at] == b'x' { "y" } else { "x" };
            let mistyped = [head, &payload[..at], other, &payload[at + 1..]].concat();
            assert_eq!(InviteLink::parse(&mistyped).unwrap_err(), LinkError::Damaged, "at {at}");
        }
    }
}
