//! What the two ends say.
//!
//! 1. A client opens a connection and says [`ToShim::Hello`]. On the first process's own standard input
//!    it needs no token, because nobody but the engine's caller can write there; every further
//!    connection (the program `shim connect`, started by the engine in the container) needs it.
//! 2. The first connection sends [`ToShim::Configure`], once. Nothing but the shim runs until then.
//! 3. Programs are started with [`ToShim::Exec`] under an id that the client made: the same id again is
//!    the same program, never a second start, so a client whose connection broke asks again.
//! 4. Output is kept by the shim in a [`Ring`](crate::ring::Ring) for each stream, and read with
//!    [`ToShim::Attach`] from any offset that is still there, by any number of clients, before and after
//!    the end. Reading has a window: the shim sends at most [`WINDOW`] bytes beyond the last
//!    [`ToShim::Ack`]. Input has the same window, acknowledged by [`FromShim::StdinTaken`].
//! 5. [`FromShim::Ended`] comes once to each connection that started a program, attached to it or asked for
//!    its end, after its whole tree is gone; who asks after the end is told at once. It carries the length of both streams, so
//!    a reader knows what is still to come.
//!
//! What is asked too often, or cannot be, is answered in its place, with [`FromShim::Declined`] or
//! [`FromShim::Unread`], and the connection goes on. A message that makes no sense in its place ends the
//! connection with [`FromShim::Refused`].

mod program;
mod refusal;
mod setup;

use std::ops::RangeInclusive;

use minicbor::{Decode, Encode};

pub use program::{
    ArgBytes, Cause, End, ExecId, ExecInfo, ExecSpec, How, NotStarted, Overflow, Stream, TtySize,
};
pub use refusal::{Refusal, exit};
pub use setup::{Life, SecretFile, Setup, Token};

/// The version that both ends must speak exactly.
pub const VERSION: u32 = 1;

/// Bytes of a stream that may be under way beyond what the reader has acknowledged.
pub const WINDOW: u64 = 512 << 10;

/// Milliseconds without a word after which a connection's readers no longer hold.
pub const HOLD_SILENCE_MS: u64 = 30_000;

/// Milliseconds without a reader after which a program that is tied to its readers is ended: longer than it takes to
/// dial again.
pub const ALONE_MS: u64 = 15_000;

/// Bytes of a stream that are kept at least, whatever was asked.
pub const RING_MIN: u64 = 4 << 10;
/// Bytes of a stream that are kept at most, whatever was asked.
pub const RING_MAX: u64 = 16 << 20;

/// The longest [`ExecSpec::tag`], in bytes.
pub const TAG_MAX: usize = 1 << 10;

/// The signals that can be sent, by number. Those above are for the programs' own threads to agree on.
pub const SIGNALS: RangeInclusive<i32> = 1..=31;

/// The signal that ends a program that was not asked in time.
pub const SIGKILL: i32 = 9;
/// The signal that asks a program to end.
pub const SIGTERM: i32 = 15;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum ToShim {
    /// First on each connection. The token is needed on all but the first process's own.
    #[n(0)]
    Hello {
        /// [`VERSION`].
        #[n(0)]
        version: u32,
        /// Proof of ownership.
        #[n(1)]
        token: Option<Token>,
    },
    /// The configuration, once, on the first process's own connection.
    #[n(1)]
    Configure(#[n(0)] Box<Setup>),
    /// Still here. Everything else that is said counts as this too.
    #[n(2)]
    Beat,
    /// Start a program, or find the one of that id. Answered by `Started`, `Ended` or `Refused`.
    #[n(3)]
    Exec(#[n(0)] Box<ExecSpec>),
    /// Read a program's output from these offsets on, as `sub`. Answers `Out`, `Gap`, `Ended`, `NoExec` if
    /// there is no such program, or `Unread` if too much is read already. It lasts until `Detach` or `Forget`.
    #[n(4)]
    Attach {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// The client's number for this reading, unique on the connection.
        #[n(1)]
        sub: u32,
        /// Where in standard output.
        #[n(2)]
        stdout: u64,
        /// Where in standard error.
        #[n(3)]
        stderr: u64,
        /// Whether `Overflow::Block` waits for this reader. While no reader holds, nothing is dropped. A
        /// connection that was silent for [`HOLD_SILENCE_MS`] holds nothing until it speaks again.
        #[n(4)]
        hold: bool,
        /// Bytes before `stdout` that the reader has got but not taken yet: they count in its window.
        #[n(5)]
        #[cbor(default)]
        stdout_unread: u64,
        /// The same of standard error.
        #[n(6)]
        #[cbor(default)]
        stderr_unread: u64,
    },
    /// No more of this reading.
    #[n(5)]
    Detach {
        /// Which reading.
        #[n(0)]
        sub: u32,
    },
    /// Everything up to `to` was taken.
    #[n(6)]
    Ack {
        /// Which reading.
        #[n(0)]
        sub: u32,
        /// Which stream.
        #[n(1)]
        stream: Stream,
        /// Offset after the last byte taken.
        #[n(2)]
        to: u64,
    },
    /// Input. An offset below what was taken before is skipped up to it; a hole is refused.
    #[n(7)]
    Stdin {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// Offset of the first byte.
        #[n(1)]
        offset: u64,
        /// At most [`CHUNK`](crate::frame::CHUNK) bytes.
        #[cbor(n(2), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// The end of input, after `offset` bytes.
    #[n(8)]
    StdinEnd {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// Length of the whole input.
        #[n(1)]
        offset: u64,
    },
    /// The terminal has another size.
    #[n(9)]
    Resize {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// The new size.
        #[n(1)]
        size: TtySize,
    },
    /// Send a signal to the program, or to its whole tree. Answered by `Done`, by `NoExec` if it does not
    /// run (any more), or by `Declined`.
    #[n(10)]
    Signal {
        /// Number for the answer.
        #[n(0)]
        req: u32,
        /// Which program.
        #[n(1)]
        exec: ExecId,
        /// The signal's number, of [`SIGNALS`].
        #[n(2)]
        signal: i32,
        /// To all of its descendants too.
        #[n(3)]
        tree: bool,
    },
    /// SIGTERM to the whole tree, SIGKILL after the grace. `Ended` follows when it is gone.
    #[n(11)]
    Kill {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// Milliseconds between the two.
        #[n(1)]
        grace_ms: u64,
    },
    /// What runs and what has ended. Answered by `Listed`.
    #[n(12)]
    List {
        /// Number for the answer.
        #[n(0)]
        req: u32,
    },
    /// Another life from now on. Answered by `Done`.
    #[n(13)]
    Extend {
        /// Number for the answer.
        #[n(0)]
        req: u32,
        /// What holds instead.
        #[n(1)]
        life: Life,
    },
    /// End everything and then the container: its first process exits with [`exit::STOPPED`], unless the
    /// container ends with its command and that has ended by itself.
    #[n(14)]
    Stop {
        /// Milliseconds between SIGTERM and SIGKILL.
        #[n(0)]
        grace_ms: u64,
    },
    /// Drop the record and the output of a program that has ended. Answered by `Done`, or by `NoExec`, also
    /// while it runs.
    #[n(15)]
    Forget {
        /// Number for the answer.
        #[n(0)]
        req: u32,
        /// Which program.
        #[n(1)]
        exec: ExecId,
    },
    /// Say what is seen from inside. Answered by `Evidence`, or by `Declined` if too many ask at once.
    #[n(16)]
    Attest {
        /// Number for the answer.
        #[n(0)]
        req: u32,
        /// Comes back in the evidence.
        #[cbor(n(1), with = "minicbor::bytes")]
        nonce: [u8; 16],
    },
}

/// What the shim says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum FromShim {
    /// First on each connection, after a good `Hello`.
    #[n(0)]
    Welcome {
        /// [`VERSION`].
        #[n(0)]
        version: u32,
        /// Whether the container has its configuration.
        #[n(1)]
        configured: bool,
    },
    /// The last thing on a connection.
    #[n(1)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
    },
    /// The configuration holds. With the evidence, if a nonce was given.
    #[n(2)]
    Configured {
        /// What the attestor saw; see `wire_core::spawn::Attestation`.
        #[cbor(n(0), with = "minicbor::bytes")]
        evidence: Vec<u8>,
    },
    /// A program runs.
    #[n(3)]
    Started {
        /// Which.
        #[n(0)]
        exec: ExecId,
        /// Its process in the container.
        #[n(1)]
        pid: u32,
    },
    /// Output.
    #[n(4)]
    Out {
        /// Which reading.
        #[n(0)]
        sub: u32,
        /// Which stream.
        #[n(1)]
        stream: Stream,
        /// Offset of the first byte.
        #[n(2)]
        offset: u64,
        /// The bytes.
        #[cbor(n(3), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// Output that was overwritten before this reading came to it.
    #[n(5)]
    Gap {
        /// Which reading.
        #[n(0)]
        sub: u32,
        /// Which stream.
        #[n(1)]
        stream: Stream,
        /// First offset that is missing.
        #[n(2)]
        from: u64,
        /// First offset after it.
        #[n(3)]
        to: u64,
    },
    /// Input up to `to` was given to the program.
    #[n(6)]
    StdinTaken {
        /// Which program.
        #[n(0)]
        exec: ExecId,
        /// Offset after the last byte.
        #[n(1)]
        to: u64,
    },
    /// The program takes no more input.
    #[n(7)]
    StdinClosed {
        /// Which program.
        #[n(0)]
        exec: ExecId,
    },
    /// A program has ended and its whole tree is gone, or it never started.
    #[n(8)]
    Ended {
        /// Which.
        #[n(0)]
        exec: ExecId,
        /// How.
        #[n(1)]
        end: End,
    },
    /// What runs and what has ended.
    #[n(9)]
    Listed {
        /// Number of the question.
        #[n(0)]
        req: u32,
        /// Each program.
        #[n(1)]
        execs: Vec<ExecInfo>,
        /// What is left of the container's life.
        #[n(2)]
        life: Life,
    },
    /// Done.
    #[n(10)]
    Done {
        /// Number of the question.
        #[n(0)]
        req: u32,
    },
    /// What the attestor saw.
    #[n(11)]
    Evidence {
        /// Number of the question.
        #[n(0)]
        req: u32,
        /// See `wire_core::spawn::Attestation`.
        #[cbor(n(1), with = "minicbor::bytes")]
        evidence: Vec<u8>,
    },
    /// A stream has ended while the program still runs: everything of it was sent. At most once for each stream
    /// of a reading; not every stream ends before its program, and no terminal does.
    #[n(13)]
    Eof {
        /// Which reading.
        #[n(0)]
        sub: u32,
        /// Which stream.
        #[n(1)]
        stream: Stream,
        /// Its length.
        #[n(2)]
        at: u64,
    },
    /// There is no such program, or its record was dropped.
    #[n(12)]
    NoExec {
        /// Which.
        #[n(0)]
        exec: ExecId,
        /// Number of the question, if it had one.
        #[n(1)]
        req: Option<u32>,
    },
    /// A question is not answered. The connection goes on.
    #[n(14)]
    Declined {
        /// Number of the question.
        #[n(0)]
        req: u32,
        /// Why.
        #[n(1)]
        why: Refusal,
    },
    /// A reading does not begin: this connection has too many. The connection goes on.
    #[n(15)]
    Unread {
        /// Which reading.
        #[n(0)]
        sub: u32,
        /// Why.
        #[n(1)]
        why: Refusal,
    },
}
