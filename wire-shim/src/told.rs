//! Standard input that fails as soon as this process is asked to end, so that what reads it can take away what
//! it has not finished.

use std::io::{self, Read};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;

/// The input, and the signals as something to wait for beside it.
#[derive(Debug)]
pub(crate) struct Told {
    signals: SignalFd,
}

impl Told {
    pub(crate) fn new() -> io::Result<Self> {
        let mut mask = SigSet::empty();
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().for_each(|signal| mask.add(signal));
        mask.thread_block()?;
        Ok(Self { signals: SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC)? })
    }
}

impl Read for Told {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let input = stdin();
        let mut fds = [PollFd::new(&self.signals, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
        while let Err(error) = poll(&mut fds, None) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        let [signals, _] = &fds;
        if !signals.revents().is_empty() {
            // Not `Interrupted`, after which a copy would read on.
            return Err(io::Error::other("it was asked to end"));
        }
        Ok(rustix::io::read(input, into)?)
    }
}
