//! Specs that contradict themselves, the machine or the rules: all that is wrong is said at once, before
//! anything is sent.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use wire_core::spawn::limits::{MAX_PIDS, MIN_PIDS};
use wire_core::spawn::{
    Against, EngineFacts, EngineKind, HostPath, HostView, Lifetime, Limits, LogCap, Mount, Network,
    OutputCap, OwnerId, PathKind, Relaxation, Resource, ShimMode, SourceRefusal, SpawnSpec, SpecError, Stdin,
    TargetRefusal, TtySize, fake,
};
use wire_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn spec() -> SpawnSpec {
    SpawnSpec::new("debian:12").cmd(["/bin/true"])
}

fn limits(change: impl FnOnce(Limits) -> Limits) -> SpawnSpec {
    spec().limits(change(Limits::default()))
}

fn check(spec: &SpawnSpec) -> Vec<SpecError> {
    spec.check(&fake::engine_facts(), &host(), NOW)
}

fn host() -> HostView {
    let mut host = fake::host();
    for (asked, real, kind) in [
        ("/home/me/project", "/home/me/project", PathKind::Directory),
        ("/home/me/file", "/home/me/file", PathKind::File),
        ("/home/me/innocent", "/run/docker.sock", PathKind::Socket),
        ("/home/me/fifo", "/home/me/fifo", PathKind::Other),
        ("/home/me/run", "/run", PathKind::Directory),
        ("/home/me/root", "/", PathKind::Directory),
        ("/home/me/proc", "/proc/1/root", PathKind::Directory),
        ("/home/me/etc", "/etc/ssh", PathKind::Directory),
        ("/var", "/var", PathKind::Directory),
        ("/var/lib", "/var/lib", PathKind::Directory),
        ("/home", "/home", PathKind::Directory),
        ("/home/me/.local/state/wire", "/home/me/.local/state/wire", PathKind::Directory),
        ("/home/me/.local/state/wire/keys", "/home/me/.local/state/wire/keys", PathKind::File),
        ("/runner", "/runner", PathKind::Directory),
    ] {
        host.paths.insert(asked.into(), HostPath { real: real.into(), kind });
    }
    host.forbidden = vec!["/home/me/.local/state/wire".into()];
    host.networks =
        [("host", "host"), ("none", "null"), ("builders", "bridge"), ("odd", "weird"), ("a1", "host")]
            .map(|(name, driver)| (name.to_owned(), driver.to_owned()))
            .into();
    host
}

#[track_caller]
fn refused(spec: &SpawnSpec, wanted: &SpecError) {
    let found = check(spec);
    assert_eq!(found, std::slice::from_ref(wanted));
    assert!(!wanted.hint().is_empty());
}

#[test]
fn the_defaults_are_good() {
    assert_eq!(check(&spec()), []);
    assert_eq!(check(&SpawnSpec::new("debian:12")), []);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = SpawnSpec::new("../x")
        .name("-")
        .cmd(Vec::<String>::new())
        .user(0, 7)
        .limits(Limits::default().pids(0).memory(4 << 20).cpus(64.0).nofile(1 << 21).tmpfs(1 << 10))
        .port(80)
        .env("LD_PRELOAD", "/x.so")
        .workdir("proc")
        .mount(Mount::bind("/home/me/innocent", "/data"))
        .mount(Mount::tmpfs("/data", 1 << 20));
    let found = check(&wrong);
    let codes: Vec<String> = found.iter().map(ToString::to_string).collect();
    for wanted in [
        "\"../x\" is not a name of an image",
        "a name is 2 to 56 of a-z A-Z 0-9 _ . - and begins with a letter or digit: \"-\"",
        "the command is empty",
        "user and group must be 1 to 2147483647, not 0:7",
        "pids must be 8 to 4194304, not 0",
        "memory must be 6291456 to 8589934592 bytes, not 4194304",
        "cpus must be 0.01 to 4, not 64",
        "nofile must be 64 to 20000, not 2097152",
        "tmpfs must be 65536 to 4194304 bytes, not 1024",
        "ports were asked for, but the container has no network",
        "the variable LD_PRELOAD is reserved",
        "the working folder must be an absolute path without `..`, and not in /proc, /sys or /dev",
        "cannot mount \"/home/me/innocent\": it is a socket",
        "the mounts at \"/data\" and \"/data\" overlap",
    ] {
        assert!(codes.iter().any(|code| code == wanted), "{wanted}: {codes:#?}");
    }
    assert!(codes.len() >= 14);
}

#[test]
fn root_is_refused_by_user_and_by_group() {
    for (uid, gid) in [(0, 0), (0, 1), (1, 0), (1 << 31, 1), (1, u32::MAX)] {
        refused(&spec().user(uid, gid), &SpecError::User { uid, gid });
    }
    assert_eq!(check(&spec().user(1, 1)), []);
}

#[test]
fn numbers_have_ranges() {
    let limit = |what, asked, least, most| SpecError::Limit { what, asked, least, most };
    let max = 8 << 30;
    for pids in [0, MIN_PIDS - 1, MAX_PIDS + 1, u32::MAX] {
        let refusal = limit(Resource::Pids, pids.into(), MIN_PIDS.into(), MAX_PIDS.into());
        refused(&limits(|l| l.pids(pids)), &refusal);
    }
    refused(&limits(|l| l.memory(max + 1)), &limit(Resource::Memory, max + 1, 6 << 20, max));
    refused(&limits(|l| l.nofile(63)), &limit(Resource::Nofile, 63, 64, 20_000));
    refused(&limits(|l| l.nofile(20_001)), &limit(Resource::Nofile, 20_001, 64, 20_000));
    let log = LogCap { file: 1, files: 2 };
    refused(&limits(|l| l.log(log)), &limit(Resource::Log, 1, 64 << 10, 1 << 30));
    let log = LogCap { file: 8 << 20, files: 0 };
    refused(&limits(|l| l.log(log)), &limit(Resource::Log, 0, 1, 16));
    let output = OutputCap { head: 1, tail: 1 };
    refused(&limits(|l| l.output(output)), &limit(Resource::Output, 2, 4 << 10, 64 << 20));
    let day = 24 * 60 * 60 * 1000;
    for wall in [0, 999, 30 * day + 1] {
        let spec = limits(|l| l.wall(Duration::from_millis(wall)));
        assert!(check(&spec).contains(&limit(Resource::Wall, wall, 1000, 30 * day)), "{wall}");
    }
    for cpus in [0.0, 0.009, -1.0, 4.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
        let wanted = SpecError::Cpus { asked: cpus.to_string(), host: 4 };
        refused(&limits(|l| l.cpus(cpus)), &wanted);
    }
    for good in [0.01, 0.5, 4.0] {
        assert_eq!(check(&limits(|l| l.cpus(good))), []);
    }
    let both = OutputCap { head: usize::MAX, tail: 2 };
    assert!(!check(&limits(|l| l.output(both))).is_empty());
}

#[test]
fn what_lies_in_memory_fits_into_it() {
    assert_eq!(check(&limits(|l| l.memory(6 << 20))), []);
    let spec = limits(|l| l.memory(64 << 20).tmpfs(64 << 20));
    let all = (64 << 20) + (1 << 20) + (2 << 20);
    refused(&spec, &SpecError::TmpfsOverMemory { all, memory: 64 << 20 });
    let spec = spec_with_tmpfs(u64::MAX);
    assert!(check(&spec).contains(&SpecError::TmpfsOverMemory { all: u64::MAX, memory: 512 << 20 }));
    let shm = spec_with_tmpfs(1 << 20).relax(Relaxation::Shm { size: 512 << 20 });
    assert!(matches!(check(&shm)[..], [SpecError::TmpfsOverMemory { .. }]));
}

fn spec_with_tmpfs(size: u64) -> SpawnSpec {
    spec().mount(Mount::tmpfs("/x", size))
}

#[test]
fn places_of_the_container_itself_are_not_mounted_over() {
    let at = |target: &str| spec().mount(Mount::tmpfs(target, 1 << 20));
    for (target, why) in [
        ("/", TargetRefusal::Root),
        ("/proc", TargetRefusal::Reserved("/proc")),
        ("/proc/sys", TargetRefusal::Reserved("/proc")),
        ("/sys/fs", TargetRefusal::Reserved("/sys")),
        ("/dev/shm", TargetRefusal::Reserved("/dev")),
        ("/etc", TargetRefusal::Reserved("/etc")),
        ("/etc/passwd", TargetRefusal::Reserved("/etc")),
        ("/tmp", TargetRefusal::Reserved("/tmp")),
        ("/tmp/x", TargetRefusal::Reserved("/tmp")),
        ("/.wire", TargetRefusal::Reserved("/.wire")),
        ("/.wire/shim", TargetRefusal::Reserved("/.wire")),
        ("/run", TargetRefusal::Reserved("/run/wire")),
        ("/run/wire", TargetRefusal::Reserved("/run/wire")),
        ("/run/wire/x", TargetRefusal::Reserved("/run/wire")),
        ("", TargetRefusal::NotPlain),
        ("work", TargetRefusal::NotPlain),
        ("/data/", TargetRefusal::NotPlain),
        ("//proc", TargetRefusal::NotPlain),
        ("/data/../proc", TargetRefusal::NotPlain),
        ("/./proc", TargetRefusal::NotPlain),
        ("/data\0", TargetRefusal::NotPlain),
        ("/data\n", TargetRefusal::NotPlain),
    ] {
        refused(&at(target), &SpecError::Target { target: target.to_owned(), why });
    }
    for good in ["/data", "/run/other", "/processes", "/etcetera", "/tmpx", "/run/wires", "/usr/local", "/ü"]
    {
        assert_eq!(check(&at(good)), [], "{good}");
    }
}

#[test]
fn mounts_do_not_overlap() {
    let two = |a: &str, b: &str| spec().mount(Mount::tmpfs(a, 1 << 20)).mount(Mount::tmpfs(b, 1 << 20));
    for (one, other) in [("/data", "/data"), ("/data", "/data/target"), ("/data/target", "/data")] {
        let wanted = SpecError::Overlap { one: one.to_owned(), other: other.to_owned() };
        refused(&two(one, other), &wanted);
    }
    assert_eq!(check(&two("/data", "/data2")), []);
    let many = (0..33).fold(spec(), |spec, i| spec.mount(Mount::tmpfs(format!("/m{i}"), 1 << 16)));
    assert!(check(&many).contains(&SpecError::TooMany { what: "mounts", most: 32 }));
}

#[test]
fn sources_that_no_container_gets() {
    let of = |source: &str| spec().mount(Mount::bind(source, "/data").read_only());
    for (source, why) in [
        ("project", SourceRefusal::NotAbsolute),
        ("", SourceRefusal::NotAbsolute),
        ("/home/me/missing", SourceRefusal::Missing),
        ("/home/me/innocent", SourceRefusal::Socket),
        ("/home/me/fifo", SourceRefusal::Special),
        ("/home/me/run", SourceRefusal::Never),
        ("/home/me/root", SourceRefusal::Never),
        ("/home/me/proc", SourceRefusal::Never),
        ("/home/me/etc", SourceRefusal::Never),
        ("/var", SourceRefusal::Never),
        ("/var/lib", SourceRefusal::Never),
        ("/home", SourceRefusal::Never),
        ("/home/me/.local/state/wire", SourceRefusal::Never),
        ("/home/me/.local/state/wire/keys", SourceRefusal::Never),
    ] {
        refused(&of(source), &SpecError::Source { source_path: source.to_owned(), why });
    }
    for good in ["/home/me/project", "/home/me/file", "/runner"] {
        assert_eq!(check(&of(good)), [], "{good}");
    }
}

#[test]
fn roots_bound_what_may_be_mounted() {
    let spec = spec().mount(Mount::bind("/home/me/project", "/data"));
    for (roots, good) in [
        (vec![], false),
        (vec!["/srv"], false),
        (vec!["/home/me/proj"], false),
        (vec!["/"], false),
        (vec!["/home/me/project"], true),
        (vec!["/srv", "/home/me"], true),
    ] {
        let roots: Vec<PathBuf> = roots.into_iter().map(PathBuf::from).collect();
        let mut host = host();
        host.roots = Some(roots.clone());
        let found = spec.check(&fake::engine_facts(), &host, NOW);
        assert_eq!(found.is_empty(), good, "{roots:?}: {found:?}");
    }
}

#[test]
fn volumes_of_ours_are_not_for_callers() {
    for name in ["wire-shim-abc", "wire-x", "", "a/b", "../x", "-x"] {
        let spec = spec().mount(Mount::volume(name, "/data"));
        refused(&spec, &SpecError::Volume { name: name.to_owned() });
    }
}

#[test]
fn only_networks_of_containers_are_named() {
    let named = |name: &str| spec().network(Network::Named(name.to_owned()));
    for name in ["host", "none", "default", "container:x", "odd", "a1", "missing", "", "ns:/proc/1"] {
        refused(&named(name), &SpecError::Network { name: name.to_owned() });
    }
    assert_eq!(check(&named("builders")), []);
    refused(&named("builders").port(80), &SpecError::Ports);
    refused(&spec().port(80), &SpecError::PortsWithoutNetwork);
    let egress = Network::Egress(vec!["crates.io".to_owned()]);
    refused(&spec().network(egress), &SpecError::Egress);
}

#[test]
fn the_environment_is_bounded_and_some_names_are_ours() {
    for name in ["WIRE_TOKEN", "WIRE_", "LD_PRELOAD", "LD_LIBRARY_PATH", "GLIBC_TUNABLES"] {
        refused(&spec().env(name, ""), &SpecError::EnvReserved { name: name.to_owned() });
        refused(&spec().image_env(name), &SpecError::EnvReserved { name: name.to_owned() });
    }
    for name in ["", "A=B", "A B", "1A", "A\0", "A\n", "ä"] {
        refused(&spec().env(name, ""), &SpecError::EnvName { name: name.to_owned() });
    }
    refused(&spec().env("A", "x\0"), &SpecError::EnvValue { name: "A".to_owned() });
    let many = (0..=512).fold(spec(), |spec, i| spec.env(format!("A{i}"), ""));
    refused(&many, &SpecError::TooMany { what: "variables", most: 512 });
    let long = spec().env("A", "x".repeat(128 << 10));
    refused(&long, &SpecError::TooLarge { what: "a variable", most: (128 << 10) - 1 });
    assert_eq!(check(&spec().env("WIRED", "").env("LDX", "").env("_a.b-c", "")), []);
}

#[test]
fn commands_folders_and_names_are_plain() {
    refused(&SpawnSpec::new("a").cmd([""]), &SpecError::EmptyCommand);
    refused(&SpawnSpec::new("a").cmd(["a", "b\0"]), &SpecError::ArgumentNul);
    let many = SpawnSpec::new("a").cmd(vec!["a"; 4097]);
    refused(&many, &SpecError::TooMany { what: "arguments", most: 4096 });
    for folder in ["", "work", "/proc", "/proc/self/fd/8", "/dev/fd/8", "/sys", "/a/../proc", "/a/", "/\0"] {
        refused(&spec().workdir(folder), &SpecError::Workdir);
    }
    assert_eq!(check(&spec().workdir("/process")), []);
    for name in ["", "a", "-ab", "a/b", "one.wire-p", &"a".repeat(57)] {
        refused(&spec().name(name), &SpecError::Name { name: name.to_owned() });
    }
    for key in ["", "a b", "ä", &"a".repeat(129)] {
        refused(&spec().key(key), &SpecError::Key);
        refused(&spec().peer(key), &SpecError::Peer);
    }
    for key in ["", "wire.owner", "wire.", "a b"] {
        refused(&spec().label(key, ""), &SpecError::Label { key: key.to_owned() });
    }
    refused(&spec().tty(TtySize { cols: 0, rows: 24 }), &SpecError::Tty);
    let input = Stdin::Bytes(vec![0; (16 << 20) + 1]);
    refused(&spec().stdin(input), &SpecError::TooLarge { what: "standard input", most: 16 << 20 });
}

#[test]
fn secrets_have_plain_names_and_are_few() {
    for name in ["", ".", "..", "a/b", ".hidden", "a b", "relay.sock", "\0"] {
        refused(&spec().secret(name, *b"x"), &SpecError::Secret { name: name.to_owned() });
    }
    let twice = spec().secret("a", *b"x").secret("a", *b"y");
    refused(&twice, &SpecError::Secret { name: "a".to_owned() });
    let fat = spec().secret("a", vec![0; (512 << 10) + 1]);
    refused(&fat, &SpecError::TooLarge { what: "all secrets", most: 512 << 10 });
}

#[test]
fn lifetimes_are_neither_over_nor_endless() {
    let day = Duration::from_secs(24 * 60 * 60);
    for lifetime in [
        Lifetime::For(Duration::ZERO),
        Lifetime::For(Duration::MAX),
        Lifetime::Until(NOW),
        Lifetime::Until(Timestamp::from_millis(0)),
        Lifetime::Detached { max: 31 * day },
    ] {
        refused(&spec().lifetime(lifetime), &SpecError::Lifetime);
    }
    let until = Lifetime::Until(NOW.plus_millis(1000));
    for lifetime in [Lifetime::For(30 * day), until, Lifetime::Detached { max: day }] {
        assert_eq!(check(&spec().lifetime(lifetime)), []);
    }
}

#[test]
fn what_needs_the_shim_fails_without_it() {
    let life = Lifetime::For(Duration::from_secs(60));
    let needs = |spec: SpawnSpec, wanted: &[&'static str]| {
        let wanted: Vec<_> = wanted.iter().map(|what| SpecError::NeedsShim { what }).collect();
        assert_eq!(check(&spec.clone().shim(ShimMode::Off)), wanted);
        let mut nowhere = host();
        nowhere.shim = false;
        assert_eq!(spec.check(&fake::engine_facts(), &nowhere, NOW), wanted);
        assert_eq!(check(&spec.shim(ShimMode::Required)), []);
    };
    needs(spec(), &["a lifetime that is tied to this process"]);
    needs(spec().lifetime(life), &[]);
    needs(SpawnSpec::new("a").lifetime(life), &["a container without a command"]);
    needs(spec().lifetime(life).secret("a", *b"x"), &["a secret"]);
    needs(spec().lifetime(life).stay(), &["a container that outlives its command"]);
    let wall = Limits::default().wall(Duration::from_secs(9));
    needs(spec().lifetime(life).limits(wall), &["a limit of time"]);
    let mut nowhere = host();
    nowhere.shim = false;
    let required = spec().lifetime(life).shim(ShimMode::Required);
    let found = required.check(&fake::engine_facts(), &nowhere, NOW);
    assert_eq!(found, [SpecError::NeedsShim { what: "this spec" }]);
}

#[test]
fn an_engine_that_cannot_hold_it_is_asked_for_nothing() {
    let facts = |change: fn(&mut EngineFacts)| {
        let mut facts = fake::engine_facts();
        change(&mut facts);
        facts
    };
    for (facts, what, resource) in [
        (facts(|f| f.limits.memory = false), "memory", Some(Resource::Memory)),
        (facts(|f| f.limits.swap = false), "swap", Some(Resource::Swap)),
        (facts(|f| f.limits.cpu = false), "cpu", Some(Resource::Cpu)),
        (facts(|f| f.limits.pids = false), "pids", Some(Resource::Pids)),
        (facts(|f| f.seccomp = false), "a filter of system calls", None),
        (facts(|f| f.arch = "mips".to_owned()), "a filter of system calls for its processor", None),
    ] {
        let wanted = [SpecError::Unenforceable { what }];
        assert_eq!(spec().check(&facts, &host(), NOW), wanted);
        if let Some(resource) = resource {
            let without = spec().relax(Relaxation::Unlimited(resource));
            assert_eq!(without.check(&facts, &host(), NOW), []);
        }
    }
    let podman = facts(|f| f.kind = EngineKind::Podman);
    let engine = EngineKind::Podman;
    assert_eq!(spec().check(&podman, &host(), NOW), [SpecError::Engine { engine }]);
    refused(&spec().runtime("kata"), &SpecError::Runtime { name: "kata".to_owned() });
    for other in [Relaxation::NoShim, Relaxation::Unlimited(Resource::Disk)] {
        let name = other.name();
        refused(&spec().relax(other), &SpecError::Relaxation { name });
    }
}

#[test]
fn images_that_would_configure_their_container_are_refused() {
    let against = |config: serde_json::Value| {
        let spec = spec().mount(Mount::tmpfs("/data", 1 << 20));
        spec.validate(&Against {
            facts: &fake::engine_facts(),
            host: &host(),
            image: &fake::image_with(&config),
            owner: OwnerId::from_bytes([1; 16]),
            now: NOW,
            fresh: [2; 16],
        })
        .map(|_| ())
    };
    assert_eq!(against(json!({ "Volumes": { "/data": {}, "/tmp": {}, "/run/wire": {} } })), Ok(()));
    // What is mounted above or below does not keep the engine from making the volume.
    for path in ["/data/x", "/tmp/x", "/", "/data/", "/var"] {
        let wanted = SpecError::ImageVolume { path: path.to_owned() };
        assert_eq!(against(json!({ "Volumes": { path: {} } })), Err(vec![wanted]));
    }
    assert_eq!(against(json!({ "Labels": { "wire.owner": "x", "a": "b" } })), Ok(()));
    for key in ["wire.other", "wire."] {
        let wanted = SpecError::ImageLabel { key: key.to_owned() };
        assert_eq!(against(json!({ "Labels": { key: "" } })), Err(vec![wanted]));
    }
    let mut arm = fake::engine_facts();
    arm.arch = "arm64".to_owned();
    let found = spec().validate(&Against {
        facts: &arm,
        host: &host(),
        image: &fake::image(),
        owner: OwnerId::from_bytes([1; 16]),
        now: NOW,
        fresh: [2; 16],
    });
    assert!(matches!(
        found.map(|_| ()).as_ref().map_err(Vec::as_slice),
        Err([SpecError::Architecture { .. }])
    ));
}
