//! One wait for whatever comes first, and what is done about it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use wire_shim::protocol::{ExecId, Overflow, Stream};

use super::conn::Conn;
use super::outgoing::Outgoing;
use super::program::Both;
use super::{Init, State};
use crate::sys::Millis;
use crate::sys::fds::copy;

/// Connections beyond the first process's own, and among them those that have not proved themselves.
const CONNECTIONS: usize = 16;
const STRANGERS: usize = 8;

/// The longest wait. Times count the machine's sleep, which `poll` does not: what is due in it is late by this
/// at most.
const NAP_MS: u64 = 60_000;
/// When there is no descriptor for a new connection, the next attempt is this much later.
const DEAF_MS: u64 = 100;

/// Who an event is for.
#[derive(Clone, Copy, Debug)]
enum Source {
    Signals,
    Listener,
    ConnInput(u64),
    /// Written, or found to be gone, by `tell`.
    ConnOutput,
    Control(ExecId),
    Job(ExecId),
    Input(ExecId),
    Output(ExecId, Stream),
    Probe(usize),
}

/// For each living program the offsets that its holding readers still need.
type Held = Vec<(ExecId, Both<Option<u64>>)>;

impl Init {
    /// Waits, not at all if there is `more` to tell, and does what has come.
    pub(super) fn turn(&mut self, now: Millis, more: bool) {
        let held = self.held(now);
        let ready = self.wait(now, more, &held);
        let now = Millis::now();
        for source in ready {
            match source {
                Source::Signals => self.reap(now),
                Source::Listener => self.accept(now),
                Source::ConnInput(id) => self.listen(id, now),
                Source::ConnOutput => {}
                Source::Control(exec) => {
                    if let Some(program) = self.table.get_mut(exec) {
                        program.hear(now);
                    }
                }
                Source::Job(exec) => {
                    if let Some(program) = self.table.get_mut(exec) {
                        let done = program.job.as_mut().is_none_or(Outgoing::push);
                        program.job.take_if(|_| done);
                    }
                }
                Source::Input(exec) => {
                    if let Some(program) = self.table.get_mut(exec) {
                        program.input.push();
                    }
                }
                Source::Output(exec, stream) => {
                    let kept = kept(&held, exec, stream);
                    if let Some(program) = self.table.get_mut(exec) {
                        program.take_output(stream, kept, &mut self.buffer, now);
                    }
                }
                Source::Probe(at) => self.read_probe(at),
            }
        }
    }

    fn held(&self, now: Millis) -> Held {
        let held = |exec, stream| self.conns.values().filter_map(|conn| conn.held(exec, stream, now)).min();
        let of = |exec| Both { stdout: held(exec, Stream::Stdout), stderr: held(exec, Stream::Stderr) };
        self.table.living().map(|program| (program.id, of(program.id))).collect()
    }

    /// Who has something. Nobody, if a signal or the time ended the wait.
    fn wait(&self, now: Millis, more: bool, held: &Held) -> Vec<Source> {
        let mut sources = vec![Source::Signals];
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let mut add = |source, fd| {
            sources.push(source);
            fds.push(fd);
        };
        if let Some(listener) = self.listener.as_ref().filter(|_| self.deaf.is_none()) {
            add(Source::Listener, PollFd::new(listener, PollFlags::IN));
        }
        for (id, conn) in &self.conns {
            if conn.listens() && !matches!(self.state, State::Attesting(_)) {
                add(Source::ConnInput(*id), PollFd::new(&conn.input, PollFlags::IN));
            }
            if conn.waiting() > 0 {
                add(Source::ConnOutput, PollFd::new(&conn.output, PollFlags::OUT));
            }
        }
        for program in self.table.living() {
            if let Some(control) = &program.control {
                add(Source::Control(program.id), PollFd::new(control, PollFlags::IN));
            }
            if let Some(job) = &program.job {
                add(Source::Job(program.id), PollFd::new(&job.fd, PollFlags::OUT));
            }
            if let Some(fd) = program.input.fd.as_ref().filter(|_| program.input.waits()) {
                add(Source::Input(program.id), PollFd::new(fd, PollFlags::OUT));
            }
            for stream in [Stream::Stdout, Stream::Stderr] {
                let output = program.output.of(stream);
                let Some(fd) = output.fd.as_ref().filter(|_| output.parked.is_none()) else { continue };
                // Without room it is not even asked about, or its end would be reported again and again.
                let full = program.room(stream, kept(held, program.id, stream)) == 0;
                if !full || (program.overflow == Overflow::Kill && !program.overflown()) {
                    add(Source::Output(program.id, stream), PollFd::new(fd, PollFlags::IN));
                }
            }
        }
        for (at, probe) in self.probes.iter().enumerate() {
            if let Some(fd) = &probe.output {
                add(Source::Probe(at), PollFd::new(fd, PollFlags::IN));
            }
        }
        let until = if more { Some(now) } else { self.wake() };
        if poll(&mut fds, until.map(|at| nap(at.since(now))).as_ref()).is_err() {
            return Vec::new();
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect()
    }

    /// A new connection. When there are too many strangers the oldest makes place, so that a program that
    /// only keeps connections open shuts nobody out.
    fn accept(&mut self, now: Millis) {
        let Some(listener) = &self.listener else { return };
        let socket = match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            // It would be reported again and again until there is a descriptor for it.
            Err(_) => {
                self.deaf = Some(now.after(DEAF_MS));
                return;
            }
        };
        let Ok(output) = copy(&socket) else { return };
        let strangers = self.conns.iter().filter(|(_, conn)| !conn.known && !conn.first);
        if strangers.clone().count() >= STRANGERS
            && let Some(oldest) = strangers.map(|(id, _)| *id).min()
        {
            self.close(oldest);
        }
        self.opened += 1;
        let id = self.opened;
        self.conns.insert(id, Conn::new(socket, output, false, now));
        self.listen(id, now);
    }

    /// Whether another connection beyond the first process's own may prove itself.
    pub(super) fn has_place(&self) -> bool {
        self.conns.values().filter(|conn| conn.known && !conn.first).count() < CONNECTIONS
    }
}

/// A time to wait, within [`NAP_MS`].
fn nap(ms: u64) -> Timespec {
    let ms = ms.min(NAP_MS);
    Timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(0),
        tv_nsec: i64::try_from(ms % 1000).unwrap_or(0) * 1_000_000,
    }
}

/// The first offset that must stay, if anybody holds one; otherwise everything that is there.
fn kept(held: &Held, exec: ExecId, stream: Stream) -> u64 {
    held.iter().find(|(id, _)| *id == exec).and_then(|(_, kept)| *kept.of(stream)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_a_time_far_away_is_short_enough_for_a_machine_that_sleeps() {
        assert_eq!(nap(1_500), Timespec { tv_sec: 1, tv_nsec: 500_000_000 });
        assert_eq!(nap(7 * 24 * 3_600_000), Timespec { tv_sec: 60, tv_nsec: 0 });
    }
}
