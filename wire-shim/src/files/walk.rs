//! Paths inside a folder, opened one component after the other and never through a link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::FileError;

/// Folders that a path may go through.
const DEPTH: usize = 64;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// The components of an archive's name. None of them leads up or to the top.
pub(super) fn components(name: &[u8]) -> Result<Vec<&[u8]>, FileError> {
    if name.starts_with(b"/") {
        return Err(FileError::Refused("an absolute path"));
    }
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| names(part)).collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(FileError::Refused("a path that leads up"));
    }
    if parts.len() > DEPTH || name.contains(&0) {
        return Err(FileError::Refused("a path that is too deep or none at all"));
    }
    Ok(parts)
}

/// Where a link points from `depth` folders below the top: never up beyond it, whatever links there are on
/// the way. That is so if the steps up come first, because the link's own folders are no links.
pub(super) fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let mut parts = target.split(|byte| *byte == b'/').filter(|part| names(part));
    let up = parts.clone().take_while(|part| *part == b"..").count();
    up <= depth && !parts.by_ref().skip(up).any(|part| part == b"..")
}

/// A folder below another, made with all that is missing on the way.
pub(super) fn folder(top: BorrowedFd<'_>, parts: &[&[u8]]) -> Result<OwnedFd, FileError> {
    let mut at = openat(top, ".", FOLDER, Mode::empty())?;
    for part in parts {
        at = step(at.as_fd(), part)?;
    }
    Ok(at)
}

fn step(at: BorrowedFd<'_>, part: &[u8]) -> Result<OwnedFd, FileError> {
    match openat(at, part, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => {}
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(FileError::Refused("a path through a link or a file"));
        }
        other => return Ok(other?),
    }
    match mkdirat(at, part, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(openat(at, part, FOLDER, Mode::empty())?),
        Err(error) => Err(error.into()),
    }
}

/// Whether a part of a path is a step at all.
fn names(part: &[u8]) -> bool {
    !matches!(part, b"" | b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_top() {
        assert_eq!(components(b"./a//b/").unwrap(), [b"a", b"b"]);
        assert!(components(b".").unwrap().is_empty());
        for name in [&b"/a"[..], b"..", b"a/../b", b"a/..", b"a\0b"] {
            assert!(components(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn links_stay_below_the_top() {
        for (target, depth) in [(&b"a"[..], 0), (b"./a/b", 0), (b"../a", 1), (b"../../a", 2), (b".", 0)] {
            assert!(stays_inside(target, depth), "{target:?}");
        }
        for (target, depth) in [(&b"/a"[..], 3), (b"..", 0), (b"../../a", 1), (b"a/..", 5), (b"", 1)] {
            assert!(!stays_inside(target, depth), "{target:?}");
        }
    }
}
