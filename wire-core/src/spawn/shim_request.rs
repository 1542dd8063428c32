//! What the shim is told: the container's one configuration, and the programs to run.
//!
//! ```
//! use wire_core::spawn::{OwnerSecret, SpawnSpec, fake, shim_request};
//! let spec = fake::valid(SpawnSpec::new("debian:12").cmd(["/bin/true"]).secret("token", *b"hush"));
//! let setup = shim_request::setup(&spec, &OwnerSecret::from_bytes([7; 32]), None);
//! assert!(setup.ends_with_main);
//! assert_eq!(setup.files.len(), 1);
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use wire_shim::protocol::{ArgBytes, ExecId, ExecSpec, Life, Overflow, Setup};

use super::command::{Command, OutputCap, Stdin};
use super::docker_request::last_of_each;
use super::limits::millis;
use super::owner::OwnerSecret;
use super::valid::ValidSpec;

/// Between SIGTERM and SIGKILL when a container's life is over.
pub const GRACE: Duration = Duration::from_secs(5);

/// Room in the container for a stream that is read as it comes: enough that nobody waits for the other.
const STREAMED: u64 = 256 << 10;

/// The configuration of the container of this spec. With a nonce the shim attests before anything runs.
pub fn setup(spec: &ValidSpec, secret: &OwnerSecret, nonce: Option<[u8; 16]>) -> Setup {
    Setup {
        token: secret.shim_token(&spec.name),
        life: Life { deadline_ms: spec.life.deadline_ms, lease_ms: spec.life.lease_ms },
        grace_ms: millis(GRACE),
        files: spec.secrets.clone(),
        main: spec.argv.as_ref().map(|argv| main(spec, argv)),
        ends_with_main: !spec.stays(),
        nonce,
    }
}

/// A program in a container that has this environment and working folder.
pub fn exec(id: ExecId, command: &Command, env: &BTreeMap<String, String>, workdir: &str) -> ExecSpec {
    let mut all = env.clone();
    all.extend(last_of_each(&command.env).map(|(name, value)| (name.to_owned(), value.to_owned())));
    ExecSpec {
        id,
        argv: args(&command.argv),
        env: variables(all, command.tty.is_some()),
        cwd: command.cwd.as_deref().unwrap_or(workdir).into(),
        tty: command.tty,
        stdin: command.stdin != Stdin::Empty,
        timeout_ms: command.timeout.map(millis),
        grace_ms: millis(command.grace),
        ring: ring(command),
        overflow: command.overflow,
        tag: command.tag.clone(),
        tied: command.tied,
    }
}

fn main(spec: &ValidSpec, argv: &[String]) -> ExecSpec {
    ExecSpec {
        id: ExecId::MAIN,
        argv: args(argv),
        env: variables(spec.env.clone(), spec.tty.is_some()),
        cwd: spec.workdir.as_str().into(),
        tty: spec.tty,
        stdin: spec.stdin != Stdin::Empty,
        timeout_ms: None,
        grace_ms: millis(GRACE),
        ring: kept(spec.limits.output),
        overflow: spec.overflow,
        tag: String::new(),
        tied: false,
    }
}

fn args(argv: &[String]) -> Vec<ArgBytes> {
    argv.iter().map(|arg| arg.as_str().into()).collect()
}

/// As an engine does, a terminal without a `TERM` gets the plainest one.
fn variables(mut env: BTreeMap<String, String>, tty: bool) -> Vec<(ArgBytes, ArgBytes)> {
    if tty {
        env.entry("TERM".to_owned()).or_insert_with(|| "xterm".to_owned());
    }
    env.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn kept(cap: OutputCap) -> u64 {
    cap.head.saturating_add(cap.tail) as u64
}

/// Bytes of each stream that wait in the container. Under `Block` they are read as they come, and what is kept of
/// them is kept by the reader.
fn ring(command: &Command) -> u64 {
    let kept = kept(command.output);
    match command.overflow {
        Overflow::Block => kept.min(STREAMED),
        Overflow::DropOldest | Overflow::Kill => kept,
    }
}
