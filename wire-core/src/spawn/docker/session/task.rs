//! The task that owns the connection: reads, writes, beats, dials again.

#![expect(clippy::disallowed_methods, reason = "an adapter: it waits between two dials, and beats")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use wire_shim::frame::{Decoder, FrameError};
use wire_shim::protocol::{ExecId, FromShim, ToShim, Token, VERSION};

use super::super::ending;
use super::book::{Book, Misbehaved};
use super::{Ask, Begin, Dial, DialError, Io, PATIENCE, Shared};
use crate::spawn::error::{EngineError, ExecError};
use crate::spawn::outcome::{ExecEvent, Exit, Outcome};

/// Frames that may wait to be written before no more is taken from handles.
const BACKLOG: usize = 2 << 20;

/// Between two dials at least, and at most.
const QUICKEST_DIAL: Duration = Duration::from_millis(20);
const SLOWEST_DIAL: Duration = Duration::from_secs(2);

type Ready = oneshot::Sender<Result<Vec<u8>, ExecError>>;

pub(super) struct Task {
    dial: Box<dyn Dial>,
    token: Token,
    beat: Option<Duration>,
    inbox: mpsc::UnboundedReceiver<Ask>,
    shared: Arc<Shared>,
    book: Book,
}

/// Why one connection ended.
enum Broken {
    /// No handle is left.
    Unwanted,
    Io(io::Error),
    Frame(FrameError),
    Misbehaved(&'static str),
}

/// Why there is no further connection.
#[derive(Debug)]
pub(super) enum Away {
    /// The container has ended, like this.
    Gone(Exit),
    /// It, or the engine, cannot be reached.
    Lost(String),
}

impl Away {
    fn error(&self) -> ExecError {
        match self {
            Self::Gone(_) => ExecError::NotRunning,
            Self::Lost(why) => EngineError::Unreachable(why.clone().into()).into(),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Gone(exit) => Outcome::ContainerGone(exit.clone()),
            Self::Lost(why) => Outcome::Lost { why: why.clone() },
        }
    }

    /// Answers what was asked too late.
    pub(super) fn answer(&self, ask: Ask) {
        if let Ask::Request { answer, .. } = ask {
            drop(answer.send(Err(self.error())));
        } else if let Ask::Exec { reader, .. } | Ask::Attach { reader, .. } = ask {
            let ended = ExecEvent::Ended { outcome: self.outcome(), oom_seen: false };
            drop(reader.events.send(ended));
        }
    }
}

impl Task {
    pub(super) fn new(
        dial: Box<dyn Dial>,
        token: Token,
        beat: Option<Duration>,
        inbox: mpsc::UnboundedReceiver<Ask>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { dial, token, beat, inbox, shared, book: Book::default() }
    }

    pub(super) async fn run(mut self, mut io: Io, begin: Begin, ready: Ready) {
        let mut decoder = Decoder::new();
        match tokio::time::timeout(PATIENCE, self.greet(&mut io, &mut decoder, begin)).await {
            Ok(Ok(evidence)) => drop(ready.send(Ok(evidence))),
            Ok(Err(broken)) => return drop(ready.send(Err(broken.into()))),
            Err(_) => return drop(ready.send(Err(ExecError::Shim("it does not answer".to_owned())))),
        }
        let mut pause = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let broken = self.talk(io, decoder).await;
            if matches!(broken, Broken::Unwanted) {
                return;
            }
            let error = ExecError::from(broken);
            tracing::debug!(%error, "the connection to the shim broke");
            self.book.drop_requests();
            // A connection that broke for what is said on it will break again.
            pause = if begun.elapsed() < SLOWEST_DIAL {
                (pause * 2).clamp(QUICKEST_DIAL, SLOWEST_DIAL)
            } else {
                Duration::ZERO
            };
            tokio::time::sleep(pause).await;
            match self.again().await {
                Ok(next) => (io, decoder) = next,
                Err(away) => return self.refuse(away).await,
            }
        }
    }

    /// Says hello, and the configuration if this is the first connection; waits for the answer.
    async fn greet(&mut self, io: &mut Io, decoder: &mut Decoder, begin: Begin) -> Result<Vec<u8>, Broken> {
        let (token, setup) = match begin {
            Begin::Configure(setup) => (None, Some(setup)),
            Begin::Join(token) => (Some(token), None),
        };
        let configures = setup.is_some();
        self.book.say(&ToShim::Hello { version: VERSION, token });
        if let Some(setup) = setup {
            self.book.say(&ToShim::Configure(setup));
        }
        let hello = zeroize::Zeroizing::new(self.book.take_out());
        io.write.write_all(&hello).await?;
        io.write.flush().await?;
        loop {
            match decoder.message()? {
                Some(FromShim::Welcome { configured, .. }) if configured || configures => {
                    if !configures {
                        return Ok(Vec::new());
                    }
                }
                Some(FromShim::Configured { evidence }) if configures => return Ok(evidence),
                Some(FromShim::Welcome { .. }) => return Err(Broken::Misbehaved("it has no configuration")),
                Some(FromShim::Refused { why }) => {
                    return Err(Broken::Misbehaved(super::meaning::refusal(why)));
                }
                Some(_) => return Err(Broken::Misbehaved("it answers before it is asked")),
                None => more(io, decoder).await?,
            }
        }
    }

    /// Until the connection breaks or nobody wants it any more.
    async fn talk(&mut self, mut io: Io, mut decoder: Decoder) -> Broken {
        let mut out = self.book.take_out();
        let mut written = 0;
        let mut buffer = vec![0; 64 << 10];
        let mut beat = self.beat.map(tokio::time::interval);
        // What is decoded already.
        if let Err(broken) = self.hear(&mut decoder) {
            return broken;
        }
        loop {
            if written == out.len() {
                out = self.book.take_out();
                written = 0;
            }
            let pending = out.get(written..).unwrap_or_default();
            tokio::select! {
                got = io.read.read(&mut buffer) => match got {
                    Ok(0) => return Broken::Io(io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => {
                        decoder.feed(buffer.get(..n).unwrap_or_default());
                        if let Err(broken) = self.hear(&mut decoder) {
                            return broken;
                        }
                    }
                    Err(error) => return Broken::Io(error),
                },
                sent = io.write.write(pending), if !pending.is_empty() => match sent {
                    Ok(0) => return Broken::Io(io::ErrorKind::WriteZero.into()),
                    Ok(n) => written += n,
                    Err(error) => return Broken::Io(error),
                },
                ask = self.inbox.recv(), if self.book.backlog() < BACKLOG => match ask {
                    Some(ask) => self.book.ask(ask),
                    None => {
                        // The last words, such as a kill: they are worth one attempt.
                        drop(io.write.write_all(out.get(written..).unwrap_or_default()).await);
                        drop(io.write.write_all(&self.book.take_out()).await);
                        drop(io.write.flush().await);
                        return Broken::Unwanted;
                    }
                },
                () = tick(&mut beat) => self.book.say(&ToShim::Beat),
            }
        }
    }

    fn hear(&mut self, decoder: &mut Decoder) -> Result<(), Broken> {
        while let Some(message) = decoder.message()? {
            if matches!(message, FromShim::Ended { exec: ExecId::MAIN, .. }) {
                self.shared.main_ended.store(true, Ordering::Relaxed);
            }
            self.book.hear(message)?;
        }
        Ok(())
    }

    /// Answers what was asked meanwhile, down to what is being sent at this moment.
    async fn refuse(mut self, away: Away) {
        let away = self.shared.away.get_or_init(|| away);
        self.inbox.close();
        while let Some(ask) = self.inbox.recv().await {
            away.answer(ask);
        }
    }

    /// Another connection, or none because the container is gone or out of reach for too long.
    async fn again(&mut self) -> Result<(Io, Decoder), Away> {
        let give_up = Instant::now() + PATIENCE;
        let mut pause = QUICKEST_DIAL;
        loop {
            let why = match tokio::time::timeout_at(give_up, self.dial.dial()).await {
                Ok(Ok(mut io)) => {
                    let mut decoder = Decoder::new();
                    let join = Begin::Join(self.token.clone());
                    self.book.take_out();
                    match tokio::time::timeout_at(give_up, self.greet(&mut io, &mut decoder, join)).await {
                        Ok(Ok(_)) => {
                            self.book.resume();
                            return Ok((io, decoder));
                        }
                        Ok(Err(broken)) => ExecError::from(broken).to_string(),
                        Err(_) => "the shim does not answer".to_owned(),
                    }
                }
                Ok(Err(DialError::Gone(exit))) => {
                    // It ended without a word of its own: the engine may have been away for a moment too.
                    let exit = ending::unseen(exit);
                    self.book.gone(&exit);
                    return Err(Away::Gone(exit));
                }
                Ok(Err(DialError::Engine(error))) => error.to_string(),
                Err(_) => "the container engine does not answer".to_owned(),
            };
            if Instant::now() + pause >= give_up {
                self.book.lost(&why);
                return Err(Away::Lost(why));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_DIAL);
        }
    }
}

async fn more(io: &mut Io, decoder: &mut Decoder) -> Result<(), Broken> {
    let mut buffer = [0; 4096];
    match io.read.read(&mut buffer).await? {
        0 => Err(Broken::Io(io::ErrorKind::UnexpectedEof.into())),
        n => {
            decoder.feed(buffer.get(..n).unwrap_or_default());
            Ok(())
        }
    }
}

async fn tick(beat: &mut Option<tokio::time::Interval>) {
    match beat {
        Some(beat) => {
            beat.tick().await;
        }
        None => std::future::pending().await,
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Misbehaved> for Broken {
    fn from(Misbehaved(what): Misbehaved) -> Self {
        Self::Misbehaved(what)
    }
}

impl From<Broken> for ExecError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unwanted => Self::NotRunning,
            Broken::Io(error) => Self::Shim(format!("its connection broke: {error}")),
            Broken::Frame(error) => Self::Shim(error.to_string()),
            Broken::Misbehaved(what) => Self::Shim(what.to_owned()),
        }
    }
}
