//! The bodies of the requests to a Docker Engine, as plain JSON: the same spec gives the same text.
//!
//! Everything that the engine would otherwise take from the image, or from its own settings, is said here.
//! What is not here cannot be asked for: no capability, device, namespace of the host, restart, port.
//!
//! ```
//! use wire_core::spawn::{SpawnSpec, docker_request, fake};
//! let spec = fake::valid(SpawnSpec::new("debian:12").cmd(["/bin/true"]));
//! let parts = docker_request::Parts {
//!     labels: &Default::default(),
//!     seccomp: "{}",
//!     shim_volume: Some("wire-shim-0"),
//!     hosts: None,
//! };
//! let body = docker_request::create_body(&spec, &parts)?;
//! assert_eq!(body["User"], "65532:65532");
//! assert_eq!(body["HostConfig"]["CapDrop"], serde_json::json!(["ALL"]));
//! # Ok::<_, wire_core::spawn::SpecError>(())
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::command::{Command, Stdin};
use super::hardening;
use super::mount::ValidMount;
use super::spec::User;
use super::spec_error::SpecError;
use super::valid::ValidSpec;

/// What a request needs besides the spec.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Signed for the container's own name, not for its name before the start.
    pub labels: &'a BTreeMap<String, String>,
    /// The profile of system calls for [`ValidSpec::arch`], as JSON text.
    pub seccomp: &'a str,
    /// The volume with the shim. Needed if [`ValidSpec::shim`].
    pub shim_volume: Option<&'a str>,
    /// A file on the engine's host with [`hardening::HOSTS`] in it. Without one, as with an engine
    /// elsewhere, the engine sets the network up to write its own.
    pub hosts: Option<&'a str>,
}

/// The body of `POST /containers/create`.
pub fn create_body(spec: &ValidSpec, parts: &Parts<'_>) -> Result<Value, SpecError> {
    let shim_volume = match (spec.shim, parts.shim_volume) {
        (true, None) => return Err(SpecError::NeedsShim { what: "this spec" }),
        (true, volume) => volume,
        (false, _) => None,
    };
    let tty = !spec.shim && spec.tty.is_some();
    let stdin = spec.shim || spec.stdin != Stdin::Empty;
    let (entrypoint, cmd) = command_line(spec);
    let mut body = json!({
        "Image": spec.image.as_str(),
        "Hostname": hardening::HOSTNAME,
        "User": spec.user.to_string(),
        "WorkingDir": if spec.shim { "/" } else { spec.workdir.as_str() },
        "Entrypoint": entrypoint,
        "Cmd": cmd,
        "Env": environment(spec),
        "Labels": labels(spec, parts),
        "Healthcheck": { "Test": ["NONE"] },
        "StopSignal": "SIGTERM",
        "Tty": tty,
        "OpenStdin": stdin,
        "StdinOnce": stdin && (!spec.shim || spec.life.asked.is_tied()),
        "AttachStdin": stdin,
        "AttachStdout": true,
        "AttachStderr": true,
        "NetworkDisabled": is_cut_off(spec, parts),
    });
    let mut host = hardening::host_config(spec, parts.seccomp);
    host.insert("Init".to_owned(), json!(!spec.shim));
    host.insert("LogConfig".to_owned(), log_config(spec));
    host.insert("Mounts".to_owned(), mounts(spec, parts, shim_volume));
    if let Some(runtime) = &spec.runtime {
        host.insert("Runtime".to_owned(), json!(runtime));
    }
    if let Value::Object(map) = &mut body {
        map.insert("HostConfig".to_owned(), Value::Object(host));
    }
    Ok(body)
}

/// The body of `POST /containers/{id}/exec`, for a container of this user and working folder.
pub fn exec_body(user: User, workdir: &str, command: &Command) -> Value {
    let env: Vec<_> = last_of_each(&command.env).map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "Cmd": command.argv,
        "Env": env,
        "WorkingDir": command.cwd.as_deref().unwrap_or(workdir),
        "User": command.user.unwrap_or(user).to_string(),
        "Privileged": false,
        "Tty": command.tty.is_some(),
        "AttachStdin": command.stdin != Stdin::Empty,
        "AttachStdout": true,
        "AttachStderr": true,
    })
}

/// Each name once, with its last value, in the order of the names.
pub(super) fn last_of_each(env: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    let last: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    last.into_iter()
}

/// The shim is told by its own connection what to run.
fn command_line(spec: &ValidSpec) -> (Vec<&str>, Vec<&str>) {
    match spec.argv.as_deref().and_then(<[String]>::split_first) {
        Some((program, args)) if !spec.shim => {
            (vec![program.as_str()], args.iter().map(String::as_str).collect())
        }
        _ => (vec![wire_shim::PATH], Vec::new()),
    }
}

/// A name without `=` takes the image's variable out.
fn environment(spec: &ValidSpec) -> Vec<String> {
    let set = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
    set.chain(spec.env_removed.iter().cloned()).collect()
}

fn labels(spec: &ValidSpec, parts: &Parts<'_>) -> Map<String, Value> {
    spec.labels.iter().chain(parts.labels).map(|(key, value)| (key.clone(), json!(value))).collect()
}

/// Without any set-up of a network a container starts in about half of the time. But then nobody writes
/// its `/etc/hosts`.
fn is_cut_off(spec: &ValidSpec, parts: &Parts<'_>) -> bool {
    spec.network.is_none() && parts.hosts.is_some()
}

/// The shim speaks frames, which are no log.
fn log_config(spec: &ValidSpec) -> Value {
    let log = spec.limits.log;
    if spec.shim {
        return json!({ "Type": "none", "Config": {} });
    }
    let config = json!({ "max-size": log.file.to_string(), "max-file": log.files.to_string() });
    json!({ "Type": "json-file", "Config": config })
}

fn mounts(spec: &ValidSpec, parts: &Parts<'_>, shim_volume: Option<&str>) -> Value {
    let shim = shim_volume.map(|volume| volume_mount(volume, wire_shim::MOUNT, false));
    let hosts = parts.hosts.filter(|_| spec.network.is_none());
    let hosts = hosts.map(|file| bind_mount(file, "/etc/hosts", false));
    let asked = spec.mounts.iter().filter_map(|mount| match mount {
        ValidMount::Bind { real, target, writable } => Some(bind_mount(real, target, *writable)),
        ValidMount::Volume { name, target, writable } => Some(volume_mount(name, target, *writable)),
        // A tmpfs of `Mounts` has no owner before API 1.46.
        ValidMount::Tmpfs { .. } => None,
    });
    shim.into_iter().chain(hosts).chain(asked).collect()
}

/// Without what is mounted below it on the host: a read-only bind would leave that writable, and nobody has
/// judged it.
fn bind_mount(source: &str, target: &str, writable: bool) -> Value {
    json!({
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": !writable,
        "BindOptions": { "Propagation": "rprivate", "NonRecursive": true },
    })
}

/// Nothing of the image is copied into it.
fn volume_mount(name: &str, target: &str, writable: bool) -> Value {
    json!({
        "Type": "volume",
        "Source": name,
        "Target": target,
        "ReadOnly": !writable,
        "VolumeOptions": { "NoCopy": true },
    })
}
