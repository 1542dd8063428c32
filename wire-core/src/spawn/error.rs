//! What can go wrong between a spec and its result, by who has to act.

use super::attestation::{Attestation, AttestationError};
use super::ids::ContainerId;
use super::image::ImageError;
use super::readback::Mismatch;
use super::spec_error::SpecError;

/// Whether the same call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Yes: nothing was changed.
    Safe,
    /// Only if the call is idempotent: it may have been carried out.
    OnlyIfIdempotent,
    /// No: the same call fails the same way.
    No,
}

/// The engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No socket where the engine should listen.
    #[error("no container engine: {path} is not there")]
    SocketMissing {
        /// Where it was looked for.
        path: String,
    },
    /// The socket belongs to others.
    #[error("{path}: permission denied")]
    PermissionDenied {
        /// The socket.
        path: String,
    },
    /// Nobody listens.
    #[error("the container engine at {path} is not running")]
    Refused {
        /// Where it should listen.
        path: String,
    },
    /// The connection broke.
    #[error("the connection to the container engine broke")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the container engine did not answer {verb} in time")]
    Timeout {
        /// What was asked.
        verb: &'static str,
    },
    /// The engine's API is older than what is needed.
    #[error("the engine speaks API {have}, {need} is needed")]
    TooOld {
        /// Its newest version.
        have: String,
        /// The oldest that will do.
        need: &'static str,
    },
    /// The engine's address is of a kind that is not spoken.
    #[error("an engine cannot be reached by {scheme}")]
    Endpoint {
        /// The kind of address: `ssh`, `https`, ... Never the whole, which may hold a password.
        scheme: String,
    },
    /// An engine that is known and not supported.
    #[error("{engine} is not supported yet")]
    Unsupported {
        /// Its name.
        engine: String,
    },
    /// The engine's state does not allow it: another one of that name, already running, paused.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The container was made and never started: there is no end of it to come.
    #[error("the container was never started")]
    NeverStarted,
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(String),
    /// The answer is not what the API promises.
    #[error("the container engine answered against its protocol: {0}")]
    Protocol(String),
    /// Something between us and the engine does not pass streams on.
    #[error("a proxy in front of the container engine does not pass streams on")]
    ProxyBlocksHijack,
    /// The engine failed.
    #[error("the container engine failed ({code}): {message}")]
    Server {
        /// Its HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// The request is not one that the engine takes.
    #[error("the container engine refused the request: {0}")]
    BadRequest(String),
    /// What was to be sent could not be read. Nothing came of it.
    #[error("reading what was to be sent: {0}")]
    Source(String),
    /// There is nothing in what should be an archive.
    #[error("the archive is empty")]
    NoArchive,
}

impl EngineError {
    /// Whether the same call may be made again.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::SocketMissing { .. } | Self::PermissionDenied { .. } | Self::Refused { .. } => Retry::Safe,
            Self::Unreachable(_) | Self::Timeout { .. } | Self::Server { .. } => Retry::OnlyIfIdempotent,
            Self::TooOld { .. }
            | Self::Endpoint { .. }
            | Self::Unsupported { .. }
            | Self::Conflict(_)
            | Self::NeverStarted
            | Self::NotFound(_)
            | Self::Protocol(_)
            | Self::ProxyBlocksHijack
            | Self::BadRequest(_)
            | Self::Source(_)
            | Self::NoArchive => Retry::No,
        }
    }

    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::SocketMissing { .. } => "install Docker Engine, or set DOCKER_HOST to where it listens",
            Self::PermissionDenied { .. } => {
                "run as a user who may use the engine; that user can become root on this machine"
            }
            Self::Refused { .. } => "start the engine, for example: systemctl start docker",
            Self::Unreachable(_) => {
                "see whether the engine runs; what was started is swept or adopted next time"
            }
            Self::Timeout { .. } => "the engine is overloaded or hangs; see its log, then try again",
            Self::TooOld { .. } => "install a newer Docker Engine",
            Self::Endpoint { .. } => "set DOCKER_HOST to unix:///path/of/socket or tcp://host:port",
            Self::Unsupported { .. } => "use Docker Engine",
            Self::Conflict(_) => "look at the container first: wire ps",
            Self::NeverStarted => "remove it, or spawn it again with the same spec",
            Self::NotFound(_) => "wire ps shows what there is",
            Self::Protocol(_) => "see that DOCKER_HOST is a container engine, and report this",
            Self::ProxyBlocksHijack => "use the engine's own socket, or let the proxy pass upgrades on",
            Self::Server { .. } => "see the engine's log",
            Self::BadRequest(_) => "report this: the request should have been refused before it was sent",
            Self::Source(_) => "see that the source can be read to its end",
            Self::NoArchive => "give a root file system as an uncompressed tar archive",
        }
    }
}

/// A container could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The spec, with everything that is wrong with it.
    #[error("the spec: {}", list(.0))]
    Spec(Vec<SpecError>),
    /// The image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Our own folder.
    #[cfg(feature = "docker")]
    #[error(transparent)]
    Installation(#[from] super::docker::InstallationError),
    /// What was seen inside is not what was asked for. The container is removed.
    #[error("not proved from inside: {}", .0.broken().map(|row| row.control.name()).collect::<Vec<_>>().join(", "))]
    Unproved(Box<Attestation>),
    /// What was seen inside cannot be judged. The container is removed.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// The shim, or a program.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A container of that name belongs to somebody else.
    #[error("the name is taken by another container")]
    NameTaken,
    /// The same key was used for another spec.
    #[error("the same key or name was used for another spec, in {existing}")]
    SpecMismatch {
        /// The container that has it.
        existing: ContainerId,
    },
    /// There is no such image here.
    #[error("no such image: {0}")]
    ImageMissing(String),
    /// There is no such image here, and it could not be fetched.
    #[error("no image {image} here, and fetching it failed: {why}")]
    Pull {
        /// What was asked for.
        image: String,
        /// The engine's words, which may be those of a registry.
        why: String,
    },
    /// Created, and then failed.
    #[error("the container did not start ({stage}): {detail}")]
    StartFailed {
        /// What was being done.
        stage: &'static str,
        /// Whether everything that was made is removed again.
        cleaned: bool,
        /// The engine's words.
        detail: String,
    },
    /// The engine made something else than what was asked for. It is removed again.
    #[error("the engine did not make what was asked for: {}", list(.0))]
    ReadBack(Vec<Mismatch>),
    /// The engine, or the runtime, cannot hold what the spec asks for.
    #[error("this engine cannot enforce: {}", .0.join(", "))]
    Unenforceable(Vec<String>),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl SpawnError {
    /// What to do next; of a spec, about the first thing that is wrong with it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Spec(errors) => errors.first().map_or("look at the spec", SpecError::hint),
            Self::Image(_) => "use another image, or rebuild it without that",
            #[cfg(feature = "docker")]
            Self::Installation(super::docker::InstallationError::Shim(_)) => {
                "unset WIRE_SHIM, or let it name the shim for the engine's processor"
            }
            #[cfg(feature = "docker")]
            Self::Installation(_) => "mend the folder under WIRE_HOME as the message says",
            Self::Unproved(_) => {
                "report this with the engine's version: the engine took the request and did less"
            }
            Self::Attestation(error) => error.hint(),
            Self::Exec(error) => error.hint(),
            Self::NameTaken => "choose another name: wire ps shows those of yours",
            Self::SpecMismatch { .. } => "choose another one, or remove the container first",
            Self::ImageMissing(_) => "pull or build it first, or let it be pulled",
            Self::Pull { .. } => "see the name, and whether the engine reaches its registry",
            Self::StartFailed { cleaned: true, .. } => {
                "nothing is left of it; look at the program and its path"
            }
            Self::StartFailed { cleaned: false, .. } => "what is left of it is swept next time",
            Self::ReadBack(_) => "use a newer Docker Engine, or ask for less; its log may say why",
            Self::Unenforceable(_) => "use another engine, or ask for less",
            Self::Engine(error) => error.hint(),
        }
    }
}

fn list(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A program could not be run, or nothing is known of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It needs the shim, and the container has none; or the engine started the program.
    #[error("{what} is done by the shim, and this runs without it")]
    Unsupported {
        /// What was asked.
        what: &'static str,
    },
    /// The program takes no more input.
    #[error("the program takes no more input")]
    StdinClosed,
    /// The command, with everything that is wrong with it.
    #[error("the command: {}", list(.0))]
    Command(Vec<SpecError>),
    /// The container is not running.
    #[error("the container is not running")]
    NotRunning,
    /// The container is paused.
    #[error("the container is paused")]
    Paused,
    /// There is no such program in the container.
    #[error("no such program in the container, or its record was dropped")]
    NoExec,
    /// Files could not be moved.
    #[error("{0}")]
    Files(String),
    /// The shim refused, or speaks another version.
    #[error("the shim: {0}")]
    Shim(String),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ExecError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => {
                "make a container with the shim; there is one built in (feature embed-shim), or WIRE_SHIM names it"
            }
            Self::StdinClosed => "the program has ended, or has closed its input",
            Self::Command(errors) => match errors.first() {
                Some(error) => error.hint(),
                None => "look at the command",
            },
            Self::NotRunning => "start another container; wire ps shows how this one ended",
            Self::Paused => "let the container go on first: docker unpause",
            Self::Files(_) => "look at the path and at what the container's user may do there",
            Self::NoExec => "wire ps ID lists the programs of a container; one that runs is not forgotten",
            Self::Shim(_) => "see whether the container runs: wire ps",
            Self::Engine(error) => error.hint(),
        }
    }
}
