//! What the shim's file programs say: `shim list PATH` and `shim stat PATH` write one [`Entry`] after the
//! other to standard output, each as a [`frame`](crate::frame).
//!
//! | Program | Reads or writes |
//! |---|---|
//! | `shim tar PATH BYTES ENTRIES` | a file or a folder's content as tar to standard output |
//! | `shim untar PATH BYTES ENTRIES` | tar from standard input into the folder `PATH`, made if it is missing |
//! | `shim read PATH [OFFSET [BYTES]]` | a file's bytes to standard output |
//! | `shim write PATH [MODE]` | standard input as the file `PATH`, whole or not at all; mode in octal |
//! | `shim stat PATH`, `shim list PATH` | entries; a link itself, not what it points to |
//! | `shim tcp PORT` | a connection to that port of the container's own loopback, after a `+` on standard error |
//! | `shim connect` | a connection to the first process |
//!
//! They end with one of the [`code`]s, and with a line on standard error if it is not [`code::OK`].

use minicbor::{Decode, Encode};

use crate::protocol::ArgBytes;

/// A file, a folder or something else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Its name in its folder.
    #[n(0)]
    pub name: ArgBytes,
    /// What it is.
    #[n(1)]
    pub kind: Kind,
    /// Bytes in it.
    #[n(2)]
    pub size: u64,
    /// Who may do what with it: the lowest 12 bits of its mode.
    #[n(3)]
    pub mode: u32,
    /// When it was changed last, in milliseconds since 1970.
    #[n(4)]
    pub modified_ms: i64,
    /// Its owner.
    #[n(5)]
    pub user: u32,
    /// Its group.
    #[n(6)]
    pub group: u32,
    /// Where it points, if it is a link.
    #[n(7)]
    pub target: Option<ArgBytes>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Kind {
    /// A file.
    #[n(0)]
    File,
    /// A folder.
    #[n(1)]
    Folder,
    /// A symbolic link.
    #[n(2)]
    Link,
    /// A socket, a device or a pipe.
    #[n(3)]
    Other,
}

/// How a file program ends.
pub mod code {
    /// All was done.
    pub const OK: u8 = 0;
    /// The system said no, in the words on standard error.
    pub const FAILED: u8 = 1;
    /// The arguments make no sense.
    pub const USAGE: u8 = 2;
    /// There is nothing of that name, or nobody at that port.
    pub const MISSING: u8 = 3;
    /// This user may not.
    pub const DENIED: u8 = 4;
    /// More bytes or entries than were allowed. What came before them was written.
    pub const LIMIT: u8 = 5;
    /// An archive that leads out of its folder, or holds what is no file, folder or link, or a name that a device,
    /// a pipe or a socket has. What came before that was written.
    pub const REFUSED: u8 = 6;
    /// There is no room for more.
    pub const FULL: u8 = 7;
}
