//! File descriptors: none blocks, none outlives an `exec`, and they travel over sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::Encode;
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio::{dup2_stdin, dup2_stdout};
use wire_shim::frame::encode;

/// The most descriptors in one message.
const MOST: usize = 4;

/// What reading or writing without waiting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// That many bytes, not 0.
    Bytes(usize),
    /// Nothing now.
    Later,
    /// Never again: the other end is gone.
    End,
}

/// Reads without waiting.
pub(crate) fn read(fd: impl AsFd, into: &mut [u8]) -> Moved {
    moved(|| rustix::io::read(&fd, &mut *into))
}

/// Writes without waiting.
pub(crate) fn write(fd: impl AsFd, bytes: &[u8]) -> Moved {
    moved(|| rustix::io::write(&fd, bytes))
}

fn moved(mut act: impl FnMut() -> Result<usize, Errno>) -> Moved {
    loop {
        return match act() {
            Ok(0) => Moved::End,
            Ok(n) => Moved::Bytes(n),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Moved::Later,
            Err(_) => Moved::End,
        };
    }
}

/// Sends a whole message, and waits while the other end takes nothing.
pub(crate) fn tell(fd: impl AsFd, message: &impl Encode<()>) -> io::Result<()> {
    let frame = encode(message).map_err(io::Error::other)?;
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        match rustix::io::write(&fd, rest) {
            Ok(n) => rest = rest.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A copy that does not outlive an `exec` and is none of the three standard ones.
pub(crate) fn copy(fd: impl AsFd) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(fd, 3)?)
}

/// Reading and writing no longer wait.
pub(crate) fn never_wait(fd: impl AsFd) -> io::Result<()> {
    Ok(ioctl_fionbio(fd, true)?)
}

/// A pipe: the end to read and the end to write.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Standard input and output end here and for whoever is at their other ends; copies go on.
pub(crate) fn leave_standard_streams() -> io::Result<()> {
    let (reader, writer) = pipe()?;
    dup2_stdin(&reader)?;
    drop(reader);
    leave_standard_output()?;
    drop(writer);
    Ok(())
}

/// Standard output ends, though this process goes on.
pub(crate) fn leave_standard_output() -> io::Result<()> {
    let (_, nobody) = pipe()?;
    Ok(dup2_stdout(&nobody)?)
}

/// Two connected sockets.
pub(crate) fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Sends descriptors, at most four.
pub(crate) fn send(socket: impl AsFd, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for descriptors that [`send`] sent.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok(fds)
}
