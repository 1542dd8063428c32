//! Whether opening the engine lost what was acknowledged.
//!
//! The engine cuts a journal where it cannot read on, and goes on without a word. That is right for
//! the torn end that a crash leaves, but the same is done when something in the middle is damaged, and
//! then what is behind is gone. From outside the two look alike, so either counts as a loss: where a
//! journal is shorter after opening than what was written in it before, mailboxes get a new
//! incarnation.
//!
//! The file `opening` holds one byte: `1` while the engine is opened, else `0`. A process that died in
//! between may have cut and told nobody. The file is locked meanwhile, so that there is one opener.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use wire_core::mailbox::{EnvelopeHash, Incarnation};
use wire_core::time::Timestamp;

use super::Fault;
use super::records::{MailboxRecord, RowRecord};
use super::tables::{
    MAILBOXES, MAILBOXES_END, Tables, envelope_key, mailbox_key, mailbox_of, row_key, seen_key, seq_of,
};

const MARKER: &str = "opening";
const UNDER_WAY: u8 = b'1';
const DONE: u8 = b'0';
const CHUNK: usize = 64 << 10;

/// A store that is being opened.
pub(super) struct Opening {
    marker: File,
    /// The one before this did not end.
    unfinished: bool,
    /// Each journal, and where what is written in it ends. Open, because one that the engine needs no
    /// more is soon removed.
    journals: Vec<(File, u64)>,
}

impl Opening {
    /// None while another process is at it.
    pub(super) fn begin(path: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(path)?;
        let at = path.join(MARKER);
        let mut marker = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(at)?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut state = Vec::new();
        marker.read_to_end(&mut state)?;
        let mut opening = Self { marker, unfinished: state == [UNDER_WAY], journals: Vec::new() };
        opening.mark(UNDER_WAY)?;
        #[cfg(unix)]
        File::open(path)?.sync_all()?;
        for entry in path.read_dir()? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jnl")) {
                let mut journal = File::open(path)?;
                let end = end_of_content(&mut journal)?;
                opening.journals.push((journal, end));
            }
        }
        Ok(Some(opening))
    }

    /// The engine was not opened, and nothing touched.
    pub(super) fn abandon(mut self) -> io::Result<()> {
        if self.unfinished { Ok(()) } else { self.mark(DONE) }
    }

    /// Whether something is gone, now that the engine is open.
    pub(super) fn lost(&self) -> io::Result<bool> {
        let mut lost = self.unfinished;
        for (journal, end) in &self.journals {
            lost |= journal.metadata()?.len() < *end;
        }
        Ok(lost)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.mark(DONE)
    }

    fn mark(&mut self, state: u8) -> io::Result<()> {
        self.marker.seek(SeekFrom::Start(0))?;
        self.marker.write_all(&[state])?;
        self.marker.sync_all()
    }
}

/// Behind the last byte that is not zero: journals are made longer than what is in them.
fn end_of_content(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut chunk = vec![0; CHUNK];
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let len = usize::try_from(end - start).unwrap_or(CHUNK);
        let part = &mut chunk[..len];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Tables {
    /// Every mailbox gets a new incarnation, and what is known of an envelope that is gone is forgotten,
    /// so that it is stored when it is posted again.
    pub(super) fn start_incarnations(&self) -> Result<(), Fault> {
        let rng = &mut rand_core::UnwrapErr(getrandom::SysRng);
        for found in self.state.range(MAILBOXES..MAILBOXES_END) {
            let (key, value) = found.into_inner()?;
            let id = mailbox_of(&key)?;
            let mut record = MailboxRecord::from_bytes(&value)?;
            if record.deleted_at.is_some() {
                continue;
            }
            record.incarnation = Incarnation::random(rng);
            let mut batch = self.db.batch();
            let mut bytes = record.bytes_base;
            for seq in record.base + 1..=record.head {
                let row = self.state.get(row_key(&id, seq))?;
                let row = row.map(|bytes| RowRecord::from_bytes(&bytes)).transpose()?;
                let there = self.env.contains_key(envelope_key(&id, seq))?;
                let Some(row) = row else {
                    // A hole, which the sweeper passes at once.
                    let hole =
                        RowRecord { bytes, until: Timestamp::from_millis(0), hash: EnvelopeHash::of(&[]) };
                    batch.insert(&self.state, row_key(&id, seq), hole.to_bytes());
                    batch.remove(&self.env, envelope_key(&id, seq));
                    continue;
                };
                bytes = row.bytes;
                let seen = self.state.get(seen_key(&id, &row.hash))?;
                if !there && seen.as_deref().map(seq_of).transpose()? == Some(seq) {
                    batch.remove(&self.state, seen_key(&id, &row.hash));
                }
            }
            batch.insert(&self.state, mailbox_key(&id), record.to_bytes());
            batch.commit()?;
        }
        Ok(self.db.persist(fjall::PersistMode::SyncAll)?)
    }
}
