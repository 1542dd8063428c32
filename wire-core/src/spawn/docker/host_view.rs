//! Looks at what a spec names of this machine, so that its validation can be pure.

#![expect(clippy::disallowed_methods, reason = "the adapter that looks at files")]

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::endpoint::Endpoint;
use super::engine::Docker;
use crate::spawn::error::{EngineError, SpawnError};
use crate::spawn::host::{HostPath, HostView, PathKind};
use crate::spawn::ids::{SpawnName, VolumeName};
use crate::spawn::spec::SpawnSpec;

/// Where engines keep what no container may get.
const ENGINES: &[&str] = &[
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/docker",
    "/run/containerd",
    "/run/podman",
    "/run/crio",
];

/// The paths, volumes and networks that the spec names.
pub(super) async fn of(docker: &Docker, spec: &SpawnSpec) -> Result<HostView, SpawnError> {
    let (shim, elsewhere) = (docker.config().shim.is_some(), !docker.config().sees_our_files());
    let mut view = HostView { shim, elsewhere, ..HostView::default() };
    let sources: Vec<String> = spec.bind_sources().map(str::to_owned).collect();
    if !sources.is_empty() && !elsewhere {
        let (roots, never) = (docker.config().bind_roots.clone(), forbidden(docker));
        let looked = tokio::task::spawn_blocking(move || {
            let paths = sources.into_iter().filter_map(|asked| Some((look(Path::new(&asked))?, asked)));
            // One that is not there holds nothing.
            let real = |roots: Vec<PathBuf>| roots.iter().flat_map(std::fs::canonicalize).collect::<Vec<_>>();
            let both = |path: &PathBuf| [Some(path.clone()), std::fs::canonicalize(path).ok()];
            let paths = paths.map(|(path, asked)| (asked, path)).collect::<BTreeMap<_, _>>();
            (paths, roots.map(real), never.iter().flat_map(both).flatten().collect())
        });
        let looked = looked.await.map_err(|error| EngineError::Protocol(error.to_string()))?;
        (view.paths, view.roots, view.forbidden) = looked;
    }
    for asked in spec.volume_names() {
        if let Ok(name) = VolumeName::parse(asked) {
            match docker.client().volume_inspect(&name).await {
                Ok(volume) if volume.is_bind() => drop(view.bound_volumes.insert(asked.to_owned())),
                Ok(_) | Err(EngineError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if let Some(asked) = spec.network_name()
        && let Ok(name) = SpawnName::parse(asked)
    {
        match docker.client().network_driver(&name).await {
            Ok(driver) => drop(view.networks.insert(asked.to_owned(), driver)),
            Err(EngineError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(view)
}

/// What is at a path, after all symbolic links. `None` if nothing is, or it cannot be seen.
fn look(path: &Path) -> Option<HostPath> {
    let real = std::fs::canonicalize(path).ok()?;
    let kind = std::fs::symlink_metadata(&real).ok()?.file_type();
    let kind = if kind.is_dir() {
        PathKind::Directory
    } else if kind.is_file() {
        PathKind::File
    } else if kind.is_socket() {
        PathKind::Socket
    } else {
        PathKind::Other
    };
    Some(HostPath { real, kind })
}

/// What engines keep by custom, what this one says that it keeps, and what is ours.
fn forbidden(docker: &Docker) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = ENGINES.iter().map(PathBuf::from).collect();
    paths.extend([docker.facts().root.clone(), docker.config().folder.clone()]);
    if let Endpoint::Unix(socket) = &docker.config().engine.endpoint {
        paths.push(socket.clone());
    }
    // Every path begins with an empty one.
    paths.retain(|path| !path.as_os_str().is_empty());
    paths
}
