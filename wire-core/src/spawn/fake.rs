//! An engine, a host, an image and a runtime that are not there, for tests.
//!
//! ```
//! use wire_core::spawn::{SpawnSpec, fake};
//! let spec = fake::valid(SpawnSpec::new("debian:12").name("one").cmd(["/bin/true"]));
//! assert_eq!(spec.name().as_str(), "one");
//! ```

#![expect(clippy::panic, reason = "for tests, where this is the message")]

mod runtime;

pub use runtime::{Fake, Script};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::facts::{EngineFacts, EngineKind, LimitSupport};
use super::host::HostView;
use super::ids::OwnerId;
use super::image::ImageConfig;
use super::spec::SpawnSpec;
use super::spec_error::SpecError;
use super::valid::ValidSpec;
use super::validate::Against;
use crate::time::Timestamp;

/// A Docker Engine with 4 processors and 8 GiB that holds every limit.
pub fn engine_facts() -> EngineFacts {
    EngineFacts {
        kind: EngineKind::Docker,
        version: "28.0.0".to_owned(),
        components: [("Engine", "28.0.0"), ("runc", "1.2.8")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        api: (1, 48),
        cgroup: 2,
        seccomp: true,
        apparmor: false,
        rootless: false,
        userns: false,
        live_restore: false,
        cpus: 4,
        memory: 8 << 30,
        runtimes: BTreeSet::from(["runc".to_owned(), "runsc".to_owned()]),
        default_runtime: "runc".to_owned(),
        storage: "overlay2".to_owned(),
        root: "/var/lib/docker".into(),
        arch: "amd64".to_owned(),
        hard_nofile: Some(20_000),
        host_namespaces: BTreeMap::new(),
        limits: LimitSupport { memory: true, swap: true, cpu: true, pids: true },
    }
}

/// A host with a shim, and nothing to mount.
pub fn host() -> HostView {
    HostView { shim: true, ..HostView::default() }
}

/// An image that says nothing but its `PATH`.
pub fn image() -> ImageConfig {
    image_with(&json!({ "Env": ["PATH=/usr/bin:/bin"] }))
}

/// An image with this `Config`.
///
/// # Panics
///
/// If it is none that is understood.
pub fn image_with(config: &Value) -> ImageConfig {
    let id = format!("sha256:{}", "ab".repeat(32));
    let inspect = json!({ "Id": id, "Os": "linux", "Architecture": "amd64", "Config": config });
    ImageConfig::parse(&inspect).unwrap_or_else(|error| panic!("{error}"))
}

/// The spec on that engine, host and image, at the beginning of 2026.
pub fn validate(spec: SpawnSpec) -> Result<ValidSpec, Vec<SpecError>> {
    spec.validate(&Against {
        facts: &engine_facts(),
        host: &host(),
        image: &image(),
        owner: OwnerId::from_bytes([1; 16]),
        now: Timestamp::from_millis(1_767_225_600_000),
        fresh: [2; 16],
    })
}

/// The same, for a spec with which nothing is wrong.
///
/// # Panics
///
/// If something is wrong with it.
pub fn valid(spec: SpawnSpec) -> ValidSpec {
    validate(spec).unwrap_or_else(|errors| panic!("{errors:?}"))
}
