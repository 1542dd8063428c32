//! The shim's binary, in a volume of the engine that containers mount read-only.
//!
//! 1. The volume is named after the binary's hash. It is made once for each engine.
//! 2. A container that is never started takes the binary in, and gives it back to be compared: that a
//!    volume of the name exists says nothing of what is in it.
//! 3. What was compared is noted in our own folder, with a number that only that volume has in its labels.
//!
//! Its owner may read the file, others may only execute it: so a process that runs it cannot be traced,
//! nor its memory read, by programs of the same user, from its first instruction on.

#![expect(clippy::disallowed_methods, reason = "an adapter: it waits for who fills the same volume")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::client::Client;
use super::engine::Docker;
use super::leftover::Guard;
use crate::entropy::random_name;
use crate::spawn::error::{EngineError, SpawnError};
use crate::spawn::ids::{ContainerId, ImageId, SpawnName, VolumeName};
use crate::spawn::labels::{Kind, Labels, TiedUntil};

const FILE: &str = "shim";
const MODE: u32 = 0o711;
const NONCE: &str = "wire.nonce";
/// How often the volume is looked at, the pause in between, and after how many looks it is filled again.
const ROUNDS: u32 = 32;
const PAUSE: Duration = Duration::from_millis(100);
const PUT_EVERY: u32 = 8;

/// The volume with these bytes in it, on this engine. `image` is any image that is there.
pub(super) async fn ensure(docker: &Docker, shim: &[u8], image: &ImageId) -> Result<VolumeName, SpawnError> {
    let (client, installation) = (docker.client(), docker.installation());
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(shim));
    let text = format!("wire-shim-{}", hash.get(..32).unwrap_or(&hash));
    let name = VolumeName::parse(&text).map_err(|error| EngineError::Protocol(error.to_string()))?;
    if is_noted(docker, &name).await? {
        return Ok(name);
    }
    // Others of this installation wait for the one that fills it.
    let turn = SpawnName::parse(&text).map_err(|error| EngineError::Protocol(error.to_string()))?;
    let _turn = installation.turn(&turn).await?;
    if is_noted(docker, &name).await? {
        return Ok(name);
    }
    let nonce = random_name::<8>();
    let volume = client.volume_create(&name, &labels(&nonce), &BTreeMap::new()).await?;
    let nonce = volume.labels.get(NONCE).cloned().unwrap_or_default();
    seed(docker, &name, shim, image).await?;
    installation.take_note(&text, &nonce);
    Ok(name)
}

/// Whether this very volume was compared before.
async fn is_noted(docker: &Docker, name: &VolumeName) -> Result<bool, SpawnError> {
    let Some(noted) = docker.installation().note(name.as_str()) else { return Ok(false) };
    match docker.client().volume_inspect(name).await {
        Ok(volume) => Ok(volume.labels.get(NONCE) == Some(&noted)),
        Err(EngineError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn labels(nonce: &str) -> BTreeMap<String, String> {
    [("wire.kind", "shim"), (NONCE, nonce)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

/// Puts the binary into the volume, unless it is there already.
async fn seed(docker: &Docker, volume: &VolumeName, shim: &[u8], image: &ImageId) -> Result<(), SpawnError> {
    let (container, guard) = holder(docker, volume, wire_shim::MOUNT, image).await?;
    let seeded = fill(docker.client(), &container, shim).await;
    guard.remove().await;
    seeded
}

/// A container that has the volume there, and is never started.
pub(super) async fn holder(
    docker: &Docker,
    volume: &VolumeName,
    target: &str,
    image: &ImageId,
) -> Result<(ContainerId, Guard), SpawnError> {
    let text = format!("w-seed-{}", random_name::<8>());
    let name = SpawnName::parse(&text).map_err(|error| EngineError::Protocol(error.to_string()))?;
    let mut labels = Labels::new(Kind::Seed, text);
    labels.tied = Some(docker.installation().tied(TiedUntil::End));
    let labels = labels.sign(docker.installation().secret(), name.as_str());
    let body = json!({
        "Image": image.as_str(),
        "Entrypoint": ["/never-started"],
        "NetworkDisabled": true,
        "Labels": labels,
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [{ "Type": "volume", "Source": volume.as_str(), "Target": target,
                         "VolumeOptions": { "NoCopy": true } }],
        },
    });
    let mut guard = Guard::new(docker, &name, None);
    let container = docker.client().create(&name, &body).await?.id;
    guard.made(&container);
    Ok((container, guard))
}

/// Another installation may put the same bytes there at this moment: what is not whole yet is looked at again
/// before it is put there again.
async fn fill(client: &Client, container: &ContainerId, shim: &[u8]) -> Result<(), SpawnError> {
    for round in 0..ROUNDS {
        if holds(client, container, shim).await? {
            return Ok(());
        }
        if round % PUT_EVERY == 0 {
            client.archive_put(container, wire_shim::MOUNT, Cursor::new(archive(shim)?)).await?;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(EngineError::Protocol("the shim's volume does not hold what was put into it".to_owned()).into())
}

/// Whether the file is there, whole and with the right mode.
async fn holds(client: &Client, container: &ContainerId, shim: &[u8]) -> Result<bool, SpawnError> {
    let mut packed = match client.archive_get(container, wire_shim::PATH).await {
        Err(EngineError::NotFound(_)) => return Ok(false),
        packed => packed?,
    };
    // An archive of one file: a head of 512 bytes, the file, padding. Anything longer is not it.
    let limit = shim.len() + (64 << 10);
    let mut bytes = Vec::new();
    while let Some(more) = packed.next().await? {
        if bytes.len() + more.len() > limit {
            return Ok(false);
        }
        bytes.extend_from_slice(&more);
    }
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    let Some(Ok(mut entry)) = archive.entries().ok().and_then(|mut entries| entries.next()) else {
        return Ok(false);
    };
    let right = entry.header().entry_type().is_file()
        && entry.header().mode().is_ok_and(|mode| mode & 0o7777 == MODE)
        && entry.header().uid().is_ok_and(|uid| uid == 0);
    let mut held = Vec::new();
    Ok(right && std::io::Read::read_to_end(&mut entry, &mut held).is_ok() && held == shim)
}

fn archive(shim: &[u8]) -> Result<Vec<u8>, SpawnError> {
    let mut header = tar::Header::new_gnu();
    header.set_size(shim.len() as u64);
    header.set_mode(MODE);
    header.set_uid(0);
    header.set_gid(0);
    let mut builder = tar::Builder::new(Vec::with_capacity(shim.len() + 2048));
    builder.append_data(&mut header, FILE, shim).and_then(|()| builder.into_inner()).map_err(|error| {
        EngineError::Protocol(format!("the shim does not fit into an archive: {error}")).into()
    })
}
