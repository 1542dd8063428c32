//! Whether bytes can be a program that runs in any container: a look at the head of an ELF file (elf(5)).

#![expect(clippy::disallowed_methods, reason = "an adapter: it reads the file that WIRE_SHIM names")]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::super::seccomp::Arch;

/// Much more than a shim has.
const MOST: u64 = 64 << 20;

/// The bytes of a file that may be one; what would wait for somebody, or never end, is not read.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file of at most 64 MiB"));
    }
    let mut program = Vec::new();
    file.take(MOST).read_to_end(&mut program)?;
    Ok(program)
}

/// Why these bytes are no shim for an engine of that processor, as far as their head tells (elf(5)): it has to be a
/// program for Linux that needs no libraries, because the images of containers have none for it.
pub(super) fn fault(program: &[u8], arch: &str) -> Option<&'static str> {
    Elf { program }.fault(arch).unwrap_or(Some("it is no whole program for Linux"))
}

/// A program of 64 bits, least byte first.
struct Elf<'a> {
    program: &'a [u8],
}

/// The kind of program header that names a loader of libraries.
const INTERP: usize = 3;

impl Elf<'_> {
    /// `None`: it is too short for what it says.
    fn fault(&self, arch: &str) -> Option<Option<&'static str>> {
        if self.program.get(..6)? != b"\x7fELF\x02\x01" {
            return Some(Some("it is no program for Linux on 64 bits"));
        }
        let machine = match Arch::from_name(arch) {
            Some(Arch::Amd64) => Some(62),
            Some(Arch::Arm64) => Some(183),
            None => None,
        };
        if machine.is_some_and(|machine| self.number(18, 2) != Some(machine)) {
            return Some(Some("it is for another processor than the engine's"));
        }
        let (table, size, count) = (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?);
        for header in 0..count {
            if self.number(header.checked_mul(size)?.checked_add(table)?, 4)? == INTERP {
                return Some(Some("it is not linked statically"));
            }
        }
        Some((count == 0).then_some("it is no program that can be run"))
    }

    fn number(&self, at: usize, bytes: usize) -> Option<usize> {
        let bytes = self.program.get(at..at.checked_add(bytes)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "embed-shim")]
    #[test]
    fn the_one_that_is_built_in_is_a_static_program_for_linux() {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let shim = crate::spawn::shim_bytes().unwrap();
        assert_eq!(fault(shim, arch), None);
        let other = if arch == "arm64" { "amd64" } else { "arm64" };
        assert_eq!(fault(shim, other), Some("it is for another processor than the engine's"));
        // Whatever is cut off of its head is missed.
        for end in 0..128 {
            assert!(fault(&shim[..end], arch).is_some(), "{end}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        assert!(read(Path::new("/dev/zero")).is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert!(read(&pipe).is_err(), "and nobody is waited for");
        let file = folder.path().join("file");
        std::fs::write(&file, b"program").unwrap();
        assert_eq!(read(&file).unwrap(), b"program");
    }

    #[test]
    fn what_is_no_static_program_is_none() {
        assert!(fault(b"", "amd64").is_some());
        assert!(fault(b"root:x:0:0:root:/root:/bin/bash\n", "amd64").is_some());
        let mut program = [0; 120];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (program[18], program[32], program[54], program[56]) = (62, 64, 56, 1);
        assert_eq!(fault(&program, "amd64"), None);
        program[64] = 3;
        assert_eq!(fault(&program, "amd64"), Some("it is not linked statically"));
        // Numbers that lead out of it.
        program[32..40].copy_from_slice(&[0xff; 8]);
        assert_eq!(fault(&program, "amd64"), Some("it is no whole program for Linux"));
    }
}
