//! A dishonest signer, for tests: it has the key, and signs what is no record.

use super::header::BodyHash;
use super::{Salt, cose, message};
use crate::identity::IdentityKeyPair;
use crate::session::SessionId;

/// A COSE_Sign1 over anything.
pub(crate) fn sign(key: &IdentityKeyPair, session: &SessionId, payload: &[u8]) -> Vec<u8> {
    cose::sign(key, session, payload)
}

/// The payload of an envelope out of any parts.
pub(crate) fn payload(cose: &[u8], salt: &[u8], body: &[u8]) -> Vec<u8> {
    message::payload(cose, salt, body).to_vec()
}

/// What commits to a body.
pub(crate) fn hash_body(salt: &Salt, body: &[u8]) -> BodyHash {
    message::hash_body(salt.as_bytes(), body)
}
