//! What is due by time, whatever anybody says or does.

use wire_shim::protocol::{Cause, HOLD_SILENCE_MS, Life as Left};

use super::{Init, State};
use crate::sys::Millis;

/// The configuration comes within this, or nothing ever runs.
pub(super) const CONFIGURE_MS: u64 = 10_000;
/// Whoever held the lease, and whose connection broke, comes again within this.
const REDIAL_MS: u64 = 5_000;
/// A connection proves itself within this.
const PROVE_MS: u64 = 5_000;

/// How long the container lives.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) deadline: Option<Millis>,
    pub(super) lease: Option<u64>,
    /// When a client that has proved itself last said anything.
    pub(super) heard: Millis,
    /// Since when nobody is there, though the lease is not over.
    pub(super) alone: Option<Millis>,
}

impl Life {
    pub(super) const fn new(now: Millis) -> Self {
        Self { deadline: None, lease: None, heard: now, alone: None }
    }

    /// A client that has proved itself is there.
    pub(super) const fn hear(&mut self, now: Millis) {
        (self.heard, self.alone) = (now, None);
    }

    /// What is left of it.
    pub(super) fn left(&self, now: Millis) -> Left {
        Left { deadline_ms: self.deadline.map(|at| at.since(now)), lease_ms: self.lease }
    }

    fn lease_ends(&self) -> Option<Millis> {
        let lease = self.heard.after(self.lease?);
        Some(self.alone.map_or(lease, |since| lease.min(since.after(REDIAL_MS))))
    }
}

impl Init {
    /// Another life from now on.
    pub(super) fn live(&mut self, life: Left, now: Millis) {
        let deadline = life.deadline_ms.map(|ms| now.after(ms));
        self.life = Life { deadline, lease: life.lease_ms, heard: now, alone: None };
    }

    /// Does what is due.
    pub(super) fn timers(&mut self, now: Millis) {
        self.deaf.take_if(|until| *until <= now);
        let stalled: Vec<u64> =
            self.conns.iter().filter(|(_, conn)| conn.stalled).map(|(id, _)| *id).collect();
        stalled.into_iter().for_each(|id| self.hear(id, now));
        let late = self.conns.iter().filter(|(_, conn)| !conn.known && !conn.first);
        let late: Vec<u64> =
            late.filter(|(_, conn)| conn.opened.after(PROVE_MS) <= now).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.close(id));

        for probe in self.probes.iter_mut().filter(|probe| probe.until <= now) {
            probe.until = now.after(CONFIGURE_MS);
            _ = rustix::process::kill_process(probe.pid, rustix::process::Signal::KILL);
        }
        if self.life.deadline.is_some_and(|at| at <= now) {
            self.life.deadline = None;
            self.end_all(Cause::Deadline, self.grace(), now);
        }
        if self.life.lease_ends().is_some_and(|at| at <= now) {
            self.life.lease = None;
            self.end_all(Cause::Lease, self.grace(), now);
        }
        for program in self.table.all_mut() {
            let is_read = self.conns.values().any(|conn| conn.reads(program.id));
            program.leave_alone(is_read, now);
        }
        let mut seen = None;
        let mut given_up = Vec::new();
        for program in self.table.all_mut().filter(|program| program.lives()) {
            if program.tick(now, &mut seen) {
                given_up.push(program.id);
            }
        }
        given_up.into_iter().for_each(|id| self.finish(id, false, now));
        self.strays(now, &mut seen);
    }

    /// When something is due next.
    pub(super) fn wake(&self) -> Option<Millis> {
        let bare = matches!(self.state, State::Bare).then(|| self.born.after(CONFIGURE_MS));
        let strangers = self.conns.values().filter(|conn| !conn.known && !conn.first);
        // A hold that lapses makes room for output of a program that waits.
        let holds = self.conns.values().map(|conn| conn.heard.after(HOLD_SILENCE_MS + 1));
        [bare, self.life.deadline, self.life.lease_ends(), self.strays, self.deaf]
            .into_iter()
            .chain([self.ending.as_ref().map(|ending| ending.until)])
            .flatten()
            .chain(strangers.map(|conn| conn.opened.after(PROVE_MS)))
            .chain(self.probes.iter().map(|probe| probe.until))
            .chain(self.table.all().filter_map(super::program::Program::wake))
            .chain(holds.filter(|at| *at > Millis::now()))
            .min()
    }

    /// Milliseconds between SIGTERM and SIGKILL when everything is ended.
    pub(super) const fn grace(&self) -> u64 {
        match &self.state {
            State::Configured { grace, .. } => *grace,
            State::Bare | State::Attesting(_) => 0,
        }
    }
}
