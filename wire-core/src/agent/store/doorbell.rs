//! Waking the other processes of an agent after a commit.
//!
//! Each listener binds a datagram socket in `run/`; a writer sends one byte to every other one. A byte may
//! get lost (a writer that dies right after its commit, a folder too deep for a socket), so listeners also
//! look at SQLite's change counter every 250 ms.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::StoreFile;
use super::folder::Folder;
use crate::entropy::random_name;

/// How long a change can stay unnoticed where no byte arrives.
const FALLBACK: Duration = Duration::from_millis(250);

/// `sun_path` of the systems that we know, without its final zero: 103 on macOS, 107 on Linux.
const MAX_SOCKET_PATH: usize = 103;

/// The listening side; any number per process.
#[derive(Debug)]
pub(crate) struct Doorbell {
    store: Arc<StoreFile>,
    socket: Option<UnixDatagram>,
    path: PathBuf,
    tick: Interval,
    version: Option<i64>,
}

impl Doorbell {
    /// Starts to listen; commits from now on are noticed. Needs a tokio runtime with time and I/O.
    ///
    /// Where no socket can be had, the change counter alone does it.
    pub(crate) fn listen(store: &Arc<StoreFile>) -> Self {
        let name = store.bell.next_name();
        let path = store.folder.run().join(&name);
        let socket = store.bell.bind(&name).and_then(UnixDatagram::from_std);
        if let Err(error) = &socket {
            tracing::debug!(%error, "no doorbell socket; looking at the store every 250 ms");
        }
        let mut tick = interval(FALLBACK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { store: Arc::clone(store), socket: socket.ok(), path, tick, version: store.data_version() }
    }

    /// Returns after another process, or another store of this one, has committed; may return without.
    ///
    /// Dropping the future loses nothing: the next call returns at once.
    pub(crate) async fn wait(&mut self) {
        loop {
            tokio::select! {
                () = heard(self.socket.as_ref()) => {
                    // The counter tells of the same commit; it need not be told twice.
                    self.changed();
                    return;
                }
                _ = self.tick.tick() => if self.changed() { return },
            }
        }
    }

    /// Whether the change counter moved since the last look.
    fn changed(&mut self) -> bool {
        let Some(now) = self.store.data_version() else { return false };
        self.version.replace(now) != Some(now)
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Resolves when at least one byte has come, having taken all.
async fn heard(socket: Option<&UnixDatagram>) {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        if socket.readable().await.is_err() {
            return std::future::pending().await;
        }
        let mut any = false;
        while socket.try_recv(&mut [0u8; 8]).is_ok() {
            any = true;
        }
        if any {
            return;
        }
    }
}

/// The ringing side, one per open store.
#[derive(Debug)]
pub(super) struct Bell {
    run: PathBuf,
    own: String,
    sockets: AtomicU32,
    out: Option<StdDatagram>,
}

impl Bell {
    pub(super) fn new(folder: &Folder) -> Self {
        let out = StdDatagram::unbound().and_then(|out| out.set_nonblocking(true).map(|()| out)).ok();
        Self { run: folder.run(), own: random_name::<6>(), sockets: AtomicU32::new(0), out }
    }

    /// Sends one byte to every listener but those of this store. Never blocks, never fails.
    pub(super) fn ring(&self) {
        let (Some(out), Ok(entries)) = (&self.out, fs::read_dir(&self.run)) else { return };
        let mut via = None;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !name.ends_with(".sock") || name.starts_with(&self.own) {
                continue;
            }
            // The folder is opened once, and only if somebody listens.
            let via = via.get_or_insert_with(|| Via::of(&self.run));
            let Some(address) = via.path(name) else { return };
            match out.send_to(&[1], address) {
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    let _ = fs::remove_file(entry.path());
                }
                // A full queue means that a wake-up is on its way already.
                _ => {}
            }
        }
    }

    fn next_name(&self) -> String {
        format!("{}-{}.sock", self.own, self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    fn bind(&self, name: &str) -> io::Result<StdDatagram> {
        let via = Via::of(&self.run);
        let address = via.path(name).ok_or(io::ErrorKind::InvalidFilename)?;
        let socket = StdDatagram::bind(address)?;
        fs::set_permissions(self.run.join(name), fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// A way to name sockets in a folder whose path may be too long for a socket address.
struct Via {
    prefix: Option<PathBuf>,
    _folder: Option<fs::File>,
}

impl Via {
    fn of(run: &Path) -> Self {
        // Room for the longest of our names, the slash included.
        if run.as_os_str().len() + 40 <= MAX_SOCKET_PATH {
            return Self { prefix: Some(run.to_owned()), _folder: None };
        }
        let Ok(folder) = fs::File::open(run) else { return Self { prefix: None, _folder: None } };
        let prefix = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        Self { prefix: prefix.exists().then_some(prefix), _folder: Some(folder) }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.prefix.as_ref().map(|prefix| prefix.join(name))
    }
}

#[cfg(test)]
mod tests;
