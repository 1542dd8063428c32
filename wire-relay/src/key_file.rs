//! The relay's key: 32 bytes in a file of its own, 0600 in a directory 0700.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rand_core::CryptoRng;
use wire_core::mailbox::RelayKeyPair;

use crate::OpenError;

const FILE: &str = "relay.key";

/// Makes `directory` if it is not there.
pub(crate) fn private_directory(directory: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| OpenError::Io { path: directory.to_owned(), source })
}

/// A store without its key is not opened: under a new key no client would know the relay again.
pub(crate) fn belongs_to(directory: &Path, store: &Path) -> Result<(), OpenError> {
    let path = directory.join(FILE);
    if store.exists() && !path.exists() { Err(OpenError::KeyMissing(path)) } else { Ok(()) }
}

/// Reads the key in `directory`, or makes one.
pub(crate) fn load_or_make(directory: &Path, rng: &mut impl CryptoRng) -> Result<RelayKeyPair, OpenError> {
    let path = directory.join(FILE);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let key = RelayKeyPair::generate(rng);
            write(directory, &path, key.seed().as_ref()).map_err(io)?;
            return Ok(key);
        }
        Err(e) => return Err(io(e)),
    };
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(OpenError::KeyReadable(path));
    }
    // One more than fits, so that a file that is too long shows.
    let mut seed = [0u8; 33];
    let mut len = 0;
    while let Some(rest) = seed.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(io)? {
            0 => break,
            n => len += n,
        }
    }
    match (len, seed.first_chunk::<32>()) {
        (32, Some(seed)) => Ok(RelayKeyPair::from_seed(seed)),
        _ => Err(OpenError::BadKey(path)),
    }
}

/// Whole or not at all: written beside, synced, renamed.
fn write(directory: &Path, path: &Path, seed: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(seed)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> impl CryptoRng {
        rand_core::UnwrapErr(getrandom::SysRng)
    }

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        private_directory(&data).unwrap();
        let made = load_or_make(&data, &mut rng()).unwrap().public();
        assert_eq!(load_or_make(&data, &mut rng()).unwrap().public(), made);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
        assert!(!data.join("relay.new").exists());
    }

    #[test]
    fn a_key_that_is_readable_or_not_a_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for bytes in [&[0u8; 31][..], &[0; 33]] {
            write(dir.path(), &path, bytes).unwrap();
            assert!(matches!(load_or_make(dir.path(), &mut rng()), Err(OpenError::BadKey(_))));
        }
        write(dir.path(), &path, &[0; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_or_make(dir.path(), &mut rng()), Err(OpenError::KeyReadable(_))));
    }
}
