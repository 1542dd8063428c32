//! Bytes on their way out, written as the other end takes them.

use std::os::fd::OwnedFd;

use zeroize::Zeroize;

use crate::sys::fds::{Moved, write};

/// One message for one reader, after which it is closed. Wiped.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) fd: OwnedFd,
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    pub(super) const fn new(fd: OwnedFd, bytes: Vec<u8>) -> Self {
        Self { fd, bytes, sent: 0 }
    }

    /// Writes what goes without waiting. True when it is done, or can never be.
    pub(super) fn push(&mut self) -> bool {
        loop {
            match write(&self.fd, self.bytes.get(self.sent..).unwrap_or_default()) {
                Moved::Bytes(n) => self.sent += n,
                Moved::Later => return self.sent >= self.bytes.len(),
                Moved::End => return true,
            }
            if self.sent >= self.bytes.len() {
                return true;
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
