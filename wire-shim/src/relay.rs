//! Bytes both ways between the standard streams and a socket: `shim tcp` and `shim connect`.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, shutdown, socket_with,
};
use rustix::stdio::{stdin, stdout};

use crate::sys::fds::{Moved, leave_standard_output, never_wait, read, write};

/// Bytes that one direction holds.
const BUFFER: usize = 64 << 10;

/// Who is listening, for tests outside a container.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) socket: Vec<u8>,
    pub(crate) pid: i32,
}

impl Default for Peer {
    fn default() -> Self {
        Self { socket: wire_shim::SOCKET.to_vec(), pid: 1 }
    }
}

/// To a port of the container's own loopback. Each direction ends by itself. A byte on standard error says
/// that somebody listens there.
pub(crate) fn tcp(port: u16) -> io::Result<()> {
    let stream = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    io::stderr().write_all(b"+")?;
    relay(&OwnedFd::from(stream), Both::ByThemselves)
}

/// To the first process. It is connected to only when there is something to say, so that a message is there
/// when the first process looks, and only if it is the first process: any program may own a socket.
pub(crate) fn to_init(peer: &Peer) -> io::Result<()> {
    let input = stdin();
    let mut fds = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut fds, None)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new_abstract_name(&peer.socket)?)?;
    if socket_peercred(&socket)?.pid.as_raw_pid() != peer.pid {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another process listens in its place"));
    }
    relay(&socket, Both::WithTheSocket)
}

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Both {
    /// When both directions have ended.
    ByThemselves,
    /// As soon as the socket has nothing more to say.
    WithTheSocket,
}

/// One direction.
struct Way {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    closed: bool,
}

impl Way {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER], from: 0, to: 0, ended: false, closed: false }
    }

    const fn empty(&self) -> bool {
        self.from == self.to
    }

    fn fill(&mut self, source: BorrowedFd<'_>) {
        match read(source, &mut self.buffer) {
            Moved::Bytes(n) => (self.from, self.to) = (0, n),
            Moved::Later => {}
            Moved::End => self.ended = true,
        }
    }

    fn drain(&mut self, sink: BorrowedFd<'_>) {
        match write(sink, self.buffer.get(self.from..self.to).unwrap_or_default()) {
            Moved::Bytes(n) => self.from += n,
            Moved::Later => {}
            // Nobody takes it: the rest is of no use either.
            Moved::End => (self.from, self.to, self.ended) = (0, 0, true),
        }
    }
}

fn relay(socket: &OwnedFd, over: Both) -> io::Result<()> {
    let (input, output) = (stdin(), stdout());
    for fd in [input, output, socket.as_fd()] {
        never_wait(fd)?;
    }
    let (mut there, mut back) = (Way::new(), Way::new());
    loop {
        if there.ended && there.empty() && !there.closed {
            there.closed = true;
            _ = shutdown(socket, Shutdown::Write);
        }
        if back.ended && back.empty() && !back.closed {
            back.closed = true;
            leave_standard_output()?;
        }
        if back.closed && (there.closed || over == Both::WithTheSocket) {
            return Ok(());
        }
        let mut steps: Vec<(Step, BorrowedFd<'_>, PollFlags)> = Vec::with_capacity(2);
        if !there.closed {
            steps.push(if there.empty() {
                (Step::FillThere, input, PollFlags::IN)
            } else {
                (Step::DrainThere, socket.as_fd(), PollFlags::OUT)
            });
        }
        if !back.closed {
            steps.push(if back.empty() {
                (Step::FillBack, socket.as_fd(), PollFlags::IN)
            } else {
                (Step::DrainBack, output, PollFlags::OUT)
            });
        }
        let mut fds: Vec<PollFd<'_>> =
            steps.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for ((step, fd, _), _) in steps.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            match step {
                Step::FillThere => there.fill(fd),
                Step::DrainThere => there.drain(fd),
                Step::FillBack => back.fill(fd),
                Step::DrainBack => back.drain(fd),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    FillThere,
    DrainThere,
    FillBack,
    DrainBack,
}
