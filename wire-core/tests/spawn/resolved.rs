//! What a good spec comes to: names, environment, time, digest, report, and what the shim is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use wire_core::spawn::{
    Against, Command, Control, EngineFacts, ExecId, HostPath, Lifetime, Limits, LogCap, Mount, Network,
    OutputCap, OwnerSecret, PathKind, Relaxation, Requirement, Resource, ShimMode, SpawnSpec, SpecDigest,
    SpecError, Stdin, TtySize, ValidSpec, fake, shim_request,
};
use wire_core::time::Timestamp;
use wire_shim::frame::encode;
use wire_shim::protocol::{Overflow, ToShim};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn secret() -> OwnerSecret {
    OwnerSecret::from_bytes([7; 32])
}

fn valid_at(spec: SpawnSpec, now: Timestamp, config: &serde_json::Value) -> ValidSpec {
    let mut host = fake::host();
    for path in ["/srv/a", "/srv/b"] {
        let found = HostPath { real: path.into(), kind: PathKind::Directory };
        host.paths.insert(path.to_owned(), found);
    }
    host.networks = BTreeMap::from([("builders".to_owned(), "bridge".to_owned())]);
    spec.validate(&Against {
        facts: &fake::engine_facts(),
        host: &host,
        image: &fake::image_with(config),
        owner: secret().owner(),
        now,
        fresh: [2; 16],
    })
    .expect("a spec with which nothing is wrong")
}

fn valid(spec: SpawnSpec) -> ValidSpec {
    valid_at(spec, NOW, &json!({}))
}

fn base() -> SpawnSpec {
    SpawnSpec::new("debian:12").name("one").cmd(["/bin/true"])
}

#[test]
fn a_name_comes_from_the_caller_the_key_or_chance() {
    let named = valid(base());
    assert_eq!((named.name().as_str(), named.key()), ("one", "one"));
    let keyed = valid(SpawnSpec::new("a").key("job"));
    assert_eq!((keyed.name(), keyed.key()), (&secret().owner().name_for("job"), "job"));
    let both = valid(base().key("job"));
    assert_eq!((both.name().as_str(), both.key()), ("one", "job"));
    let random = valid(SpawnSpec::new("a"));
    assert_eq!(random.key(), "02020202020202020202020202020202");
    assert_eq!(random.name(), &secret().owner().name_for(random.key()));
    assert_eq!(named.name().pending().as_str(), "one.wire-p");
    assert_eq!(named.name().pending().without_pending().as_ref(), Some(named.name()));
    assert_eq!(named.name().without_pending(), None);
}

#[test]
fn the_environment_is_the_images_then_ours_then_the_callers() {
    let image = json!({ "Env": ["PATH=/image", "LANG=C", "HOME=/root", "GOPATH=/go", "LD_PRELOAD=/x"] });
    let spec = base().env("LANG", "de").env("LANG", "fr").image_env("GOPATH").image_env("ABSENT");
    let spec = valid_at(spec, NOW, &image);
    let wanted = [("GOPATH", "/go"), ("HOME", "/tmp"), ("LANG", "fr"), ("PATH", "/image")];
    let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(spec.env(), &BTreeMap::from(wanted));
    assert_eq!(spec.env_removed(), &BTreeSet::from(["LD_PRELOAD".to_owned()]));
}

#[test]
fn the_shorter_of_lifetime_and_wall_counts() {
    let life = |lifetime, wall: Option<u64>| {
        let limits = Limits::default();
        let limits = wall.map_or(limits, |s| limits.wall(Duration::from_secs(s)));
        let life = *valid(base().lifetime(lifetime).limits(limits)).life();
        (life.expires.map(|end| end.since(NOW) / 1000), life.deadline_ms, life.lease_ms)
    };
    let minute = Lifetime::For(Duration::from_secs(60));
    assert_eq!(life(minute, None), (Some(60), Some(60_000), None));
    assert_eq!(life(minute, Some(9)), (Some(9), Some(9_000), None));
    assert_eq!(life(minute, Some(90)), (Some(60), Some(60_000), None));
    assert_eq!(life(Lifetime::Tied, None), (None, None, Some(15_000)));
    assert_eq!(life(Lifetime::Tied, Some(9)), (Some(9), Some(9_000), Some(15_000)));
    assert_eq!(life(Lifetime::Until(NOW.plus_millis(5000)), None), (Some(5), Some(5_000), None));
    let detached = Lifetime::Detached { max: Duration::from_secs(60) };
    assert_eq!(life(detached, None), (Some(60), Some(60_000), None));
}

/// Every change of what is asked for is another digest, and no two are the same.
#[test]
fn every_part_of_a_spec_is_in_its_digest() {
    let l = Limits::default;
    let log = LogCap { file: 1 << 20, files: 3 };
    let changes: Vec<(&str, SpawnSpec)> = vec![
        ("nothing", base()),
        ("name", base().name("two")),
        ("key", base().key("k")),
        ("peer", base().peer("k")),
        ("argv", base().cmd(["/bin/true", ""])),
        ("argv borders", base().cmd(["/bin/tru", "e"])),
        ("no argv", SpawnSpec::new("debian:12").name("one")),
        ("workdir", base().workdir("/work")),
        ("env", base().env("A", "B")),
        ("env borders", base().env("AB", "")),
        ("user", base().user(65532, 65533)),
        ("group", base().user(65533, 65532)),
        ("label", base().label("a", "b")),
        ("memory", base().limits(l().memory(600 << 20).tmpfs(64 << 20))),
        ("cpus", base().limits(l().cpus(2.0))),
        ("pids", base().limits(l().pids(255))),
        ("nofile", base().limits(l().nofile(1025))),
        ("tmpfs", base().limits(l().tmpfs(1 << 20))),
        ("log", base().limits(l().log(log))),
        ("wall", base().limits(l().wall(Duration::from_secs(9)))),
        ("head", base().limits(l().output(OutputCap { head: 1 << 20, tail: 512 << 10 }))),
        ("tail", base().limits(l().output(OutputCap { head: 512 << 10, tail: 1 << 20 }))),
        ("bind", base().mount(Mount::bind("/srv/a", "/work"))),
        ("bind source", base().mount(Mount::bind("/srv/b", "/work"))),
        ("bind target", base().mount(Mount::bind("/srv/a", "/work2"))),
        ("bind read-only", base().mount(Mount::bind("/srv/a", "/work").read_only())),
        ("volume", base().mount(Mount::volume("v1", "/work"))),
        ("tmpfs mount", base().mount(Mount::tmpfs("/work", 1 << 20))),
        ("tmpfs mount exec", base().mount(Mount::tmpfs("/work", 1 << 20).executable())),
        ("network", base().network(Network::Named("builders".into()))),
        ("for", base().lifetime(Lifetime::For(Duration::from_secs(60)))),
        ("until", base().lifetime(Lifetime::Until(NOW.plus_millis(60_000)))),
        ("detached", base().lifetime(Lifetime::Detached { max: Duration::from_secs(60) })),
        ("stdin", base().stdin(Stdin::Piped)),
        ("stdin bytes", base().stdin(Stdin::Bytes(vec![]))),
        ("tty", base().tty(TtySize { cols: 80, rows: 24 })),
        ("secret", base().secret("a", *b"x")),
        ("secret bytes", base().secret("a", *b"y")),
        ("exec tmp", base().relax(Relaxation::ExecTmp)),
        ("writable root", base().relax(Relaxation::WritableRoot)),
        ("shm", base().relax(Relaxation::Shm { size: 1 << 20 })),
        ("shm size", base().relax(Relaxation::Shm { size: 2 << 20 })),
        ("unlimited", base().relax(Relaxation::Unlimited(Resource::Swap))),
        ("no shim", base().shim(ShimMode::Off).lifetime(Lifetime::For(Duration::from_secs(60)))),
        ("runtime", base().runtime("runsc")),
        ("stay", base().stay()),
    ];
    let mut seen: BTreeMap<SpecDigest, &str> = BTreeMap::new();
    for (name, spec) in changes {
        let digest = valid(spec).digest(&secret());
        assert_eq!(seen.insert(digest, name), None, "{name}");
    }
    // The image counts by content, the moment not at all.
    let for_a_minute = || base().lifetime(Lifetime::For(Duration::from_secs(60)));
    let later = valid_at(for_a_minute(), NOW.plus_millis(5000), &json!({}));
    assert_eq!(seen.get(&later.digest(&secret())), Some(&"for"));
    let tagged = valid(SpawnSpec::new("debian:latest").name("one").cmd(["/bin/true"]));
    assert_eq!(seen.get(&tagged.digest(&secret())), Some(&"nothing"));
    let variable = valid_at(base(), NOW, &json!({ "Env": ["PATH=/bin"] }));
    assert_eq!(seen.get(&variable.digest(&secret())), None);
}

#[test]
fn each_loosening_is_reported_and_flips_what_it_declares() {
    let minute = Lifetime::For(Duration::from_secs(60));
    for (spec, name, flips, unenforced) in [
        (base(), None, vec![], vec![]),
        (base().relax(Relaxation::ExecTmp), Some("exec_tmp"), vec![Control::Tmp], vec![]),
        (
            base().relax(Relaxation::WritableRoot),
            Some("writable_root"),
            vec![Control::Rootfs],
            vec![Resource::Disk],
        ),
        (base().relax(Relaxation::Shm { size: 1 << 20 }), Some("shm"), vec![Control::Ipc], vec![]),
        (
            base().mount(Mount::bind("/srv/a", "/work")),
            Some("bind"),
            vec![Control::Mounts],
            vec![Resource::Disk],
        ),
        (
            base().mount(Mount::bind("/srv/a", "/work").read_only()),
            Some("bind"),
            vec![Control::Mounts],
            vec![],
        ),
        (base().mount(Mount::tmpfs("/work", 1 << 20)), None, vec![], vec![]),
        (
            base().mount(Mount::tmpfs("/work", 1 << 20).executable()),
            Some("exec_tmpfs"),
            vec![Control::Mounts],
            vec![],
        ),
        (base().network(Network::Named("builders".into())), Some("network"), vec![Control::Network], vec![]),
        (
            base().shim(ShimMode::Off).lifetime(minute),
            Some("no_shim"),
            vec![Control::Init],
            vec![Resource::Wall],
        ),
        (
            base().runtime("runsc"),
            Some("runtime"),
            vec![Control::Seccomp, Control::Syscalls, Control::NoNewPrivs],
            vec![],
        ),
        (base().runtime("runc"), None, vec![], vec![]),
        (base().user(1000, 1000), None, vec![], vec![]),
        (base().limits(Limits::default().memory(1 << 30)), None, vec![], vec![]),
    ] {
        let report = valid(spec).report();
        let names: Vec<_> = report.relaxed.iter().map(Relaxation::name).collect();
        assert_eq!(names, name.into_iter().collect::<Vec<_>>());
        assert_eq!(report.flipped(), flips.into_iter().collect(), "{name:?}");
        assert_eq!(report.unenforced, unenforced, "{name:?}");
    }
}

#[test]
fn what_a_spec_insists_on_the_engine_has() {
    let table: [(Requirement, fn(&mut EngineFacts)); 4] = [
        (Requirement::AppArmor, |facts| facts.apparmor = true),
        (Requirement::Userns, |facts| facts.userns = true),
        (Requirement::Userns, |facts| facts.rootless = true),
        (Requirement::Rootless, |facts| facts.rootless = true),
    ];
    for (requirement, has) in table {
        let missing = [SpecError::Required { what: requirement.name() }];
        assert_eq!(base().require(requirement).check(&fake::engine_facts(), &fake::host(), NOW), missing);
        let mut facts = fake::engine_facts();
        has(&mut facts);
        assert_eq!(base().require(requirement).check(&facts, &fake::host(), NOW), []);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let spec = base()
        .cmd(["/bin/job", "hush-1"])
        .env("TOKEN", "hush-2")
        .secret("a", *b"hush-3")
        .stdin(Stdin::Bytes(b"hush-4".to_vec()))
        .label("a", "hush-5");
    let shown = format!("{spec:?} {spec:#?}");
    let valid = valid(spec);
    let setup = shim_request::setup(&valid, &secret(), None);
    let shown = format!("{shown} {valid:?} {:?} {setup:?} {:?}", valid.report(), secret());
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn the_shim_is_told_everything_once() {
    let spec =
        valid(base().env("A", "1").workdir("/work").secret("a", *b"x").tty(TtySize { cols: 80, rows: 24 }));
    let setup = shim_request::setup(&spec, &secret(), Some([5; 16]));
    let (again, other) = (shim_request::setup(&spec, &secret(), None), valid(base().name("other")));
    assert!(setup.token.is(&again.token), "a name has one token");
    assert!(!setup.token.is(&shim_request::setup(&other, &secret(), None).token));
    assert_eq!((setup.life.deadline_ms, setup.life.lease_ms), (None, Some(15_000)));
    assert!(setup.ends_with_main && setup.nonce == Some([5; 16]) && setup.files.len() == 1);
    let main = setup.main.expect("a command");
    assert_eq!((main.id, main.cwd, main.stdin), (ExecId::MAIN, "/work".into(), false));
    assert_eq!(main.overflow, Overflow::Block);
    assert!(main.env.contains(&("TERM".into(), "xterm".into())));
    let waiting = shim_request::setup(&valid(SpawnSpec::new("a")), &secret(), None);
    assert!(waiting.main.is_none() && !waiting.ends_with_main);
    assert!(!shim_request::setup(&valid(base().stay()), &secret(), None).ends_with_main);
}

#[test]
fn an_exec_builds_on_its_container() {
    let env = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
    let command = Command::new(["/bin/x"]).env("A", "3").env("A", "4").timeout(Duration::from_secs(2));
    let exec = shim_request::exec(ExecId::from([9; 16]), &command, &env, "/work");
    assert_eq!(exec.env, vec![("A".into(), "4".into()), ("B".into(), "2".into())]);
    assert_eq!((exec.cwd, exec.timeout_ms, exec.grace_ms), ("/work".into(), Some(2000), 5000));
    assert_eq!(exec.ring, 256 << 10, "it is read as it comes");
    let kept = command.overflow(Overflow::DropOldest);
    assert_eq!(shim_request::exec(ExecId::from([9; 16]), &kept, &env, "/work").ring, 1 << 20);
}

/// The largest spec that is let through fits into one frame.
#[test]
fn the_largest_configuration_fits_into_a_frame() {
    let limits = Limits::default();
    let mut spec = base().cmd(vec!["x".repeat(128); 4096]).limits(limits);
    for i in 0..512 {
        spec = spec.env(format!("A{i:03}"), "x".repeat(507));
    }
    for i in 0..16 {
        spec = spec.secret(format!("s{i}"), vec![1; 32 << 10]);
    }
    let image: Vec<_> = (0..4).map(|i| format!("LC_{i}={}", "x".repeat(32_000))).collect();
    let spec = valid_at(spec, NOW, &json!({ "Env": image }));
    let setup = shim_request::setup(&spec, &secret(), None);
    let size = encode(&ToShim::Configure(Box::new(setup))).expect("one frame").len();
    assert!(size > 1 << 20, "{size}");
}
