//! A spec, all the way: validated against this machine, made by the product's own requests, configured by
//! its own message to the shim, and judged by what it expects of that spec.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use wire_core::spawn::docker_request::{Parts, create_body};
use wire_core::spawn::{
    Against, Attestation, EngineFacts, Expected, HostView, ImageConfig, InstanceId, OwnerSecret, Place,
    SpawnSpec, SpecError, ValidSpec, fake, hardening, seccomp, shim_request,
};
use wire_core::time::Timestamp;
use wire_shim::evidence::Evidence;
use wire_shim::protocol::{FromShim, ToShim, VERSION};

use super::hardened::{Attached, Container, Nonce, arch, call, docker, host_namespaces};
use super::shim;

/// A container of the spec, before anything has run in it.
pub struct Spawned {
    pub spec: ValidSpec,
    pub evidence: Evidence,
    pub attestation: Attestation,
    pub attached: Attached,
    pub container: Container,
}

pub fn validate(spec: SpawnSpec, host: &HostView) -> Result<ValidSpec, Vec<SpecError>> {
    let image = image(spec.image());
    spec.validate(&Against {
        facts: &facts(),
        host,
        image: &image,
        owner: secret().owner(),
        now: Timestamp::from_millis(1_767_225_600_000),
        fresh: Nonce::new().bytes,
    })
}

/// As the engine makes it, and as it is inside.
pub fn spawn(spec: SpawnSpec, host: &HostView) -> Spawned {
    let spec = validate(spec, host).unwrap_or_else(|errors| panic!("{errors:?}"));
    let container = Container::create(&body(&spec));
    let mut attached = container.start_attached();
    attached.say(&ToShim::Hello { version: VERSION, token: None });
    assert!(matches!(attached.hear(), FromShim::Welcome { configured: false, .. }));
    let nonce = Nonce::new();
    let setup = shim_request::setup(&spec, &secret(), Some(nonce.bytes));
    attached.say(&ToShim::Configure(Box::new(setup)));
    let FromShim::Configured { evidence: bytes } = attached.hear() else { panic!("no evidence") };
    let evidence = Evidence::decode(&bytes).unwrap();
    let attestation = Attestation::read(&bytes, &nonce.bytes, &expected(&spec)).unwrap();
    Spawned { spec, evidence, attestation, attached, container }
}

pub fn expected(spec: &ValidSpec) -> Expected {
    let mut expected = Expected::of(spec, &facts());
    expected.host_namespaces = host_namespaces();
    expected
}

/// The engine's request for it.
pub fn body(spec: &ValidSpec) -> Value {
    let hosts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts");
    std::fs::write(&hosts, hardening::HOSTS).unwrap();
    let place = Place::new(1, "test");
    let labels = spec.container_labels(&secret(), InstanceId::from_bytes([9; 16]), place);
    let labels: BTreeMap<_, _> = labels.sign(&secret(), spec.name().as_str());
    let profile = seccomp::profile(arch()).to_string();
    let volume = shim_volume();
    let parts =
        Parts { labels: &labels, seccomp: &profile, shim_volume: Some(&volume), hosts: hosts.to_str() };
    create_body(spec, &parts).unwrap()
}

fn image(name: &str) -> ImageConfig {
    let (status, inspected) = call("GET", &format!("/images/{name}/json"), None);
    assert_eq!(status, 200, "{inspected}");
    ImageConfig::parse(&inspected).unwrap()
}

fn secret() -> OwnerSecret {
    OwnerSecret::from_bytes([0x5a; 32])
}

/// This engine's, as far as a spec is checked against them.
fn facts() -> EngineFacts {
    let (_, info) = call("GET", "/info", None);
    let mut facts = fake::engine_facts();
    facts.cgroup = if info["CgroupVersion"] == "2" { 2 } else { 1 };
    facts.cpus = u32::try_from(info["NCPU"].as_u64().unwrap()).unwrap();
    facts.memory = info["MemTotal"].as_u64().unwrap();
    facts.arch = arch().name().to_owned();
    facts
}

/// A volume that is the folder with the shim, under a name of its own for each checkout. Kept, like the
/// images: it holds nothing.
fn shim_volume() -> String {
    let folder = shim::folder().to_str().unwrap();
    let hash: String = folder.bytes().fold(0_u64, |h, b| h.wrapping_mul(31) ^ u64::from(b)).to_string();
    let name = format!("wire-test-shim-{hash}");
    let options = json!({ "type": "none", "o": "bind", "device": folder });
    let labels = json!({ "wire-test": "shim" });
    let (status, answer) = call(
        "POST",
        "/volumes/create",
        Some(&json!({ "Name": name, "Driver": "local", "DriverOpts": options, "Labels": labels })),
    );
    assert_eq!(status, 201, "{answer}");
    name
}

/// Whether the engine has a bridge for containers.
pub fn has_bridge() -> bool {
    docker(&["network", "inspect", "bridge"]).status.success()
}
