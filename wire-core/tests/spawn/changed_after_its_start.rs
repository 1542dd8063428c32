//! A container whose settings somebody changes at the engine after its start: the attestation goes by the spec,
//! whichever process asks.

use std::collections::BTreeSet;

use crate::support::ground::Ground;
use crate::support::hardened::{docker, host_namespaces};
use crate::support::{home, images};
use wire_core::spawn::{Attestation, Control, Mount, Relaxation, Resource, SpawnSpec};

fn update(id: &str, settings: &[&str]) {
    let done = docker(&[&["update"], settings, &[id]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn broken(attestation: &Attestation) -> BTreeSet<Control> {
    attestation.broken().map(|row| row.control).collect()
}

#[tokio::test]
async fn another_process_sees_that_the_limits_are_not_the_specs() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let other = home::open(&ground.home).await;
    let found = other.get(sandbox.name().as_str()).await.unwrap().unwrap();
    let attestation = found.attest().await.unwrap();
    assert!(attestation.holds() && attestation.relaxed().is_empty(), "{attestation}");

    let settings = ["--memory", "600m", "--memory-swap", "700m", "--pids-limit", "300", "--cpus", "1.5"];
    update(sandbox.id().as_str(), &settings);
    let changed = BTreeSet::from([Control::Memory, Control::Swap, Control::Pids, Control::Cpu]);
    let found = other.get(sandbox.name().as_str()).await.unwrap().unwrap();
    for (who, held) in [("the one that made it", &sandbox), ("the other", &found)] {
        let attestation = held.attest().await.unwrap();
        assert_eq!(broken(&attestation), changed, "{who}\n{attestation}");
    }
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn what_may_be_unlimited_may_be_so_and_is_listed() {
    let ground = Ground::new().await;
    let unlimited = Relaxation::Unlimited(Resource::Pids);
    let spec = SpawnSpec::new(images::busybox()).relax(unlimited).relax(Relaxation::ExecTmp);
    let sandbox = ground.spawn(spec.mount(Mount::tmpfs("/opt", 1 << 20))).await;
    update(sandbox.id().as_str(), &["--pids-limit", "-1"]);

    let other = home::open(&ground.home).await;
    let found = other.get(sandbox.name().as_str()).await.unwrap().unwrap();
    let attestation = found.attest().await.unwrap();
    assert!(attestation.holds(), "{attestation}");
    let loosened = BTreeSet::from([Control::Pids, Control::Tmp]);
    assert_eq!(attestation.relaxed(), loosened, "{attestation}");
    let listed = other.list().await.unwrap();
    assert_eq!(listed.iter().map(|status| status.relaxed.clone()).collect::<Vec<_>>(), [loosened]);

    update(sandbox.id().as_str(), &["--cpus", "1.5"]);
    let attestation = found.attest().await.unwrap();
    assert_eq!(broken(&attestation), BTreeSet::from([Control::Cpu]), "{attestation}");
    sandbox.remove().await.unwrap();
}

/// No container of ours is in a namespace that this process is in, and this process is where the engine is.
#[tokio::test]
async fn the_namespaces_of_this_machine_are_known() {
    let ground = Ground::new().await;
    let known = ground.docker.facts().host_namespaces.clone();
    if known.is_empty() {
        return println!("SKIPPED: who answers at the engine's socket is not on this machine");
    }
    assert_eq!(known, host_namespaces());
}
