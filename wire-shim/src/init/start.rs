//! Starts a program's watcher, and hands it the program's streams.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use wire_shim::frame::encode;
use wire_shim::protocol::{ExecSpec, TtySize};
use wire_shim::ring::Ring;

use super::input::Input;
use super::outgoing::Outgoing;
use super::program::{Both, Output, Started};
use crate::sys::SELF;
use crate::sys::fds::{copy, never_wait, pipe, send, sockets};

/// Starts it. The program itself comes later, and says so through its watcher.
pub(super) fn start(spec: &ExecSpec, ring: u64) -> io::Result<Started> {
    let size = usize::try_from(ring).map_err(io::Error::other)?;
    let ends = match spec.tty {
        Some(size) => terminal(size, spec.stdin)?,
        None => pipes(spec.stdin)?,
    };
    let (job_reader, job_writer) = pipe()?;
    never_wait(&job_writer)?;
    let (control, theirs) = sockets()?;
    never_wait(&control)?;

    let mut command = Command::new(SELF);
    command.arg("supervise").env_clear();
    command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
    let watcher = Pid::from_child(&command.spawn()?);
    let theirs = [ends.stdin.as_fd(), ends.stdout.as_fd(), ends.stderr.as_fd(), job_reader.as_fd()];
    send(&control, &theirs)?;

    let job = Outgoing::new(job_writer, encode(spec).map_err(io::Error::other)?);
    let output = Both {
        stdout: Output { fd: Some(ends.out), ring: Ring::new(size), parked: None },
        stderr: Output { fd: ends.err, ring: Ring::new(size), parked: None },
    };
    Ok(Started { output, input: ends.input, job, control, watcher })
}

/// A size as the kernel takes it.
pub(super) const fn window(size: TtySize) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 }
}

struct Ends {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    input: Input,
    out: OwnedFd,
    err: Option<OwnedFd>,
}

fn pipes(takes_input: bool) -> io::Result<Ends> {
    let (stdin, writer) = pipe()?;
    let (out, stdout) = pipe()?;
    let (err, stderr) = pipe()?;
    for fd in [&writer, &out, &err] {
        never_wait(fd)?;
    }
    let input = if takes_input { Input::over(writer, false) } else { Input::none() };
    Ok(Ends { stdin, stdout, stderr, input, out, err: Some(err) })
}

fn terminal(size: TtySize, takes_input: bool) -> io::Result<Ends> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    tcsetwinsize(&master, window(size))?;
    never_wait(&master)?;
    let input = if takes_input { Input::over(copy(&master)?, true) } else { Input::none() };
    Ok(Ends { stdin: copy(&slave)?, stdout: copy(&slave)?, stderr: slave, input, out: master, err: None })
}
