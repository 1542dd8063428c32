//! What one installation keeps on this machine: the secret that its containers are marked with, who of
//! its processes lives, and whose turn it is to start a container.
//!
//! ```text
//! HOME/host/owner.key            32 random bytes, 0600: whoever has them owns the containers
//! HOME/host/instances/HEX.lock   locked while a process lives; the name is its InstanceId
//! HOME/host/names/NAME.lock      locked while a container of that name is made; says how far that came
//! HOME/host/shims/NAME           what was seen in the engine's volume of that name
//! ```

#![expect(clippy::disallowed_methods, reason = "the adapter of this one folder")]

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::turn::{Note, Stage, Turn};
use crate::entropy::{os_rng, random, random_name};
use crate::spawn::ids::{ContainerId, InstanceId, OwnerId, SpawnName};
use crate::spawn::labels::{Place, Tied, TiedUntil};
use crate::spawn::owner::OwnerSecret;
use crate::spawn::sweep::Alive;

/// The folder cannot be used. What to do is in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallationError {
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Others could read the secret, or have put it there.
    #[error("{}: {fault}", path.display())]
    Unsafe {
        /// Where.
        path: PathBuf,
        /// What is wrong, and what mends it.
        fault: &'static str,
    },
    /// What was given as the shim is none.
    #[error("the shim: {0}")]
    Shim(String),
}

/// What the file of a process is called from the moment on that it is locked, and before.
const LOCK: &str = "lock";
const EARLY: &str = "new";
/// Longer than it takes to lock and rename a file.
const MAKING: Duration = Duration::from_secs(60);

/// One process of an installation. While this lives, containers that are tied to it are not swept.
#[derive(Debug)]
pub(crate) struct Installation {
    folder: PathBuf,
    secret: OwnerSecret,
    instance: InstanceId,
    lock: PathBuf,
    _held: File,
}

impl Installation {
    /// Opens `folder` (`HOME/host`), and makes what is missing with mode 0700.
    pub(crate) fn open(folder: &Path) -> Result<Self, InstallationError> {
        for dir in [folder.to_owned(), folder.join("instances"), folder.join("names"), folder.join("shims")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
            made.map_err(|source| io_error(&dir, source))?;
        }
        check(folder, true)?;
        let secret = owner_secret(folder)?;
        let (instance, lock, held) = instance(folder)?;
        Ok(Self { folder: folder.to_owned(), secret, instance, lock, _held: held })
    }

    pub(crate) const fn secret(&self) -> &OwnerSecret {
        &self.secret
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.secret.owner()
    }

    /// This process.
    pub(crate) const fn instance(&self) -> InstanceId {
        self.instance
    }

    /// What a container says that hangs on this process.
    pub(crate) fn tied(&self, until: TiedUntil) -> Tied {
        Tied { instance: self.instance, place: place(), until }
    }

    /// Whether that process of this installation, on this machine, lives.
    pub(crate) fn lives(&self, instance: InstanceId) -> Alive {
        match open(&lock_path(&self.folder, instance), OFlags::RDWR) {
            Err(Errno::NOENT) => Alive::No,
            Err(_) => Alive::Unknown,
            Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Alive::No,
                Err(_) => Alive::Yes,
            },
        }
    }

    /// Removes the lock files of processes that are gone.
    pub(crate) fn bury_the_dead(&self) {
        let Ok(entries) = fs::read_dir(self.folder.join("instances")) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let id = path.file_stem().and_then(|name| name.to_str()).map(InstanceId::from_hex);
            let Some(Ok(id)) = id else { continue };
            let dead = match path.extension().and_then(|kind| kind.to_str()) {
                Some(LOCK) => id != self.instance && self.lives(id) == Alive::No,
                Some(EARLY) => was_left(&path),
                Some(_) | None => false,
            };
            if dead {
                drop(fs::remove_file(&path));
            }
        }
    }

    /// Waits until nobody else on this machine makes a container of that name. Let go by dropping it.
    pub(crate) async fn turn(&self, name: &SpawnName) -> Result<Turn, InstallationError> {
        let path = self.turn_path(name);
        loop {
            let file = locked(self.turn_file(&path)?, &path).await?;
            // Whoever had it before may have forgotten the name: then there is another file, or none.
            if is_at(&file, &path) {
                return Ok(Turn::new(file, path));
            }
        }
    }

    /// The same, if nobody makes one now.
    pub(crate) fn turn_now(&self, name: &SpawnName) -> Option<Turn> {
        let path = self.turn_path(name);
        let file = self.turn_file(&path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        is_at(&file, &path).then(|| Turn::new(file, path))
    }

    /// Nothing is left of the container that had that name: nor need its note be.
    pub(crate) fn forget(&self, name: &SpawnName, container: &ContainerId) {
        if self.turn_path(name).exists()
            && let Some(turn) = self.turn_now(name)
            && turn.noted().is_none_or(|note| note.container == *container)
        {
            turn.forget();
        }
    }

    /// Removes what killed makers have left that noted nothing.
    pub(crate) fn forget_unnoted(&self) {
        let Ok(entries) = fs::read_dir(self.folder.join("names")) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).map(SpawnName::parse);
            let unnoted = || open(&path, OFlags::RDONLY).is_ok_and(|file| Note::read(&file).is_none());
            if let Some(Ok(name)) = name
                && unnoted()
                && let Some(turn) = self.turn_now(&name)
                && turn.noted().is_none()
            {
                turn.forget();
            }
        }
    }

    /// The containers that makers have noted, by name.
    pub(crate) fn noted(&self) -> Vec<(SpawnName, ContainerId)> {
        let Ok(entries) = fs::read_dir(self.folder.join("names")) else { return Vec::new() };
        let noted = entries.flatten().filter_map(|entry| {
            let path = entry.path();
            let name = SpawnName::parse(path.file_stem()?.to_str()?).ok()?;
            let note = Note::read(&open(&path, OFlags::RDONLY).ok()?)?;
            Some((name, note.container))
        });
        noted.collect()
    }

    /// Whether the last maker of that name noted that it started this container, and no command of it.
    pub(crate) fn never_begun(&self, name: &str, container: &ContainerId) -> bool {
        let Ok(name) = SpawnName::parse(name) else { return false };
        let noted = open(&self.turn_path(&name), OFlags::RDONLY).ok().and_then(|file| Note::read(&file));
        noted.is_some_and(|note| note.stage == Stage::Started && note.container == *container)
    }

    fn turn_path(&self, name: &SpawnName) -> PathBuf {
        self.folder.join("names").join(format!("{name}.lock"))
    }

    fn turn_file(&self, path: &Path) -> Result<File, InstallationError> {
        open(path, OFlags::CREATE | OFlags::RDWR).map_err(|e| io_error(path, e.into()))
    }

    /// A file with this text that engines on this machine can mount, if it can be made.
    pub(crate) fn hosts_file(&self, text: &str) -> Option<String> {
        let path = self.folder.join("hosts");
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return path.to_str().map(str::to_owned);
        }
        let early = self.folder.join(format!("hosts.{}", self.instance.to_hex()));
        let made = fs::write(&early, text)
            .and_then(|()| fs::set_permissions(&early, fs::Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&early, &path));
        made.ok().and_then(|()| path.to_str().map(str::to_owned))
    }

    /// What was noted under that name, if anything.
    pub(crate) fn note(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join("shims").join(name)).ok()
    }

    /// Notes something under that name. A note that is lost costs only another look.
    pub(crate) fn take_note(&self, name: &str, text: &str) {
        drop(fs::write(self.folder.join("shims").join(name), text));
    }
}

async fn locked(file: File, path: &Path) -> Result<File, InstallationError> {
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return Ok(file);
    }
    // The kernel waits in turn; a thread of the pool does that, and if this future is dropped meanwhile the file
    // is closed as soon as it gets the lock.
    let locked =
        tokio::task::spawn_blocking(move || flock(&file, FlockOperation::LockExclusive).map(|()| file));
    match locked.await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(errno)) => Err(io_error(path, errno.into())),
        Err(_) => Err(io_error(path, io::ErrorKind::Interrupted.into())),
    }
}

/// Whether that very file is still there.
fn is_at(file: &File, path: &Path) -> bool {
    let (ours, there) = (file.metadata(), fs::symlink_metadata(path));
    ours.is_ok_and(|ours| there.is_ok_and(|there| (ours.dev(), ours.ino()) == (there.dev(), there.ino())))
}

impl Drop for Installation {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.lock));
    }
}

/// This machine and its view of processes: a lock says something only about those who share both.
pub(crate) fn place() -> Place {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let pidns = fs::metadata("/proc/self/ns/pid").map(|meta| meta.ino()).unwrap_or_default();
    Place::new(pidns, &host)
}

fn lock_path(folder: &Path, instance: InstanceId) -> PathBuf {
    folder.join("instances").join(instance.to_hex()).with_extension(LOCK)
}

/// Whether who made this file was killed before it could rename it. It is not locked for a moment after it is
/// made, so one that is young says nothing.
fn was_left(early: &Path) -> bool {
    let age = fs::metadata(early).and_then(|meta| Ok(meta.modified()?.elapsed().unwrap_or_default()));
    age.is_ok_and(|age| age > MAKING)
        && open(early, OFlags::RDWR)
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

fn instance(folder: &Path) -> Result<(InstanceId, PathBuf, File), InstallationError> {
    let id = InstanceId::from_bytes(random());
    let path = lock_path(folder, id);
    // Locked before it has the name that others judge by, or they might take it for a dead one.
    let early = path.with_extension(EARLY);
    let opened = open(&early, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR);
    let file = opened.map_err(|e| io_error(&early, e.into()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|e| io_error(&early, e.into()))?;
    fs::rename(&early, &path).map_err(|source| io_error(&early, source))?;
    Ok((id, path, file))
}

/// The secret, made on first use. Of several processes that make it at once one wins, and all use that.
fn owner_secret(folder: &Path) -> Result<OwnerSecret, InstallationError> {
    let path = folder.join("owner.key");
    match read_secret(&path) {
        Err(InstallationError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let early = folder.join(format!("owner.key.{}", random_name::<8>()));
    let written = (|| {
        let mut file = open(&early, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)?;
        file.write_all(OwnerSecret::random(&mut os_rng()).expose())?;
        file.sync_all()?;
        // A link, not a rename: it fails where another process was faster.
        match fs::hard_link(&early, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    drop(fs::remove_file(&early));
    written.map_err(|source| io_error(&path, source))?;
    File::open(folder).and_then(|dir| dir.sync_all()).map_err(|source| io_error(folder, source))?;
    read_secret(&path)
}

fn read_secret(path: &Path) -> Result<OwnerSecret, InstallationError> {
    let mut file = match open(path, OFlags::RDONLY) {
        Err(Errno::LOOP) => {
            return Err(InstallationError::Unsafe {
                path: path.to_owned(),
                fault: "it is a symbolic link; put the file itself there",
            });
        }
        opened => opened.map_err(|e| io_error(path, e.into()))?,
    };
    check(path, false)?;
    let mut bytes = zeroize::Zeroizing::new([0; OwnerSecret::LEN]);
    let read = file.read_exact(bytes.as_mut());
    let rest = file.read(&mut [0; 1]).unwrap_or(0);
    if read.is_err() || rest != 0 {
        return Err(InstallationError::Unsafe {
            path: path.to_owned(),
            fault: "it is not 32 bytes; remove it, and the containers that it marked (docker ps -a)",
        });
    }
    Ok(OwnerSecret::from_bytes(*bytes))
}

fn check(path: &Path, folder: bool) -> Result<(), InstallationError> {
    let meta = fs::symlink_metadata(path).map_err(|source| io_error(path, source))?;
    let fault = if meta.is_dir() != folder {
        "it is not what should be here; remove it"
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another user; use a folder of your own (WIRE_HOME)"
    } else if meta.mode() & 0o077 != 0 {
        "others can read it; take their rights away (chmod go= on it)"
    } else {
        return Ok(());
    };
    Err(InstallationError::Unsafe { path: path.to_owned(), fault })
}

fn open(path: &Path, how: OFlags) -> Result<File, Errno> {
    let flags = how | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

pub(super) fn io_error(path: &Path, source: io::Error) -> InstallationError {
    InstallationError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_stays_and_processes_come_and_go() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("host");
        let (a, b) = (Installation::open(&folder).unwrap(), Installation::open(&folder).unwrap());
        assert_eq!(a.owner(), b.owner());
        assert_ne!(a.instance, b.instance);
        let tied = b.tied(TiedUntil::End);
        assert_eq!(tied.place, place());
        assert_eq!(a.lives(tied.instance), Alive::Yes);
        drop(b);
        assert_eq!(a.lives(tied.instance), Alive::No);
    }

    #[test]
    fn a_killed_process_leaves_a_file_that_nobody_holds_and_that_is_buried() {
        let home = tempfile::tempdir().unwrap();
        let a = Installation::open(home.path().join("host").as_path()).unwrap();
        let mut left = *a.instance.as_bytes();
        left[15] ^= 1;
        let left = InstanceId::from_bytes(left);
        let path = lock_path(&a.folder, left);
        fs::write(&path, "").unwrap();
        assert_eq!(a.lives(left), Alive::No);
        a.bury_the_dead();
        assert!(!path.exists());
        assert!(a.lock.exists(), "one's own stays");
    }

    #[test]
    fn one_that_begins_is_not_taken_for_a_dead_one() {
        let home = tempfile::tempdir().unwrap();
        let a = Installation::open(home.path().join("host").as_path()).unwrap();
        let early = |last: u8| {
            let mut id = *a.instance.as_bytes();
            id[15] ^= last;
            lock_path(&a.folder, InstanceId::from_bytes(id)).with_extension(EARLY)
        };
        let [begins, left, held] = [1, 2, 3].map(|last| (early(last), File::create(early(last)).unwrap()));
        for (_, file) in [&left, &held] {
            file.set_modified(std::time::SystemTime::now() - MAKING * 2).unwrap();
        }
        flock(&held.1, FlockOperation::NonBlockingLockExclusive).unwrap();
        a.bury_the_dead();
        let [begins, left, held] = [begins, left, held].map(|(path, _file)| path.exists());
        assert_eq!((begins, left, held), (true, false, true));
    }

    #[test]
    fn a_secret_that_others_could_know_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("host");
        let owner = Installation::open(&folder).unwrap().owner();
        let path = folder.join("owner.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Installation::open(&folder), Err(InstallationError::Unsafe { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Installation::open(&folder).unwrap().owner(), owner);
        fs::write(&path, [0; 31]).unwrap();
        assert!(matches!(Installation::open(&folder), Err(InstallationError::Unsafe { .. })));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(Installation::open(&folder), Err(InstallationError::Unsafe { .. })));
    }

    #[tokio::test]
    async fn one_at_a_time_makes_a_container_of_a_name() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("host");
        let (a, b) = (Installation::open(&folder).unwrap(), Installation::open(&folder).unwrap());
        let (name, other) = (SpawnName::parse("one").unwrap(), SpawnName::parse("two").unwrap());
        let held = a.turn(&name).await.unwrap();
        drop(b.turn(&other).await.unwrap());
        let waiting = tokio::spawn(async move { b.turn(&name).await.map(drop) });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}
