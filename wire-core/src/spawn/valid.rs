//! A spec that was checked, with everything in it decided: the only thing that a runtime takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wire_shim::protocol::{Overflow, SecretFile, TtySize};

use super::attestation::Expected;
use super::command::Stdin;
use super::ids::{ImageId, InstanceId, OwnerId, SpawnName};
use super::labels::{Kind, Labels, Place, Tied, TiedUntil};
use super::lifetime::{Lifetime, ValidLife};
use super::limits::{Resource, ValidLimits};
use super::mount::ValidMount;
use super::owner::{OwnerSecret, SpecDigest};
use super::relax::Relaxation;
use super::report::SpawnReport;
use super::spec::User;
use crate::encoding::lv;

/// A spec that was checked against an engine, a host and an image.
///
/// There is no way to make one but [`SpawnSpec::validate`](super::SpawnSpec::validate), and no way to
/// change one: what it says is what its digest covers.
#[derive(Clone, PartialEq)]
pub struct ValidSpec {
    pub(super) owner: OwnerId,
    pub(super) name: SpawnName,
    pub(super) key: String,
    pub(super) peer: Option<String>,
    pub(super) image: ImageId,
    pub(super) image_asked: String,
    pub(super) argv: Option<Vec<String>>,
    pub(super) workdir: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) env_removed: BTreeSet<String>,
    pub(super) user: User,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) limits: ValidLimits,
    pub(super) mounts: Vec<ValidMount>,
    pub(super) network: Option<String>,
    pub(super) life: ValidLife,
    pub(super) stdin: Stdin,
    pub(super) tty: Option<TtySize>,
    pub(super) secrets: Vec<SecretFile>,
    pub(super) relaxed: BTreeSet<Relaxation>,
    pub(super) unenforced: BTreeSet<Resource>,
    pub(super) shim: bool,
    pub(super) runtime: Option<String>,
    pub(super) stays: bool,
    pub(super) overflow: Overflow,
    pub(super) arch: String,
    pub(super) swap_limited: bool,
}

impl ValidSpec {
    /// Who makes it.
    pub const fn owner(&self) -> OwnerId {
        self.owner
    }

    /// The container's name.
    pub const fn name(&self) -> &SpawnName {
        &self.name
    }

    /// The caller's key, the name, or a random one.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whom it is made for.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// The image, by content.
    pub const fn image(&self) -> &ImageId {
        &self.image
    }

    /// The command. Without one the container waits for execs.
    pub fn argv(&self) -> Option<&[String]> {
        self.argv.as_deref()
    }

    /// Where programs start.
    pub fn workdir(&self) -> &str {
        &self.workdir
    }

    /// The whole environment of the command, and what execs build on.
    pub const fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Variables of the image that programs do not get.
    pub const fn env_removed(&self) -> &BTreeSet<String> {
        &self.env_removed
    }

    /// Whom programs run as.
    pub const fn user(&self) -> User {
        self.user
    }

    /// What it may use at most.
    pub const fn limits(&self) -> &ValidLimits {
        &self.limits
    }

    /// What the caller mounts, sorted by place.
    pub fn mounts(&self) -> &[ValidMount] {
        &self.mounts
    }

    /// The engine's network that it is in.
    pub fn network(&self) -> Option<&str> {
        self.network.as_deref()
    }

    /// How long it may live.
    pub const fn life(&self) -> &ValidLife {
        &self.life
    }

    /// The command's standard input.
    pub const fn stdin(&self) -> &Stdin {
        &self.stdin
    }

    /// The command's terminal.
    pub const fn tty(&self) -> Option<TtySize> {
        self.tty
    }

    /// Whether the first process is the shim.
    pub const fn shim(&self) -> bool {
        self.shim
    }

    /// Whether it goes on when its command has ended. What has no command always does.
    pub const fn stays(&self) -> bool {
        self.stays || self.argv.is_none()
    }

    /// What happens when nobody reads the command's output in time.
    pub const fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Every default that does not hold.
    pub const fn relaxed(&self) -> &BTreeSet<Relaxation> {
        &self.relaxed
    }

    /// The processor: `amd64`, `arm64`, ..., for the list of system calls.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// What it comes to, for people and programs.
    pub fn report(&self) -> SpawnReport {
        SpawnReport::of(self)
    }

    /// The labels of the container, made by this process at this place. What is made for a peer is its
    /// host's to start again after a crash, so that hangs on no process before its start.
    pub fn container_labels(&self, secret: &OwnerSecret, instance: InstanceId, place: Place) -> Labels {
        let until = if self.life.asked.is_tied() { TiedUntil::End } else { TiedUntil::Start };
        let tied = Tied { instance, place, until };
        let hangs = until == TiedUntil::End || self.peer.is_none();
        let mut labels = Labels::new(Kind::Container, self.key.clone());
        labels.spec = Some(self.digest(secret));
        labels.expires = self.life.expires;
        labels.tied = hangs.then_some(tied);
        labels.peer = self.peer.clone();
        labels.expected = Some(Expected::of_spec(self).to_label());
        labels
    }

    /// What the label `wire.spec` carries: the same for the same spec of the same owner, on the same image.
    pub fn digest(&self, secret: &OwnerSecret) -> SpecDigest {
        SpecDigest::from_bytes(secret.mac(b"wire/spec/1", &[&self.canonical()]))
    }

    /// One byte string for one spec: every field in a fixed order, each with its length before it, so that
    /// no two specs share one. The moment of the check is not in it: a retry is the same spec.
    fn canonical(&self) -> Vec<u8> {
        let Self {
            owner,
            name,
            key,
            peer,
            image,
            image_asked: _,
            argv,
            workdir,
            env,
            env_removed,
            user,
            labels,
            limits,
            mounts,
            network,
            life,
            stdin,
            tty,
            secrets,
            relaxed,
            unenforced,
            shim,
            runtime,
            stays,
            overflow,
            arch,
            swap_limited: _,
        } = self;
        let mut c = Canon::default();
        c.bytes(owner.as_bytes()).text(name.as_str()).text(key).optional(peer.as_deref());
        c.text(image.as_str());
        c.list(argv.iter(), |c, argv| {
            c.list(argv, |c, arg| _ = c.text(arg));
        });
        c.text(workdir);
        c.list(env, |c, (name, value)| _ = c.text(name).text(value));
        c.list(env_removed, |c, name| _ = c.text(name));
        c.number(user.uid.into()).number(user.gid.into());
        c.list(labels, |c, (name, value)| _ = c.text(name).text(value));
        limits.canonical(&mut c);
        c.list(mounts, |c, mount| mount.canonical(c));
        c.optional(network.as_deref());
        life.canonical(&mut c);
        match stdin {
            Stdin::Empty => c.number(0),
            Stdin::Bytes(bytes) => c.number(1).bytes(bytes),
            Stdin::Piped => c.number(2),
        };
        c.list(tty.iter(), |c, size| _ = c.number(size.cols.into()).number(size.rows.into()));
        c.list(secrets, |c, file| _ = c.text(&file.name).bytes(&file.bytes));
        c.list(relaxed, |c, relaxation| relaxation.canonical(c));
        c.list(unenforced, |c, resource| _ = c.text(resource.name()));
        c.number((*shim).into()).optional(runtime.as_deref()).number((*stays).into()).text(arch);
        c.number(match overflow {
            Overflow::Block => 0,
            Overflow::DropOldest => 1,
            Overflow::Kill => 2,
        });
        c.0
    }
}

/// Collects fields, each with its length before it.
#[derive(Default)]
struct Canon(Vec<u8>);

impl Canon {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        lv(&mut self.0, bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.list(text.iter(), |c, text| _ = c.text(text))
    }

    /// All items as one field, each one field of it.
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) -> &mut Self {
        let mut all = Self::default();
        for item in items {
            let mut one = Self::default();
            each(&mut one, item);
            all.bytes(&one.0);
        }
        self.bytes(&all.0)
    }
}

impl ValidLimits {
    fn canonical(&self, c: &mut Canon) {
        let Self { memory, millicpus, pids, nofile, tmpfs, log, wall_ms, output } = self;
        c.number(*memory).number(*millicpus).number(pids.get().into()).number(*nofile).number(*tmpfs);
        c.number(log.file).number(log.files.into());
        c.list(wall_ms.iter(), |c, ms| _ = c.number(*ms));
        c.number(output.head as u64).number(output.tail as u64);
    }
}

impl ValidMount {
    fn canonical(&self, c: &mut Canon) {
        match self {
            Self::Bind { real, target, writable } => {
                c.text("bind").text(real).text(target).number((*writable).into());
            }
            Self::Volume { name, target, writable } => {
                c.text("volume").text(name).text(target).number((*writable).into());
            }
            Self::Tmpfs { target, size, exec } => {
                c.text("tmpfs").text(target).number(*size).number((*exec).into());
            }
        }
    }
}

impl ValidLife {
    fn canonical(&self, c: &mut Canon) {
        match self.asked {
            Lifetime::Tied => c.text("tied"),
            Lifetime::For(time) => c.text("for").text(&format!("{time:?}")),
            Lifetime::Until(end) => c.text("until").number(end.as_millis()),
            Lifetime::Detached { max } => c.text("detached").text(&format!("{max:?}")),
        };
    }
}

impl Relaxation {
    fn canonical(&self, c: &mut Canon) {
        c.text(self.name());
        match self {
            Self::ExecTmp | Self::WritableRoot | Self::NoShim => {}
            Self::Shm { size } => _ = c.number(*size),
            Self::Unlimited(resource) => _ = c.text(resource.name()),
            Self::Bind { target, writable } | Self::Volume { target, writable } => {
                c.text(target).number((*writable).into());
            }
            Self::ExecTmpfs { target } => _ = c.text(target),
            Self::Network { name } | Self::Runtime { name } => _ = c.text(name),
        }
    }
}

impl fmt::Debug for ValidSpec {
    /// Without arguments, environment, labels' values, input and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidSpec")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("image_asked", &self.image_asked)
            .field("argv", &format_args!("[{} arguments]", self.argv.as_ref().map_or(0, Vec::len)))
            .field("env", &format_args!("[{} variables]", self.env.len()))
            .field("user", &format_args!("{}", self.user))
            .field("limits", &self.limits)
            .field("mounts", &self.mounts)
            .field("network", &self.network)
            .field("life", &self.life)
            .field("relaxed", &self.relaxed)
            .field("shim", &self.shim)
            .finish_non_exhaustive()
    }
}
