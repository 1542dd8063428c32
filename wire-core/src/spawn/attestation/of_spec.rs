//! What a spec makes a container be like inside.

use super::{Expected, ExpectedMount};
use crate::spawn::facts::EngineFacts;
use crate::spawn::limits::RUN_DIR_SIZE;
use crate::spawn::mount::ValidMount;
use crate::spawn::relax::Relaxation;
use crate::spawn::valid::ValidSpec;

impl Expected {
    /// For the container of this spec on this engine.
    pub fn of(spec: &ValidSpec, facts: &EngineFacts) -> Self {
        let Self { userns, host_namespaces, .. } = Self::on(facts);
        Self { userns, host_namespaces, ..Self::of_spec(spec) }
    }

    /// Whatever the engine is like.
    pub(in crate::spawn) fn of_spec(spec: &ValidSpec) -> Self {
        let limits = spec.limits();
        let relaxed = spec.relaxed();
        let init = match spec.argv().and_then(<[String]>::first) {
            Some(program) if !spec.shim() => program.clone(),
            _ => wire_shim::PATH.to_owned(),
        };
        let mounts = spec.mounts().iter().map(|mount| match mount {
            ValidMount::Bind { target, writable, .. } | ValidMount::Volume { target, writable, .. } => {
                (target.clone(), ExpectedMount::Outside { writable: *writable })
            }
            ValidMount::Tmpfs { target, size, exec } => {
                (target.clone(), ExpectedMount::Tmpfs { size: *size, exec: *exec })
            }
        });
        Self {
            user: (spec.user().uid, spec.user().gid),
            memory: limits.memory,
            pids: limits.pids.get(),
            nano_cpus: limits.nano_cpus(),
            nofile: limits.nofile,
            tmp: limits.tmpfs,
            run_wire: Some(RUN_DIR_SIZE),
            shm: relaxed.iter().find_map(Relaxation::shm_size).unwrap_or(0),
            init,
            env: Some(spec.env().keys().cloned().collect()),
            mounts: mounts.collect(),
            tty: spec.tty().is_some() && !spec.shim(),
            relaxed: spec
                .relaxed()
                .iter()
                .flat_map(|relaxation| relaxation.flips().iter().copied())
                .collect(),
            ..Self::default()
        }
    }
}
