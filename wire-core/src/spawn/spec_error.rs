//! Why a spec is not carried out. All reasons come at once.

use super::facts::EngineKind;
use super::limits::Resource;

/// Something that is wrong with a spec. Its text shows names and numbers, never a value of a variable, an
/// argument or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The image's name is none.
    #[error("{name:?} is not a name of an image")]
    Image {
        /// What was asked for.
        name: String,
    },
    /// The image's configuration is not one that a container is made from.
    #[error(transparent)]
    ImageConfig(#[from] super::image::ImageError),
    /// The image is for another processor or system.
    #[error("the image is for {image}, the engine runs {engine}")]
    Architecture {
        /// The image's.
        image: String,
        /// The engine's.
        engine: String,
    },
    /// The image wants a volume that nothing covers.
    #[error("the image declares a volume at {path:?}")]
    ImageVolume {
        /// Where.
        path: String,
    },
    /// The image has labels of ours that we do not set.
    #[error("the image has the label {key:?}")]
    ImageLabel {
        /// The label.
        key: String,
    },
    /// The name is none, or one that is kept for us.
    #[error("a name is 2 to 56 of a-z A-Z 0-9 _ . - and begins with a letter or digit: {name:?}")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// The key is none.
    #[error("a key is 1 to 128 visible ascii characters")]
    Key,
    /// The peer is none.
    #[error("a peer is 1 to 128 visible ascii characters")]
    Peer,
    /// There is a command without a program.
    #[error("the command is empty")]
    EmptyCommand,
    /// The program's name, or an argument, cannot be passed on.
    #[error("an argument has a NUL byte")]
    ArgumentNul,
    /// More than there may be.
    #[error("more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        most: usize,
    },
    /// Larger than it may be.
    #[error("{what}: more than {most} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The most.
        most: usize,
    },
    /// A variable has no name that can be passed on.
    #[error("not a name of a variable: {name:?}")]
    EnvName {
        /// The name.
        name: String,
    },
    /// A variable that is kept for the shim or changes how programs are loaded.
    #[error("the variable {name} is reserved")]
    EnvReserved {
        /// The name.
        name: String,
    },
    /// A variable's value cannot be passed on.
    #[error("the value of {name} has a NUL byte")]
    EnvValue {
        /// The name.
        name: String,
    },
    /// The working folder is none.
    #[error("the working folder must be an absolute path without `..`, and not in /proc, /sys or /dev")]
    Workdir,
    /// Root, by user or by group.
    #[error("user and group must be 1 to 2147483647, not {uid}:{gid}")]
    User {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A label that is kept for us, or cannot be passed on.
    #[error("not a label of yours: {key:?}")]
    Label {
        /// Its key.
        key: String,
    },
    /// A number is out of its range.
    #[error("{what} must be {least} to {most}{}, not {asked}", .what.unit())]
    Limit {
        /// Of what.
        what: Resource,
        /// What was asked for.
        asked: u64,
        /// The least.
        least: u64,
        /// The most, here.
        most: u64,
    },
    /// No share of the host's processors.
    #[error("cpus must be 0.01 to {host}, not {asked}")]
    Cpus {
        /// What was asked for.
        asked: String,
        /// The host's.
        host: u32,
    },
    /// All that is kept in memory is more than the memory.
    #[error("all tmpfs, shared memory and kept output are {all} bytes, the memory is {memory}")]
    TmpfsOverMemory {
        /// Bytes of all of them.
        all: u64,
        /// Bytes of memory.
        memory: u64,
    },
    /// The lifetime is over already, or too long.
    #[error("a lifetime is 1 second to 30 days from now")]
    Lifetime,
    /// Nothing may be mounted there.
    #[error("cannot mount at {target:?}: {why}")]
    Target {
        /// Where.
        target: String,
        /// Why.
        why: TargetRefusal,
    },
    /// Two mounts at one place, or one inside the other.
    #[error("the mounts at {one:?} and {other:?} overlap")]
    Overlap {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// No container gets that.
    #[error("cannot mount {source_path:?}: {why}")]
    Source {
        /// The path as asked for.
        source_path: String,
        /// Why.
        why: SourceRefusal,
    },
    /// No name of a volume, or one of ours.
    #[error("not a name of a volume of yours: {name:?}")]
    Volume {
        /// The name.
        name: String,
    },
    /// The volume is a folder of the host under another name.
    #[error("the volume {name:?} is a folder of the host")]
    VolumeIsBind {
        /// The volume's name.
        name: String,
    },
    /// Ports of a container that has no network.
    #[error("ports were asked for, but the container has no network")]
    PortsWithoutNetwork,
    /// Ports are never opened on the host.
    #[error("ports are not opened on the host")]
    Ports,
    /// No network, or not one that a container may be in.
    #[error("no such network for containers: {name:?}")]
    Network {
        /// Its name.
        name: String,
    },
    /// A list of hosts, which nothing here can hold.
    #[error("unenforceable: nothing here holds a list of hosts that may be reached")]
    Egress,
    /// The engine cannot hold a limit or a control.
    #[error("unenforceable: this engine does not hold {what}")]
    Unenforceable {
        /// Which.
        what: &'static str,
    },
    /// The engine does not have what the spec insists on.
    #[error("this engine has no {what}, which the spec requires")]
    Required {
        /// Which.
        what: &'static str,
    },
    /// The engine is one that is known and not supported.
    #[error("{engine:?} is not supported yet")]
    Engine {
        /// Which.
        engine: EngineKind,
    },
    /// The engine does not have that runtime.
    #[error("the engine has no runtime {name:?}")]
    Runtime {
        /// Its name.
        name: String,
    },
    /// It needs the shim, and there is none, or it was turned off.
    #[error("{what} needs the shim")]
    NeedsShim {
        /// What.
        what: &'static str,
    },
    /// No name of a secret, one that is kept for us, or one that is there twice.
    #[error("not a name of a secret, or there twice: {name:?}")]
    Secret {
        /// Its name.
        name: String,
    },
    /// A relaxation that is not asked for in this way.
    #[error("{name} is not a relaxation that can be asked for like this")]
    Relaxation {
        /// Its name.
        name: &'static str,
    },
    /// A terminal without a size.
    #[error("a terminal has at least one column and one row")]
    Tty,
}

/// Why nothing may be mounted at a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetRefusal {
    /// Not absolute, or not in its shortest form.
    #[error("it must be an absolute path without `.`, `..`, doubled slashes or control characters")]
    NotPlain,
    /// The root.
    #[error("it is the root")]
    Root,
    /// The container has something of its own there.
    #[error("{0} is the container's own")]
    Reserved(&'static str),
}

/// Why no container gets a path of the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceRefusal {
    /// Relative.
    #[error("it must be an absolute path")]
    NotAbsolute,
    /// The engine is reached over TCP, and what it has at that path cannot be seen from here.
    #[error("the engine is reached over TCP, and its files may be others than those here")]
    Elsewhere,
    /// Not there.
    #[error("it is not there")]
    Missing,
    /// A socket.
    #[error("it is a socket")]
    Socket,
    /// A device or a pipe.
    #[error("it is neither a folder nor a regular file")]
    Special,
    /// The real path cannot be sent to the engine.
    #[error("its real path is no plain text")]
    NotText,
    /// It is, contains, or lies in what no container gets.
    #[error("no container gets what is there")]
    Never,
    /// Not in a folder that may be bound.
    #[error("it lies outside of the folders that may be mounted")]
    OutsideRoots,
}

impl SpecError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Image { .. } => "name it as in debian:12, or by its id sha256:..",
            Self::ImageConfig(_) => "build the image anew with a common tool",
            Self::Architecture { .. } => "build or pull the image for the engine's processor",
            Self::ImageVolume { .. } => "cover it: mount a tmpfs at exactly that path",
            Self::ImageLabel { .. } => "build the image without labels that begin with wire.",
            Self::Name { .. } => "choose another name, one that does not end in .wire-p",
            Self::Key | Self::Peer => "leave out spaces and other characters",
            Self::EmptyCommand => "say what to run, or leave the command out to wait for execs",
            Self::ArgumentNul | Self::EnvValue { .. } => "pass binary data by standard input or a file",
            Self::TooMany { .. } | Self::TooLarge { .. } => "pass more by standard input or a file",
            Self::EnvName { .. } => "a name has no =, no space and no control character",
            Self::EnvReserved { .. } => {
                "WIRE_*, LD_* and GLIBC_TUNABLES cannot be set; pass secrets as secrets"
            }
            Self::Workdir => "for example /work",
            Self::User { .. } => "the default is 65532:65532",
            Self::Label { .. } => "labels that begin with wire. are set by us alone, and none has a NUL byte",
            Self::Limit { .. } | Self::Cpus { .. } => "choose a number in that range",
            Self::TmpfsOverMemory { .. } => {
                "what is in a tmpfs counts as memory: lower it, or raise the memory"
            }
            Self::Lifetime => "choose a time in that range",
            Self::Target { .. } => "mount it elsewhere, for example at /work",
            Self::Overlap { .. } => "mount each at a place of its own",
            Self::Source { why: SourceRefusal::Elsewhere, .. } => {
                "use a volume; or, if the engine is on this machine, say so: DockerConfig::same_files"
            }
            Self::Source { why: SourceRefusal::OutsideRoots, .. } => {
                "mount a folder below those of DockerConfig::bind_roots, or add its own to them"
            }
            Self::Source { .. } => "mount a folder that holds only what the container needs",
            Self::VolumeIsBind { .. } => "mount the folder itself, as a bind",
            Self::Volume { .. } => "names that begin with wire- are ours",
            Self::PortsWithoutNetwork | Self::Ports => {
                "reach the program through the container's own connection instead"
            }
            Self::Network { .. } => "make it first: docker network create --internal NAME",
            Self::Egress => "use no network, or a named one",
            Self::Unenforceable { .. } => {
                "use another engine, or say that it may be without: relax(Unlimited)"
            }
            Self::Required { .. } => "set the engine up with it, or do not require it",
            Self::Engine { .. } => "use Docker Engine",
            Self::Runtime { .. } => "see docker info for its runtimes",
            Self::NeedsShim { .. } => {
                "let it have the shim (there is one built in, or WIRE_SHIM names it), or ask for what does without"
            }
            Self::Secret { .. } => "a name is one part of a path: letters, digits, _ . -",
            Self::Relaxation { .. } => "use the builder's own call for it",
            Self::Tty => "give its size, for example 80 columns and 24 rows",
        }
    }
}
