//! An installation of its own for a test, on the machine's engine.

use std::path::Path;

use tempfile::TempDir;
use wire_core::spawn::ImageName;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Docker, DockerConfig, EngineConfig};

use super::{images, shim};

/// The engine, under an owner that nobody else is.
pub async fn docker() -> (Docker, TempDir) {
    let home = tempfile::tempdir().unwrap();
    (open(&home).await, home)
}

/// Another process of that installation, as far as the engine can tell.
pub async fn open(home: &TempDir) -> Docker {
    on(EngineConfig::from_env().unwrap(), home.path()).await
}

/// The installation that this folder is, on that engine.
pub async fn on(engine: EngineConfig, home: &Path) -> Docker {
    let program = std::fs::read(shim::program()).unwrap();
    let config = DockerConfig::new(engine, home.join("host")).shim(program);
    Docker::connect(config).await.unwrap()
}

/// BusyBox on an engine that is a test's own.
pub async fn busybox_on(client: &Client) -> String {
    let (tag, archive) = images::busybox_packed();
    let name = ImageName::parse(&tag).unwrap();
    client.image_import(std::io::Cursor::new(archive), Some(&name), &[]).await.unwrap();
    tag
}
