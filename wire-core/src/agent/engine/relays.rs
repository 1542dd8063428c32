//! Which key speaks for a relay, and how far its clock is from ours.

use rusqlite::{OptionalExtension as _, params};

use super::Batch;
use crate::agent::error::Error;
use crate::mailbox::RelayId;

/// A relay that was seen before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownRelay {
    pub(crate) id: RelayId,
    pub(crate) offset_ms: i64,
}

impl Batch<'_> {
    /// What is pinned for a relay.
    pub(crate) fn relay(&self, url: &str) -> Result<Option<KnownRelay>, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT relay_id, offset_ms FROM relay WHERE url = ?")?
            .query_row([url], |r| Ok(KnownRelay { id: RelayId::from_bytes(r.get(0)?), offset_ms: r.get(1)? }))
            .optional()?)
    }

    /// Pins a relay's key on first sight; afterwards only its clock may change.
    pub(crate) fn note_relay(&mut self, url: &str, seen: KnownRelay) -> Result<(), Error> {
        if let Some(known) = self.relay(url)?
            && known.id != seen.id
        {
            return Err(Error::RelayMismatch { url: url.to_owned() });
        }
        self.tx.execute(
            "INSERT INTO relay (url, relay_id, offset_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (url) DO UPDATE SET offset_ms = ?3",
            params![url, seen.id.as_bytes(), seen.offset_ms],
        )?;
        Ok(())
    }
}
