//! The end of everything: every tree is asked, then killed; readers get what is left; the code says why.

use wire_shim::protocol::{Cause, ExecId, HOLD_SILENCE_MS, How, NotStarted, exit};

use super::conn::Conn;
use super::timers::CONFIGURE_MS;
use super::{Init, State};
use crate::sys::Millis;

/// Readers that take nothing for this long are not waited for, where somebody wants the end. Nor is anybody who has
/// not asked for anything in this time.
const STILL_MS: u64 = 2_000;
/// Nor are readers that take so little that it comes to this, after everything has ended.
const READERS_MS: u64 = 10_000;

/// Everything is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    code: u8,
    /// Nobody wants it to end: its command has, and whoever reads that takes the time that it takes.
    patient: bool,
    /// When to look again.
    pub(super) until: Millis,
    /// When the last program was gone, and how much readers had been given then.
    empty: Option<Millis>,
    moved: (u64, Millis),
}

impl Init {
    /// Ends every program, and then the container. Where the command has ended, neither its time nor its holder counts
    /// any more: only an order ends the patience with its readers.
    pub(super) fn end_all(&mut self, cause: Cause, grace: u64, now: Millis) {
        let code = if cause == Cause::Deadline {
            exit::DEADLINE
        } else if cause == Cause::Lease {
            exit::LEASE
        } else {
            exit::STOPPED
        };
        let was_ending = self.ending.is_some();
        let ending = self.end_with(code, cause, grace, now);
        ending.patient &= was_ending && cause != Cause::Stop;
    }

    /// The container's own command has ended.
    pub(super) fn main_ended(&mut self, how: &How, now: Millis) {
        if matches!(self.state, State::Configured { ends_with_main: true, .. }) {
            self.end_with(code(how), Cause::Stop, self.grace(), now);
        }
    }

    fn end_with(&mut self, code: u8, cause: Cause, grace: u64, now: Millis) -> &mut Ending {
        for program in self.table.all_mut().filter(|program| program.lives()) {
            program.ask(cause, grace, now);
        }
        let until = now.after(STILL_MS);
        self.ending.get_or_insert(Ending { code, patient: true, until, empty: None, moved: (0, now) })
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
        let ending = self.ending.as_mut()?;
        let empty = *ending.empty.get_or_insert(now);
        if ending.moved.0 != written || empty == now || ending.patient {
            ending.moved = (written, now);
        }
        let still = now.since(ending.moved.1) >= STILL_MS || now.since(empty) >= READERS_MS;
        ending.until = now.after(100);
        let (code, still) = (ending.code, still && !ending.patient);
        (still || self.told(empty, now)).then_some(code)
    }

    /// Whether everybody who is there has taken everything, and whoever came just now has asked for it; of a
    /// container that ends with its command that means that somebody has read its output, unless nobody wants to.
    fn told(&self, empty: Millis, now: Millis) -> bool {
        let is_there = |conn: &&Conn| conn.known && !conn.closing && now.since(conn.heard) <= HOLD_SILENCE_MS;
        let mut clients = self.conns.values().filter(is_there).peekable();
        if clients.peek().is_none() {
            return true;
        }
        let main = match self.state {
            State::Configured { ends_with_main: true, .. } => self.table.get(ExecId::MAIN),
            State::Bare | State::Attesting(_) | State::Configured { .. } => None,
        };
        let ended_now = now.since(empty) < STILL_MS;
        (main.is_none_or(|main| main.read) || !ended_now)
            && clients.all(|conn| {
                // The first one is there from the beginning, and comes to read when it is told that it may.
                let comes = conn.first && main.is_some() && ended_now;
                let may_ask = !conn.asked && (now.since(conn.opened) < STILL_MS || comes);
                !may_ask && conn.is_done(&self.table)
            })
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
