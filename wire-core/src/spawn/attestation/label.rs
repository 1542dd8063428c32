//! What is expected of a container, as its own label says it. Whoever asks later, another process of the owner
//! perhaps, compares with that: the engine's settings of a container can be changed after its start, and what
//! they are now is what is to be judged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Expected, ExpectedMount};
use crate::spawn::facts::EngineFacts;
#[cfg(feature = "docker")]
use crate::spawn::labels::Labels;

/// The version of the text.
const VERSION: u64 = 1;

impl Expected {
    /// The label's text: all of it but what the engine itself is like.
    pub fn to_label(&self) -> String {
        let mounts = self.mounts.iter().map(|(at, mount)| (at.clone(), mount.to_json()));
        json!({
            "v": VERSION,
            "user": [self.user.0, self.user.1],
            "memory": self.memory,
            "pids": self.pids,
            "nano_cpus": self.nano_cpus,
            "nofile": self.nofile,
            "tmp": self.tmp,
            "run_wire": self.run_wire,
            "shm": self.shm,
            "init": self.init,
            "env": self.env,
            "mounts": mounts.collect::<Map<_, _>>(),
            "tty": self.tty,
            "relaxed": self.relaxed.iter().map(|control| control.name()).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// What a label says, on this engine. `None`: it is of another version, or no text of ours.
    pub fn from_label(text: &str, facts: &EngineFacts) -> Option<Self> {
        let label: Value = serde_json::from_str(text).ok()?;
        let number = |key: &str| label[key].as_u64();
        let [uid, gid] = label["user"].as_array()?.as_slice() else { return None };
        let small = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let mounts = label["mounts"].as_object()?.iter();
        let mounts = mounts.map(|(at, mount)| Some((at.clone(), ExpectedMount::from_json(mount)?)));
        let expected = Self {
            user: (small(uid)?, small(gid)?),
            memory: number("memory")?,
            pids: small(&label["pids"])?,
            nano_cpus: number("nano_cpus")?,
            nofile: number("nofile")?,
            tmp: number("tmp")?,
            run_wire: number("run_wire"),
            shm: number("shm")?,
            init: label["init"].as_str()?.to_owned(),
            env: names(&label["env"]),
            mounts: mounts.collect::<Option<BTreeMap<_, _>>>()?,
            tty: label["tty"].as_bool()?,
            relaxed: names(&label["relaxed"])?
                .iter()
                .map(|name| name.parse())
                .collect::<Result<_, _>>()
                .ok()?,
            ..Self::on(facts)
        };
        // Nothing in it that was not understood.
        (expected.to_label() == text).then_some(expected)
    }

    /// What a container's labels say.
    #[cfg(feature = "docker")]
    pub(in crate::spawn) fn of_labels(labels: &Labels, facts: &EngineFacts) -> Option<Self> {
        Self::from_label(labels.expected.as_ref()?, facts)
    }

    /// The defaults on this engine.
    pub(super) fn on(facts: &EngineFacts) -> Self {
        Self {
            userns: facts.userns || facts.rootless,
            host_namespaces: facts.host_namespaces.clone(),
            ..Self::default()
        }
    }
}

impl ExpectedMount {
    fn to_json(self) -> Value {
        match self {
            Self::Outside { writable } => json!({ "writable": writable }),
            Self::Tmpfs { size, exec } => json!({ "size": size, "exec": exec }),
        }
    }

    fn from_json(mount: &Value) -> Option<Self> {
        if let Some(writable) = mount["writable"].as_bool() {
            return Some(Self::Outside { writable });
        }
        Some(Self::Tmpfs { size: mount["size"].as_u64()?, exec: mount["exec"].as_bool()? })
    }
}

fn names(list: &Value) -> Option<BTreeSet<String>> {
    list.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawn::{Mount, Relaxation, Resource, ShimMode, SpawnSpec, TtySize, fake};

    fn specs() -> Vec<SpawnSpec> {
        let spec = || SpawnSpec::new("debian:12").cmd(["/bin/agent"]);
        vec![
            SpawnSpec::new("debian:12"),
            spec()
                .user(1000, 100)
                .relax(Relaxation::Unlimited(Resource::Memory))
                .relax(Relaxation::Unlimited(Resource::Pids))
                .relax(Relaxation::Shm { size: 1 << 20 })
                .env("A-1", "x")
                .mount(Mount::volume("cache", "/cache").read_only())
                .mount(Mount::tmpfs("/a \"folder\"", 1 << 20).executable()),
            spec()
                .shim(ShimMode::Off)
                .runtime("runsc")
                .lifetime(crate::spawn::Lifetime::For(std::time::Duration::from_secs(60)))
                .tty(TtySize { cols: 80, rows: 24 }),
        ]
    }

    #[test]
    fn a_label_says_what_the_spec_says() {
        for spec in specs() {
            let spec = fake::valid(spec);
            let mut facts = fake::engine_facts();
            facts.rootless = true;
            facts.host_namespaces = BTreeMap::from([("net".to_owned(), 7)]);
            let expected = Expected::of(&spec, &facts);
            let label = expected.to_label();
            assert_eq!(Expected::from_label(&label, &facts), Some(expected), "{label}");
        }
    }

    /// Containers that are out there carry it.
    #[test]
    fn the_first_version_never_changes() {
        let label = Expected::of(&fake::valid(SpawnSpec::new("debian:12")), &fake::engine_facts()).to_label();
        assert_eq!(
            label,
            r#"{"env":["HOME","PATH"],"init":"/.wire/shim","memory":536870912,"mounts":{},"nano_cpus":1000000000,"nofile":1024,"pids":256,"relaxed":[],"run_wire":1048576,"shm":0,"tmp":67108864,"tty":false,"user":[65532,65532],"v":1}"#
        );
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        let facts = fake::engine_facts();
        let good = Expected::default().to_label();
        for (from, to) in [
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\":1,\"w\":1"),
            ("\"pids\":256", "\"pids\":4294967296"),
            ("\"pids\":256", "\"pids\":-1"),
            ("\"relaxed\":[]", "\"relaxed\":[\"everything\"]"),
            ("\"memory\"", "\"remembered\""),
        ] {
            let other = good.replace(from, to);
            assert_ne!(good, other);
            assert_eq!(Expected::from_label(&other, &facts), None, "{other}");
        }
        assert_eq!(Expected::from_label("", &facts), None);
    }
}
