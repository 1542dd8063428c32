//! How bytes are laid out: fixed layouts with length-prefixed fields, strict deterministic CBOR,
//! and the newtypes of everything that has a fixed width.
//!
//! Every parser here rejects trailing bytes, non-minimal and over-length input.

pub mod cbor;
pub(crate) mod layout;
mod newtype;
mod wiped;

pub(crate) use layout::{Reader, lv};
pub(crate) use newtype::{fixed_bytes, secret_bytes};
pub use wiped::Wiped;

/// Input that does not have the shape that the protocol gives it.
///
/// It carries no detail on purpose: the bytes came from a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed input")]
pub struct Malformed;
