//! An engine in another mount namespace, or on another machine, does not see our files: containers are made
//! without the one that we would mount, and are as hardened as ever.

use std::path::PathBuf;
use std::process::Command as Os;

use crate::support::home;
use crate::support::private_dockerd::PrivateDockerd;
use wire_core::spawn::{Command, Outcome, SpawnSpec};

/// A file system of memory that was mounted after the engine went to its own namespace.
struct Hidden(PathBuf);

impl Hidden {
    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap().keep();
        let done = Os::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&folder).output().unwrap();
        let this = Self(folder);
        if done.status.success() { Ok(this) } else { Err("nothing can be mounted here".to_owned()) }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = Os::new("umount").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn a_container_works_without_them() {
    let Some(engine) = PrivateDockerd::start(false).await else { return };
    let hidden = match Hidden::mount() {
        Ok(hidden) => hidden,
        Err(why) => return println!("SKIPPED: {why}"),
    };
    let client = engine.client().await;
    let image = home::busybox_on(&client).await;
    let docker = home::on(engine.config(), &hidden.0).await;
    assert!(hidden.0.join("host/hosts").exists(), "there is one that it could have mounted");
    let sandbox = docker.spawn(SpawnSpec::new(&image)).await.unwrap();
    assert!(sandbox.attestation().unwrap().holds());
    let mounts = client.inspect(sandbox.id()).await.unwrap().mounts;
    assert!(!mounts.to_string().contains("/etc/hosts"), "{mounts}");
    let ran = sandbox.run(Command::new(["ls", "/sys/class/net"])).await.unwrap();
    assert_eq!((ran.outcome, ran.stdout.text()), (Outcome::Exited(0), "lo\n".to_owned()));
    sandbox.remove().await.unwrap();
}
