//! Folders that a container gets, and the places and sources that are never given.
//!
//! ```
//! use wire_core::spawn::Mount;
//! let work = Mount::bind("/home/me/project", "/work").read_only();
//! assert_eq!(work.target(), "/work");
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::host::{HostView, PathKind};
use super::spec_error::{SourceRefusal, SpecError, TargetRefusal};

/// Something at a path of the container. None may be at, above or below another, or below one of
/// [`RESERVED`]. There may be 32.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mount {
    /// A folder or file of the host.
    Bind {
        /// Its absolute path on the host. Symbolic links are followed before it is judged.
        source: String,
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// A volume of the engine. One that is not there is made, for the container's user alone, and stays until
    /// somebody removes it; one that is there is used as it is. Nothing bounds what is written into it.
    Volume {
        /// Its name; those that begin with `wire-` are ours.
        name: String,
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// Memory that belongs to the container's user alone.
    Tmpfs {
        /// Where it is in the container.
        target: String,
        /// Bytes: 64 KiB up to the memory, all of them together.
        size: u64,
        /// Whether programs in it may be executed.
        exec: bool,
    },
}

/// Paths of the container at and below which nothing is mounted by a caller. `/` is none either.
pub const RESERVED: &[&str] =
    &["/proc", "/sys", "/dev", "/etc", "/tmp", wire_shim::MOUNT, wire_shim::RUN_DIR];

/// Folders of the host that no container gets, nor what is in them or around them: the kernel's, the
/// system's own configuration, the sockets of its services, the storage of engines.
pub const NEVER: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/boot",
    "/run",
    "/var/run",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
];

/// The most that a spec may have.
const MAX_MOUNTS: usize = 32;
/// Longest path that Linux takes in one call.
const MAX_PATH: usize = 4095;

impl Mount {
    /// A folder or file of the host that may be written.
    pub fn bind(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Bind { source: source.into(), target: target.into(), writable: true }
    }

    /// A volume that may be written.
    pub fn volume(name: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Volume { name: name.into(), target: target.into(), writable: true }
    }

    /// Memory of this many bytes, in which nothing may be executed.
    pub fn tmpfs(target: impl Into<String>, size: u64) -> Self {
        Self::Tmpfs { target: target.into(), size, exec: false }
    }

    /// The same, but it may not be written. A tmpfs stays as it is.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        match &mut self {
            Self::Bind { writable, .. } | Self::Volume { writable, .. } => *writable = false,
            Self::Tmpfs { .. } => {}
        }
        self
    }

    /// The same, but programs in it may be executed. Only a tmpfs changes.
    #[must_use]
    pub fn executable(mut self) -> Self {
        if let Self::Tmpfs { exec, .. } = &mut self {
            *exec = true;
        }
        self
    }

    /// Where it is in the container.
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. } | Self::Volume { target, .. } | Self::Tmpfs { target, .. } => target,
        }
    }
}

/// A mount that may be made. What is bound is the real path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ValidMount {
    /// A folder or file of the host, by its real path.
    Bind {
        /// The path without any symbolic link.
        real: String,
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// A volume of the engine.
    Volume {
        /// Its name.
        name: String,
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// Memory.
    Tmpfs {
        /// Where it is in the container.
        target: String,
        /// Bytes.
        size: u64,
        /// Whether programs in it may be executed.
        exec: bool,
    },
}

/// All of the mounts; those that may be made, sorted by where they are.
pub(super) fn check(asked: &[Mount], host: &HostView, errors: &mut Vec<SpecError>) -> Vec<ValidMount> {
    if asked.len() > MAX_MOUNTS {
        errors.push(SpecError::TooMany { what: "mounts", most: MAX_MOUNTS });
        return Vec::new();
    }
    let mut good = BTreeMap::new();
    for mount in asked {
        let target = mount.target();
        if let Err(why) = check_target(target) {
            errors.push(SpecError::Target { target: target.to_owned(), why });
        }
        match resolve(mount, host) {
            Ok(valid) => {
                good.insert(target.to_owned(), valid);
            }
            Err(error) => errors.push(error),
        }
    }
    for (i, one) in asked.iter().enumerate() {
        for other in asked.iter().skip(i + 1) {
            if touches(Path::new(one.target()), Path::new(other.target())) {
                errors.push(SpecError::Overlap {
                    one: one.target().to_owned(),
                    other: other.target().to_owned(),
                });
            }
        }
    }
    good.into_values().collect()
}

/// Absolute, in its shortest form, and not where the container has something of its own.
pub(super) fn check_target(target: &str) -> Result<(), TargetRefusal> {
    if !is_plain_absolute(target) {
        return Err(TargetRefusal::NotPlain);
    }
    if target == "/" {
        return Err(TargetRefusal::Root);
    }
    let path = Path::new(target);
    match RESERVED.iter().find(|reserved| touches(path, Path::new(reserved))) {
        Some(reserved) => Err(TargetRefusal::Reserved(reserved)),
        None => Ok(()),
    }
}

/// An absolute path without `.`, `..`, empty parts, a slash at the end, or control characters.
pub(super) fn is_plain_absolute(path: &str) -> bool {
    path == "/"
        || (path.len() <= MAX_PATH
            && !path.chars().any(char::is_control)
            && path
                .strip_prefix('/')
                .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | ".."))))
}

fn resolve(mount: &Mount, host: &HostView) -> Result<ValidMount, SpecError> {
    let target = mount.target().to_owned();
    Ok(match mount {
        Mount::Bind { source, writable, .. } => {
            let real = check_source(source, host)
                .map_err(|why| SpecError::Source { source_path: source.clone(), why })?;
            ValidMount::Bind { real, target, writable: *writable }
        }
        Mount::Volume { name, writable, .. } => {
            super::ids::SpawnName::parse(name).map_err(|_| SpecError::Volume { name: name.clone() })?;
            if name.starts_with("wire-") {
                return Err(SpecError::Volume { name: name.clone() });
            }
            if host.bound_volumes.contains(name) {
                return Err(SpecError::VolumeIsBind { name: name.clone() });
            }
            ValidMount::Volume { name: name.clone(), target, writable: *writable }
        }
        Mount::Tmpfs { size, exec, .. } => ValidMount::Tmpfs { target, size: *size, exec: *exec },
    })
}

fn check_source(asked: &str, host: &HostView) -> Result<String, SourceRefusal> {
    if !Path::new(asked).is_absolute() || asked.contains('\0') {
        return Err(SourceRefusal::NotAbsolute);
    }
    if host.elsewhere {
        return Err(SourceRefusal::Elsewhere);
    }
    let found = host.paths.get(asked).ok_or(SourceRefusal::Missing)?;
    match found.kind {
        PathKind::Directory | PathKind::File => {}
        PathKind::Socket => return Err(SourceRefusal::Socket),
        PathKind::Other => return Err(SourceRefusal::Special),
    }
    let real = found.real.to_str().ok_or(SourceRefusal::NotText)?;
    if !is_plain_absolute(real) {
        return Err(SourceRefusal::NotText);
    }
    let inside = |fence: &Path| found.real.starts_with(fence) || fence.starts_with(&found.real);
    if NEVER.iter().any(|never| inside(Path::new(never))) || host.forbidden.iter().any(|f| inside(f)) {
        return Err(SourceRefusal::Never);
    }
    match &host.roots {
        Some(roots) if !roots.iter().any(|root| is_root_of(root, &found.real)) => {
            Err(SourceRefusal::OutsideRoots)
        }
        _ => Ok(real.to_owned()),
    }
}

fn is_root_of(root: &PathBuf, path: &Path) -> bool {
    root.components().any(|part| matches!(part, Component::Normal(_))) && path.starts_with(root)
}

/// One is the other, or in it.
fn touches(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
