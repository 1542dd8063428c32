//! The recovery file: made, brought up to date, rotated by, and made an agent of again.

#![expect(clippy::disallowed_methods, reason = "deriving a key blocks its thread")]

use std::path::{Path, PathBuf};

use super::clock::Clock;
use super::config::Config;
use super::core::Agent;
use super::engine::{Batch, Engine};
use super::error::{Error, Result};
use super::identity::IdentityInfo;
use super::nextkey;
use super::recovery_file::{self, Target};
use super::schema::MIGRATIONS;
use super::store::StoreFile;
use crate::identity::Root;
use crate::recovery::Passphrase;
use crate::time::Timestamp;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Who the agent is, as before.
    pub root: Root,
    /// What it was called where the file was written.
    pub name: String,
    /// When that was.
    pub saved: Timestamp,
    /// Peers by local name. None of them has a session.
    pub peers: Vec<String>,
}

impl Agent {
    /// Writes a recovery file: whoever has it and its passphrase can be this agent again, and rotate its key.
    ///
    /// The first one *moves* the next key: it is erased beside the store when the file is on its disk and was read
    /// back and opened. With `update`, the file is one of this agent already and is brought up to date, under its
    /// old passphrase; without, no file of that name may be there. Nothing else is ever overwritten.
    ///
    /// # Errors
    /// [`Error::Recovery`] for a weak or wrong passphrase or a file that is none; [`Error::FileExists`];
    /// [`Error::NextKeyInFile`] or [`Error::NextKeyAway`] where the next key is not here and no file with it was
    /// given; [`Error::AnotherIdentity`], [`Error::StaleRecovery`] and [`Error::RotationCutOff`] for a file that
    /// does not fit.
    pub async fn backup(&self, file: &Path, passphrase: &Passphrase, update: bool) -> Result<IdentityInfo> {
        let (file, pass) = (file.to_owned(), passphrase.clone());
        let (target, held) = blocking(move || {
            Ok(if update {
                let (target, held) = Target::replacing(&file, &pass)?;
                (target, Some(held))
            } else {
                (Target::new(&file, &pass)?, None)
            })
        })
        .await?;
        let (store, name, pass) = (self.shared.store.clone(), self.name().to_owned(), passphrase.clone());
        let step = move |b: &mut Batch<'_>| {
            let path = target.name();
            let next = match (held, nextkey::read(store.dir())?) {
                (Some(held), _) => b.next_key_of(&held, &path)?,
                (None, Some(next)) => next,
                (None, None) => return Err(b.next_key_is_away()?),
            };
            b.back_up(&name, &next, &path, |contents| target.save(contents, &pass, |_| Ok(())))
        };
        self.shared.worker.write_alone(step).await?;
        self.settle_next_key().await?;
        self.identity().await
    }

    /// [`rotate`](Self::rotate) by the next key of a recovery file. The file is replaced, before anything changes in
    /// the store, by one with the new key and the key after it.
    ///
    /// A crash at any step leaves a store and a file with which this can be done again. Other copies of the old
    /// file are of no use any more.
    ///
    /// # Errors
    /// Those of [`rotate`](Self::rotate); [`Error::Recovery`] for a wrong passphrase or a file that is none;
    /// [`Error::AnotherIdentity`], and [`Error::StaleRecovery`] for a file of before the last rotation.
    pub async fn rotate_with(&self, file: &Path, passphrase: &Passphrase) -> Result<IdentityInfo> {
        let (file, pass) = (file.to_owned(), passphrase.clone());
        let (target, held) = blocking(move || Target::replacing(&file, &pass)).await?;
        let (name, pass) = (self.name().to_owned(), passphrase.clone());
        let step = move |b: &mut Batch<'_>| {
            let path = target.name();
            b.rotate_from(&held, &name, &path, |contents| target.save(contents, &pass, |_| Ok(())))
        };
        self.shared.worker.write_alone(step).await?;
        self.settle_next_key().await?;
        self.identity().await
    }

    /// Makes an agent again from its recovery file, in a folder where there is none. [`Agent::open`] opens it.
    ///
    /// It has the identity, the peers and their mailboxes. It has no session: nothing is sent to a peer or taken
    /// from it ([`Error::NeedsReset`]) until the session with it is made anew, or the two have paired again. The
    /// next key stays in the file. One of two agents that are restored from one file, or of a restored one and the
    /// original, must not be used: the relay and the peers of both take them for one.
    ///
    /// # Errors
    /// [`Error::AgentExists`] where there is anything of an agent; [`Error::Recovery`]; [`Error::Store`].
    pub async fn restore(config: &Config, file: &Path, passphrase: &Passphrase) -> Result<Restored> {
        let (folder, file, pass) = (config.folder(), file.to_owned(), passphrase.clone());
        blocking(move || restore(folder, &file, &pass)).await
    }
}

fn restore(folder: PathBuf, file: &Path, passphrase: &Passphrase) -> Result<Restored> {
    if StoreFile::is_begun(&folder)? {
        return Err(Error::AgentExists { folder: folder.display().to_string() });
    }
    let (_, contents) = recovery_file::open(file, passphrase)?;
    let path = recovery_file::absolute(file)?.display().to_string();
    let mut is_made = false;
    StoreFile::open_or_make(&folder, MIGRATIONS, |tx, _| {
        is_made = true;
        Engine::restore(tx, Clock::system().now(), &contents, &path)
    })?;
    if !is_made {
        return Err(Error::AgentExists { folder: folder.display().to_string() });
    }
    Ok(Restored {
        root: contents.identity.root(),
        name: contents.name,
        saved: contents.saved,
        peers: contents.peers.into_iter().map(|peer| peer.name).collect(),
    })
}

impl Batch<'_> {
    /// Why the next key cannot be had here.
    pub(super) fn next_key_is_away(&self) -> Result<Error> {
        Ok(match self.backup()? {
            Some(backup) => Error::NextKeyInFile { path: backup.file },
            None => Error::NextKeyAway,
        })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("deriving a key failed"))?
}
