//! A program that runs in a container, as its caller holds it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream as _;
use tokio::sync::mpsc;
use wire_shim::protocol::{ExecId, Stream, TtySize};

use super::client::Client;
use super::engine_exec::EngineExec;
use super::engine_stdin::EngineStdin;
use super::hijack::Input as Input_;
use super::pulse::Pulse;
use super::session::{Ask, Reading, Request, Session, StdinWriter};
use super::spool::{SpoolReader, Told};
use super::stdin::ExecStdin;
use crate::spawn::collect::Collector;
use crate::spawn::command::{OutputCap, Signal};
use crate::spawn::error::ExecError;
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::{ExecEvent, Outcome, Output};

/// A running program. A stream of [`ExecEvent`]s, of which the last is `Ended`.
///
/// Output waits in the container, in a buffer of bounded size, until it is taken here. Dropping the
/// handle ends the program's whole tree; [`detach`](Self::detach) leaves it running.
///
/// Without the shim the engine starts the program. Then it cannot be signalled or ended, by a drop
/// neither: those calls are [`ExecError::Unsupported`].
pub struct Exec {
    inner: Inner,
    /// What a drop does to the program.
    on_drop: OnDrop,
    cap: OutputCap,
    ended: bool,
}

#[derive(Clone, Copy)]
enum OnDrop {
    Kill { grace: Duration },
    Leave,
}

enum Inner {
    Shim(ShimExec),
    Engine(EngineExec),
    /// A container's own command, without the shim.
    Spool(SpoolExec),
}

struct SpoolExec {
    events: Told,
    stdin: Option<EngineStdin>,
    client: Client,
    container: ContainerId,
}

/// Through the shim.
pub(crate) struct ShimExec {
    pub(crate) session: Session,
    pub(crate) id: ExecId,
    pub(crate) reading: Reading,
    pub(crate) events: mpsc::UnboundedReceiver<ExecEvent>,
    pub(crate) stdin: Option<StdinWriter>,
    pub(crate) pulse: Pulse,
}

impl Exec {
    /// One that was started here: it ends with its handle.
    pub(crate) const fn shim(exec: ShimExec, grace: Duration, cap: OutputCap) -> Self {
        Self { inner: Inner::Shim(exec), on_drop: OnDrop::Kill { grace }, cap, ended: false }
    }

    /// One that runs whether it is looked at or not.
    pub(crate) fn attached(exec: ShimExec) -> Self {
        let cap = OutputCap::default();
        Self { inner: Inner::Shim(exec), on_drop: OnDrop::Leave, cap, ended: false }
    }

    pub(crate) const fn engine(exec: EngineExec, cap: OutputCap) -> Self {
        Self { inner: Inner::Engine(exec), on_drop: OnDrop::Leave, cap, ended: false }
    }

    pub(crate) fn spool(
        reader: SpoolReader,
        input: Option<Input_>,
        client: Client,
        container: ContainerId,
    ) -> Self {
        let stdin = input.map(|input| EngineStdin::new(input, reader.over().clone()));
        let exec = SpoolExec { events: reader.events(), stdin, client, container };
        Self { inner: Inner::Spool(exec), on_drop: OnDrop::Leave, cap: OutputCap::default(), ended: false }
    }

    /// Keeps this much of each stream in [`output`](Self::output).
    #[must_use]
    pub const fn keep(mut self, cap: OutputCap) -> Self {
        self.cap = cap;
        self
    }

    /// Its record goes as soon as it has ended: nobody will ask for it again.
    pub(crate) fn forgotten(self) -> Self {
        if let Inner::Shim(exec) = &self.inner {
            exec.session.ask(Ask::Forget { exec: exec.id });
        }
        self
    }

    /// Its id, with which another process can attach to it. None without the shim.
    pub const fn id(&self) -> Option<ExecId> {
        match &self.inner {
            Inner::Shim(exec) => Some(exec.id),
            Inner::Engine(_) | Inner::Spool(_) => None,
        }
    }

    /// The next thing that happens; `None` after `Ended`. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<ExecEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Its standard input, once; `None` if it was not asked for with [`Stdin::Piped`](crate::spawn::Stdin).
    pub fn stdin(&mut self) -> Option<ExecStdin> {
        match &mut self.inner {
            Inner::Shim(exec) => exec.stdin.take().map(ExecStdin::shim),
            Inner::Engine(exec) => exec.stdin().map(ExecStdin::engine),
            Inner::Spool(exec) => exec.stdin.take().map(ExecStdin::engine),
        }
    }

    /// Sends a signal to the program, or to its whole tree. [`ExecError::Paused`]: it would come when the container
    /// goes on.
    pub async fn signal(&self, signal: Signal, tree: bool) -> Result<(), ExecError> {
        let exec = self.through_shim("a signal")?;
        exec.pulse.awake().await?;
        let request = Request::Signal { exec: exec.id, signal: signal.number(), tree };
        exec.session.request(request).await.map(drop)
    }

    /// Tells the program that its terminal has another size.
    pub async fn resize(&self, size: TtySize) -> Result<(), ExecError> {
        match &self.inner {
            Inner::Shim(exec) => {
                exec.session.ask(Ask::Resize { exec: exec.id, size });
                Ok(())
            }
            Inner::Engine(exec) => exec.resize(size).await,
            Inner::Spool(exec) => exec.client.resize(&exec.container, size).await.map_err(ExecError::from),
        }
    }

    /// SIGTERM to its whole tree, SIGKILL after the grace. The stream goes on to `Ended`, which comes when
    /// the tree is gone; in a container that is paused, when that goes on.
    pub fn kill_tree(&self, grace: Duration) -> Result<(), ExecError> {
        let exec = self.through_shim("ending a program")?;
        exec.session.ask(Ask::Kill { exec: exec.id, grace });
        Ok(())
    }

    /// Reads to the end and keeps what the command's [`OutputCap`] says. An input that was not taken by
    /// [`stdin`](Self::stdin) before ends here. Dropping the future ends the program.
    pub async fn output(mut self) -> Output {
        // Nobody can write to it any more, so it ends.
        drop(self.stdin());
        let (mut stdout, mut stderr) = (Collector::new(self.cap), Collector::new(self.cap));
        let end = loop {
            match self.next().await {
                Some(ExecEvent::Out { stream: Stream::Stdout, bytes, .. }) => stdout.push(&bytes),
                Some(ExecEvent::Out { stream: Stream::Stderr, bytes, .. }) => stderr.push(&bytes),
                Some(ExecEvent::Gap { stream: Stream::Stdout, from, to }) => {
                    stdout.skip(to.saturating_sub(from))
                }
                Some(ExecEvent::Gap { stream: Stream::Stderr, from, to }) => {
                    stderr.skip(to.saturating_sub(from))
                }
                Some(ExecEvent::Started { .. } | ExecEvent::Eof { .. }) => {}
                Some(ExecEvent::Ended { outcome, oom_seen }) => break (outcome, oom_seen),
                None => break (unheard(), false),
            }
        };
        Output { outcome: end.0, oom_seen: end.1, stdout: stdout.finish(), stderr: stderr.finish() }
    }

    /// Leaves it running. With the id it can be attached to again; none without the shim.
    pub fn detach(mut self) -> Option<ExecId> {
        self.ended = true;
        if let Inner::Shim(exec) = &mut self.inner {
            if let Some(stdin) = exec.stdin.take() {
                stdin.leave_open();
            }
            exec.session.ask(Ask::Leave { reading: exec.reading });
        }
        self.id()
    }

    const fn through_shim(&self, what: &'static str) -> Result<&ShimExec, ExecError> {
        match &self.inner {
            Inner::Shim(exec) => Ok(exec),
            Inner::Engine(_) | Inner::Spool(_) => Err(ExecError::Unsupported { what }),
        }
    }
}

impl futures_core::Stream for Exec {
    type Item = ExecEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ExecEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let event = match &mut self.inner {
            Inner::Shim(exec) => exec.poll_next(cx),
            Inner::Engine(exec) => Pin::new(exec).poll_next(cx),
            Inner::Spool(exec) => exec.events.as_mut().poll_next(cx),
        };
        let Poll::Ready(event) = event else { return Poll::Pending };
        let event = event.unwrap_or_else(|| ExecEvent::Ended { outcome: unheard(), oom_seen: false });
        self.ended = matches!(event, ExecEvent::Ended { .. });
        Poll::Ready(Some(event))
    }
}

impl ShimExec {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ExecEvent>> {
        let event = self.events.poll_recv(cx);
        let taken = match &event {
            Poll::Ready(Some(ExecEvent::Out { stream, offset, bytes })) => {
                Some((*stream, offset + bytes.len() as u64))
            }
            Poll::Ready(Some(ExecEvent::Gap { stream, to, .. })) => Some((*stream, *to)),
            Poll::Pending
            | Poll::Ready(
                None | Some(ExecEvent::Started { .. } | ExecEvent::Eof { .. } | ExecEvent::Ended { .. }),
            ) => None,
        };
        if let Some((stream, to)) = taken {
            self.session.ask(Ask::Took { reading: self.reading, stream, to });
        }
        event
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if let (false, Inner::Shim(exec)) = (self.ended, &mut self.inner) {
            match self.on_drop {
                OnDrop::Kill { grace } => exec.session.ask(Ask::Kill { exec: exec.id, grace }),
                OnDrop::Leave => exec.stdin.take().into_iter().for_each(StdinWriter::leave_open),
            }
            exec.session.ask(Ask::Leave { reading: exec.reading });
        }
        if let Inner::Spool(exec) = &mut self.inner {
            exec.stdin.take().into_iter().for_each(EngineStdin::leave_open);
        }
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec").field("id", &self.id()).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// The talk with the container ended without a word of this program.
fn unheard() -> Outcome {
    Outcome::Lost { why: "the connection to the container ended".into() }
}
