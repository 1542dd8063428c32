//! What is wanted: a container of an image, with a command or waiting for some.
//!
//! ```
//! use std::time::Duration;
//! use wire_core::spawn::{Lifetime, Limits, Mount, SpawnSpec};
//! let spec = SpawnSpec::new("debian:12")
//!     .name("build-7")
//!     .cmd(["/usr/bin/make", "test"])
//!     .workdir("/work")
//!     .mount(Mount::bind("/home/me/project", "/work").read_only())
//!     .limits(Limits::default().memory(1 << 30))
//!     .lifetime(Lifetime::For(Duration::from_secs(600)));
//! assert_eq!(spec.image(), "debian:12");
//! assert_eq!(spec.bind_sources().collect::<Vec<_>>(), ["/home/me/project"]);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wire_shim::protocol::{Overflow, SecretFile, TtySize};

use super::command::Stdin;
use super::facts::Requirement;
use super::lifetime::Lifetime;
use super::limits::Limits;
use super::mount::Mount;
use super::network::Network;
use super::relax::Relaxation;

/// What is wanted. Nothing is checked until [`validate`](Self::validate).
#[derive(Clone, PartialEq)]
pub struct SpawnSpec {
    pub(super) image: String,
    pub(super) pull: Pull,
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) argv: Option<Vec<String>>,
    pub(super) workdir: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) image_env: BTreeSet<String>,
    pub(super) user: User,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) limits: Limits,
    pub(super) mounts: Vec<Mount>,
    pub(super) network: Network,
    pub(super) ports: Vec<u16>,
    pub(super) lifetime: Lifetime,
    pub(super) stdin: Stdin,
    pub(super) tty: Option<TtySize>,
    pub(super) secrets: Vec<SecretFile>,
    pub(super) relaxations: Vec<Relaxation>,
    pub(super) required: BTreeSet<Requirement>,
    pub(super) shim: ShimMode,
    pub(super) runtime: Option<String>,
    pub(super) stays: bool,
    pub(super) overflow: Option<Overflow>,
}

/// Whether an image may be fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pull {
    /// No: it is there, or the spec fails.
    Never,
    /// Yes, if it is not there.
    #[default]
    Missing,
}

/// Whether the container's first process is the shim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShimMode {
    /// If there is one. What needs it fails without.
    #[default]
    Auto,
    /// Yes, or the spec fails.
    Required,
    /// No.
    Off,
}

/// Whom programs run as. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Default for User {
    /// A user whom no image and no host has.
    fn default() -> Self {
        Self { uid: 65532, gid: 65532 }
    }
}

impl fmt::Display for User {
    /// As engines read it. Both numbers: with the user alone the group is 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl SpawnSpec {
    /// A container of this image, by name or id, with all defaults.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            pull: Pull::default(),
            name: None,
            key: None,
            peer: None,
            argv: None,
            workdir: "/".to_owned(),
            env: Vec::new(),
            image_env: BTreeSet::new(),
            user: User::default(),
            labels: BTreeMap::new(),
            limits: Limits::default(),
            mounts: Vec::new(),
            network: Network::None,
            ports: Vec::new(),
            lifetime: Lifetime::Tied,
            stdin: Stdin::Empty,
            tty: None,
            secrets: Vec::new(),
            relaxations: Vec::new(),
            required: BTreeSet::new(),
            shim: ShimMode::Auto,
            runtime: None,
            stays: false,
            overflow: None,
        }
    }

    /// The image, as it was asked for.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Whether the image may be fetched.
    pub const fn pull_policy(&self) -> Pull {
        self.pull
    }

    /// The paths of the host that have to be in [`HostView::paths`](super::HostView::paths).
    pub fn bind_sources(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|mount| match mount {
            Mount::Bind { source, .. } => Some(source.as_str()),
            Mount::Volume { .. } | Mount::Tmpfs { .. } => None,
        })
    }

    /// The volumes that have to be in [`HostView::bound_volumes`](super::HostView::bound_volumes) if they are
    /// folders of the host.
    pub fn volume_names(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|mount| match mount {
            Mount::Volume { name, .. } => Some(name.as_str()),
            Mount::Bind { .. } | Mount::Tmpfs { .. } => None,
        })
    }

    /// The network that has to be in [`HostView::networks`](super::HostView::networks).
    pub fn network_name(&self) -> Option<&str> {
        match &self.network {
            Network::Named(name) => Some(name),
            Network::None | Network::Egress(_) => None,
        }
    }

    /// The container's name: 2 to 56 of `a-z A-Z 0-9 _ . -`. Without one it is made from the key.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Your own key, 1 to 128 visible ASCII characters: the same key and spec is the same container, the
    /// same key with another spec is refused. Without one it is the name, or made at random.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Whom it is made for: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peer = Some(peer.into());
        self
    }

    /// What to run. `argv[0]` with a slash is a path in the container, else it is looked up in `PATH`. No
    /// shell looks at it. Without a command the container waits for execs, and needs the shim.
    #[must_use]
    pub fn cmd<S: Into<String>>(mut self, argv: impl IntoIterator<Item = S>) -> Self {
        self.argv = Some(argv.into_iter().map(Into::into).collect());
        self
    }

    /// Where programs start: an absolute path, `/` if not said.
    #[must_use]
    pub fn workdir(mut self, folder: impl Into<String>) -> Self {
        self.workdir = folder.into();
        self
    }

    /// A variable for all programs. The last one of a name counts. `HOME` is `/tmp` if not said.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Lets this variable of the image through, if it has it.
    #[must_use]
    pub fn image_env(mut self, name: impl Into<String>) -> Self {
        self.image_env.insert(name.into());
        self
    }

    /// Whom programs run as, 65532:65532 if not said. 0 is refused.
    #[must_use]
    pub const fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = User { uid, gid };
        self
    }

    /// A label of yours: at most 64 of them, keys of 1 to 128 visible ASCII characters that do not begin
    /// with `wire.`, values of at most 1024 bytes.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// What it may use at most.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A folder for it.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// What it can reach: nothing, if not said.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// A port on the host. Always refused: a container is reached through its own connection.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// How long it may live: as long as this process, if not said.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The command's standard input: empty, if not said.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// A terminal for the command instead of pipes.
    #[must_use]
    pub const fn tty(mut self, size: TtySize) -> Self {
        self.tty = Some(size);
        self
    }

    /// A file under `/run/wire` that only the container's user may read, written before anything runs: at
    /// most 16, of 512 KiB together. It never touches a disk. Needs the shim.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.secrets.push(SecretFile { name: name.into(), bytes: bytes.into() });
        self
    }

    /// A default that does not hold: [`ExecTmp`](Relaxation::ExecTmp),
    /// [`WritableRoot`](Relaxation::WritableRoot), [`Shm`](Relaxation::Shm) or
    /// [`Unlimited`](Relaxation::Unlimited).
    #[must_use]
    pub fn relax(mut self, relaxation: Relaxation) -> Self {
        self.relaxations.push(relaxation);
        self
    }

    /// The spec fails on an engine without this.
    #[must_use]
    pub fn require(mut self, requirement: Requirement) -> Self {
        self.required.insert(requirement);
        self
    }

    /// Whether the first process is the shim.
    #[must_use]
    pub const fn shim(mut self, mode: ShimMode) -> Self {
        self.shim = mode;
        self
    }

    /// A runtime of the engine by name, such as `runsc`. If not said it is `runc`, where the engine has that.
    #[must_use]
    pub fn runtime(mut self, name: impl Into<String>) -> Self {
        self.runtime = Some(name.into());
        self
    }

    /// Whether the image may be fetched.
    #[must_use]
    pub const fn pull(mut self, pull: Pull) -> Self {
        self.pull = pull;
        self
    }

    /// The container goes on when its command has ended, with the command's record and output, until it is
    /// stopped or its life is over. Needs the shim.
    #[must_use]
    pub const fn stay(mut self) -> Self {
        self.stays = true;
        self
    }

    /// What happens when nobody reads the command's output in time: if not said, a container that is tied to this
    /// process waits for its reader ([`Overflow::Block`]), and any other loses the oldest
    /// ([`Overflow::DropOldest`]). [`Overflow::Kill`] needs the shim.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }
}

impl fmt::Debug for SpawnSpec {
    /// Without arguments, environment, labels' values, input and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnSpec")
            .field("image", &self.image)
            .field("name", &self.name)
            .field("argv", &format_args!("[{} arguments]", self.argv.as_ref().map_or(0, Vec::len)))
            .field("env", &format_args!("[{} variables]", self.env.len()))
            .field("user", &format_args!("{}", self.user))
            .field("limits", &self.limits)
            .field("mounts", &self.mounts)
            .field("network", &self.network)
            .field("lifetime", &self.lifetime)
            .field("relaxations", &self.relaxations)
            .field("shim", &self.shim)
            .finish_non_exhaustive()
    }
}
