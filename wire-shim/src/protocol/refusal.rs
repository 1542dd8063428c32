//! Why something is refused, and what the first process's own exit means.

use minicbor::{Decode, Encode};

/// Why a connection ends, or something that was asked is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Refusal {
    /// Another version.
    #[error("the shim speaks another version")]
    #[n(0)]
    Version,
    /// No token, or a wrong one.
    #[error("the token is not the container's")]
    #[n(1)]
    Token,
    /// A second configuration.
    #[error("the container is configured already")]
    #[n(2)]
    Configured,
    /// Something before the configuration.
    #[error("the container is not configured yet")]
    #[n(3)]
    NotConfigured,
    /// Something that makes no sense in its place.
    #[error("a message makes no sense in its place")]
    #[n(4)]
    Malformed,
    /// Too many connections or questions at once.
    #[error("too many connections or questions")]
    #[n(5)]
    Busy,
    /// The configuration could not be carried out, so nothing ran.
    #[error("the configuration could not be carried out")]
    #[n(6)]
    Setup,
    /// The container's system has no process or no descriptor left for it.
    #[error("the container's system refused what it takes")]
    #[n(7)]
    Failed,
}

/// The exit codes of the container's first process, apart from those of its command: `ends_with_main` gives
/// that one's code, 128 and the signal's number, 126 or 127 if it did not start.
pub mod exit {
    /// Everything was ended by [`ToShim::Stop`](crate::protocol::ToShim::Stop), or by SIGTERM from outside.
    pub const STOPPED: u8 = 143;
    /// The deadline.
    pub const DEADLINE: u8 = 124;
    /// The lease.
    pub const LEASE: u8 = 129;
    /// No configuration came in time, or it could not be carried out. Nothing ran.
    pub const SETUP: u8 = 125;
}
