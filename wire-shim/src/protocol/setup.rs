//! The configuration of a container.

use std::fmt;

use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::program::ExecSpec;

/// What a client proves with that it owns the container. Secret.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub struct Token(#[cbor(with = "minicbor::bytes")] [u8; 32]);

impl Token {
    /// These bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Whether they are the same, in a time that does not depend on where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0.iter()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A file that is written under [`RUN_DIR`](crate::RUN_DIR) before anything runs. Secret.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
pub struct SecretFile {
    /// Its name there: one path component.
    #[n(0)]
    pub name: String,
    /// What is in it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretFile({:?}, ..)", self.name)
    }
}

/// How long the container may live, as the shim enforces it from inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Life {
    /// Milliseconds from now until everything is ended, whoever is connected.
    #[n(0)]
    pub deadline_ms: Option<u64>,
    /// Everything is ended when no authenticated connection has said anything for this long.
    #[n(1)]
    pub lease_ms: Option<u64>,
}

/// The one configuration, before anything runs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Setup {
    /// What further connections prove themselves with.
    #[n(0)]
    pub token: Token,
    /// How long the container may live.
    #[n(1)]
    pub life: Life,
    /// Milliseconds between SIGTERM and SIGKILL when everything is ended.
    #[n(2)]
    pub grace_ms: u64,
    /// Secrets, delivered before anything runs.
    #[n(3)]
    pub files: Vec<SecretFile>,
    /// The container's own command; its id is [`ExecId::MAIN`](super::ExecId::MAIN). Without one the container waits.
    #[n(4)]
    pub main: Option<ExecSpec>,
    /// Whether the container ends with its command. Otherwise it stays, with the command's record and
    /// output, until it is stopped or its life is over.
    #[n(5)]
    pub ends_with_main: bool,
    /// Attest with this nonce before anything runs.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub nonce: Option<[u8; 16]>,
}
