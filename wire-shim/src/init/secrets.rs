//! Secrets: files that only the container's user reads, there before anything runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use wire_shim::protocol::SecretFile;

/// Writes them into `folder`, each once and for reading only. One that cannot be written fails all.
pub(super) fn deliver(folder: &Path, files: &[SecretFile]) -> io::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    for file in files {
        if !is_component(&file.name) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let written = openat(&folder, file.name.as_str(), flags, Mode::RUSR)?;
        File::from(written).write_all(&file.bytes)?;
    }
    Ok(())
}

/// Whether a name is one component of a path.
fn is_component(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(is_component("invite"));
        for name in ["", ".", "..", "/x", "a/b", "../x", "a\0b"] {
            assert!(!is_component(name), "{name:?}");
        }
    }
}
