//! Whether an image gives its user another group.

use super::engine::Docker;
use crate::spawn::accounts;
use crate::spawn::error::{EngineError, SpawnError};
use crate::spawn::ids::ContainerId;
use crate::spawn::valid::ValidSpec;

/// Bytes of an image's `/etc/group`.
const MAX_GROUPS: usize = 1 << 20;

/// A group of the image that is named like the user's number would be added to the user. The shim's
/// evidence shows that; without the shim it has to be looked up before the start.
pub(super) async fn refuse(docker: &Docker, spec: &ValidSpec, id: &ContainerId) -> Result<(), SpawnError> {
    let mut archive = match docker.client().archive_get(id, "/etc/group").await {
        Err(EngineError::NotFound(_)) => return Ok(()),
        archive => archive?,
    };
    let mut packed = Vec::new();
    while let Some(bytes) = archive.next().await? {
        packed.extend_from_slice(&bytes);
        if packed.len() > MAX_GROUPS {
            return Err(SpawnError::Unenforceable(vec![
                "the groups of an image with a huge /etc/group".into(),
            ]));
        }
    }
    match file_of(&packed) {
        Some(groups) if !accounts::adds_a_group(&groups, spec.user()) => Ok(()),
        _ => Err(SpawnError::Unenforceable(vec!["the user's groups: the image may add one".into()])),
    }
}

/// The one regular file of an archive.
fn file_of(packed: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(packed);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut bytes = Vec::new();
    let is_file = entry.header().entry_type().is_file();
    (is_file && std::io::Read::read_to_end(&mut entry, &mut bytes).is_ok()).then_some(bytes)
}
