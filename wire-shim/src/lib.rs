//! The protocol between the first process of a container (the shim) and whoever started it.
//!
//! The shim is a small static binary, mounted read-only at [`MOUNT`] and run as the container's first
//! process. It starts programs, keeps their output in its own memory, ends whole process trees, holds a
//! deadline and a lease, and answers what it sees from inside. This library is what both ends share:
//! [`protocol`], [`frame`] and the bounded output buffer [`ring`]; and with the feature `files` how archives
//! are packed and unpacked, on either side.
//!
//! ```
//! use wire_shim::frame::{Decoder, encode};
//! use wire_shim::protocol::ToShim;
//!
//! let bytes = encode(&ToShim::Beat)?;
//! let mut decoder = Decoder::new();
//! decoder.feed(&bytes);
//! assert_eq!(decoder.message::<ToShim>()?, Some(ToShim::Beat));
//! # Ok::<_, wire_shim::frame::FrameError>(())
//! ```

pub mod entry;
pub mod evidence;
#[cfg(feature = "files")]
pub mod files;
pub mod frame;
pub mod protocol;
pub mod ring;

/// Where the shim's folder is mounted in a container.
pub const MOUNT: &str = "/.wire";

/// The shim's path in a container.
pub const PATH: &str = "/.wire/shim";

/// The abstract Unix socket of the first process, for connections beyond its own standard input.
pub const SOCKET: &[u8] = b"wire-shim";

/// Where a container has files that only its user may read: secrets and invites. A tmpfs.
pub const RUN_DIR: &str = "/run/wire";
