//! Whatever a caller says through the whole of the builder, on whatever image: it is refused, or the
//! engine's request is still locked down, and says no more than what the report says.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use wire_core::spawn::docker_request::{Parts, create_body};
use wire_core::spawn::{
    Against, HostPath, HostView, InstanceId, Lifetime, Limits, Mount, Network, OwnerSecret, PathKind, Place,
    Relaxation, Resource, ShimMode, SpawnSpec, Stdin, TtySize, ValidSpec, fake, readback,
};
use wire_core::time::Timestamp;

/// What other tools take, and we never pass on.
const EVIL: &[&str] = &[
    "host",
    "/",
    "/proc",
    "/dev",
    "/etc",
    "/run/docker.sock",
    "/run",
    "0",
    "root",
    "none",
    "container:x",
    "wire.owner",
    "wire-shim-x",
    "LD_PRELOAD",
    "WIRE_X",
    "",
    "a\0b",
    "../..",
    "--privileged",
    "ALL",
    "/tmp",
];

/// Mostly one of these, sometimes something evil or anything at all.
fn word(good: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        224 => select(good).prop_map(str::to_owned),
        2 => select(EVIL).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn mounts() -> impl Strategy<Value = Mount> {
    let source = word(&["/srv/project", "/home/me/x"]);
    let place = word(&["/work", "/data", "/opt/x", "/cache"]);
    let size = prop_oneof![8 => (1u64 << 16)..(8 << 20), 1 => any::<u64>()];
    (source, word(&["cache", "v1"]), place, size, 0..3u8, any::<bool>()).prop_map(
        |(source, volume, at, size, kind, flag)| {
            let mount = match kind {
                0 => Mount::bind(source, at),
                1 => Mount::volume(volume, at),
                _ => Mount::tmpfs(at, size),
            };
            if flag { mount.read_only().executable() } else { mount }
        },
    )
}

fn relaxations() -> impl Strategy<Value = Relaxation> {
    prop_oneof![
        Just(Relaxation::ExecTmp),
        Just(Relaxation::WritableRoot),
        prop_oneof![8 => (1u64 << 16)..(8 << 20), 1 => any::<u64>()]
            .prop_map(|size| Relaxation::Shm { size }),
        select(vec![Resource::Memory, Resource::Swap, Resource::Pids]).prop_map(Relaxation::Unlimited),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let memory = prop_oneof![24 => (128u64 << 20)..(8 << 30), 1 => any::<u64>()];
    let cpus = prop_oneof![24 => 0.01f64..4.0, 1 => any::<f64>()];
    let pids = prop_oneof![24 => 1u32..10_000, 1 => any::<u32>()];
    let nofile = prop_oneof![24 => 64u64..20_000, 1 => any::<u64>()];
    let tmpfs = option::of(prop_oneof![24 => (1u64 << 16)..(16 << 20), 1 => any::<u64>()]);
    (memory, cpus, pids, nofile, tmpfs).prop_map(|(memory, cpus, pids, nofile, tmpfs)| {
        let limits = Limits::default().memory(memory).cpus(cpus).pids(pids).nofile(nofile);
        tmpfs.map_or(limits, |bytes| limits.tmpfs(bytes))
    })
}

fn lifetimes() -> impl Strategy<Value = Lifetime> {
    let seconds = || (1u64..10_000).prop_map(Duration::from_secs);
    prop_oneof![
        Just(Lifetime::Tied),
        seconds().prop_map(Lifetime::For),
        seconds().prop_map(|max| Lifetime::Detached { max }),
    ]
}

fn specs() -> impl Strategy<Value = SpawnSpec> {
    let identity = (
        option::of(word(&["one", "two-3"])),
        option::of(word(&["k1", "k2"])),
        option::of(word(&["wid:abc"])),
        option::of(word(&["runsc", "runc"])),
    );
    let program = (
        option::weighted(0.9, vec(word(&["/bin/true", "-x"]), 1..3)),
        option::of(word(&["/work", "/"])),
        vec((word(&["LANG", "A", "B"]), word(&["C", "1"])), 0..3),
    );
    let who = prop_oneof![24 => (1u32..70_000, 1u32..70_000), 1 => (0u32..2, 0u32..2)];
    let room = (limits(), vec(mounts(), 0..3), option::of(word(&["builders"])), lifetimes());
    let labels = vec((word(&["team", "app"]), word(&["a", "b"])), 0..2);
    let rest = (vec(relaxations(), 0..3), any::<[bool; 5]>(), labels, word(&["TOKEN", "KEY"]));
    (identity, program, who, room, rest).prop_map(build)
}

type Identity = (Option<String>, Option<String>, Option<String>, Option<String>);
type Program = (Option<Vec<String>>, Option<String>, Vec<(String, String)>);
type Room = (Limits, Vec<Mount>, Option<String>, Lifetime);
type Rest = (Vec<Relaxation>, [bool; 5], Vec<(String, String)>, String);

fn build((identity, program, who, room, rest): (Identity, Program, (u32, u32), Room, Rest)) -> SpawnSpec {
    let (name, key, peer, runtime) = identity;
    let (argv, workdir, env) = program;
    let (limits, mounts, network, lifetime) = room;
    let (relaxed, [tty, stdin, off, stay, secret], labels, image_env) = rest;
    let mut spec = SpawnSpec::new("debian:12").user(who.0, who.1).limits(limits).lifetime(lifetime);
    spec = name.into_iter().fold(spec, SpawnSpec::name);
    spec = key.into_iter().fold(spec, SpawnSpec::key);
    spec = peer.into_iter().fold(spec, SpawnSpec::peer);
    spec = runtime.into_iter().fold(spec, SpawnSpec::runtime);
    spec = argv.into_iter().fold(spec, SpawnSpec::cmd);
    spec = workdir.into_iter().fold(spec, SpawnSpec::workdir);
    spec = env.into_iter().fold(spec, |spec, (name, value)| spec.env(name, value));
    spec = labels.into_iter().fold(spec, |spec, (name, value)| spec.label(name, value));
    spec = mounts.into_iter().fold(spec, SpawnSpec::mount);
    spec = relaxed.into_iter().fold(spec, SpawnSpec::relax);
    spec = network.map(Network::Named).into_iter().fold(spec, SpawnSpec::network);
    if tty {
        spec = spec.tty(TtySize { cols: 80, rows: 24 });
    }
    if stdin {
        spec = spec.stdin(Stdin::Piped);
    }
    if off {
        spec = spec.shim(ShimMode::Off);
    }
    if stay {
        spec = spec.stay();
    }
    if secret {
        spec = spec.secret(image_env.clone(), *b"hush").image_env(image_env);
    }
    spec
}

fn images() -> impl Strategy<Value = Value> {
    let list = || vec(word(&["/bin/sh", "-c"]), 0..3);
    let env = vec((select(vec!["PATH", "LD_PRELOAD", "LANG", "A"]), "[a-z]{0,4}"), 0..4);
    (
        env,
        list(),
        option::of(select(vec!["/data", "/tmp", "/tmp", "/x"])),
        select(vec!["a", "a", "wire.owner", "wire.x"]),
    )
        .prop_map(|(env, command, volume, label)| {
            let env: Vec<_> = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            let volumes = volume.map_or(json!({}), |at| json!({ at: {} }));
            json!({
                "Env": env, "Entrypoint": command, "Cmd": command, "User": "root", "WorkingDir": "/proc",
                "Volumes": volumes, "Labels": { label: "x" }, "StopSignal": "SIGKILL",
            })
        })
}

fn host() -> HostView {
    let mut host = fake::host();
    for source in ["/srv/project", "/home/me/x"].iter().chain(EVIL) {
        let path = HostPath { real: source.into(), kind: PathKind::Directory };
        host.paths.insert((*source).to_owned(), path);
    }
    host.networks = [("builders", "bridge"), ("host", "host"), ("a1", "null")]
        .map(|(name, driver)| (name.to_owned(), driver.to_owned()))
        .into();
    host
}

fn validate(spec: SpawnSpec, image: &Value) -> Option<ValidSpec> {
    let against = Against {
        facts: &fake::engine_facts(),
        host: &host(),
        image: &fake::image_with(image),
        owner: secret().owner(),
        now: Timestamp::from_millis(1_767_225_600_000),
        fresh: [2; 16],
    };
    spec.validate(&against).ok()
}

fn secret() -> OwnerSecret {
    OwnerSecret::from_bytes([7; 32])
}

fn body(spec: &ValidSpec) -> Value {
    let labels = spec.container_labels(&secret(), InstanceId::from_bytes([9; 16]), Place::new(1, "h"));
    let labels = labels.sign(&secret(), spec.name().as_str());
    let parts = Parts { labels: &labels, seccomp: "{}", shim_volume: Some("wire-shim-0"), hosts: Some("/h") };
    create_body(spec, &parts).expect("a shim volume")
}

/// Every key that may be in a request. A new one has to be thought about here.
const KEYS: &[&str] = &[
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "Entrypoint",
    "Env",
    "Healthcheck",
    "HostConfig",
    "Hostname",
    "Image",
    "Labels",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "StopSignal",
    "Tty",
    "User",
    "WorkingDir",
];
const HOST_KEYS: &[&str] = &[
    "AutoRemove",
    "CapDrop",
    "CgroupnsMode",
    "Init",
    "IpcMode",
    "LogConfig",
    "Memory",
    "MemorySwap",
    "Mounts",
    "NanoCpus",
    "NetworkMode",
    "PidsLimit",
    "Privileged",
    "ReadonlyRootfs",
    "RestartPolicy",
    "Runtime",
    "SecurityOpt",
    "ShmSize",
    "Tmpfs",
    "Ulimits",
];

fn is_locked_down(spec: &ValidSpec, body: &Value) -> Result<(), TestCaseError> {
    let host = &body["HostConfig"];
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    prop_assert!(keys(body).iter().all(|key| KEYS.contains(&key.as_str())));
    prop_assert!(keys(host).iter().all(|key| HOST_KEYS.contains(&key.as_str())));
    prop_assert_eq!(&host["Privileged"], &json!(false));
    prop_assert_eq!(&host["CapDrop"], &json!(["ALL"]));
    prop_assert_eq!(&host["SecurityOpt"], &json!(["no-new-privileges", "seccomp={}"]));
    prop_assert_eq!(&host["CgroupnsMode"], &json!("private"));
    prop_assert_eq!(&host["AutoRemove"], &json!(false));
    prop_assert_eq!(&host["RestartPolicy"], &json!({ "Name": "no" }));
    prop_assert_eq!(&host["Memory"], &host["MemorySwap"]);
    prop_assert!(host["Memory"].as_u64().is_some_and(|n| (6 << 20..=8 << 30).contains(&n)));
    prop_assert!(host["PidsLimit"].as_u64().is_some_and(|n| (1..=1 << 22).contains(&n)));
    prop_assert!(host["NanoCpus"].as_u64().is_some_and(|n| (10_000_000..=4_000_000_000).contains(&n)));
    prop_assert_eq!(&host["Ulimits"][0], &json!({ "Name": "core", "Soft": 0, "Hard": 0 }));
    let user = body["User"].as_str().expect("a user");
    let (uid, gid) = user.split_once(':').expect("both numbers");
    prop_assert!(uid.parse::<i32>().is_ok_and(|n| n > 0) && gid.parse::<i32>().is_ok_and(|n| n > 0));
    prop_assert_eq!(&body["Healthcheck"], &json!({ "Test": ["NONE"] }));
    prop_assert_eq!(&body["StopSignal"], &json!("SIGTERM"));
    is_what_the_report_says(spec, body)
}

/// Each relaxation is the only way to its part of the request.
fn is_what_the_report_says(spec: &ValidSpec, body: &Value) -> Result<(), TestCaseError> {
    let host = &body["HostConfig"];
    let report = spec.report();
    let has = |name: &str| report.relaxed.iter().any(|relaxation| relaxation.name() == name);
    prop_assert_eq!(host["ReadonlyRootfs"] == json!(false), has("writable_root"));
    prop_assert_eq!(host["IpcMode"] == json!("private"), has("shm"));
    prop_assert!(has("shm") || host["IpcMode"] == json!("none"));
    prop_assert_eq!(host["Runtime"] != json!("runc"), has("runtime"));
    prop_assert_eq!(host["NetworkMode"] == json!("builders"), has("network"));
    prop_assert!(has("network") || host["NetworkMode"] == json!("none"));
    prop_assert_eq!(body["NetworkDisabled"] == json!(false), has("network"));
    prop_assert_eq!(host["Init"] == json!(true), has("no_shim"));
    let tmpfs = host["Tmpfs"].as_object().expect("tmpfs");
    for (at, options) in tmpfs {
        let options = options.as_str().expect("options");
        prop_assert!(options.contains(",nosuid,nodev,") && options.contains(",mode=0700,uid="));
        let exec = options.contains("rw,exec,");
        let said = if at == "/tmp" {
            has("exec_tmp")
        } else {
            let wanted = Relaxation::ExecTmpfs { target: at.clone() };
            report.relaxed.contains(&wanted)
        };
        prop_assert_eq!(exec, said, "{}: {}", at, options);
    }
    prop_assert!(tmpfs.contains_key("/tmp") && tmpfs.contains_key("/run/wire"));
    for mount in host["Mounts"].as_array().expect("mounts") {
        let (source, target) = (mount["Source"].as_str(), mount["Target"].as_str().expect("a target"));
        let (read_only, at) = (mount["ReadOnly"] == json!(true), target.to_owned());
        let ours = [("/.wire", "wire-shim-0"), ("/etc/hosts", "/h")];
        let is_ours = ours.contains(&(target, source.expect("a source")));
        let writable = !read_only;
        let said = match mount["Type"].as_str() {
            Some("bind") => Relaxation::Bind { target: at, writable },
            _ => Relaxation::Volume { target: at, writable },
        };
        prop_assert!((is_ours && read_only) || report.relaxed.contains(&said), "{}", mount);
        prop_assert!(mount["Type"] != "bind" || mount["BindOptions"]["NonRecursive"] == json!(true));
        let source = source.expect("a source");
        // The host's `/tmp` may be bound; the container's may not be covered.
        let evil = match mount["Type"].as_str() {
            Some("bind") => EVIL.contains(&source) && source != "/tmp",
            _ => source.starts_with("wire-"),
        };
        prop_assert!(is_ours || !evil, "{}", mount);
    }
    let env = body["Env"].as_array().expect("an environment");
    prop_assert!(env.iter().all(|entry| !entry.as_str().is_some_and(is_reserved)));
    Ok(())
}

/// A name without `=` takes a variable out.
fn is_reserved(entry: &str) -> bool {
    entry.contains('=') && (entry.starts_with("LD_") || entry.starts_with("WIRE_"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said(spec in specs(), image in images()) {
        if let Some(valid) = validate(spec, &image) {
            is_locked_down(&valid, &body(&valid))?;
        }
    }

    /// A retry is the same spec, whenever it is checked.
    #[test]
    fn a_digest_is_of_one_spec(one in specs(), other in specs()) {
        let image = json!({});
        let same = one == other;
        let (again, other) = (validate(one.clone(), &image), validate(other, &image));
        if let (Some(one), Some(again)) = (validate(one, &image), again) {
            prop_assert_eq!(one.digest(&secret()), again.digest(&secret()));
            prop_assert_ne!(one.digest(&secret()), one.digest(&OwnerSecret::from_bytes([8; 32])));
            if let Some(other) = other {
                prop_assert_eq!(one.digest(&secret()) == other.digest(&secret()), same);
            }
        }
    }
}

/// The strategy says enough that is right: otherwise the test above would say nothing.
#[test]
fn many_of_the_specs_are_good() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let good = (0..4000)
        .filter(|_| {
            let spec = specs().new_tree(&mut runner).expect("a spec").current();
            validate(spec, &json!({})).is_some()
        })
        .count();
    assert!(good > 400, "{good} of 4000");
}

/// The engine's answer to a request is compared with it, so a request must match itself.
#[test]
fn a_request_is_what_was_asked_for() {
    let spec = fake::valid(SpawnSpec::new("a"));
    let body = body(&spec);
    let found = readback::compare(&body, &json!({ "Config": body, "HostConfig": body["HostConfig"] }));
    let fields: BTreeSet<_> = found.iter().map(|mismatch| mismatch.field.as_str()).collect();
    let only_engines_have = ["HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths", "Image"];
    let mounts = ["Mounts./.wire", "Mounts./etc/hosts"];
    assert_eq!(fields, only_engines_have.into_iter().chain(mounts).collect());
}
