//! Every rule that a spec must keep, all of them looked at before one answer is given.
//!
//! ```
//! use wire_core::spawn::{Against, HostView, Limits, SpawnSpec, SpecError, fake};
//! use wire_core::time::Timestamp;
//! let spec = SpawnSpec::new("debian:12").user(0, 0).limits(Limits::default().pids(0)).port(80);
//! let errors = spec.check(&fake::engine_facts(), &HostView::default(), Timestamp::from_millis(0));
//! assert!(errors.contains(&SpecError::User { uid: 0, gid: 0 }));
//! assert!(errors.contains(&SpecError::PortsWithoutNetwork));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use wire_shim::protocol::Overflow;

use super::command::Stdin;
use super::facts::{EngineFacts, EngineKind};
use super::host::HostView;
use super::ids::{ImageName, OwnerId, SpawnName};
use super::image::{self, ImageConfig};
use super::lifetime::{self, ValidLife};
use super::limits::{self, Resource, ValidLimits};
use super::mount::{self, ValidMount};
use super::network;
use super::relax::Relaxation;
use super::rules::{self, is_secret_name, is_visible, total};
use super::seccomp::Arch;
use super::spec::{ShimMode, SpawnSpec};
use super::spec_error::SpecError;
use super::valid::ValidSpec;
use crate::time::Timestamp;

/// The engine's runtime of a spec that names none, whatever the engine's own default is.
const RUNTIME: &str = "runc";

/// What a spec is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// The engine.
    pub facts: &'a EngineFacts,
    /// The machine, as far as the spec names it.
    pub host: &'a HostView,
    /// The image, as the engine describes it.
    pub image: &'a ImageConfig,
    /// Who makes the container.
    pub owner: OwnerId,
    /// Now, by the clock that also judges when it expires: the engine's.
    pub now: Timestamp,
    /// Random, the key of a spec that has neither a name nor a key.
    pub fresh: [u8; 16],
}

impl SpawnSpec {
    /// Everything that is wrong with it, as far as can be said without the image.
    pub fn check(&self, facts: &EngineFacts, host: &HostView, now: Timestamp) -> Vec<SpecError> {
        let mut errors = Vec::new();
        self.parts(facts, host, now, &mut errors);
        errors
    }

    /// The spec with everything in it decided, or everything that is wrong with it.
    pub fn validate(self, against: &Against<'_>) -> Result<ValidSpec, Vec<SpecError>> {
        let Against { facts, host, image, owner, now, fresh } = *against;
        let mut errors = Vec::new();
        let parts = self.parts(facts, host, now, &mut errors);
        self.check_image(image, facts, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let (env, env_removed) = self.environment(image);
        let key = self.key.clone().or_else(|| self.name.clone());
        let key = key.unwrap_or_else(|| data_encoding::HEXLOWER.encode(&fresh));
        Ok(ValidSpec {
            owner,
            name: parts.name.unwrap_or_else(|| owner.name_for(&key)),
            key,
            peer: self.peer,
            image: image.id.clone(),
            image_asked: self.image,
            argv: self.argv,
            workdir: self.workdir,
            env,
            env_removed,
            user: self.user,
            labels: self.labels,
            limits: parts.limits,
            mounts: parts.mounts,
            network: parts.network,
            life: parts.life,
            stdin: self.stdin,
            tty: self.tty,
            secrets: self.secrets,
            relaxed: parts.relaxed,
            unenforced: parts.unenforced,
            shim: parts.shim,
            runtime: self.runtime.or_else(|| facts.runtimes.get(RUNTIME).cloned()),
            stays: self.stays,
            // Nobody may be there to read what a container says, so it cannot wait for that.
            overflow: self.overflow.unwrap_or(if self.lifetime.is_tied() {
                Overflow::Block
            } else {
                Overflow::DropOldest
            }),
            arch: facts.arch.clone(),
            swap_limited: facts.limits.swap,
        })
    }

    fn parts(&self, facts: &EngineFacts, host: &HostView, now: Timestamp, e: &mut Vec<SpecError>) -> Parts {
        check_engine(facts, &self.relaxations, e);
        let missing = self.required.iter().filter(|required| !required.holds(facts));
        e.extend(missing.map(|required| SpecError::Required { what: required.name() }));
        let name = self.check_identity(e);
        if let Some(argv) = &self.argv {
            rules::check_argv(argv, e);
        }
        rules::check_workdir(&self.workdir, e);
        rules::check_env(&self.env, e);
        self.image_env.iter().for_each(|name| rules::check_env_name(name, e));
        rules::check_user(self.user, e);
        self.check_labels(e);
        self.check_input(e);
        let limits = limits::check(&self.limits, facts, e);
        let life = lifetime::check(self.lifetime, limits.wall_ms, now, e);
        let mounts = mount::check(&self.mounts, host, e);
        let network = network::check(&self.network, &self.ports, host, e);
        self.check_memory_files(&limits, e);
        if let Some(name) = self.runtime.as_ref().filter(|name| !facts.runtimes.contains(*name)) {
            e.push(SpecError::Runtime { name: name.clone() });
        }
        let shim = self.check_shim(host, e);
        let relaxed = self.relaxed(&mounts, network.as_deref(), shim);
        e.extend(
            self.relaxations
                .iter()
                .filter(|r| !r.is_asked_directly())
                .map(|r| SpecError::Relaxation { name: r.name() }),
        );
        let unenforced = unenforced(&relaxed, &life, facts, shim);
        Parts { name, limits, life, mounts, network, relaxed, unenforced, shim }
    }

    fn check_identity(&self, errors: &mut Vec<SpecError>) -> Option<SpawnName> {
        if ImageName::parse(&self.image).is_err() {
            errors.push(SpecError::Image { name: self.image.clone() });
        }
        if self.key.as_ref().is_some_and(|key| !is_visible(key, 128)) {
            errors.push(SpecError::Key);
        }
        if self.peer.as_ref().is_some_and(|peer| !is_visible(peer, 128)) {
            errors.push(SpecError::Peer);
        }
        let asked = self.name.as_ref()?;
        let name = SpawnName::parse(asked).ok().filter(SpawnName::is_free_to_choose);
        if name.is_none() {
            errors.push(SpecError::Name { name: asked.clone() });
        }
        name
    }

    fn check_labels(&self, errors: &mut Vec<SpecError>) {
        if self.labels.len() > rules::MAX_LABELS {
            errors.push(SpecError::TooMany { what: "labels", most: rules::MAX_LABELS });
        }
        for (key, value) in &self.labels {
            let good = is_visible(key, 128) && !key.starts_with("wire.") && !value.contains('\0');
            if !good {
                errors.push(SpecError::Label { key: key.clone() });
            }
            if value.len() > 1024 {
                errors.push(SpecError::TooLarge { what: "the value of a label", most: 1024 });
            }
        }
    }

    fn check_input(&self, errors: &mut Vec<SpecError>) {
        if let Stdin::Bytes(bytes) = &self.stdin
            && bytes.len() > rules::MAX_STDIN_BYTES
        {
            errors.push(SpecError::TooLarge { what: "standard input", most: rules::MAX_STDIN_BYTES });
        }
        if self.tty.is_some_and(|size| size.cols == 0 || size.rows == 0) {
            errors.push(SpecError::Tty);
        }
        if self.secrets.len() > rules::MAX_SECRETS {
            errors.push(SpecError::TooMany { what: "secrets", most: rules::MAX_SECRETS });
        }
        if total(self.secrets.iter().map(|file| file.bytes.len())) > rules::MAX_SECRETS_BYTES {
            errors.push(SpecError::TooLarge { what: "all secrets", most: rules::MAX_SECRETS_BYTES });
        }
        let mut seen = BTreeSet::new();
        for file in &self.secrets {
            if !is_secret_name(&file.name) || !seen.insert(&file.name) {
                errors.push(SpecError::Secret { name: file.name.clone() });
            }
        }
    }

    /// Files in memory, and the output that the shim keeps, count as memory: where they could fill it, the
    /// container would die of it instead of being told that its disk is full.
    fn check_memory_files(&self, limits: &ValidLimits, errors: &mut Vec<SpecError>) {
        let kept = limits.output.head.saturating_add(limits.output.tail) as u64;
        let mut sizes = vec![limits.tmpfs, limits::RUN_DIR_SIZE, kept.saturating_mul(2)];
        for (what, size) in self
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                mount::Mount::Tmpfs { size, .. } => Some((Resource::Tmpfs, *size)),
                mount::Mount::Bind { .. } | mount::Mount::Volume { .. } => None,
            })
            .chain(self.relaxations.iter().filter_map(Relaxation::shm_size).map(|size| (Resource::Shm, size)))
        {
            sizes.push(size);
            if !(limits::MIN_TMPFS..=limits.memory.max(limits::MIN_TMPFS)).contains(&size) {
                let (least, most) = (limits::MIN_TMPFS, limits.memory);
                errors.push(SpecError::Limit { what, asked: size, least, most });
            }
        }
        let all = sizes.into_iter().fold(0, u64::saturating_add);
        if all > limits.memory {
            errors.push(SpecError::TmpfsOverMemory { all, memory: limits.memory });
        }
    }

    fn check_shim(&self, host: &HostView, errors: &mut Vec<SpecError>) -> bool {
        let shim = match self.shim {
            ShimMode::Auto => host.shim,
            ShimMode::Required => true,
            ShimMode::Off => false,
        };
        let mut needs = Vec::new();
        needs.extend((self.shim == ShimMode::Required).then_some("this spec"));
        needs.extend(self.lifetime.is_tied().then_some("a lifetime that is tied to this process"));
        needs.extend(self.argv.is_none().then_some("a container without a command"));
        needs.extend((!self.secrets.is_empty()).then_some("a secret"));
        needs.extend(self.limits.wall.is_some().then_some("a limit of time"));
        needs.extend((self.overflow == Some(Overflow::Kill)).then_some("ending a command for its output"));
        needs.extend(self.stays.then_some("a container that outlives its command"));
        if !(shim && host.shim) {
            errors.extend(needs.into_iter().map(|what| SpecError::NeedsShim { what }));
        }
        shim
    }

    /// What was asked for directly, and what everything else comes to.
    fn relaxed(&self, mounts: &[ValidMount], network: Option<&str>, shim: bool) -> BTreeSet<Relaxation> {
        let mut all: BTreeSet<_> = self.relaxations.iter().cloned().collect();
        all.extend(mounts.iter().filter_map(|mount| match mount {
            ValidMount::Bind { target, writable, .. } => {
                Some(Relaxation::Bind { target: target.clone(), writable: *writable })
            }
            ValidMount::Volume { target, writable, .. } => {
                Some(Relaxation::Volume { target: target.clone(), writable: *writable })
            }
            ValidMount::Tmpfs { target, exec, .. } => {
                exec.then(|| Relaxation::ExecTmpfs { target: target.clone() })
            }
        }));
        all.extend(network.map(|name| Relaxation::Network { name: name.to_owned() }));
        let other = self.runtime.as_ref().filter(|name| *name != RUNTIME);
        all.extend(other.map(|name| Relaxation::Runtime { name: name.clone() }));
        all.extend((!shim).then_some(Relaxation::NoShim));
        all
    }

    fn check_image(&self, image: &ImageConfig, facts: &EngineFacts, errors: &mut Vec<SpecError>) {
        if image.os != "linux" || image.arch != facts.arch {
            errors.push(SpecError::Architecture {
                image: format!("{}/{}", image.os, image.arch),
                engine: format!("linux/{}", facts.arch),
            });
        }
        for path in &image.volumes {
            // The engine makes no volume where something of ours is mounted at exactly that path. What is
            // mounted above it does not help.
            let covered = ["/tmp", wire_shim::RUN_DIR].contains(&path.as_str())
                || self.mounts.iter().any(|mount| mount.target() == path);
            if !covered {
                errors.push(SpecError::ImageVolume { path: path.clone() });
            }
        }
        for key in &image.labels {
            if key.starts_with("wire.") && !super::labels::KEYS.contains(&key.as_str()) {
                errors.push(SpecError::ImageLabel { key: key.clone() });
            }
        }
    }

    /// The image's variables that are let through, then ours, then the caller's; and the image's that are
    /// not.
    fn environment(&self, image: &ImageConfig) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let (kept, removed): (Vec<_>, Vec<_>) =
            image.env.iter().partition(|(name, _)| image::is_kept(name) || self.image_env.contains(*name));
        let mut env = BTreeMap::from([("HOME".to_owned(), "/tmp".to_owned())]);
        env.extend(kept.into_iter().map(|(name, value)| (name.clone(), value.clone())));
        env.extend(self.env.iter().cloned());
        let removed = removed.into_iter().map(|(name, _)| name.clone());
        let removed = removed.filter(|name| !env.contains_key(name)).collect();
        (env, removed)
    }
}

struct Parts {
    name: Option<SpawnName>,
    limits: ValidLimits,
    life: ValidLife,
    mounts: Vec<ValidMount>,
    network: Option<String>,
    relaxed: BTreeSet<Relaxation>,
    unenforced: BTreeSet<Resource>,
    shim: bool,
}

/// An engine that silently drops what it cannot hold is asked for nothing that it cannot hold.
fn check_engine(facts: &EngineFacts, relaxations: &[Relaxation], errors: &mut Vec<SpecError>) {
    if facts.kind != EngineKind::Docker {
        errors.push(SpecError::Engine { engine: facts.kind });
    }
    if !facts.seccomp {
        errors.push(SpecError::Unenforceable { what: "a filter of system calls" });
    }
    if Arch::from_name(&facts.arch).is_none() {
        errors.push(SpecError::Unenforceable { what: "a filter of system calls for its processor" });
    }
    for (what, held) in [
        (Resource::Memory, facts.limits.memory),
        (Resource::Swap, facts.limits.swap),
        (Resource::Cpu, facts.limits.cpu),
        (Resource::Pids, facts.limits.pids),
    ] {
        if !held && !relaxations.contains(&Relaxation::Unlimited(what)) {
            errors.push(SpecError::Unenforceable { what: what.name() });
        }
    }
}

/// Which limits nothing holds.
fn unenforced(
    relaxed: &BTreeSet<Relaxation>,
    life: &ValidLife,
    facts: &EngineFacts,
    shim: bool,
) -> BTreeSet<Resource> {
    let limits = facts.limits;
    let mut none = BTreeSet::new();
    for (what, held) in [
        (Resource::Memory, limits.memory),
        (Resource::Swap, limits.swap),
        (Resource::Cpu, limits.cpu),
        (Resource::Pids, limits.pids),
    ] {
        none.extend((!held).then_some(what));
    }
    let disk = relaxed.iter().any(|r| {
        matches!(
            r,
            Relaxation::WritableRoot
                | Relaxation::Bind { writable: true, .. }
                | Relaxation::Volume { writable: true, .. }
        )
    });
    none.extend(disk.then_some(Resource::Disk));
    none.extend((!shim && life.deadline_ms.is_some()).then_some(Resource::Wall));
    none
}
