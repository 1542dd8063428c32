//! The volumes that a spec names.
//!
//! 1. One that is not there is made, with labels of ours, and its root is given to the container's user alone:
//!    as engines make it, only user 0 could write into it.
//! 2. One that is ours and was not seen to be ready, because its maker went, is made ready.
//! 3. One that somebody else made is used as it is.
//!
//! None is swept: what is in it is there for the next container. One that was made for a container which then
//! could not be made is removed with it.

use std::collections::BTreeMap;
use std::io::Cursor;

use sha2::{Digest as _, Sha256};

use super::engine::Docker;
use super::shim_volume::holder;
use crate::entropy::random_name;
use crate::spawn::error::{EngineError, SpawnError};
use crate::spawn::ids::{SpawnName, VolumeName};
use crate::spawn::labels::{Kind, Labels};
use crate::spawn::mount::ValidMount;
use crate::spawn::spec::User;
use crate::spawn::valid::ValidSpec;

/// For the container's user alone.
const MODE: u32 = 0o700;

/// Those that were made for a container.
#[derive(Default)]
pub(super) struct NewVolumes(Vec<VolumeName>);

impl NewVolumes {
    /// Every volume that the spec names is there, and ready.
    pub(super) async fn ensure(&mut self, docker: &Docker, spec: &ValidSpec) -> Result<(), SpawnError> {
        for mount in spec.mounts() {
            if let ValidMount::Volume { name, .. } = mount {
                let name = VolumeName::parse(name).map_err(odd)?;
                self.ready(docker, spec, &name).await?;
            }
        }
        Ok(())
    }

    /// The container that they were made for was not. One that another container has meanwhile stays.
    pub(super) async fn remove(self, docker: &Docker) {
        for name in &self.0 {
            if let Err(error) = docker.client().volume_remove(name).await {
                tracing::debug!(%error, volume = %name, "a new volume stays");
            }
        }
    }

    async fn ready(
        &mut self,
        docker: &Docker,
        spec: &ValidSpec,
        name: &VolumeName,
    ) -> Result<(), SpawnError> {
        let (client, installation) = (docker.client(), docker.installation());
        // Whoever comes next waits until it is ready. The end is one that no container's name has.
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(name.as_str()));
        let turn = SpawnName::parse(&format!("v-{}.wire-p", hash.get(..32).unwrap_or(&hash))).map_err(odd)?;
        let turn = installation.turn(&turn).await?;
        let volume = match client.volume_inspect(name).await {
            Err(EngineError::NotFound(_)) => {
                let mut labels = Labels::new(Kind::Volume, random_name::<8>());
                labels.peer = spec.peer().map(str::to_owned);
                let labels = labels.sign(installation.secret(), name.as_str());
                let volume = client.volume_create(name, &labels, &BTreeMap::new()).await?;
                if volume.labels == labels {
                    self.0.push(name.clone());
                }
                volume
            }
            volume => volume?,
        };
        let ours = Labels::verify(installation.secret(), name.as_str(), &volume.labels);
        // The key is random: a note of an earlier volume of that name says nothing about this one.
        if let Ok(Labels { kind: Kind::Volume, key, .. }) = ours
            && installation.note(name.as_str()).as_ref() != Some(&key)
        {
            give(docker, spec, name).await?;
            installation.take_note(name.as_str(), &key);
        }
        turn.forget();
        Ok(())
    }
}

/// Gives the volume's root to the container's user, through a container that is never started.
async fn give(docker: &Docker, spec: &ValidSpec, volume: &VolumeName) -> Result<(), SpawnError> {
    // An image cannot have a link at a path that it cannot know. As an entry of the folder around it, since an
    // engine leaves out the one that an archive has for its own root.
    let around = format!("/w-{}", random_name::<8>());
    let at = format!("{around}/volume");
    let (container, guard) = holder(docker, volume, &at, spec.image()).await?;
    let given = async {
        let archive = archive(spec.user())?;
        docker.client().archive_put(&container, &around, Cursor::new(archive)).await?;
        let mut packed = docker.client().archive_get(&container, &at).await?;
        let mut head = Vec::new();
        while head.len() < BLOCK
            && let Some(more) = packed.next().await?
        {
            head.extend_from_slice(&more);
        }
        if is_given(&head, spec.user()) {
            Ok(())
        } else {
            Err(EngineError::Protocol("a new volume's root could not be given to the user".to_owned()).into())
        }
    };
    let given = given.await;
    guard.remove().await;
    given
}

/// Bytes of an entry's head.
const BLOCK: usize = 512;

fn archive(user: User) -> Result<Vec<u8>, SpawnError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(MODE);
    header.set_uid(user.uid.into());
    header.set_gid(user.gid.into());
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "volume/", &[][..]).and_then(|()| builder.into_inner()).map_err(odd)
}

fn is_given(packed: &[u8], user: User) -> bool {
    let Some(head) = packed.first_chunk::<BLOCK>() else { return false };
    let header = tar::Header::from_byte_slice(head);
    header.entry_type().is_dir()
        && header.mode().is_ok_and(|mode| mode & 0o7777 == MODE)
        && header.uid().is_ok_and(|uid| uid == u64::from(user.uid))
        && header.gid().is_ok_and(|gid| gid == u64::from(user.gid))
}

fn odd(error: impl std::fmt::Display) -> SpawnError {
    EngineError::Protocol(error.to_string()).into()
}
