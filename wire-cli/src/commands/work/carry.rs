//! A program that runs, and this process around it: its output here, our input there, signals on.
//!
//! 1. One part of the output is written at a time, and only then the next is taken: a slow reader slows the
//!    program down, and costs no memory.
//! 2. A first Ctrl-C asks the program's tree to end, a second one kills it, a third is not argued with.
//! 3. When whoever reads our output has left, the program is ended, as a broken pipe would have done.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire_core::spawn::docker::{Exec, ExecStdin, Sandbox};
use wire_core::spawn::{
    Capped, Collector, ExecError, ExecEvent, ExecId, Outcome, OutputCap, Stream, TtySize,
};

use super::terminal::Terminal;
use crate::exit::{self, Failure};
use crate::home::Ctx;

/// For a reader of our output, after the program was to be gone.
const SLACK: Duration = Duration::from_secs(2);
/// How much of our input is read at once.
const PART: usize = 64 << 10;

/// A program, and what is done with it.
pub(super) struct Carry<'a> {
    ctx: &'a Ctx,
    exec: Exec,
    on_stop: OnStop<'a>,
    terminal: Option<Terminal>,
    sink: Sink,
    input: Option<Input>,
    /// How often we were asked to end, and how the first time.
    asked: u32,
    stopped: Option<Failure>,
    unwritten: Option<io::Error>,
    /// Until when the reader of our output is waited for.
    patience: Option<Instant>,
    /// The container's end, where the program alone cannot be ended.
    stopping: Option<Boxed<'a, ()>>,
}

/// What a Ctrl-C does.
#[derive(Clone, Copy)]
pub(super) enum OnStop<'a> {
    /// Ends the program; without the shim this container, which has nothing else to do.
    End { grace: Duration, container: Option<&'a Sandbox> },
    /// Leaves it running.
    Leave,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) outcome: Outcome,
    pub(super) oom_seen: bool,
    /// Standard output and error, if they were kept and not written.
    pub(super) kept: Option<[Capped; 2]>,
    /// It ended because of a signal to us.
    pub(super) stopped: Option<Failure>,
    /// Why its output could not be written.
    unwritten: Option<io::Error>,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

enum Next {
    Stop(Failure),
    Written(io::Result<()>),
    NoPatience,
    Resized(TtySize),
    Event(Option<ExecEvent>),
}

impl<'a> Carry<'a> {
    /// With `--json` output is kept, within bounds, and not written.
    pub(super) fn new(ctx: &'a Ctx, exec: Exec, on_stop: OnStop<'a>) -> Self {
        let kept = || Collector::new(OutputCap::default());
        let sink = match ctx.out.is_json() {
            true => Sink::Kept(Box::new([kept(), kept()])),
            false => Sink::Live(None),
        };
        Self {
            ctx,
            exec,
            on_stop,
            terminal: None,
            sink,
            input: None,
            asked: 0,
            stopped: None,
            unwritten: None,
            patience: None,
            stopping: None,
        }
    }

    /// The program's id; none without the shim.
    pub(super) const fn id(&self) -> Option<ExecId> {
        self.exec.id()
    }

    /// Passes our standard input on.
    pub(super) fn input(mut self) -> Self {
        self.input = self.exec.stdin().map(Input::pass);
        self
    }

    /// Passes the size of our terminal on, and with `keys` every key.
    pub(super) fn terminal(mut self, keys: bool) -> Result<Self, Failure> {
        let taken = Terminal::take(keys);
        let taken = taken.map_err(|error| Failure::internal(format!("cannot use the terminal: {error}")))?;
        self.terminal = Some(taken);
        Ok(self)
    }

    /// To its end.
    pub(super) async fn on(mut self) -> Result<Carried, Failure> {
        loop {
            match self.next().await {
                Next::Stop(stop) => self.stop(stop)?,
                Next::Written(Ok(())) => {}
                Next::Written(Err(error)) => {
                    let OnStop::End { grace, .. } = self.on_stop else { return Err(error.into()) };
                    self.sink = Sink::Nowhere;
                    if !self.end(grace)? {
                        return Err(error.into());
                    }
                    self.unwritten = Some(error);
                }
                Next::NoPatience => (self.sink, self.patience) = (Sink::Nowhere, None),
                Next::Resized(size) => drop(self.exec.resize(size).await),
                Next::Event(Some(ExecEvent::Out { stream, bytes, .. })) => self.sink.take(stream, bytes),
                Next::Event(Some(ExecEvent::Gap { stream, from, to })) => {
                    self.sink.skip(stream, to.saturating_sub(from));
                    note_gap(self.ctx, stream, from, to);
                }
                Next::Event(Some(ExecEvent::Ended { outcome, oom_seen })) => {
                    let Self { stopped, unwritten, .. } = self;
                    let kept = match self.sink {
                        Sink::Kept(kept) => Some(kept.map(Collector::finish)),
                        Sink::Live(_) | Sink::Nowhere => None,
                    };
                    return Ok(Carried { outcome, oom_seen, kept, stopped, unwritten });
                }
                Next::Event(Some(_)) => {}
                Next::Event(None) => {
                    return Err(Failure::said("lost", "nothing more is known of the program"));
                }
            }
        }
    }

    async fn next(&mut self) -> Next {
        let Self { ctx, exec, sink, terminal, patience, stopping, .. } = self;
        let is_free = sink.is_free();
        tokio::select! {
            stop = ctx.stop.times(self.asked + 1) => Next::Stop(stop),
            written = sink.written() => Next::Written(written),
            () = until(*patience) => Next::NoPatience,
            size = resized(terminal) => Next::Resized(size),
            event = exec.next(), if is_free => Next::Event(event),
            never = drive(stopping) => match never {},
        }
    }

    fn stop(&mut self, stop: Failure) -> Result<(), Failure> {
        let OnStop::End { grace, .. } = self.on_stop else { return Err(stop) };
        self.asked += 1;
        let grace = match self.asked {
            1 => grace,
            2 => Duration::ZERO,
            _ => return Err(stop),
        };
        if !self.end(grace)? {
            return Err(stop);
        }
        if !grace.is_zero() {
            self.ctx.out.note(format!("ending it, within {} s; once more kills it", grace.as_secs()));
        }
        self.stopped.get_or_insert(stop);
        self.patience = Some(Instant::now() + grace + SLACK);
        Ok(())
    }

    /// Whether it will end.
    fn end(&mut self, grace: Duration) -> Result<bool, Failure> {
        match (self.exec.kill_tree(grace), self.on_stop) {
            (Err(ExecError::Unsupported { .. }), OnStop::End { container: Some(container), .. }) => {
                self.stopping = Some(Box::pin(async move { drop(container.stop(grace).await) }));
                Ok(true)
            }
            (Err(ExecError::Unsupported { .. }), _) => {
                self.ctx
                    .out
                    .note("it runs on: what the engine has started ends with its container (wire stop)");
                Ok(false)
            }
            (ended, _) => Ok(ended.map(|()| true)?),
        }
    }
}

impl Carried {
    /// The exit code, if nothing of ours is in the way.
    pub(super) fn code(self) -> Result<u8, Failure> {
        match (self.stopped, self.unwritten) {
            (Some(stopped), _) => Err(stopped),
            (None, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit::BROKEN_PIPE),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Ok(self.outcome.exit_code()),
        }
    }
}

/// Where output goes.
enum Sink {
    /// To our own streams; what is being written.
    Live(Option<Boxed<'static, io::Result<()>>>),
    Kept(Box<[Collector; 2]>),
    Nowhere,
}

impl Sink {
    const fn is_free(&self) -> bool {
        !matches!(self, Self::Live(Some(_)))
    }

    fn take(&mut self, stream: Stream, bytes: Vec<u8>) {
        match self {
            Self::Live(writing) => *writing = Some(Box::pin(write(stream, bytes))),
            Self::Kept(kept) => of(kept, stream).push(&bytes),
            Self::Nowhere => {}
        }
    }

    fn skip(&mut self, stream: Stream, bytes: u64) {
        if let Self::Kept(kept) = self {
            of(kept, stream).skip(bytes);
        }
    }

    /// Waits until what is being written is; for ever, if that is nothing.
    async fn written(&mut self) -> io::Result<()> {
        let Self::Live(writing @ Some(_)) = self else { return std::future::pending().await };
        let written = match writing {
            Some(part) => part.await,
            None => Ok(()),
        };
        *writing = None;
        written
    }
}

fn of([stdout, stderr]: &mut [Collector; 2], stream: Stream) -> &mut Collector {
    match stream {
        Stream::Stdout => stdout,
        Stream::Stderr => stderr,
    }
}

/// Writes bytes as they are. Who closes our standard error does without it.
pub(super) async fn write(stream: Stream, bytes: Vec<u8>) -> io::Result<()> {
    async fn put(mut to: impl AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<()> {
        to.write_all(bytes).await?;
        to.flush().await
    }
    match stream {
        Stream::Stdout => put(tokio::io::stdout(), &bytes).await,
        Stream::Stderr => {
            drop(put(tokio::io::stderr(), &bytes).await);
            Ok(())
        }
    }
}

/// Says that output was lost.
pub(super) fn note_gap(ctx: &Ctx, stream: Stream, from: u64, to: u64) {
    let (name, lost) = (name(stream), to.saturating_sub(from));
    ctx.out.note(format!("{lost} bytes of {name} are gone, from {from} to {to}: more was said than is kept"));
}

pub(super) const fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// Our standard input on its way to a program, while this lives.
struct Input(JoinHandle<()>);

impl Input {
    fn pass(mut to: ExecStdin) -> Self {
        Self(tokio::spawn(async move {
            let mut from = tokio::io::stdin();
            let mut part = vec![0; PART];
            loop {
                let read = from.read(&mut part).await.unwrap_or(0);
                let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
                // A program that takes no more is none of our failures.
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            drop(to.close().await);
        }))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn resized(terminal: &mut Option<Terminal>) -> TtySize {
    match terminal {
        Some(terminal) => terminal.resized().await,
        None => std::future::pending().await,
    }
}

/// Goes on with it, and has nothing to say about it.
async fn drive(future: &mut Option<Boxed<'_, ()>>) -> Infallible {
    if let Some(running) = future {
        running.await;
        *future = None;
    }
    std::future::pending().await
}
