//! A relay proves its key: `GET /v1/relay?c=BASE64URL(challenge)` → `[relay_id, time, sig]`.
//!
//! The signature is over "wire/relay/1" ‖ challenge32 ‖ host ‖ time8. `host` is the authority that
//! the client asked, as in its `Host` header, in lower case: `relay.example.org`, `127.0.0.1:8770`.

use data_encoding::BASE64URL_NOPAD;

use super::codec::message;
use super::{RelayId, RelayKeyPair};
use crate::encoding::{Malformed, fixed_bytes};
use crate::time::Timestamp;

const LABEL: &[u8] = b"wire/relay/1";

fixed_bytes!(
    /// What a client wants to see signed; fresh for each question.
    Challenge,
    32
);

impl Challenge {
    /// A fresh one.
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0u8; Self::LEN];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// As the query's value: base64url without padding, 43 characters.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// Reads what [`Self::to_text`] writes.
    pub fn from_text(text: &str) -> Result<Self, Malformed> {
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Malformed).and_then(|b| Self::from_slice(&b))
    }
}

/// What a proof that verified says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayInfo {
    /// The relay's key; a client pins it for the host.
    pub relay_id: RelayId,
    /// The relay's time when it signed: the only thing that a client corrects its clock by.
    pub time: Timestamp,
}

/// A proof that was not made by the key that it names, for this challenge and host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relay's proof does not verify")]
pub struct ProofError;

/// The relay's answer, not yet verified.
///
/// ```
/// use wire_core::mailbox::{Challenge, RelayKeyPair, RelayProof};
/// use wire_core::time::Timestamp;
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let relay = RelayKeyPair::generate(&mut rng);
/// let challenge = Challenge::random(&mut rng);
/// let proof = RelayProof::sign(&relay, &challenge, "relay.example.org", Timestamp::from_millis(9));
/// let info = RelayProof::from_bytes(&proof.to_bytes())?.verify(&challenge, "relay.example.org").unwrap();
/// assert_eq!(info.relay_id, relay.public());
/// # Ok::<(), wire_core::encoding::Malformed>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayProof {
    relay_id: RelayId,
    time: Timestamp,
    signature: [u8; 64],
}

message!(RelayProof[3] { relay_id: plain, time: millis, signature: fixed });

impl RelayProof {
    /// The relay answers `challenge`, asked as `host`.
    pub fn sign(relay: &RelayKeyPair, challenge: &Challenge, host: &str, now: Timestamp) -> Self {
        let signature = relay.sign(
            LABEL,
            &[challenge.as_bytes(), host.to_ascii_lowercase().as_bytes(), &now.as_millis().to_be_bytes()],
        );
        Self { relay_id: relay.public(), time: now, signature }
    }

    /// The client checks the answer to `challenge`, which it asked of `host`.
    pub fn verify(&self, challenge: &Challenge, host: &str) -> Result<RelayInfo, ProofError> {
        let host = host.to_ascii_lowercase();
        let time = self.time.as_millis().to_be_bytes();
        self.relay_id
            .verify(LABEL, &[challenge.as_bytes(), host.as_bytes(), &time], &self.signature)
            .map_err(|_| ProofError)?;
        Ok(RelayInfo { relay_id: self.relay_id, time: self.time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::codec::tests::pinned;

    #[test]
    fn a_proof_is_pinned_and_holds_for_one_challenge_host_and_time() {
        let relay = RelayKeyPair::from_seed(&[2; 32]);
        let challenge = Challenge::from_bytes([7; 32]);
        let proof = RelayProof::sign(&relay, &challenge, "Relay.Example:8770", Timestamp::from_millis(1000));
        pinned(
            &proof,
            RelayProof::to_bytes,
            RelayProof::from_bytes,
            "83 58208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394 1903e8 \
             5840 66c277c68161414019a59b8d16fefd7bbd2682f8418b9c3bfafc3dfc4cffa778 \
             e16603b2e8871f0488093a9146078f794fc2a3e977f2310233ac1fb446a6400d",
        );
        let info = RelayInfo { relay_id: relay.public(), time: Timestamp::from_millis(1000) };
        assert_eq!(proof.verify(&challenge, "relay.example:8770"), Ok(info));
        assert_eq!(proof.verify(&Challenge::from_bytes([8; 32]), "relay.example:8770"), Err(ProofError));
        assert_eq!(proof.verify(&challenge, "relay.example"), Err(ProofError));
        let later = RelayProof { time: Timestamp::from_millis(1001), ..proof };
        assert_eq!(later.verify(&challenge, "relay.example:8770"), Err(ProofError));
    }

    #[test]
    fn a_challenge_has_one_text() {
        let challenge = Challenge::from_bytes([0xfb; 32]);
        let text = challenge.to_text();
        assert_eq!(text, "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert_eq!(Challenge::from_text(&text), Ok(challenge));
        assert_eq!(Challenge::from_text(&text[1..]), Err(Malformed));
        assert_eq!(Challenge::from_text(&format!("{text}=")), Err(Malformed));
        assert_eq!(Challenge::from_text(&text.replace("-_s", "-_t")), Err(Malformed));
    }
}
