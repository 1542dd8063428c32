//! The end of everything: every tree is asked, then killed; readers get what is left; the code says why.

use wire_shim::protocol::{Cause, ExecId, How, NotStarted, exit};

use super::timers::CONFIGURE_MS;
use super::{Init, State};
use crate::sys::Millis;

/// Readers that take nothing for this long are not waited for.
const STILL_MS: u64 = 2_000;
/// Nor are readers that take so little that it comes to this, after everything has ended.
const READERS_MS: u64 = 10_000;

/// Everything is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    code: u8,
    /// When to look again.
    pub(super) until: Millis,
    /// When the last program was gone, and how much readers had been given then.
    empty: Option<Millis>,
    moved: (u64, Millis),
}

impl Init {
    /// Ends every program, and then the container.
    pub(super) fn end_all(&mut self, cause: Cause, grace: u64, now: Millis) {
        let code = if cause == Cause::Deadline {
            exit::DEADLINE
        } else if cause == Cause::Lease {
            exit::LEASE
        } else {
            exit::STOPPED
        };
        self.end_with(code, cause, grace, now);
    }

    /// The container's own command has ended.
    pub(super) fn main_ended(&mut self, how: &How, now: Millis) {
        if matches!(self.state, State::Configured { ends_with_main: true, .. }) {
            self.end_with(code(how), Cause::Stop, self.grace(), now);
        }
    }

    fn end_with(&mut self, code: u8, cause: Cause, grace: u64, now: Millis) {
        let ending = Ending { code, until: now.after(STILL_MS), empty: None, moved: (0, now) };
        self.ending.get_or_insert(ending);
        for program in self.table.all_mut().filter(|program| program.lives()) {
            program.ask(cause, grace, now);
        }
    }

    /// A connection is gone. If nobody else is there, a lease holds only for a moment longer: a killed process
    /// is not waited for, one that only lost its connection comes again.
    pub(super) fn close(&mut self, id: u64) {
        if self.conns.remove(&id).is_some() && !self.conns.values().any(|conn| conn.known) {
            self.life.alone.get_or_insert_with(Millis::now);
        }
    }

    /// The exit code, when it is over.
    pub(super) fn over(&mut self, now: Millis) -> Option<u8> {
        let first_gone = !self.conns.contains_key(&0);
        if matches!(self.state, State::Bare)
            && (first_gone || self.ending.is_some() || now.since(self.born) >= CONFIGURE_MS)
        {
            return Some(self.ending.as_ref().map_or(exit::SETUP, |ending| ending.code));
        }
        if self.ending.is_none() || self.table.living().next().is_some() {
            return None;
        }
        let written = self.conns.values().map(|conn| conn.written).sum();
        let told = self.told();
        let ending = self.ending.as_mut()?;
        let empty = *ending.empty.get_or_insert(now);
        if ending.moved.0 != written || empty == now {
            ending.moved = (written, now);
        }
        let still = now.since(ending.moved.1) >= STILL_MS || now.since(empty) >= READERS_MS;
        ending.until = now.after(100);
        (told || still).then_some(ending.code)
    }

    /// Whether everybody who is there has been given everything; of a container that ends with its command
    /// that means that somebody has read its output.
    fn told(&self) -> bool {
        let mut clients = self.conns.values().filter(|conn| conn.known && !conn.closing).peekable();
        if clients.peek().is_none() {
            return true;
        }
        let main = match self.state {
            State::Configured { ends_with_main: true, .. } => self.table.get(ExecId::MAIN),
            State::Bare | State::Attesting(_) | State::Configured { .. } => None,
        };
        let read = main.is_none_or(|main| main.read || self.conns.values().any(|conn| conn.has_all(main)));
        read && clients.all(|conn| conn.has_everything(&self.table))
    }
}

/// As a shell has it.
fn code(how: &How) -> u8 {
    match how {
        How::Exited(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        How::Signaled(signal) => 128 + u8::try_from(signal & 0x7f).unwrap_or(0),
        How::NotStarted { why: NotStarted::NotFound, .. } => 127,
        How::NotStarted { why: NotStarted::NotExecutable, .. } => 126,
        How::NotStarted { .. } => exit::SETUP,
    }
}
