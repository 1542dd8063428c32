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
    /// The relay at an address, unless it has to prove again who it is.
    pub(crate) fn relay(&self, url: &str) -> Result<Option<KnownRelay>, Error> {
        Ok(self.pinned(url)?.filter(|(_, doubted)| !doubted).map(|(known, _)| known))
    }

    /// What is pinned for a relay, and whether it is in doubt.
    pub(super) fn pinned(&self, url: &str) -> Result<Option<(KnownRelay, bool)>, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT relay_id, offset_ms, doubted FROM relay WHERE url = ?")?
            .query_row([url], |r| {
                let known = KnownRelay { id: RelayId::from_bytes(r.get(0)?), offset_ms: r.get(1)? };
                Ok((known, r.get(2)?))
            })
            .optional()?)
    }

    /// What answers there is not the relay that we know: nobody uses it before it has proved its key.
    pub(crate) fn doubt_relay(&mut self, url: &str) -> Result<(), Error> {
        self.tx.execute("UPDATE relay SET doubted = 1 WHERE url = ? AND doubted = 0", [url])?;
        Ok(())
    }

    /// Relays that have to prove their key.
    pub(crate) fn doubted_relays(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.tx.prepare_cached("SELECT url FROM relay WHERE doubted = 1")?;
        Ok(statement.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether a mailbox of ours lies at a relay: then its address came from the owner, with a code or a
    /// link.
    pub(crate) fn is_chosen(&self, url: &str) -> Result<bool, Error> {
        let mut statement = self.tx.prepare_cached(
            "SELECT 1 FROM peer WHERE box_url = ?1 AND (state <= 3 OR box_gone > 0)
                 UNION ALL SELECT 1 FROM old_box WHERE box_url = ?1",
        )?;
        Ok(statement.exists([url])?)
    }

    /// Pins a relay's key on first sight; afterwards only its clock may change. It has just proved it.
    pub(crate) fn note_relay(&mut self, url: &str, seen: KnownRelay) -> Result<(), Error> {
        if let Some((known, _)) = self.pinned(url)?
            && known.id != seen.id
        {
            return Err(Error::RelayMismatch { url: url.to_owned() });
        }
        self.tx.execute(
            "INSERT INTO relay (url, relay_id, offset_ms, doubted) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (url) DO UPDATE SET offset_ms = ?3, doubted = 0",
            params![url, seen.id.as_bytes(), seen.offset_ms],
        )?;
        Ok(())
    }
}
