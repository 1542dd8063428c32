//! A spec's relaxations flip exactly the rows that they declare, on the real engine and seen from inside.
//! Everything else of every spec holds, whatever the image says.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::hardened::{Container, Nonce, call, read};
use crate::support::product::{body, expected, has_bridge, spawn, validate};
use crate::support::{images, shim};
use wire_core::spawn::{
    Attestation, Control, HostPath, HostView, Lifetime, Limits, Mount, Network, PathKind, Relaxation,
    Resource, ShimMode, SpawnSpec, fake, readback,
};

fn spec() -> SpawnSpec {
    SpawnSpec::new(images::busybox()).cmd(["/bin/sleep", "1000"])
}

/// Every relaxation that an attestor can be asked about, with what else its spec says.
fn loosened(folder: &str) -> Vec<SpawnSpec> {
    let mut specs = vec![
        spec().relax(Relaxation::WritableRoot),
        spec().relax(Relaxation::ExecTmp),
        spec().relax(Relaxation::Shm { size: 32 << 20 }),
        spec().relax(Relaxation::Shm { size: 8 << 20 }).relax(Relaxation::ExecTmp),
        spec().mount(Mount::bind(folder, "/srv")),
        spec().mount(Mount::bind(folder, "/srv").read_only()),
        spec().mount(Mount::volume(format!("test-{}", std::process::id()), "/srv")),
        spec().mount(Mount::tmpfs("/opt", 1 << 20).executable()),
    ];
    if has_bridge() {
        specs.push(spec().network(Network::Named("bridge".into())));
    } else {
        println!("SKIPPED: a named network, because this engine has no bridge");
    }
    specs
}

fn host(folder: &str) -> HostView {
    let mut host = fake::host();
    host.paths.insert(folder.into(), HostPath { real: folder.into(), kind: PathKind::Directory });
    host.networks.insert("bridge".into(), "bridge".into());
    host
}

#[test]
fn exactly_their_rows() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = folder.path().to_str().unwrap();
    let _volume = Volume;
    for asked in loosened(folder) {
        let made = spawn(asked, &host(folder));
        let declared: BTreeSet<Control> =
            made.spec.relaxed().iter().flat_map(Relaxation::flips).copied().collect();
        assert!(!declared.is_empty());
        assert!(made.attestation.holds(), "{:?}\n{}", made.spec.relaxed(), made.attestation);
        assert_eq!(made.attestation.relaxed(), declared, "{}", made.attestation);

        let mut strict = expected(&made.spec);
        strict.relaxed.clear();
        let strict = Attestation::judge(&made.evidence, &strict);
        let broken: BTreeSet<_> = strict.broken().map(|row| row.control).collect();
        assert_eq!(broken, declared, "{strict}");
    }
}

/// Nobody attests there, so the attestor is brought along, as a folder of the host. The first process is the
/// engine's.
#[test]
fn without_the_shim_its_own_row() {
    let folder = shim::folder().to_str().unwrap();
    let lifetime = Lifetime::For(Duration::from_secs(300));
    let brought = Mount::bind(folder, "/opt").read_only();
    let asked = spec().shim(ShimMode::Off).lifetime(lifetime).mount(brought);
    let spec = validate(asked, &host(folder)).unwrap();
    let declared: BTreeSet<Control> = spec.relaxed().iter().flat_map(Relaxation::flips).copied().collect();
    assert_eq!(declared, BTreeSet::from([Control::Init, Control::Mounts]));
    let (container, nonce) = (Container::start(&body(&spec)), Nonce::new());
    let output = container.exec("65532:65532", &["/opt/shim", "attest", &nonce.hex]);
    let (evidence, attestation) = read(&output, &nonce, &expected(&spec));
    assert!(attestation.holds(), "{attestation}");
    assert_eq!(attestation.relaxed(), declared, "{attestation}");
    let mut strict = expected(&spec);
    strict.relaxed = BTreeSet::new();
    let strict = Attestation::judge(&evidence, &strict);
    assert_eq!(strict.broken().map(|row| row.control).collect::<BTreeSet<_>>(), declared, "{strict}");
}

/// Removes the volume of this process at the end, whatever came.
struct Volume;

impl Drop for Volume {
    fn drop(&mut self) {
        call("DELETE", &format!("/volumes/test-{}", std::process::id()), None);
    }
}

#[test]
fn what_is_no_relaxation_flips_nothing() {
    let limits = Limits::default().memory(64 << 20).cpus(0.5).pids(20);
    let specs = [
        spec(),
        spec().limits(limits).user(12345, 54321),
        spec().mount(Mount::tmpfs("/opt", 1 << 20)),
        spec().env("LANG", "C.UTF-8").workdir("/tmp").secret("token", *b"not to be seen"),
        // What this engine limits is limited, whether or not it has to be.
        spec().relax(Relaxation::Unlimited(Resource::Pids)).relax(Relaxation::Unlimited(Resource::Memory)),
        SpawnSpec::new(images::scratch()),
    ];
    for asked in specs {
        let made = spawn(asked, &fake::host());
        assert!(made.attestation.holds(), "{}", made.attestation);
        assert_eq!(made.attestation.relaxed(), BTreeSet::new(), "{}", made.attestation);
        assert!(!made.evidence.encode().windows(14).any(|w| w == b"not to be seen"));
        // The engine's own description agrees.
        let mismatches = readback::compare(&body(&made.spec), &made.container.inspect());
        assert_eq!(mismatches, []);
    }
}

#[test]
fn a_hostile_image_is_refused_or_changes_nothing() {
    let lines: Vec<_> = images::HOSTILE.iter().copied().filter(|l| !l.starts_with("LABEL")).collect();
    let hostile = || SpawnSpec::new(images::hostile(&lines)).cmd(["/bin/sleep", "1000"]);
    assert!(validate(hostile(), &fake::host()).is_err(), "its volume is on the host's disk");
    let covered = hostile().mount(Mount::tmpfs("/data", 1 << 20));
    let made = spawn(covered, &fake::host());
    assert!(made.attestation.holds(), "{}", made.attestation);
    assert_eq!(made.attestation.relaxed(), BTreeSet::new(), "{}", made.attestation);
}

/// The attestor's rows for a container that is not ours to start.
#[test]
fn privileged_would_be_seen() {
    let spec = validate(spec(), &fake::host()).unwrap();
    let mut body = body(&spec);
    body["HostConfig"]["Privileged"] = true.into();
    // With version 1 of control groups the engine does not take both.
    body["HostConfig"]["CgroupnsMode"] = "host".into();
    let container = Container::start(&body);
    let mismatches = readback::compare(&self::body(&spec), &container.inspect());
    assert!(mismatches.iter().any(|m| m.field == "HostConfig.Privileged"), "{mismatches:?}");
    let (_, attestation) = container.attest("65532:65532", &expected(&spec));
    let broken: BTreeSet<_> = attestation.broken().map(|row| row.control).collect();
    for control in [Control::Seccomp, Control::Syscalls, Control::Devices, Control::Proc] {
        assert!(broken.contains(&control), "{control}\n{attestation}");
    }
}
