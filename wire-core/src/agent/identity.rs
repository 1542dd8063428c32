//! The agent's own identity: what speaks for it today, and putting the next key in its place.

use super::core::Agent;
use super::engine::{BackupView, Batch};
use super::error::{Error, Result};
use super::nextkey;
use crate::entropy::os_rng;
use crate::identity::{IdentityPublic, Root};
use crate::time::Timestamp;

/// What speaks for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityInfo {
    /// Its name everywhere, whatever keys it has had.
    pub root: Root,
    /// The key that speaks for it today.
    pub key: IdentityPublic,
    /// How often that was replaced; 31 times at most.
    pub rotations: u32,
    /// The key that may replace it lies beside the store.
    pub next_key_here: bool,
    /// The recovery file that has that key, as far as it is known here.
    pub backup: Option<BackupInfo>,
    /// Peers that have not acknowledged the last rotation, by local name.
    pub waiting: Vec<String>,
}

/// A recovery file that was written, or that this agent was restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupInfo {
    /// Where it was written. It may have been taken elsewhere since.
    pub file: String,
    /// When.
    pub saved: Timestamp,
    /// Peers that it does not know, or not as they are now, by local name: it is out of date.
    pub missing: Vec<String>,
}

impl From<BackupView> for BackupInfo {
    fn from(view: BackupView) -> Self {
        Self { file: view.file, saved: view.at, missing: view.missing }
    }
}

impl Agent {
    /// What speaks for this agent.
    pub async fn identity(&self) -> Result<IdentityInfo> {
        let here = nextkey::is_here(self.shared.store.dir());
        self.shared.worker.read(move |b| info(b, here)).await
    }

    /// Puts the next key in the place of the present one, and tells every peer. The name stays, and so does every
    /// pairing; a thief of the present key can sign nothing any more that a peer believes once it has heard of it.
    ///
    /// When this returns the new key is on this disk, and the one after it beside the store. Each peer is told by
    /// a record that the old key signs; what is sent to it meanwhile waits until it has acknowledged that. When
    /// all have, the old key is erased.
    ///
    /// # Errors
    /// [`Error::NextKeyInFile`] where a recovery file has the next key ([`rotate_with`](Self::rotate_with)),
    /// [`Error::NextKeyAway`] where it is not known where it is, [`Error::RotationUnderWay`] while a
    /// peer has not acknowledged the last rotation, [`Error::PairingUnderWay`] while a pairing is not complete,
    /// [`Error::Rotation`] after 31 rotations, or for a key that is not the one that was committed to.
    pub async fn rotate(&self) -> Result<IdentityInfo> {
        let store = self.shared.store.clone();
        let step = move |b: &mut Batch<'_>| {
            let Some(next) = nextkey::read(store.dir())? else { return Err(b.next_key_is_away()?) };
            let (rotated, after) = b.engine.identity.rotate(&next, &mut os_rng()).map_err(Error::Rotation)?;
            b.rotate(&rotated)?;
            b.forget_backup()?;
            // The last step: from here on only the commit can fail, and then this file is of no use.
            nextkey::write_after(store.dir(), &after)
        };
        self.shared.worker.write_alone(step).await?;
        self.settle_next_key().await?;
        self.identity().await
    }

    /// Where a rotation was cut off, its file of the key after the next one gets its name, or is removed. And what a
    /// recovery file has is erased.
    pub(super) async fn settle_next_key(&self) -> Result<()> {
        let store = self.shared.store.clone();
        if !nextkey::is_unsettled(store.dir()) && !self.shared.worker.read(|b| b.has_moved_next_key()).await?
        {
            return Ok(());
        }
        // Under the lock of writers: another process may be in the middle of it.
        let step = move |b: &mut Batch<'_>| {
            nextkey::settle(store.dir(), &b.engine.identity.statements().next_digest())?;
            if b.has_moved_next_key()? {
                nextkey::erase(store.dir())?;
                b.next_key_erased()?;
            }
            Ok(())
        };
        self.shared.worker.write_alone(step).await
    }
}

fn info(b: &Batch<'_>, next_key_here: bool) -> Result<IdentityInfo> {
    let identity = &b.engine.identity;
    Ok(IdentityInfo {
        root: identity.root(),
        key: identity.key().public(),
        rotations: identity.statements().serial(),
        next_key_here,
        backup: b.backup()?.map(BackupInfo::from),
        waiting: b.not_told()?,
    })
}
