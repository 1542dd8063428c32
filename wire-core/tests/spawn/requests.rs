//! The bodies that go to the engine, as text: whoever changes one sees every byte of it.

use std::time::Duration;

use serde_json::{Value, json};
use wire_core::spawn::docker_request::{Parts, create_body, exec_body};
use wire_core::spawn::{
    Against, Command, HostPath, HostView, InstanceId, Lifetime, Limits, Mount, Network, OwnerSecret,
    PathKind, Place, Relaxation, ShimMode, SpawnSpec, Stdin, TtySize, User, ValidSpec, fake,
};
use wire_core::time::Timestamp;

/// A profile in place of the real one, which has a test of its own.
const PROFILE: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#;
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn secret() -> OwnerSecret {
    OwnerSecret::from_bytes([7; 32])
}

fn host() -> HostView {
    let path = |real: &str| HostPath { real: real.into(), kind: PathKind::Directory };
    let mut host = fake::host();
    host.paths.insert("/home/me/link".into(), path("/srv/project"));
    host.networks.insert("builders".into(), "bridge".into());
    host
}

fn valid_of(spec: SpawnSpec, image: Value) -> ValidSpec {
    spec.validate(&Against {
        facts: &fake::engine_facts(),
        host: &host(),
        image: &fake::image_with(&image),
        owner: secret().owner(),
        now: NOW,
        fresh: [2; 16],
    })
    .expect("a spec with which nothing is wrong")
}

fn valid(spec: SpawnSpec) -> ValidSpec {
    valid_of(spec, json!({ "Env": ["PATH=/usr/bin:/bin"] }))
}

fn body(spec: &ValidSpec, hosts: Option<&str>) -> Value {
    let place = Place::new(4_026_531_836, "laptop");
    let labels = spec.container_labels(&secret(), InstanceId::from_bytes([9; 16]), place);
    let labels = labels.sign(&secret(), spec.name().as_str());
    let shim_volume = spec.shim().then_some("wire-shim-0123456789ab");
    create_body(spec, &Parts { labels: &labels, seccomp: PROFILE, shim_volume, hosts })
        .expect("a shim volume")
}

/// The new text is in the failure: what it should be is decided by whoever reads it.
#[track_caller]
fn golden(name: &str, wanted: &str, body: &Value) {
    let text = format!("{body:#}\n");
    assert!(text == wanted, "tests/golden/spawn/{name}.json is different. It would be:\n{text}");
}

macro_rules! golden {
    ($name:literal, $body:expr) => {
        golden($name, include_str!(concat!("../golden/spawn/", $name, ".json")), &$body)
    };
}

#[test]
fn a_tied_container_that_waits_for_execs() {
    golden!("waiting", body(&valid(SpawnSpec::new("debian:12").name("agent")), Some("/var/lib/wire/hosts")));
}

#[test]
fn a_command_without_the_shim() {
    let spec = SpawnSpec::new("debian:12")
        .key("job 7".replace(' ', "-"))
        .cmd(["/usr/bin/make", "test"])
        .workdir("/work")
        .env("LANG", "C.UTF-8")
        .label("team", "a")
        .stdin(Stdin::Bytes(b"in".to_vec()))
        .shim(ShimMode::Off)
        .lifetime(Lifetime::For(Duration::from_secs(600)));
    golden!("without_shim", body(&valid(spec), Some("/var/lib/wire/hosts")));
}

#[test]
fn everything_that_may_be_loosened() {
    let spec = SpawnSpec::new("debian:12")
        .name("loose")
        .cmd(["/bin/agent"])
        .user(1000, 100)
        .limits(Limits::default().memory(1 << 30).cpus(2.5).pids(64).nofile(4096).tmpfs(128 << 20))
        .mount(Mount::bind("/home/me/link", "/work"))
        .mount(Mount::volume("cache", "/cache").read_only())
        .mount(Mount::tmpfs("/scratch", 64 << 20).executable())
        .network(Network::Named("builders".into()))
        .relax(Relaxation::ExecTmp)
        .relax(Relaxation::WritableRoot)
        .relax(Relaxation::Shm { size: 32 << 20 })
        .runtime("runsc")
        .peer("wid:abc")
        .lifetime(Lifetime::Detached { max: Duration::from_secs(3600) });
    golden!("loosened", body(&valid(spec), Some("/var/lib/wire/hosts")));
}

#[test]
fn an_image_that_would_configure_its_container() {
    let image = json!({
        "User": "root",
        "Env": ["PATH=/evil", "LD_PRELOAD=/x.so", "NVIDIA_VISIBLE_DEVICES=all", "LC_ALL=C", "HOME=/root"],
        "Entrypoint": ["/evil"], "Cmd": ["--now"], "WorkingDir": "/proc/self/fd/8",
        "Volumes": { "/data": {}, "/tmp": {} },
        "Labels": { "wire.owner": "forged", "wire.mac": "", "org.name": "x" },
        "Healthcheck": { "Test": ["CMD", "/evil"] }, "StopSignal": "SIGKILL",
        "OnBuild": ["RUN evil"], "ExposedPorts": { "80/tcp": {} },
    });
    let spec = SpawnSpec::new("evil:1").name("guarded").mount(Mount::tmpfs("/data", 1 << 20));
    let spec = valid_of(spec, image);
    assert_eq!(spec.report().env_removed, ["LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES"]);
    golden!("hostile_image", body(&spec, None));
}

#[test]
fn an_exec_without_the_shim() {
    let command = Command::new(["/bin/sh", "-c", "exit 3"])
        .env("A", "1")
        .env("B", "2")
        .env("A", "3")
        .cwd("/work")
        .tty(TtySize { cols: 80, rows: 24 });
    golden!("exec", exec_body(User::default(), "/", &command));
}
