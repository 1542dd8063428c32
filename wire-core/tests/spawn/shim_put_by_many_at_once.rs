//! Many installations, and processes of one, bring a shim to an engine that does not have it yet, all at once.

use crate::support::{hardened, images, shim};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wire_core::spawn::docker::{Docker, DockerConfig, EngineConfig};
use wire_core::spawn::{Outcome, SpawnSpec};

#[tokio::test]
async fn each_finds_it_whole() {
    // What is behind the program's end is not loaded: another binary, and the same program.
    #[expect(clippy::disallowed_methods, reason = "a test reads what it was given")]
    let mut program = std::fs::read(shim::program()).unwrap();
    let mut fresh = [0; 16];
    getrandom::fill(&mut fresh).unwrap();
    program.extend_from_slice(&fresh);
    let image = images::busybox();
    let homes: Vec<TempDir> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut spawning = tokio::task::JoinSet::new();
    for home in homes.iter().chain(&homes) {
        let config = DockerConfig::new(EngineConfig::from_env().unwrap(), home.path().join("host"));
        let (config, image) = (config.shim(program.clone()), image.clone());
        spawning.spawn(async move {
            let docker = Docker::connect(config).await.map_err(|error| error.to_string())?;
            let spawned = docker.spawn(SpawnSpec::new(image).cmd(["/bin/true"])).await;
            let sandbox = spawned.map_err(|error| error.to_string())?;
            let outcome = sandbox.main([0, 0]).await.unwrap().output().await.outcome;
            sandbox.remove().await.unwrap();
            Ok::<_, String>(outcome)
        });
    }
    let outcomes = spawning.join_all().await;
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&program));
    hardened::docker(&["volume", "rm", &format!("wire-shim-{}", &hash[..32])]);
    assert_eq!(outcomes, vec![Ok(Outcome::Exited(0)); 8]);
}
