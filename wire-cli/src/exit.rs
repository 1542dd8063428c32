//! What a command ends with: the exit code, and for a failure what is said about it.

use std::io;

use wire_core::Error;
use wire_core::agent::Trouble;

use crate::output::ErrorBody;

/// Done.
pub(crate) const OK: u8 = 0;
/// Failed, in a way that no other code stands for.
pub(crate) const FAILED: u8 = 1;
/// The command line, a code or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// The time to wait ran out; what was waited for goes on.
pub(crate) const WAIT_OVER: u8 = 3;
/// Not paired: wrong, used or expired code, unknown or revoked peer.
pub(crate) const NOT_PAIRED: u8 = 4;
/// The relay cannot be reached; what was to be sent is kept and goes out later.
pub(crate) const UNREACHABLE: u8 = 5;
/// Refused by the peer, the relay or a policy.
pub(crate) const REFUSED: u8 = 6;
/// Over a limit.
pub(crate) const QUOTA: u8 = 7;
/// Ctrl-C, as shells number it.
pub(crate) const INTERRUPTED: u8 = 130;
/// `run` and `exec`: there is no code of the program's to pass on.
pub(crate) const OURS: u8 = 125;
/// Whoever read the program's output has left.
pub(crate) const BROKEN_PIPE: u8 = 141;
/// SIGTERM.
pub(crate) const TERMINATED: u8 = 143;
/// SIGHUP.
pub(crate) const HUNG_UP: u8 = 129;

/// Error codes by exit code. Every word that is not here is a 1.
const CODES: [(u8, &[&str]); 6] = [
    (USAGE, &["usage", "bad_code", "bad_config", "file_exists", "agent_exists", "wrong_passphrase"]),
    (WAIT_OVER, &["wait_over"]),
    (
        NOT_PAIRED,
        &[
            "not_paired",
            "wrong_code",
            "wrong_words",
            "code_used",
            "code_expired",
            "contested",
            "revoked",
            "needs_reset",
        ],
    ),
    (UNREACHABLE, &["relay_unreachable", "relay_mismatch"]),
    (REFUSED, &["refused", "held", "denied", "unsupported", "unenforceable"]),
    (QUOTA, &["quota", "too_large", "disk_full"]),
];

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to say.
    Said {
        /// The stable word for programs.
        code: &'static str,
        /// What happened.
        message: String,
        /// What to do next.
        hint: Option<String>,
        /// The same command may succeed later without anybody changing anything.
        retryable: bool,
    },
    /// A signal, by its exit code.
    Stopped(u8),
    /// Nobody reads our output any more: the reader has what it wanted.
    PipeClosed,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::said("usage", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::said("internal", message)
    }

    pub(crate) fn said(code: &'static str, message: impl Into<String>) -> Self {
        Self::Said { code, message: message.into(), hint: None, retryable: false }
    }

    /// Says what to do next.
    pub(crate) fn hint(self, next: impl Into<String>) -> Self {
        match self {
            Self::Said { code, message, retryable, .. } => {
                Self::Said { code, message, hint: Some(next.into()), retryable }
            }
            other => other,
        }
    }

    /// As a part of a document that tells of more; nothing of one that says nothing.
    pub(crate) fn body(self) -> Option<ErrorBody> {
        match self {
            Self::Said { code, message, hint, retryable } => {
                Some(ErrorBody { code, message, hint, retryable })
            }
            Self::Stopped(_) | Self::PipeClosed => None,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Said { code, .. } => exit_of(code),
            Self::Stopped(code) => *code,
            Self::PipeClosed => OK,
        }
    }
}

/// The exit code for an error code.
pub(crate) fn exit_of(code: &str) -> u8 {
    CODES.iter().find(|(_, words)| words.contains(&code)).map_or(FAILED, |(exit, _)| *exit)
}

/// The exit code of who wanted to fetch and could not: whatever the relay has against it is one code, a
/// fault of the own store is told as anywhere else.
pub(crate) fn exit_of_unfetched(code: &str) -> u8 {
    if code == "disk_full" || code.starts_with("store") { exit_of(code) } else { UNREACHABLE }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // A command that fails has queued nothing: that something is kept is said of a message that waits.
        let hint = match &error {
            Error::Transport(_) | Error::NotARelay { .. } => {
                Some("check the address (WIRE_RELAY), or start a relay: wire relay serve")
            }
            Error::RelayMismatch { .. } => {
                Some("nothing was sent to it; ask its operator, or use another relay (WIRE_RELAY)")
            }
            other => other.hint(),
        };
        Self::Said {
            code: error.code(),
            message: error.to_string(),
            hint: hint.map(str::to_owned),
            retryable: error.is_transient(),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let hint = trouble.hint.map(str::to_owned);
        let (code, message, retryable) = (trouble.code, trouble.message, trouble.retryable);
        Self::Said { code, message, hint, retryable }
    }
}

impl From<wire_core::agent::ConfigError> for Failure {
    fn from(error: wire_core::agent::ConfigError) -> Self {
        Self::from(Error::from(error))
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            io::ErrorKind::StorageFull => Self::said("disk_full", format!("cannot write: {error}"))
                .hint("make room where the output goes"),
            _ => Self::said("internal", format!("cannot write: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(exit: u8, words: &[&'static str]) {
        for word in words {
            assert_eq!(Failure::said(word, "").exit(), exit, "{word}");
        }
    }

    #[test]
    fn one_is_everything_without_a_code_of_its_own() {
        check(
            1,
            &[
                "store_corrupt",
                "store_newer",
                "clock_skew",
                "session_frozen",
                "not_text",
                "internal",
                "closed",
                "store",
                "recovery_file",
                "next_key_in_file",
            ],
        );
    }

    #[test]
    fn two_is_usage() {
        check(2, &["usage", "bad_code", "bad_config", "file_exists", "agent_exists", "wrong_passphrase"]);
    }

    #[test]
    fn three_is_a_wait_that_ran_out() {
        check(3, &["wait_over"]);
        assert_eq!(Failure::from(Error::WaitOver).exit(), 3);
    }

    #[test]
    fn four_is_not_paired() {
        check(
            4,
            &[
                "not_paired",
                "wrong_code",
                "wrong_words",
                "code_used",
                "code_expired",
                "contested",
                "revoked",
                "needs_reset",
            ],
        );
        assert_eq!(Failure::from(Error::UnknownPeer).exit(), 4);
    }

    #[test]
    fn five_is_an_unreachable_relay() {
        check(5, &["relay_unreachable", "relay_mismatch"]);
    }

    #[test]
    fn six_is_refused() {
        check(6, &["refused", "held", "denied", "unsupported", "unenforceable"]);
    }

    #[test]
    fn seven_is_a_limit() {
        check(7, &["quota", "too_large", "disk_full"]);
        assert_eq!(Failure::from(Error::TooLarge { len: 2, max: 1 }).exit(), 7);
    }

    /// What fails queues nothing, so it must not say that something goes out later.
    #[test]
    fn an_error_of_a_relay_says_what_to_do_and_promises_nothing() {
        let url = "http://127.0.0.1:1".to_owned();
        for error in [Error::NotARelay { url: url.clone() }, Error::RelayMismatch { url }] {
            let code = error.code();
            let Failure::Said { hint: Some(hint), .. } = Failure::from(error) else { panic!("{code}") };
            assert!(hint.contains("WIRE_RELAY") && !hint.contains("queued"), "{code}: {hint}");
        }
    }

    #[test]
    fn what_was_not_fetched_is_the_relays_fault_or_that_of_the_own_store() {
        for code in ["relay_unreachable", "relay_mismatch", "clock_skew", "quota", "refused"] {
            assert_eq!(exit_of_unfetched(code), 5, "{code}");
        }
        for (code, exit) in [("disk_full", 7), ("store_read_only", 1), ("store", 1)] {
            assert_eq!(exit_of_unfetched(code), exit, "{code}");
        }
    }

    #[test]
    fn signals_are_numbered_as_shells_do() {
        assert_eq!(Failure::Stopped(INTERRUPTED).exit(), 130);
        assert_eq!((TERMINATED, HUNG_UP), (128 + 15, 128 + 1));
    }

    #[test]
    fn where_there_is_no_room_is_said() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), QUOTA);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit(), 0);
    }
}
