//! Containers on this machine: what to run, under which limits, how it is locked down, what came of it.
//!
//! 1. A [`SpawnSpec`] says what is wanted; `validate` checks it against the engine's facts and
//!    gives a [`ValidSpec`], the only thing that a runtime takes.
//! 2. `docker_request` turns that into the engine's request, purely; `hardening` holds the defaults and
//!    `seccomp` the system calls that are let through.
//! 3. The shim, the container's first process, runs the programs (`wire_shim`), and attests from inside
//!    what the container is like: [`Attestation`].
//! 4. [`Runtime`] is what can carry out a spec: Docker behind the feature `docker`, `Fake` for tests.

#[cfg(feature = "docker")]
mod accounts;
pub mod attestation;
pub mod collect;
pub mod command;
pub mod control;
#[cfg(feature = "docker")]
pub mod docker;
pub mod docker_request;
pub mod error;
pub mod facts;
pub mod fake;
pub mod hardening;
pub mod host;
pub mod ids;
pub mod image;
pub mod labels;
pub mod lifetime;
pub mod limits;
pub mod mount;
pub mod network;
pub mod outcome;
pub mod owner;
pub mod readback;
pub mod relax;
pub mod report;
mod rfc3339;
mod rules;
pub mod runtime;
pub mod seccomp;
pub mod shim_binary;
#[doc(hidden)]
pub mod shim_request;
pub mod spec;
pub mod spec_error;
pub mod sweep;
pub mod valid;
pub mod validate;
mod words;

pub use attestation::{Attestation, AttestationError, Expected, ExpectedMount, Verdict};
pub use collect::Collector;
pub use command::{Command, OutputCap, Signal, Stdin};
pub use control::Control;
pub use error::{EngineError, ExecError, Retry, SpawnError};
pub use facts::{Enforce, EngineFacts, EngineKind, Isolation, LimitSupport, Requirement, RuntimeFacts};
pub use host::{HostPath, HostView, PathKind};
pub use ids::{
    ContainerId, EngineExecId, IdError, ImageId, ImageName, InstanceId, OwnerId, SpawnName, VolumeName,
};
pub use image::{ImageConfig, ImageError};
pub use labels::{Kind, LabelError, Labels, Place, Tied, TiedUntil};
pub use lifetime::{Lifetime, ValidLife};
pub use limits::{Limits, LogCap, Resource, ValidLimits};
pub use mount::{Mount, ValidMount};
pub use network::Network;
pub use outcome::{Capped, ExecEvent, Exit, ExitReason, NotStarted, Outcome, Output};
pub use owner::{OwnerSecret, SpecDigest};
pub use readback::Mismatch;
pub use relax::Relaxation;
pub use report::{SpawnReport, Timings};
pub use runtime::{
    Boxed, ExecRuntime, ExecStatus, FileRuntime, Running, Runtime, State, StatsRuntime, Status, Stdio,
    StdioPlan, Usage,
};
pub use shim_binary::shim_bytes;
pub use spec::{Pull, ShimMode, SpawnSpec, User};
pub use spec_error::{SourceRefusal, SpecError, TargetRefusal};
pub use valid::ValidSpec;
pub use validate::Against;
pub use wire_shim::protocol::{ExecId, Overflow, Stream, TtySize};
