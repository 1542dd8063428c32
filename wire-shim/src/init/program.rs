//! One program: from its start to the end of its tree, with its output and its input.
//!
//! ```text
//! Starting -> Running -> Leaving -> Ended
//!     \____________________/           the first process never ran, or has ended and left children
//! ```
//! The watcher ([`supervise`](crate::supervise)) says what the program does; that the watcher itself has
//! ended is what ends the record.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};
use wire_shim::frame::Decoder;
use wire_shim::protocol::{ALONE_MS, Cause, End, ExecId, ExecInfo, How, Overflow, Stream, TtySize};
use wire_shim::ring::Ring;

use super::input::Input;
use super::outgoing::Outgoing;
use crate::supervise::Report;
use crate::sys::Millis;
use crate::sys::fds::{Moved, read};
use crate::sys::tree::{self, Processes};

/// What is left of a tree after its program may still finish by itself for this long.
const LINGER_MS: u64 = 100;
/// A tree that outlives SIGKILL for this long is given up: the kernel holds it.
const GIVE_UP_MS: u64 = 10_000;
/// A watcher that outlives its tree for this long is ended too.
const WATCHER_MS: u64 = 1_000;
/// How often a terminal that no process has open is looked at.
const PARK_MS: u64 = 100;
/// Bytes that may come out of a pipe after the tree is gone: more than a pipe can hold.
const LAST: usize = 2 << 20;

/// Two of a kind, one for each stream.
#[derive(Debug)]
pub(super) struct Both<T> {
    pub(super) stdout: T,
    pub(super) stderr: T,
}

impl<T> Both<T> {
    pub(super) const fn of(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    pub(super) const fn of_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// A stream of output.
#[derive(Debug)]
pub(super) struct Output {
    /// The end to read, until it ends.
    pub(super) fd: Option<OwnedFd>,
    pub(super) ring: Ring,
    /// A terminal that no process has open is not asked until then: it may be opened again, and closing it here
    /// would hang up on a program that is about to end.
    pub(super) parked: Option<Millis>,
}

/// How far its end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nothing ends it.
    No,
    /// Its first process has ended; the rest has until then.
    Linger(Millis),
    /// It was asked to end, and has until then.
    Asked(Millis),
    /// It is being killed, again and again, since then.
    Killed { since: Millis, next: Millis, rounds: u32 },
}

/// A program that was asked for.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) id: ExecId,
    pub(super) tag: String,
    pub(super) tty: bool,
    pub(super) overflow: Overflow,
    pub(super) started: Millis,
    pub(super) output: Both<Output>,
    pub(super) input: Input,
    /// Its arguments and environment, on their way.
    pub(super) job: Option<Outgoing>,
    pub(super) control: Option<OwnedFd>,
    pub(super) decoder: Decoder,
    /// The watcher's process, until it is reaped.
    pub(super) watcher: Option<Pid>,
    /// Since when its watcher is gone, killed, while what it watched may still be there.
    pub(super) orphaned: Option<Millis>,
    /// The process that becomes the program, and is it once `pid` says so.
    pub(super) launched: Option<u32>,
    pub(super) pid: Option<u32>,
    pub(super) how: Option<How>,
    pub(super) cause: Cause,
    pub(super) oom_before: u64,
    pub(super) shared: bool,
    pub(super) end: Option<End>,
    /// Somebody has read it to its end, and has left.
    pub(super) read: bool,
    pub(super) grace: u64,
    pub(super) deadline: Option<Millis>,
    /// It is ended when nobody reads it any more.
    pub(super) tied: bool,
    /// Since when nobody reads it, if that counts.
    pub(super) alone: Option<Millis>,
    ending: Ending,
}

/// What is needed for a new record.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) output: Both<Output>,
    pub(super) input: Input,
    pub(super) job: Outgoing,
    pub(super) control: OwnedFd,
    pub(super) watcher: Pid,
}

impl Program {
    pub(super) fn new(spec: &wire_shim::protocol::ExecSpec, now: Millis, oom: u64, started: Started) -> Self {
        Self {
            id: spec.id,
            tag: spec.tag.clone(),
            tty: spec.tty.is_some(),
            overflow: spec.overflow,
            tied: spec.tied,
            alone: None,
            started: now,
            output: started.output,
            input: started.input,
            job: Some(started.job),
            control: Some(started.control),
            decoder: Decoder::new(),
            watcher: Some(started.watcher),
            orphaned: None,
            launched: None,
            pid: None,
            how: None,
            cause: Cause::Itself,
            oom_before: oom,
            shared: false,
            end: None,
            read: false,
            grace: spec.grace_ms,
            deadline: spec.timeout_ms.map(|ms| now.after(ms)),
            ending: Ending::No,
        }
    }

    /// Whether anything of it may still be there.
    pub(super) const fn lives(&self) -> bool {
        self.end.is_none()
    }

    /// Whether its first process runs.
    pub(super) const fn runs(&self) -> bool {
        self.pid.is_some() && self.how.is_none() && self.end.is_none()
    }

    /// Hears its watcher.
    pub(super) fn hear(&mut self, now: Millis) {
        let mut buffer = [0; 4096];
        while let Some(control) = &self.control {
            match read(control, &mut buffer) {
                Moved::Bytes(n) => self.decoder.feed(buffer.get(..n).unwrap_or_default()),
                Moved::Later => break,
                Moved::End => self.control = None,
            }
            while let Ok(Some(report)) = self.decoder.message() {
                match report {
                    Report::Launched(pid) => self.launched = Some(pid),
                    Report::Started => self.pid = self.launched,
                    Report::NotStarted { why, detail } => self.stopped(How::NotStarted { why, detail }, now),
                    Report::Ended(how) => self.stopped(how, now),
                }
            }
        }
    }

    /// Its first process has ended, or never ran.
    pub(super) fn stopped(&mut self, how: How, now: Millis) {
        self.how.get_or_insert(how);
        self.deadline = None;
        if self.ending == Ending::No {
            self.ending = Ending::Linger(now.after(LINGER_MS));
        }
    }

    /// Asks the tree to end, and kills it after `grace` milliseconds.
    pub(super) fn ask(&mut self, cause: Cause, grace: u64, now: Millis) {
        let until = now.after(grace);
        match self.ending {
            Ending::Killed { .. } => return,
            Ending::Asked(before) => self.ending = Ending::Asked(before.min(until)),
            Ending::No | Ending::Linger(_) => {
                self.signal_tree(Signal::TERM);
                self.ending = Ending::Asked(until);
            }
        }
        if self.how.is_none() && self.cause == Cause::Itself {
            self.cause = cause;
        }
    }

    /// A signal to every process of its tree.
    pub(super) fn signal_tree(&self, signal: Signal) {
        if let Some(watcher) = self.watcher {
            tree::signal(&Processes::now().below(watcher), signal);
        }
    }

    /// When something is to be done next.
    pub(super) fn wake(&self) -> Option<Millis> {
        let ending = match self.ending {
            _ if !self.lives() || self.orphaned.is_some() => None,
            Ending::No => None,
            Ending::Linger(at) | Ending::Asked(at) => Some(at),
            Ending::Killed { next, .. } => Some(next),
        };
        let parked = self.output.stdout.parked.filter(|_| self.lives());
        let alone = self.alone.map(|since| since.after(ALONE_MS));
        [ending, self.deadline, parked, alone].into_iter().flatten().min()
    }

    /// Does what is due. True if the kernel does not let go of its tree and it is given up.
    pub(super) fn tick(&mut self, now: Millis, seen: &mut Option<Processes>) -> bool {
        self.output.stdout.parked.take_if(|at| *at <= now);
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            self.ask(Cause::Timeout, self.grace, now);
        }
        match self.ending {
            Ending::Linger(at) | Ending::Asked(at) if at <= now => {
                self.ending = Ending::Killed { since: now, next: now, rounds: 0 };
                self.kill(now, seen)
            }
            Ending::Killed { next, .. } if next <= now => self.kill(now, seen),
            Ending::No | Ending::Linger(_) | Ending::Asked(_) | Ending::Killed { .. } => false,
        }
    }

    fn kill(&mut self, now: Millis, seen: &mut Option<Processes>) -> bool {
        let (Ending::Killed { since, rounds, .. }, Some(watcher)) = (self.ending, self.watcher) else {
            return false;
        };
        let tree = seen.get_or_insert_with(Processes::now).below(watcher);
        let alive = tree::kill(&tree, watcher);
        if alive == 0 && now.since(since) > WATCHER_MS {
            _ = rustix::process::kill_process(watcher, Signal::KILL);
        }
        let pause = 2_u64.saturating_pow(rounds.min(6));
        self.ending = Ending::Killed { since, next: now.after(pause), rounds: rounds + 1 };
        now.since(since) > GIVE_UP_MS
    }

    /// Reads output while there is room for it. `kept` is the first offset that must stay, by stream.
    /// True if anything came.
    pub(super) fn take_output(&mut self, stream: Stream, kept: u64, buffer: &mut [u8], now: Millis) -> bool {
        let room = self.room(stream, kept);
        let output = self.output.of_mut(stream);
        let Some(fd) = &output.fd else { return false };
        if room == 0 {
            if self.overflow == Overflow::Kill {
                self.ask(Cause::Overflow, 0, now);
            }
            return false;
        }
        let most = room.min(buffer.len());
        let into = buffer.get_mut(..most).unwrap_or_default();
        match read(fd, into) {
            Moved::Bytes(n) => output.ring.push(into.get(..n).unwrap_or_default()),
            Moved::Later => return false,
            Moved::End if self.tty => {
                output.parked = Some(now.after(PARK_MS));
                return false;
            }
            Moved::End => output.fd = None,
        }
        true
    }

    /// Ends it if it is tied to its readers and has had none for long.
    pub(super) fn leave_alone(&mut self, is_read: bool, now: Millis) {
        if is_read || !self.tied || !self.lives() {
            self.alone = None;
        } else if self.alone.get_or_insert(now).after(ALONE_MS) <= now {
            (self.tied, self.alone) = (false, None);
            self.ask(Cause::Lease, 0, now);
        }
    }

    /// Bytes that can be read from its pipe now.
    pub(super) fn room(&self, stream: Stream, kept: u64) -> usize {
        match self.overflow {
            Overflow::DropOldest => usize::MAX,
            Overflow::Block | Overflow::Kill => self.output.of(stream).ring.room(kept),
        }
    }

    /// Whether its output is too much already, and it is being ended for that.
    pub(super) fn overflown(&self) -> bool {
        self.overflow == Overflow::Kill && !matches!(self.ending, Ending::No | Ending::Linger(_))
    }

    /// Makes the record of its end. What its pipes still hold is kept beyond the ring's size, because nobody
    /// waits for it any more; a process elsewhere that holds such a pipe open is not waited for.
    pub(super) fn finish(&mut self, oom_now: u64, tree_gone: bool, buffer: &mut [u8]) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let drops = self.overflow == Overflow::DropOldest;
            let output = self.output.of_mut(stream);
            let mut left = LAST;
            while let Some(fd) = output.fd.as_ref().filter(|_| left > 0) {
                let Moved::Bytes(n) = read(fd, buffer) else { break };
                if !drops {
                    output.ring.grow(n);
                }
                output.ring.push(buffer.get(..n).unwrap_or_default());
                left = left.saturating_sub(n);
            }
            output.fd = None;
            output.ring.close();
        }
        self.input.close();
        (self.job, self.control, self.deadline) = (None, None, None);
        self.end = Some(End {
            how: self.how.clone().unwrap_or(How::Signaled(Signal::KILL.as_raw())),
            cause: self.cause,
            stdout: self.output.stdout.ring.end(),
            stderr: self.output.stderr.ring.end(),
            oom: oom_now > self.oom_before,
            shared: self.shared,
            tree_gone,
        });
    }

    /// Another size for its terminal.
    pub(super) fn resize(&self, size: TtySize) {
        if let Some(fd) = self.output.stdout.fd.as_ref().filter(|_| self.tty) {
            _ = rustix::termios::tcsetwinsize(fd, super::start::window(size));
        }
    }

    /// Its line in a list.
    pub(super) fn info(&self, now: Millis) -> ExecInfo {
        ExecInfo {
            id: self.id,
            tag: self.tag.clone(),
            pid: self.pid,
            stdout: self.output.stdout.ring.end(),
            stderr: self.output.stderr.ring.end(),
            end: self.end.clone(),
            age_ms: now.since(self.started),
        }
    }
}
