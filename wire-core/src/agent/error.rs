//! Everything that an agent can answer instead of doing what it was asked.

use super::config::ConfigError;
use super::effects::DatabaseError;
use super::relay_url::{PeerRelayError, RelayUrlError};
use super::state::Delivery;
use super::store::StoreError;
use super::transport::TransportError;
use crate::identity::StatementError;
use crate::mailbox::Refusal;
use crate::pairing::{CodeError, LinkError, PairingError};
use crate::recovery::RecoveryError;

/// The one error of the agent. [`code`](Self::code) is the stable word for programs,
/// [`hint`](Self::hint) says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call that can never succeed as it is.
    #[error("{0}")]
    Usage(&'static str),
    /// The text is no code. Nothing was sent anywhere.
    #[error(transparent)]
    BadCode(#[from] CodeError),
    /// The text is no invite link. Nothing was sent anywhere.
    #[error(transparent)]
    BadLink(#[from] LinkError),
    /// A file, variable or name of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A relay address.
    #[error(transparent)]
    RelayUrl(#[from] RelayUrlError),
    /// The relay address that a peer gave us.
    #[error(transparent)]
    PeerRelay(#[from] PeerRelayError),
    /// The store on this disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The application's own database, under [`Message::with_tx`](super::Message::with_tx).
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// No answer from the relay.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The relay answered with another key than the one pinned for it.
    #[error("{url} is not the relay that it was: its key has changed")]
    RelayMismatch {
        /// Its address.
        url: String,
    },
    /// What answers there is not a relay, or cannot prove its key.
    #[error("{url} does not answer like a relay")]
    NotARelay {
        /// Its address.
        url: String,
    },
    /// This clock and the relay's are more than a day apart.
    #[error("the clock is off by {} hours against {url}", offset_ms / 3_600_000)]
    ClockSkew {
        /// The relay.
        url: String,
        /// Its time minus ours, in milliseconds.
        offset_ms: i64,
    },
    /// The relay refused.
    #[error("{0}")]
    Relay(Refusal),
    /// Wrong words, or somebody guessed. The code is used up on both sides.
    #[error("wrong code, or someone guessed; the code is used up")]
    WrongCode,
    /// The code was used before.
    #[error("code already used; someone may have guessed, or it was joined twice")]
    CodeUsed,
    /// There is no such code any more, or never was.
    #[error("there is no such code or invite: it has expired, was taken back, or its number is mistyped")]
    CodeExpired,
    /// A third party tried the same code.
    #[error("a third party tried the same code; it is used up")]
    Contested,
    /// The pairing did not complete in time. Nobody was told that it did.
    #[error("the other side did not complete the pairing")]
    PairingIncomplete,
    /// Another failure of the pairing; the code is used up.
    #[error("pairing failed: {0}")]
    Pairing(PairingError),
    /// No such peer.
    #[error("no such peer")]
    UnknownPeer,
    /// The pairing with the peer is not completed.
    #[error("not paired with {peer} yet")]
    NotPaired {
        /// Its local name.
        peer: String,
    },
    /// The peer has revoked us: its relay, which has proved its key, takes nothing from us for it.
    #[error("{peer} has ended the pairing")]
    Ended {
        /// Its local name.
        peer: String,
    },
    /// A later pairing with the same agent took the place of the one that is meant.
    #[error("a later pairing with {peer} took the place of this one")]
    Replaced {
        /// Its local name.
        peer: String,
    },
    /// The peer was revoked here.
    #[error("{peer} was revoked")]
    Revoked {
        /// Its local name.
        peer: String,
    },
    /// The session is frozen: the peer signed two histories or its state was copied.
    #[error("the session with {peer} is frozen: its signed history contradicts itself")]
    SessionFrozen {
        /// Its local name.
        peer: String,
    },
    /// The pairing was restored, and its session was not.
    #[error("there is no session with {peer}: it was not restored with the pairing")]
    NeedsReset {
        /// Its local name.
        peer: String,
    },
    /// Resets of the session with a peer were asked for or answered too often.
    #[error("the session with {peer} was reset too often within an hour; nothing was changed")]
    ResetTooOften {
        /// Its local name.
        peer: String,
    },
    /// Nothing waits for words.
    #[error("no reset of the session with {peer} waits for words")]
    NoReset {
        /// Its local name.
        peer: String,
    },
    /// The words that the other owner has read out are not those of this reset.
    #[error("these are not the words of {peer}: someone may stand in between; the reset was thrown away")]
    ResetWordsDiffer {
        /// Its local name.
        peer: String,
    },
    /// Another live peer has the name.
    #[error("there is already a peer named {name}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Whoever pairs under the name of a known peer proves it by a key that this peer has replaced.
    #[error("the other side has the name of {peer}, and a key that {peer} has replaced")]
    StaleIdentity {
        /// The local name of the known one.
        peer: String,
    },
    /// What is sent to a peer waits until it has acknowledged our new key.
    #[error("{peer} has not heard of the new key yet")]
    NewKeyUnheard {
        /// Its local name.
        peer: String,
    },
    /// The key was replaced before, and these peers have not acknowledged that yet.
    #[error("the last rotation is not over: {} must acknowledge it first", peers.join(", "))]
    RotationUnderWay {
        /// Their local names.
        peers: Vec<String>,
    },
    /// The peer has not heard of the last move of its mailbox yet.
    #[error("{peer} has not heard of the last move yet")]
    MoveUnderWay {
        /// Its local name.
        peer: String,
    },
    /// Pairings that are under way were begun with the present key.
    #[error("a pairing is under way: {}", peers.join(", "))]
    PairingUnderWay {
        /// Their local names.
        peers: Vec<String>,
    },
    /// The key that may replace the present one is not here.
    #[error("the next key is not beside the store")]
    NextKeyAway,
    /// An identity cannot be rotated any further, or not by this key.
    #[error("the identity cannot be rotated: {0}")]
    Rotation(StatementError),
    /// The key that may replace the present one is in a recovery file.
    #[error("the next key is in the recovery file {path}")]
    NextKeyInFile {
        /// Where that was written.
        path: String,
    },
    /// A recovery file was not made, or not opened.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The recovery file of another agent.
    #[error("{path} is the recovery file of another agent")]
    AnotherIdentity {
        /// The file.
        path: String,
    },
    /// A recovery file of before the last rotation, or of another one.
    #[error("{path} has a key that was replaced: it is of before the last rotation")]
    StaleRecovery {
        /// The file.
        path: String,
    },
    /// The recovery file has the key of a rotation that did not come to its end.
    #[error("{path} is of a rotation that was cut off")]
    RotationCutOff {
        /// The file.
        path: String,
    },
    /// A file that would have to be overwritten.
    #[error("{path} is there already")]
    FileExists {
        /// The file.
        path: String,
    },
    /// There is an agent where one was to be restored.
    #[error("there is an agent in {folder} already")]
    AgentExists {
        /// Its folder.
        folder: String,
    },
    /// No record with this id.
    #[error("no such message")]
    UnknownMessage,
    /// The sender was told something else of the message before, and that is final.
    #[error("the message is settled already: {state}")]
    Settled {
        /// What the sender was told.
        state: Delivery,
    },
    /// Too much is under way to the peer. Nothing was queued.
    #[error("{waiting} messages to {peer} are not acknowledged yet; nothing was queued")]
    Backpressure {
        /// Its local name.
        peer: String,
        /// How many wait.
        waiting: u64,
    },
    /// A body that does not fit.
    #[error("a body of {len} bytes is larger than {max}")]
    TooLarge {
        /// What was given.
        len: usize,
        /// What fits.
        max: usize,
    },
    /// The time to wait is over. What was waited for goes on.
    #[error("the wait is over")]
    WaitOver,
    /// The body is not UTF-8 text.
    #[error("the body is not text")]
    NotText,
    /// The agent was closed.
    #[error("the agent is closed")]
    Closed,
    /// A fault of this program.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

/// The result of everything that an agent does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable word for programs. One word can stand for several variants; the exit code of the
    /// command follows from it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::NameTaken { .. } => "usage",
            Self::BadCode(_) | Self::BadLink(_) => "bad_code",
            Self::Config(_) | Self::RelayUrl(_) => "bad_config",
            Self::Store(StoreError::DiskFull) => "disk_full",
            Self::Store(StoreError::Corrupt { .. }) => "store_corrupt",
            Self::Store(StoreError::Newer { .. }) => "store_newer",
            Self::Store(StoreError::ReadOnly) => "store_read_only",
            Self::Store(StoreError::Unsafe { .. }) => "store_unsafe",
            Self::Store(_) => "store",
            Self::Database(DatabaseError::Full) => "disk_full",
            Self::Database(_) => "database",
            Self::Transport(_) | Self::NotARelay { .. } => "relay_unreachable",
            Self::RelayMismatch { .. } => "relay_mismatch",
            Self::ClockSkew { .. } => "clock_skew",
            Self::Relay(Refusal::Quota { .. } | Refusal::Rate { .. } | Refusal::Work { .. })
            | Self::Backpressure { .. } => "quota",
            Self::Relay(Refusal::Full | Refusal::Unavailable { .. }) => "relay_unreachable",
            Self::Relay(Refusal::TooLarge) | Self::TooLarge { .. } => "too_large",
            Self::Relay(Refusal::OldEpoch)
            | Self::Ended { .. }
            | Self::Replaced { .. }
            | Self::Revoked { .. } => "revoked",
            Self::Relay(_) | Self::PeerRelay(_) => "refused",
            Self::WrongCode => "wrong_code",
            Self::CodeUsed => "code_used",
            Self::CodeExpired => "code_expired",
            Self::Contested => "contested",
            Self::PairingIncomplete | Self::NotPaired { .. } | Self::UnknownPeer => "not_paired",
            Self::Pairing(_) => "wrong_code",
            Self::SessionFrozen { .. } => "session_frozen",
            Self::NeedsReset { .. } => "needs_reset",
            Self::ResetTooOften { .. } => "quota",
            Self::NoReset { .. } => "usage",
            Self::ResetWordsDiffer { .. } => "wrong_words",
            Self::UnknownMessage | Self::Settled { .. } => "usage",
            Self::RotationUnderWay { .. }
            | Self::MoveUnderWay { .. }
            | Self::PairingUnderWay { .. }
            | Self::StaleIdentity { .. } => "refused",
            Self::NextKeyAway | Self::Rotation(_) => "no_next_key",
            Self::NextKeyInFile { .. } => "next_key_in_file",
            Self::Recovery(RecoveryError::Passphrase(_)) => "usage",
            Self::Recovery(RecoveryError::Locked) => "wrong_passphrase",
            Self::Recovery(_)
            | Self::AnotherIdentity { .. }
            | Self::StaleRecovery { .. }
            | Self::RotationCutOff { .. } => "recovery_file",
            Self::FileExists { .. } => "file_exists",
            Self::AgentExists { .. } => "agent_exists",
            Self::NewKeyUnheard { .. } => "new_key_unheard",
            Self::WaitOver => "wait_over",
            Self::NotText => "not_text",
            Self::Closed => "closed",
            Self::Internal(_) => "internal",
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::WrongCode
            | Self::CodeUsed
            | Self::Contested
            | Self::Pairing(_)
            | Self::PairingIncomplete
            | Self::CodeExpired => "begin anew, on either side: wire pair",
            Self::Transport(_) | Self::NotARelay { .. } => {
                "check the address and that the relay runs; what is queued goes out when it is back"
            }
            Self::RelayMismatch { .. } => {
                "nothing was sent to it; ask its operator: what is queued goes out once it has its old key back"
            }
            Self::ClockSkew { .. } => "set this machine's clock, then try again",
            Self::UnknownPeer => "see who is paired: wire peers",
            Self::NotPaired { .. } => {
                "the other side has to be on line to complete the pairing; see: wire peers"
            }
            Self::Ended { .. } | Self::Revoked { .. } | Self::Relay(Refusal::OldEpoch) => {
                "pair again: wire pair"
            }
            Self::Replaced { .. } => "send it again: wire send",
            Self::SessionFrozen { .. } => {
                "find out whether a machine was copied or restored, then: wire peers reset PEER"
            }
            Self::ResetTooOften { .. } => "find out with the other owner what goes wrong; wait an hour",
            Self::NoReset { .. } => {
                "see how it stands: wire peers show PEER; ask for one: wire peers reset PEER"
            }
            Self::ResetWordsDiffer { .. } => {
                "the old session stands; were they misheard, both begin anew: wire peers reset PEER"
            }
            Self::NameTaken { .. } => {
                "choose another name with --name, or none: a peer that pairs again keeps its name"
            }
            Self::UnknownMessage => "see what waits: wire inbox; what is under way: wire status",
            Self::Settled { .. } => "nothing was changed; to answer it all the same: wire send --re ID",
            Self::Backpressure { .. } => "wait until the peer has fetched what is under way",
            Self::TooLarge { .. } => "send a shorter body",
            Self::RotationUnderWay { .. } => {
                "they have to come on line; one that never will has to be revoked first: wire revoke PEER"
            }
            Self::MoveUnderWay { .. } => "it has to come on line; see: wire peers show PEER",
            Self::StaleIdentity { .. } => {
                "it is an old copy of that agent, or who has stolen its old key: ask its owner before anything else"
            }
            Self::PairingUnderWay { .. } => {
                "complete it first, or end it: wire peers shows it, wire revoke PEER or wire peers reset PEER --cancel ends it"
            }
            Self::NewKeyUnheard { .. } => "it goes out by itself once the peer was on line",
            Self::NextKeyAway => {
                "put the file next.key back beside the store, or give the recovery file that has it: --file FILE, or --update"
            }
            Self::NextKeyInFile { .. } => {
                "give it, wherever it is now: wire identity rotate --file FILE; or wire identity backup FILE --update"
            }
            Self::Recovery(error) => match error {
                RecoveryError::Passphrase(_) => "choose another: four or five words drawn at random are good",
                RecoveryError::Locked => {
                    "try again; caps lock and keyboard layout count; nothing was changed"
                }
                RecoveryError::Version => "update this program; nothing was changed",
                RecoveryError::TooLarge => "revoke peers that are gone: wire revoke PEER",
                _ => "use another copy of it; nothing was changed",
            },
            Self::AnotherIdentity { .. } => "give the file of this agent, or name that agent: wire --as NAME",
            Self::StaleRecovery { .. } => {
                "use the file that the last rotation wrote; this one is of no use any more"
            }
            Self::RotationCutOff { .. } => "complete it first: wire identity rotate --file FILE",
            Self::FileExists { .. } => {
                "choose another name; a recovery file of this agent is brought up to date by --update"
            }
            Self::AgentExists { .. } => "restore under another name: wire --as NAME identity restore FILE",
            Self::NeedsReset { .. } => {
                "ask for a new session: wire peers reset PEER; or pair again: wire pair; the name stays"
            }
            Self::Rotation(_) => "make a new identity and pair again",
            Self::WaitOver => "what was waited for goes on; ask for it again later",
            Self::BadCode(_) => "read it again on the other side's screen; nothing was sent anywhere",
            Self::BadLink(_) => "copy the whole link once more; nothing was sent anywhere",
            Self::Usage(_) | Self::Config(_) | Self::RelayUrl(_) => {
                "correct it and try again; nothing was changed"
            }
            Self::Store(error) => return error.hint(),
            Self::Database(DatabaseError::Full) => "make room on its disk; the message comes again",
            Self::Database(_) => "the message comes again",
            Self::Relay(Refusal::Work { .. }) => {
                "too much was begun from this address; wait, or use another relay"
            }
            Self::Relay(refusal) if refusal.is_transient() => "try again later",
            Self::PeerRelay(_) => "the peer has to use a relay that this machine may reach; then pair again",
            Self::Relay(_) | Self::NotText | Self::Closed | Self::Internal(_) => {
                return None;
            }
        })
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(e) => e.is_transient(),
            Self::Transport(e) => e.is_transient(),
            Self::Relay(refusal) => refusal.is_transient(),
            Self::Backpressure { .. }
            | Self::WaitOver
            | Self::RotationUnderWay { .. }
            | Self::MoveUnderWay { .. }
            | Self::NewKeyUnheard { .. }
            | Self::Database(DatabaseError::Busy) => true,
            _ => false,
        }
    }

    /// The same once more, for everybody whom one failure concerns.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Store(StoreError::Busy) => Self::Store(StoreError::Busy),
            Self::Store(StoreError::DiskFull) => Self::Store(StoreError::DiskFull),
            Self::Store(StoreError::ReadOnly) => Self::Store(StoreError::ReadOnly),
            Self::Store(StoreError::Corrupt { detail }) => {
                Self::Store(StoreError::Corrupt { detail: detail.clone() })
            }
            Self::Store(StoreError::Newer { path, found, known }) => {
                Self::Store(StoreError::Newer { path: path.clone(), found: *found, known: *known })
            }
            other => Self::Store(StoreError::Sql(other.to_string().into())),
        }
    }

    pub(crate) fn usage(what: &'static str) -> Self {
        Self::Usage(what)
    }

    pub(crate) fn corrupt(what: &str) -> Self {
        Self::Store(StoreError::Corrupt { detail: what.to_owned() })
    }
}

#[doc(hidden)]
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}

impl From<PairingError> for Error {
    fn from(error: PairingError) -> Self {
        match error {
            PairingError::Failed => Self::WrongCode,
            other => Self::Pairing(other),
        }
    }
}
