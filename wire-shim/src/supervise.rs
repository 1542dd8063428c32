//! The watcher of one program, and the first process of its tree.
//!
//! 1. The first process starts it with a socket as standard input, and sends over that the program's three
//!    streams and a pipe with its [`ExecSpec`](wire_shim::protocol::ExecSpec).
//! 2. It starts [`launch`](crate::launch), which becomes the program, and says whether that worked.
//! 3. Every process that the program leaves behind becomes its child, so the whole tree is what is below it.
//!    It reaps them, says how the program ended, and ends when nothing is left.
//!
//! It decides nothing: time-outs and signals are the first process's, which must not depend on a process
//! that a program of the same user can kill.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode, Stdio};

use minicbor::{Decode, Encode};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, setsid, wait};
use wire_shim::frame::Decoder;
use wire_shim::protocol::{How, NotStarted};

use crate::launch::Progress;
use crate::sys::fds::{Moved, copy, read, receive, send, sockets, tell};
use crate::sys::tree::{self, Processes};
use crate::sys::{SELF, adopt_orphans, shield, signals};

/// What it tells the first process.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Report {
    /// The process that is to become the program. Said before it can be that: should it then end this one, the
    /// first process still knows it.
    #[n(3)]
    Launched(#[n(0)] u32),
    /// The program runs.
    #[n(0)]
    Started,
    /// It never ran.
    #[n(1)]
    NotStarted {
        #[n(0)]
        why: NotStarted,
        #[n(1)]
        detail: String,
    },
    /// The program's first process ended.
    #[n(2)]
    Ended(#[n(0)] How),
}

/// Watches one program to the end of its tree.
pub(crate) fn run() -> ExitCode {
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn watch() -> io::Result<()> {
    shield()?;
    adopt_orphans()?;
    setsid()?;
    let children = signals(&[Signal::SIGCHLD])?;
    let control = copy(io::stdin())?;
    let (report, program) = match start(&control, receive(&control)?) {
        Ok(program) => (Report::Started, Some(program)),
        Err(NoStart { why, detail }) => (Report::NotStarted { why, detail }, None),
    };
    // That nobody hears it is found out below, and then there is still a tree to end.
    _ = tell(&control, &report);
    until_empty(&control, &children, program)
}

/// Reaps until there is no child left. If the first process is gone, ends the tree itself.
fn until_empty(control: &OwnedFd, children: &SignalFd, program: Option<Pid>) -> io::Result<()> {
    let mut abandoned = false;
    loop {
        while children.read_signal()?.is_some() {}
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == program => {
                    _ = tell(control, &Report::Ended(how(status)));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return Ok(()),
            }
        }
        let mut fds = vec![PollFd::new(children, PollFlags::IN)];
        let mut patience = None;
        if abandoned {
            tree::kill(&Processes::now().below(getpid()), getpid());
            patience = Some(rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 });
        } else {
            fds.push(PollFd::new(control, PollFlags::empty()));
        }
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        abandoned |= fds.get(1).is_some_and(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR));
    }
}

/// How a process ended.
pub(crate) fn how(status: WaitStatus) -> How {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => How::Exited(code),
        (None, signal) => How::Signaled(signal.unwrap_or_default()),
    }
}

struct NoStart {
    why: NotStarted,
    detail: String,
}

impl<E: std::error::Error> From<E> for NoStart {
    fn from(error: E) -> Self {
        Self { why: NotStarted::Other, detail: error.to_string() }
    }
}

/// Starts the program and waits until it runs, or until it is clear that it never will.
fn start(control: &OwnedFd, streams: Vec<OwnedFd>) -> Result<Pid, NoStart> {
    let (ours, theirs) = sockets()?;
    let mut command = Command::new(SELF);
    command.arg("launch").env_clear();
    command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn()?;
    // With it goes our copy of the child's socket, so that the child's end is seen.
    drop(command);
    let pid = Pid::from_child(&child);
    tell(control, &Report::Launched(pid.as_raw_pid().unsigned_abs()))?;
    send(&ours, &streams.iter().map(AsFd::as_fd).collect::<Vec<_>>())?;
    drop(streams);

    let (mut decoder, mut buffer, mut going) = (Decoder::new(), [0; 4096], false);
    loop {
        match read(&ours, &mut buffer) {
            Moved::Bytes(n) => decoder.feed(buffer.get(..n).unwrap_or_default()),
            Moved::Later | Moved::End if going => return Ok(pid),
            Moved::Later | Moved::End => {
                let detail = "it was ended before it could start".to_owned();
                return Err(NoStart { why: NotStarted::Other, detail });
            }
        }
        while let Some(progress) = decoder.message()? {
            match progress {
                Progress::Going => going = true,
                Progress::Failed { why, detail } => return Err(NoStart { why, detail }),
            }
        }
    }
}
