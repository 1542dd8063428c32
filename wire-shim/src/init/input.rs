//! A program's standard input: by offsets, with a window, so that it can be sent again.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::termios::{InputModes, LocalModes, SpecialCodeIndex, tcgetattr};
use wire_shim::frame::CHUNK;
use wire_shim::protocol::WINDOW;

use crate::sys::fds::{Moved, write};

/// Input under way to a program.
#[derive(Debug)]
pub(super) struct Input {
    /// The end to write, until it is closed.
    pub(super) fd: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    taken: u64,
    /// Length of the whole, once it is known.
    end: Option<u64>,
    tty: bool,
    /// The byte that was given last.
    last: Option<u8>,
    /// What is still to be typed after the whole, once that is known.
    keys: Option<Vec<u8>>,
}

/// The client broke the rules: a hole, more than the window, bytes after the end.
#[derive(Debug)]
pub(super) struct OutOfOrder;

impl Input {
    /// None: the program sees the end of its input at once.
    pub(super) const fn none() -> Self {
        Self::new(None, false)
    }

    /// Input over `fd`, which is a terminal or a pipe.
    pub(super) const fn over(fd: OwnedFd, tty: bool) -> Self {
        Self::new(Some(fd), tty)
    }

    const fn new(fd: Option<OwnedFd>, tty: bool) -> Self {
        Self { fd, waiting: VecDeque::new(), taken: 0, end: None, tty, last: None, keys: None }
    }

    /// Bytes that the program has been given.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether it takes no more.
    pub(super) const fn closed(&self) -> bool {
        self.fd.is_none()
    }

    /// Whether it takes no more although its client has not said that this is all.
    pub(super) fn refuses(&self) -> bool {
        self.closed() && self.end != Some(self.taken)
    }

    /// Whether something waits to be written.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty() || self.keys.as_ref().is_some_and(|keys| !keys.is_empty())
    }

    /// Takes a client's bytes. Those that came before are skipped.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfOrder> {
        if self.closed() {
            return Ok(());
        }
        let received = self.taken + self.waiting.len() as u64;
        let skipped = received.checked_sub(offset).ok_or(OutOfOrder)?;
        let fresh = usize::try_from(skipped).ok().and_then(|n| bytes.get(n..)).unwrap_or_default();
        let after = received + fresh.len() as u64;
        if bytes.len() > CHUNK || after > self.taken + WINDOW || self.end.is_some_and(|end| after > end) {
            return Err(OutOfOrder);
        }
        self.waiting.extend(fresh);
        self.push();
        Ok(())
    }

    /// The whole input is `length` bytes.
    pub(super) fn finish(&mut self, length: u64) -> Result<(), OutOfOrder> {
        let received = self.taken + self.waiting.len() as u64;
        if !self.closed() && (length != received || self.end.is_some_and(|end| end != length)) {
            return Err(OutOfOrder);
        }
        self.end = Some(length);
        self.push();
        Ok(())
    }

    /// Writes what the program takes without waiting.
    pub(super) fn push(&mut self) {
        while let Some(fd) = self.fd.as_ref().filter(|_| !self.waiting.is_empty()) {
            let (front, back) = self.waiting.as_slices();
            let bytes = if front.is_empty() { back } else { front };
            match write(fd, bytes) {
                Moved::Bytes(n) => {
                    self.last = bytes.get(..n).and_then(<[u8]>::last).copied();
                    self.waiting.drain(..n.min(self.waiting.len()));
                    self.taken += n as u64;
                }
                Moved::Later => return,
                Moved::End => return self.close(),
            }
        }
        if self.end == Some(self.taken) {
            self.type_end();
        }
    }

    /// The program takes no more.
    pub(super) fn close(&mut self) {
        self.fd = None;
        self.waiting = VecDeque::new();
    }

    /// A terminal has no end: its end-of-file key is typed, as far as that goes without waiting.
    fn type_end(&mut self) {
        let mut keys = self.keys.take().unwrap_or_else(|| self.end_keys());
        while let Some(fd) = self.fd.as_ref().filter(|_| !keys.is_empty()) {
            match write(fd, &keys) {
                Moved::Bytes(n) => drop(keys.drain(..n.min(keys.len()))),
                Moved::Later => {
                    self.keys = Some(keys);
                    return;
                }
                Moved::End => break,
            }
        }
        self.close();
    }

    /// The keys that end the input of a terminal that works by lines. In the middle of a line the first one only
    /// hands over what there is of it.
    fn end_keys(&self) -> Vec<u8> {
        let Some(modes) = self.fd.as_ref().filter(|_| self.tty).and_then(|fd| tcgetattr(fd).ok()) else {
            return Vec::new();
        };
        let key = |index| modes.special_codes[index];
        let eof = key(SpecialCodeIndex::VEOF);
        // A key of 0 is none.
        if !modes.local_modes.contains(LocalModes::ICANON) || eof == 0 {
            return Vec::new();
        }
        let ends_a_line = |byte: u8| {
            let keys = [eof, key(SpecialCodeIndex::VEOL), key(SpecialCodeIndex::VEOL2)];
            byte == b'\n'
                || (byte == b'\r' && modes.input_modes.contains(InputModes::ICRNL))
                || (byte != 0 && keys.contains(&byte))
        };
        let in_a_line = self.last.is_some_and(|byte| !ends_a_line(byte));
        vec![eof; if in_a_line { 2 } else { 1 }]
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::read;
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;
    use crate::sys::fds::{copy, never_wait};

    #[test]
    fn the_end_of_a_terminal_that_takes_nothing_now_is_typed_later() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        never_wait(&master).unwrap();
        never_wait(&slave).unwrap();
        while write(&master, b"\n") != Moved::Later {}

        let mut input = Input::over(copy(&master).unwrap(), true);
        input.finish(0).unwrap();
        assert!(input.waits() && !input.closed(), "there was no room for it");
        let mut buffer = [0; 4096];
        let ended = |read: Result<usize, rustix::io::Errno>| read == Ok(0);
        // What is typed reaches the other end by way of a thread of the kernel.
        while !ended(read(&slave, &mut buffer)) {
            input.push();
        }
        assert!(input.closed() && !input.waits());
    }
}
