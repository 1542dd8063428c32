//! What the engine says of itself, parsed.

#![expect(clippy::disallowed_methods, reason = "the limits of an engine on this machine lie in /proc")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use tokio::net::UnixStream;

use super::super::error::EngineError;
use super::super::facts::{EngineFacts, EngineKind, LimitSupport};
use super::endpoint::Endpoint;

/// Lets a process raise its own hard limits (capabilities(7)).
const CAP_SYS_RESOURCE: u64 = 1 << 24;

/// The answer to `/version`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    version: String,
    api_version: String,
    #[serde(default, rename = "MinAPIVersion")]
    min_api_version: String,
    #[serde(default)]
    components: Option<Vec<Component>>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    arch: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

impl Version {
    /// Docker on Linux, or an error that names what it is instead.
    pub(super) fn supported(&self) -> Result<(), EngineError> {
        let refused = |engine: &str| Err(EngineError::Unsupported { engine: engine.to_owned() });
        match self.kind() {
            EngineKind::Docker if self.os.is_empty() || self.os == "linux" => Ok(()),
            EngineKind::Docker => refused("Docker Engine for other containers than Linux's"),
            EngineKind::Podman => refused("Podman"),
            EngineKind::Other => refused("an engine that is neither Docker nor Podman"),
        }
    }

    /// The newest version that both know.
    pub(super) fn spoken(
        &self,
        (oldest, need): ((u32, u32), &'static str),
        newest: (u32, u32),
    ) -> Result<(u32, u32), EngineError> {
        let have = self.api()?;
        if have < oldest {
            return Err(EngineError::TooOld { have: self.api_version.clone(), need });
        }
        match pair(&self.min_api_version) {
            Some(least) if least > newest => {
                let engine = format!("an engine that takes no API below {}", self.min_api_version);
                Err(EngineError::Unsupported { engine })
            }
            _ => Ok(have.min(newest)),
        }
    }

    fn kind(&self) -> EngineKind {
        let mut names = self.components.iter().flatten().map(|part| part.name.as_str());
        if names.clone().any(|name| name.to_ascii_lowercase().contains("podman")) {
            EngineKind::Podman
        } else if names.any(|name| name == "Engine") {
            EngineKind::Docker
        } else {
            EngineKind::Other
        }
    }

    fn api(&self) -> Result<(u32, u32), EngineError> {
        pair(&self.api_version).ok_or_else(|| EngineError::Protocol("no API version".to_owned()))
    }
}

/// The answer to `/info`, as far as it is used. What an engine leaves out, it cannot do.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Info {
    cgroup_version: String,
    security_options: Option<Vec<String>>,
    live_restore_enabled: bool,
    #[serde(rename = "NCPU")]
    ncpu: u32,
    mem_total: u64,
    runtimes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    default_runtime: String,
    driver: String,
    docker_root_dir: PathBuf,
    memory_limit: bool,
    swap_limit: bool,
    cpu_cfs_quota: bool,
    cpu_cfs_period: bool,
    pids_limit: bool,
}

/// Both together, and for an engine on this machine what only this machine knows.
pub(super) async fn probe(
    version: &Version,
    info: &Info,
    endpoint: &Endpoint,
) -> Result<EngineFacts, EngineError> {
    let option = |name: &str| {
        info.security_options
            .iter()
            .flatten()
            .any(|option| option.split(',').any(|field| field.strip_prefix("name=").unwrap_or(field) == name))
    };
    let engine = Process::at(endpoint).await;
    Ok(EngineFacts {
        kind: version.kind(),
        version: version.version.clone(),
        components: version
            .components
            .iter()
            .flatten()
            .map(|c| (c.name.clone(), c.version.clone()))
            .collect(),
        api: version.api()?,
        cgroup: if info.cgroup_version == "2" { 2 } else { 1 },
        seccomp: option("seccomp"),
        apparmor: option("apparmor"),
        rootless: option("rootless"),
        userns: option("userns"),
        live_restore: info.live_restore_enabled,
        cpus: info.ncpu,
        memory: info.mem_total,
        runtimes: info.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(),
        default_runtime: info.default_runtime.clone(),
        storage: info.driver.clone(),
        root: info.docker_root_dir.clone(),
        arch: version.arch.clone(),
        hard_nofile: engine.as_ref().and_then(hard_nofile),
        host_namespaces: if engine.is_some() { namespaces() } else { BTreeMap::new() },
        limits: LimitSupport {
            memory: info.memory_limit,
            swap: info.swap_limit,
            cpu: info.cpu_cfs_quota && info.cpu_cfs_period,
            pids: info.pids_limit,
        },
    })
}

/// The process at a socket's other end, where that is on this machine: the engine itself, or the first process,
/// which has made the socket and passes it to an engine.
struct Process {
    pid: i32,
    name: String,
}

impl Process {
    async fn at(endpoint: &Endpoint) -> Option<Self> {
        let Endpoint::Unix(path) = endpoint else { return None };
        let pid = UnixStream::connect(path).await.ok()?.peer_cred().ok()?.pid()?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
        (name == "dockerd" || (pid == 1 && name == "systemd")).then_some(Self { pid, name })
    }
}

/// A container's limit may be raised above the engine's own only by an engine that may raise its own. Known
/// only where the socket's other end is the engine itself, and its /proc can be read.
fn hard_nofile(engine: &Process) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", engine.pid)).ok();
    if engine.name != "dockerd" {
        return None;
    }
    let capabilities = line(&read("status")?, "CapEff:")?;
    if u64::from_str_radix(&capabilities, 16).ok()? & CAP_SYS_RESOURCE != 0 {
        return std::fs::read_to_string("/proc/sys/fs/nr_open").ok()?.trim().parse().ok();
    }
    line(&read("limits")?, "Max open files")?.split_whitespace().nth(1)?.parse().ok()
}

/// Those of this process, which no container shares.
fn namespaces() -> BTreeMap<String, u64> {
    let number = |kind: &str| {
        let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
        link.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    };
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"].into_iter();
    kinds.filter_map(|kind| Some((kind.to_owned(), number(kind)?))).collect()
}

fn line(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
}

fn pair(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux",
        "Arch":"amd64","Components":[{"Name":"Engine","Version":"20.10.24"},{"Name":"runc","Version":"1.1.5"}]}"#;
    const PODMAN: &str = r#"{"Version":"4.3.1","ApiVersion":"1.41","MinAPIVersion":"1.24","Os":"linux",
        "Arch":"amd64","Components":[{"Name":"Podman Engine","Version":"4.3.1"},{"Name":"Conmon"}]}"#;

    fn version(text: &str) -> Version {
        serde_json::from_str(text).unwrap()
    }

    fn spoken(api: &str, least: &str) -> Result<(u32, u32), EngineError> {
        let with = DOCKER.replace("\"1.41\"", &format!("{api:?}")).replace("\"1.12\"", &format!("{least:?}"));
        version(&with).spoken(((1, 41), "1.41"), (1, 44))
    }

    #[test]
    fn only_docker_is_supported() {
        assert!(version(DOCKER).supported().is_ok());
        let name = |text: &str| match version(text).supported() {
            Err(EngineError::Unsupported { engine }) => engine,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(PODMAN), "Podman");
        assert!(name(&DOCKER.replace("Engine", "containerd")).contains("neither"));
        assert!(name(r#"{"Version":"1","ApiVersion":"1.41","Components":null}"#).contains("neither"));
        assert!(name(&DOCKER.replace("linux", "windows")).contains("Linux"));
    }

    #[test]
    fn the_newest_version_that_both_know_is_spoken() {
        assert_eq!(spoken("1.41", "1.12").unwrap(), (1, 41));
        assert_eq!(spoken("1.51", "1.44").unwrap(), (1, 44));
        assert_eq!(spoken("1.43", "").unwrap(), (1, 43));
        assert!(matches!(spoken("1.40", "1.12"), Err(EngineError::TooOld { need: "1.41", .. })));
        assert!(matches!(spoken("1.60", "1.45"), Err(EngineError::Unsupported { .. })));
        assert!(matches!(spoken("x", ""), Err(EngineError::Protocol(_))));
    }

    #[tokio::test]
    async fn what_an_engine_leaves_out_it_cannot_do() {
        let nowhere = Endpoint::Tcp { host: "x".into(), port: 1 };
        let info: Info = serde_json::from_str(
            r#"{"CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=default","name=rootless"],
            "NCPU":8,"MemTotal":1024,"Runtimes":{"runc":{"path":"runc"},"runsc":{}},"DefaultRuntime":"runc",
            "Driver":"overlay2","DockerRootDir":"/srv/engine","MemoryLimit":true,"CpuCfsQuota":true,"LiveRestoreEnabled":true,"New":[1]}"#,
        )
        .unwrap();
        let facts = probe(&version(DOCKER), &info, &nowhere).await.unwrap();
        assert!(facts.seccomp && facts.rootless && facts.live_restore && !facts.apparmor && !facts.userns);
        assert_eq!((facts.cgroup, facts.cpus, facts.memory, facts.api), (2, 8, 1024, (1, 41)));
        assert_eq!(facts.runtimes.into_iter().collect::<Vec<_>>(), ["runc", "runsc"]);
        let limits = LimitSupport { memory: true, swap: false, cpu: false, pids: false };
        assert_eq!((facts.limits, facts.hard_nofile), (limits, None));
        assert_eq!(facts.components.get("Engine").map(String::as_str), Some("20.10.24"));
        assert_eq!(facts.components.get("runc").map(String::as_str), Some("1.1.5"));
        assert_eq!(facts.root, std::path::Path::new("/srv/engine"));
        assert!(facts.host_namespaces.is_empty(), "it is elsewhere");
    }
}
