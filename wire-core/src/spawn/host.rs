//! What validation has to know of the machine, as data: whoever can look has looked before.
//!
//! ```
//! use wire_core::spawn::{HostPath, HostView, PathKind};
//! let mut host = HostView::default();
//! host.paths.insert("/home/me/link".into(), HostPath {
//!     real: "/srv/project".into(),
//!     kind: PathKind::Directory,
//! });
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The paths, volumes, networks and shim of the machine, as far as a spec names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostView {
    /// What each source of a bind is, by the text in the spec. Those that are not there are missing here.
    pub paths: BTreeMap<String, HostPath>,
    /// Folders that bound paths must lie in. `None`: anywhere but where nothing is ever bound.
    pub roots: Option<Vec<PathBuf>>,
    /// Real paths that no container gets, nor what is in them or around them: the engine's socket and
    /// storage, our own state.
    pub forbidden: Vec<PathBuf>,
    /// The engine has other files than this machine, so that no path can be judged: nothing is bound.
    pub elsewhere: bool,
    /// Those of the volumes that a spec names which are folders of the host, and nobody has judged them.
    pub bound_volumes: BTreeSet<String>,
    /// The drivers of the networks that a spec names, by their exact names.
    pub networks: BTreeMap<String, String>,
    /// Whether a shim for the engine's processor is at hand.
    pub shim: bool,
}

/// A path of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// Without any symbolic link.
    pub real: PathBuf,
    /// What is there.
    pub kind: PathKind,
}

/// What is at a path, after all symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A folder.
    Directory,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A device, a pipe, or something unknown.
    Other,
}
