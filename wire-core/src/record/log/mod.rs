//! The joint log of a session as a file, for somebody who has neither side's keys.
//!
//! 1. [`LogLine`] is one line, to write and to parse: head, records, newest control messages, conflicts, end.
//! 2. [`LogVerifier`] takes the lines one after the other and refuses the first that does not hold.
//! 3. [`LogReport`] says what the whole proves: who signed how much, and what the other side has signed for.
//!
//! The format and what a verifier checks is section 16 of PROTOCOL.md.
//!
//! ```
//! use wire_core::record::log::{LogError, LogVerifier};
//!
//! fn verify(text: &str) -> Result<(), LogError> {
//!     let mut log = LogVerifier::default();
//!     for line in text.split_inclusive('\n') {
//!         log.take(line.as_bytes())?;
//!     }
//!     let report = log.finish()?;
//!     println!("{} records of ours, {} of them received", report.own.records, report.own.received);
//!     Ok(())
//! }
//! assert_eq!(verify("{}\n").unwrap_err().line, 1);
//! ```

mod line;
mod verify;

use std::fmt;

pub use line::LogLine;
pub use verify::{LogReport, LogVerifier, SideReport};

/// Longest line in bytes, with its end: a body of any size that a record can have fits.
pub const MAX_LINE: usize = 512 << 10;

/// One of the two sides of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Who wrote the file.
    Own,
    /// The other one.
    Peer,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Own => Self::Peer,
            Self::Peer => Self::Own,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own",
            Self::Peer => "peer",
        })
    }
}

/// Why a log proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct LogError {
    /// From 1 on.
    pub line: u64,
    /// What is wrong in it.
    pub fault: LogFault,
}

/// What is wrong in a line of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// No line of a log, or one that does not end, or one longer than [`MAX_LINE`].
    #[error("this is no line of a log")]
    Malformed,
    /// The first line is no head, or there is another one later; a record behind a control message.
    #[error("this line does not belong here")]
    OutOfPlace,
    /// An identity does not prove its key, or both are the same.
    #[error("an identity does not verify")]
    Identity,
    /// The signature, or the body, is not what its side signed for this session.
    #[error("{0}")]
    Record(#[from] super::RecordError),
    /// A record is missing, doubled, or does not follow the one before it.
    #[error("the record does not follow the one before it")]
    Chain,
    /// An acknowledgement of what is not in the log, or one that went back.
    #[error("an acknowledgement does not fit the log")]
    Ack,
    /// What is called a conflict is none.
    #[error("the two do not contradict each other")]
    NoConflict,
    /// The file ends too early, or goes on behind its end, or counts wrongly.
    #[error("the log is not whole")]
    Cut,
}

#[cfg(test)]
mod tests;
