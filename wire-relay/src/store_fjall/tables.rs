//! The keyspaces, their keys, and how they are opened.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `state` | 0 | version of this layout, 1 byte |
//! | `state` | 1 ‖ mailbox32 | [`MailboxRecord`](super::records::MailboxRecord) |
//! | `state` | 2 ‖ mailbox32 ‖ seq8 | [`RowRecord`](super::records::RowRecord) |
//! | `state` | 3 ‖ mailbox32 ‖ hash32 | seq8 |
//! | `state` | 4 ‖ place | [`PlaceRecord`](super::records::PlaceRecord) |
//! | `state` | 5..8 ‖ place | the bytes of a slot |
//! | `env` | mailbox32 ‖ seq8 | the envelope |
//!
//! Two keyspaces and not one for each kind, because making one costs a dozen fsyncs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use wire_core::mailbox::{EnvelopeHash, MailboxId, Slot};
use wire_core::pairing::{InviteId, Rendezvous};

use super::Fault;
use super::opening::Opening;
use crate::OpenError;

const FORMAT: u8 = 1;
const FORMAT_KEY: [u8; 1] = [0];
const MAILBOX: u8 = 1;
const ROW: u8 = 2;
const SEEN: u8 = 3;
const PLACE: u8 = 4;

/// All keys of mailbox records are below this, and from [`MAILBOXES`] on.
pub(super) const MAILBOXES_END: [u8; 1] = [MAILBOX + 1];
/// Where mailbox records begin.
pub(super) const MAILBOXES: [u8; 1] = [MAILBOX];
/// Where place records begin.
pub(super) const PLACES: [u8; 1] = [PLACE];
/// All keys of place records are below this.
pub(super) const PLACES_END: [u8; 1] = [PLACE + 1];
const MIB: u64 = 1 << 20;
/// A predecessor that is just closing has this long to let go of the store.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(super) struct Tables {
    pub(super) db: Database,
    pub(super) state: Keyspace,
    pub(super) env: Keyspace,
}

impl Tables {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            // The engine panics on some kinds of damage that it does not expect.
            match catch_unwind(AssertUnwindSafe(|| Self::open_once(path))) {
                Ok(Ok(tables)) => return Ok(tables),
                Ok(Err(OpenFault::Engine(fjall::Error::Locked))) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Ok(Err(error)) => return Err(open_error(path, error)),
                Err(_) => return Err(damaged(path, "the engine gave up".to_owned())),
            }
        }
    }

    fn open_once(path: &Path) -> Result<Self, OpenFault> {
        let Some(opening) = Opening::begin(path)? else {
            return Err(OpenFault::Engine(fjall::Error::Locked));
        };
        let tables = match Self::open_engine(path) {
            Err(OpenFault::Engine(fjall::Error::Locked)) => {
                opening.abandon()?;
                return Err(OpenFault::Engine(fjall::Error::Locked));
            }
            opened => opened?,
        };
        if opening.lost()? {
            tables.start_incarnations()?;
            tracing::warn!(
                "the end of the store's journal could not be read and is gone, or the last start did not end; \
                 every mailbox has a new incarnation, so that agents post again what may be missing"
            );
        }
        opening.finish()?;
        Ok(tables)
    }

    fn open_engine(path: &Path) -> Result<Self, OpenFault> {
        let db =
            Database::builder(path).journal_compression(CompressionType::None).cache_size(64 * MIB).open()?;
        let is_new = db.keyspace_count() == 0;
        let state = db.keyspace("state", uncompressed)?;
        match state.get(FORMAT_KEY)?.as_deref() {
            Some([FORMAT]) => {}
            Some([newer]) if *newer > FORMAT => return Err(OpenFault::Newer),
            None if is_new => {
                state.insert(FORMAT_KEY, [FORMAT])?;
                db.persist(PersistMode::SyncAll)?;
            }
            _ => return Err(OpenFault::NotOurs),
        }
        let separated = KvSeparationOptions::default().compression(CompressionType::None);
        let env = db.keyspace("env", || uncompressed().with_kv_separation(Some(separated)))?;
        Ok(Self { db, state, env })
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables(..)")
    }
}

/// Ciphertext, hashes and numbers: nothing here can be compressed.
fn uncompressed() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .data_block_compression_policy(fjall::config::CompressionPolicy::disabled())
}

enum OpenFault {
    Engine(fjall::Error),
    Newer,
    NotOurs,
    /// A record that cannot be read.
    Record,
}

impl From<std::io::Error> for OpenFault {
    fn from(error: std::io::Error) -> Self {
        Self::Engine(fjall::Error::Io(error))
    }
}

impl From<Fault> for OpenFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Engine(error) => Self::Engine(error),
            Fault::Damaged => Self::Record,
        }
    }
}

impl From<fjall::Error> for OpenFault {
    fn from(error: fjall::Error) -> Self {
        Self::Engine(error)
    }
}

fn open_error(path: &Path, fault: OpenFault) -> OpenError {
    let path_buf = path.to_owned();
    match fault {
        OpenFault::Engine(fjall::Error::Locked) => OpenError::Locked(path_buf),
        OpenFault::Engine(fjall::Error::InvalidVersion(Some(_))) | OpenFault::Newer => {
            OpenError::Newer(path_buf)
        }
        OpenFault::Engine(fjall::Error::Io(source))
            if !matches!(
                source.kind(),
                std::io::ErrorKind::UnexpectedEof
                    | std::io::ErrorKind::InvalidData
                    | std::io::ErrorKind::NotFound
            ) =>
        {
            OpenError::Io { path: path_buf, source }
        }
        OpenFault::Engine(error) => damaged(path, error.to_string()),
        OpenFault::Record => damaged(path, Fault::Damaged.to_string()),
        OpenFault::NotOurs => damaged(path, "it is not the store of a relay".to_owned()),
    }
}

fn damaged(path: &Path, detail: String) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), detail }
}

pub(super) fn mailbox_key(mailbox: &MailboxId) -> [u8; 33] {
    joined(&[&[MAILBOX], mailbox.as_bytes()])
}

pub(super) fn row_key(mailbox: &MailboxId, seq: u64) -> [u8; 41] {
    joined(&[&[ROW], mailbox.as_bytes(), &seq.to_be_bytes()])
}

pub(super) fn seen_key(mailbox: &MailboxId, hash: &EnvelopeHash) -> [u8; 65] {
    joined(&[&[SEEN], mailbox.as_bytes(), hash.as_bytes()])
}

pub(super) fn envelope_key(mailbox: &MailboxId, seq: u64) -> [u8; 40] {
    joined(&[mailbox.as_bytes(), &seq.to_be_bytes()])
}

pub(super) fn place_key(place: &Rendezvous) -> Vec<u8> {
    [&[PLACE], place.as_bytes()].concat()
}

pub(super) fn slot_key(place: &Rendezvous, slot: Slot) -> Vec<u8> {
    let kind = match slot {
        Slot::A1 => 5,
        Slot::A2 => 6,
        Slot::B1 => 7,
        Slot::B2 => 8,
    };
    [&[kind], place.as_bytes()].concat()
}

/// The mailbox that a record's key names.
pub(super) fn mailbox_of(key: &[u8]) -> Result<MailboxId, Fault> {
    Ok(MailboxId::from_slice(key.get(1..).unwrap_or_default())?)
}

/// The sequence number at the end of a row's key.
pub(super) fn seq_of(key: &[u8]) -> Result<u64, Fault> {
    key.last_chunk::<8>().map(|seq| u64::from_be_bytes(*seq)).ok_or(Fault::Damaged)
}

/// The place that a record's key names.
pub(super) fn place_of(key: &[u8]) -> Result<Rendezvous, Fault> {
    let name = key.get(1..).unwrap_or_default();
    if let Ok(id) = InviteId::from_slice(name) {
        return Ok(id.into());
    }
    let digits = std::str::from_utf8(name).map_err(|_| Fault::Damaged)?;
    digits.parse().map(Rendezvous::Nameplate).map_err(|_| Fault::Damaged)
}

fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_mailbox_and_number_and_places_come_back() {
        let [a, b] = [1, 2].map(|n| MailboxId::from_bytes([n; 32]));
        assert!(row_key(&a, 255) < row_key(&a, 256));
        assert!(envelope_key(&a, 255) < envelope_key(&a, 256));
        assert!(envelope_key(&a, u64::MAX) < envelope_key(&b, 0));
        assert_eq!(mailbox_of(&mailbox_key(&a)).unwrap(), a);
        assert_eq!(seq_of(&envelope_key(&a, 77)).unwrap(), 77);
        assert_eq!(seq_of(&row_key(&a, 77)).unwrap(), 77);
        for place in
            ["4821".parse().map(Rendezvous::Nameplate).unwrap(), InviteId::from_bytes([7; 16]).into()]
        {
            assert_eq!(place_of(&place_key(&place)).unwrap(), place);
            assert_ne!(place_key(&place), slot_key(&place, Slot::A1));
        }
    }
}
