//! What was asked for, beside what the engine says that it made. Fails closed: an engine drops in silence
//! what it does not know or cannot hold.
//!
//! 1. Every field of the request must come back, with the same value. Empty is the same as absent.
//! 2. Every field that could loosen the container and was not asked for must be empty.
//! 3. What is really mounted must be what was asked for, at those places and nowhere else.
//!
//! ```
//! use serde_json::json;
//! use wire_core::spawn::readback;
//! let asked = json!({ "User": "65532:65532", "HostConfig": { "PidsLimit": 256 } });
//! let made = json!({ "Config": { "User": "65532:65532" }, "HostConfig": { "PidsLimit": 0 } });
//! let found = readback::compare(&asked, &made);
//! assert!(found.iter().any(|mismatch| mismatch.field == "HostConfig.PidsLimit"));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Something that is not as it was asked for. Without the values: they may be secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Mismatch {
    /// Which part of the engine's description.
    pub field: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a part of the engine's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It was asked for, and is not so.
    #[error("not as asked for")]
    Differs,
    /// It was not asked for.
    #[error("never asked for")]
    Added,
    /// It is not there at all.
    #[error("missing")]
    Missing,
}

/// Fields of `HostConfig` that are empty in everything of ours.
const NEVER: &[&str] = &[
    "Binds",
    "BlkioDeviceReadBps",
    "CapAdd",
    "Cgroup",
    "CgroupParent",
    "ContainerIDFile",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "OomKillDisable",
    "PidMode",
    "PortBindings",
    "PublishAllPorts",
    "StorageOpt",
    "Sysctls",
    "UTSMode",
    "UsernsMode",
    "VolumesFrom",
];

/// Paths that every engine hides or protects; a container without them is privileged.
const PROTECTED: &[(&str, &str)] = &[
    ("MaskedPaths", "/proc/kcore"),
    ("MaskedPaths", "/proc/keys"),
    ("MaskedPaths", "/sys/firmware"),
    ("ReadonlyPaths", "/proc/sys"),
    ("ReadonlyPaths", "/proc/sysrq-trigger"),
];

/// Everything in the answer to `GET /containers/{id}/json` that is not as the body of the request asked.
pub fn compare(asked: &Value, made: &Value) -> Vec<Mismatch> {
    let mut found = Found::default();
    let (host, config) = (&made["HostConfig"], &made["Config"]);
    for (key, value) in asked.as_object().into_iter().flatten() {
        match key.as_str() {
            "HostConfig" => {}
            "Env" => found.same("Config.Env", set(value) == set(&config["Env"])),
            "Labels" => labels(value, &config["Labels"], &mut found),
            "Image" => found.same("Image", *value == made["Image"]),
            // The engine adds the image's intervals, of no use to a check that is none.
            "Healthcheck" => {
                found.same("Config.Healthcheck", matches(&value["Test"], &config[key]["Test"]));
            }
            _ => found.same(&format!("Config.{key}"), matches(value, &config[key])),
        }
    }
    for (key, value) in asked["HostConfig"].as_object().into_iter().flatten() {
        let good = match key.as_str() {
            "Mounts" => matches_list(value, &host[key]),
            _ => matches(value, &host[key]),
        };
        found.same(&format!("HostConfig.{key}"), good);
    }
    for key in NEVER {
        found.never(&format!("HostConfig.{key}"), !is_empty(&host[*key]));
    }
    for (list, path) in PROTECTED {
        let there = set(&host[*list]).contains(*path);
        found.check(&format!("HostConfig.{list}"), there, Why::Missing);
    }
    mounts(asked, made, &mut found);
    networks(asked, made, &mut found);
    found.0.into_iter().collect()
}

#[derive(Default)]
struct Found(BTreeSet<Mismatch>);

impl Found {
    fn check(&mut self, field: &str, good: bool, why: Why) {
        if !good {
            self.0.insert(Mismatch { field: field.to_owned(), why });
        }
    }

    fn same(&mut self, field: &str, good: bool) {
        self.check(field, good, Why::Differs);
    }

    fn never(&mut self, field: &str, there: bool) {
        self.check(field, !there, Why::Added);
    }
}

/// Labels of the image are there too, but none that begins as ours.
fn labels(asked: &Value, made: &Value, found: &mut Found) {
    for (key, value) in asked.as_object().into_iter().flatten() {
        found.same(&format!("Config.Labels.{key}"), *value == made[key]);
    }
    for key in made.as_object().into_iter().flat_map(Map::keys).filter(|key| key.starts_with("wire.")) {
        found.never(&format!("Config.Labels.{key}"), asked.get(key).is_none());
    }
}

/// The mount points. An image's volume would be one that nobody asked for.
fn mounts(asked: &Value, made: &Value, found: &mut Found) {
    let host = &asked["HostConfig"];
    let mut wanted: BTreeMap<&str, &Value> = items(&host["Mounts"])
        .filter_map(|mount| mount["Target"].as_str().map(|target| (target, mount)))
        .collect();
    for point in items(&made["Mounts"]) {
        let at = point["Destination"].as_str().unwrap_or_default();
        let field = format!("Mounts.{at}");
        let is_tmpfs = point["Type"] == "tmpfs" && host["Tmpfs"].get(at).is_some();
        match wanted.remove(at) {
            Some(mount) => found.same(&field, is_mounted(mount, point)),
            None => found.never(&field, !is_tmpfs),
        }
    }
    for at in wanted.into_keys() {
        found.check(&format!("Mounts.{at}"), false, Why::Missing);
    }
}

fn is_mounted(mount: &Value, point: &Value) -> bool {
    let source = match mount["Type"].as_str() {
        Some("volume") => &point["Name"],
        _ => &point["Source"],
    };
    mount["Type"] == point["Type"]
        && mount["Source"] == *source
        && point["RW"].as_bool() == mount["ReadOnly"].as_bool().map(|read_only| !read_only)
}

fn networks(asked: &Value, made: &Value, found: &mut Found) {
    let mode = asked["HostConfig"]["NetworkMode"].as_str().unwrap_or("none");
    let Some(networks) = made["NetworkSettings"]["Networks"].as_object() else {
        found.check("NetworkSettings.Networks", mode == "none", Why::Missing);
        return;
    };
    for name in networks.keys() {
        found.never(&format!("NetworkSettings.Networks.{name}"), name != mode);
    }
    found.check("NetworkSettings.Networks", mode == "none" || networks.contains_key(mode), Why::Missing);
}

/// The same, where an engine may leave out what is empty, and may add what is empty.
fn matches(asked: &Value, made: &Value) -> bool {
    match (asked, made) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter().all(|key| {
                let absent = Value::Null;
                matches(a.get(key).unwrap_or(&absent), b.get(key).unwrap_or(&absent))
            })
        }
        (Value::Array(_), Value::Array(_)) => matches_list(asked, made),
        _ => asked == made || (is_empty(asked) && is_empty(made)),
    }
}

fn matches_list(asked: &Value, made: &Value) -> bool {
    items(asked).count() == items(made).count()
        && items(asked).zip(items(made)).all(|(one, other)| matches(one, other))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn set(list: &Value) -> BTreeSet<&str> {
    items(list).filter_map(Value::as_str).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}
