//! The engine's runtime: `runc`, whatever the engine would take by itself; and one that was named, which shows
//! in the rows that it declares and in no other.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::home;
use crate::support::private_dockerd::PrivateDockerd;
use wire_core::spawn::{Relaxation, SpawnSpec};

/// A runtime that leaves out the filter of system calls, and lets programs gain rights.
const LOOSE: &str = r#"#!/usr/bin/env python3
import json, os, sys
if "--bundle" in sys.argv and "create" in sys.argv:
    path = os.path.join(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
    config = json.load(open(path))
    config["linux"].pop("seccomp", None)
    config["process"]["noNewPrivileges"] = False
    json.dump(config, open(path, "w"))
os.execvp("runc", ["runc"] + sys.argv[1:])
"#;

/// An engine whose own choice is the loose one.
fn config(folder: &Path) -> String {
    let program = folder.join("loose");
    std::fs::write(&program, LOOSE).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let runtimes = serde_json::json!({ "loose": { "path": program } });
    serde_json::json!({ "runtimes": runtimes, "default-runtime": "loose" }).to_string()
}

#[tokio::test]
async fn it_is_runc_unless_another_is_named_and_then_that_shows() {
    if Command::new("python3").arg("--version").output().is_err() {
        return println!("SKIPPED: there is no python3");
    }
    let Some(engine) = PrivateDockerd::with(false, config).await else { return };
    let image = home::busybox_on(&engine.client().await).await;
    let folder = tempfile::tempdir().unwrap();
    let docker = home::on(engine.config(), folder.path()).await;
    assert_eq!(docker.facts().default_runtime, "loose");

    let sandbox = docker.spawn(SpawnSpec::new(&image)).await.unwrap();
    let attestation = sandbox.attestation().unwrap();
    assert!(attestation.holds() && attestation.relaxed().is_empty(), "{attestation}");
    assert_eq!(sandbox.report().unwrap().runtime.as_deref(), Some("runc"));
    sandbox.remove().await.unwrap();

    let sandbox = docker.spawn(SpawnSpec::new(&image).runtime("loose")).await.unwrap();
    let attestation = sandbox.attestation().unwrap();
    let loosened = Relaxation::Runtime { name: "loose".to_owned() };
    let declared: BTreeSet<_> = loosened.flips().iter().copied().collect();
    assert!(attestation.holds(), "{attestation}");
    assert_eq!(attestation.relaxed(), declared, "{attestation}");
    assert_eq!(sandbox.report().unwrap().relaxed, [loosened]);
    sandbox.remove().await.unwrap();
}
