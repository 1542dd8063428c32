//! The talk with one container's shim, over whatever connection there is at the moment.
//!
//! 1. One task owns the connection and everything that is under way on it ([`task`](self)).
//! 2. Handles send it [`Ask`]s and get [`ExecEvent`]s; neither can grow without bound, because the
//!    protocol has a window for each stream.
//! 3. When the connection breaks, the task dials again and goes on from the offsets that it has: programs
//!    keep running, nothing is started twice, no byte comes twice. Only when the container is gone, or
//!    cannot be reached for [`PATIENCE`], are programs reported as gone or lost.

mod book;
mod input;
mod meaning;
mod place;
mod stdin;
mod task;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use wire_shim::protocol::{ExecId, ExecInfo, ExecSpec, Life, Setup, Stream, Token, TtySize};

use crate::spawn::error::{EngineError, ExecError};
use crate::spawn::outcome::{ExecEvent, Exit};

pub(crate) use meaning::outcome;
pub(crate) use stdin::{Credit, StdinWriter};

pub(crate) use super::ending::PATIENCE;

/// A connection to the shim: what it says, and what is said to it.
pub(crate) struct Io {
    pub(crate) read: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) write: Box<dyn AsyncWrite + Send + Unpin>,
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io(..)")
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The container has ended, like this.
    Gone(Exit),
    /// Not now.
    Engine(EngineError),
}

/// Makes further connections to the same shim.
pub(crate) trait Dial: Send + Sync + 'static {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Io, DialError>> + Send + '_>>;
}

/// What a handle asks of the task.
pub(crate) enum Ask {
    /// Start a program and read it from its beginning.
    Exec { spec: Box<ExecSpec>, reader: Reader, stdin: Option<Credit> },
    /// Read a program that is started already, from these offsets on; with its input, if that is ours.
    Attach { exec: ExecId, from: [u64; 2], reader: Reader, stdin: Option<Credit> },
    /// The reader has taken everything of this stream up to there.
    Took { reading: Reading, stream: Stream, to: u64 },
    /// The reader is gone; the program goes on.
    Leave { reading: Reading },
    /// Input for a program will come from here; nobody need read it.
    Input { exec: ExecId, credit: Credit },
    /// Input, at the place where the last one ended.
    Stdin { exec: ExecId, bytes: Vec<u8> },
    /// No more input.
    StdinEnd { exec: ExecId },
    /// The terminal has another size.
    Resize { exec: ExecId, size: TtySize },
    /// SIGTERM to the tree, SIGKILL after the grace.
    Kill { exec: ExecId, grace: Duration },
    /// Nobody will ask for this program's record when it has ended.
    Forget { exec: ExecId },
    /// Something with one answer.
    Request { request: Request, answer: oneshot::Sender<Result<Answer, ExecError>> },
    /// End everything in the container, then the container.
    Stop { grace: Duration },
}

/// Where a program's events go.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) reading: Reading,
    /// Whether `Overflow::Block` waits for it.
    pub(crate) hold: bool,
    /// Never longer than the protocol's window: the task counts.
    pub(crate) events: mpsc::UnboundedSender<ExecEvent>,
}

/// One handle's reading of one program: numbered by the handle, unique in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reading(pub(crate) u32);

/// Something that the shim answers once.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Signal { exec: ExecId, signal: i32, tree: bool },
    List,
    Extend(Life),
    Forget(ExecId),
    Attest([u8; 16]),
}

/// The answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Listed(Vec<ExecInfo>),
    Evidence(Vec<u8>),
}

/// How a session begins.
pub(crate) enum Begin {
    /// On the first process's own standard input, with the configuration.
    Configure(Box<Setup>),
    /// On a further connection to a configured shim.
    Join(Token),
}

/// The handle on the task; clones share it. The last one's drop ends the connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    asks: mpsc::UnboundedSender<Ask>,
    shared: Arc<Shared>,
}

/// What handles and the task share.
#[derive(Debug)]
struct Shared {
    /// Why the task has ended, when it has.
    away: OnceLock<task::Away>,
    /// The end of the container's command was told.
    main_ended: AtomicBool,
    readings: AtomicU32,
    beats: bool,
}

/// The same, without keeping it open.
#[derive(Clone, Debug)]
pub(crate) struct WeakSession {
    asks: mpsc::WeakUnboundedSender<Ask>,
    shared: Arc<Shared>,
}

impl WeakSession {
    /// The session, if somebody still has it and it has not ended by itself.
    pub(crate) fn upgrade(&self) -> Option<Session> {
        let session = Session { asks: self.asks.upgrade()?, shared: Arc::clone(&self.shared) };
        session.is_open().then_some(session)
    }
}

impl Session {
    /// Begins on `io`, and goes on over connections that `dial` makes. Returns when the shim has answered:
    /// with its evidence, if it was configured with a nonce.
    pub(crate) async fn begin(
        io: Io,
        begin: Begin,
        dial: impl Dial,
        token: Token,
        beat: Option<Duration>,
    ) -> Result<(Self, Vec<u8>), ExecError> {
        let (asks, inbox) = mpsc::unbounded_channel();
        let (ready, answer) = oneshot::channel();
        let shared = Arc::new(Shared {
            away: OnceLock::new(),
            main_ended: AtomicBool::new(false),
            readings: AtomicU32::new(0),
            beats: beat.is_some(),
        });
        let task = task::Task::new(Box::new(dial), token, beat, inbox, Arc::clone(&shared));
        #[expect(
            clippy::disallowed_methods,
            reason = "the session's one task; it ends with the last handle"
        )]
        tokio::spawn(task.run(io, begin, ready));
        let evidence = answer.await.map_err(|_| ExecError::Shim("its connection broke at once".into()))??;
        Ok((Self { asks, shared }, evidence))
    }

    pub(crate) fn downgrade(&self) -> WeakSession {
        WeakSession { asks: self.asks.downgrade(), shared: Arc::clone(&self.shared) }
    }

    /// Whether anybody hears what is asked.
    pub(crate) fn is_open(&self) -> bool {
        !self.asks.is_closed()
    }

    /// Whether it keeps the container's lease.
    pub(crate) fn beats(&self) -> bool {
        self.shared.beats
    }

    /// Whether the end of the container's command was told.
    pub(crate) fn main_ended(&self) -> bool {
        self.shared.main_ended.load(Ordering::Relaxed)
    }

    /// A number for one more reading.
    pub(crate) fn reading(&self) -> Reading {
        Reading(self.shared.readings.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks; when the task has ended, the answer is why.
    pub(crate) fn ask(&self, ask: Ask) {
        if let (Err(mpsc::error::SendError(ask)), Some(away)) = (self.asks.send(ask), self.shared.away.get())
        {
            away.answer(ask);
        }
    }

    /// Asks for the one answer.
    pub(crate) async fn request(&self, request: Request) -> Result<Answer, ExecError> {
        let (answer, heard) = oneshot::channel();
        self.ask(Ask::Request { request, answer });
        heard.await.unwrap_or(Err(ExecError::NotRunning))
    }
}
