//! Whether the disk has room.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

/// So much has to fit.
const ENOUGH: usize = 8 << 20;
static CHUNK: [u8; 64 << 10] = [0x55; 64 << 10];
const NAME: &str = "room";

#[derive(Clone)]
pub(super) struct Room(Arc<dyn Fn() -> bool + Send + Sync>);

impl Room {
    /// Of the disk that `path` is on.
    pub(super) fn of(path: &Path) -> Self {
        let file = path.join(NAME);
        Self::new(move || {
            let fits = fill(&file);
            // What cannot be removed is written over the next time.
            drop(std::fs::remove_file(&file));
            !fits.is_err_and(|error| is_full(error.kind()))
        })
    }

    pub(super) fn new(is_there: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_there))
    }

    /// Blocks.
    pub(super) fn is_there(&self) -> bool {
        (self.0)()
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room(..)")
    }
}

pub(super) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    for _ in 0..ENOUGH / CHUNK.len() {
        file.write_all(&CHUNK)?;
    }
    // Some file systems find out only here.
    file.sync_data()
}
