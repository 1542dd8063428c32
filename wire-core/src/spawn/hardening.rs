//! What locks a container down, and is the same for every spec: the values of the engine's request that no
//! caller can say, and those that only a [`Relaxation`] changes.
//!
//! | Control | In the request |
//! |---|---|
//! | user | `User uid:gid`, both numbers, neither 0 |
//! | caps | `CapDrop ALL`, nothing added, never privileged |
//! | no_new_privs, seccomp, syscalls | `SecurityOpt`, with our own profile inline |
//! | rootfs | `ReadonlyRootfs` |
//! | tmp, run_wire | `Tmpfs` with size, owner, mode and `noexec` |
//! | memory, swap | `Memory`, the same in `MemorySwap` |
//! | pids, cpu, nofile, core | `PidsLimit`, `NanoCpus`, `Ulimits` |
//! | network | `NetworkMode none`, `NetworkDisabled` |
//! | ipc, namespaces | `IpcMode none`, `CgroupnsMode private`; no namespace of the host or of others |
//! | init | the shim, or `Init` |
//! | mounts | `Mounts` only: `Binds` makes folders on the host |
//!
//! ```
//! use wire_core::spawn::hardening;
//! assert!(hardening::HOSTS.contains("127.0.0.1"));
//! assert_eq!(hardening::tmpfs_options(65532, 65532, 1 << 20, false),
//!     "rw,noexec,nosuid,nodev,size=1048576,mode=0700,uid=65532,gid=65532");
//! ```

use serde_json::{Map, Value, json};

use super::limits::RUN_DIR_SIZE;
use super::mount::ValidMount;
use super::relax::Relaxation;
use super::valid::ValidSpec;

/// The name that a container has for itself.
pub const HOSTNAME: &str = "wire";

/// The container's `/etc/hosts` where it has no network: without it `localhost` is not found.
pub const HOSTS: &str = "127.0.0.1\tlocalhost wire\n::1\tlocalhost ip6-localhost ip6-loopback wire\n";

/// How a tmpfs of this user is mounted.
///
/// The owner is always said: where the image has the folder already, the runtime copies that folder's mode
/// over a mode alone, and the user could not write (measured with runc 1.1).
pub fn tmpfs_options(uid: u32, gid: u32, size: u64, exec: bool) -> String {
    let exec = if exec { "exec" } else { "noexec" };
    format!("rw,{exec},nosuid,nodev,size={size},mode=0700,uid={uid},gid={gid}")
}

/// The part of `HostConfig` that locks down.
pub(super) fn host_config(spec: &ValidSpec, seccomp: &str) -> Map<String, Value> {
    let limits = &spec.limits;
    let mut host = Map::new();
    let mut set = |key: &str, value: Value| _ = host.insert(key.to_owned(), value);
    set("Privileged", json!(false));
    set("CapDrop", json!(["ALL"]));
    set("SecurityOpt", json!(["no-new-privileges", format!("seccomp={seccomp}")]));
    set("ReadonlyRootfs", json!(!spec.relaxed.contains(&Relaxation::WritableRoot)));
    set("Tmpfs", Value::Object(tmpfs(spec)));
    set("Memory", json!(limits.memory));
    set("MemorySwap", json!(limits.memory));
    set("NanoCpus", json!(limits.nano_cpus()));
    set("PidsLimit", json!(limits.pids));
    set("Ulimits", ulimits(limits.nofile));
    set("NetworkMode", json!(spec.network.as_deref().unwrap_or("none")));
    let shm = spec.relaxed.iter().find_map(Relaxation::shm_size);
    set("IpcMode", json!(if shm.is_some() { "private" } else { "none" }));
    if let Some(size) = shm {
        set("ShmSize", json!(size));
    }
    // With version 1 of control groups the engine's default is the host's, though it can do better.
    set("CgroupnsMode", json!("private"));
    set("RestartPolicy", json!({ "Name": "no" }));
    set("AutoRemove", json!(false));
    host
}

fn tmpfs(spec: &ValidSpec) -> Map<String, Value> {
    let (uid, gid) = (spec.user.uid, spec.user.gid);
    let exec_tmp = spec.relaxed.contains(&Relaxation::ExecTmp);
    let ours = [
        ("/tmp", tmpfs_options(uid, gid, spec.limits.tmpfs, exec_tmp)),
        (wire_shim::RUN_DIR, tmpfs_options(uid, gid, RUN_DIR_SIZE, false)),
    ];
    let asked = spec.mounts.iter().filter_map(|mount| match mount {
        ValidMount::Tmpfs { target, size, exec } => {
            Some((target.as_str(), tmpfs_options(uid, gid, *size, *exec)))
        }
        ValidMount::Bind { .. } | ValidMount::Volume { .. } => None,
    });
    ours.into_iter().chain(asked).map(|(at, options)| (at.to_owned(), Value::String(options))).collect()
}

fn ulimits(nofile: u64) -> Value {
    json!([
        { "Name": "core", "Soft": 0, "Hard": 0 },
        { "Name": "nofile", "Soft": nofile, "Hard": nofile },
    ])
}
