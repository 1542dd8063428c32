//! Signals and ended processes.

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use wire_shim::protocol::{Cause, ExecId, How, NotStarted};

use super::{Init, oom};
use crate::supervise::how;
use crate::sys::Millis;
use crate::sys::tree::{self, Process, Processes};

/// Processes that nobody watches and that do not end for this long are given up: the kernel holds them.
const GIVE_UP_MS: u64 = 10_000;
/// `si_code` of `kill(2)`. A program may claim any sender, but only with a negative code.
const SI_USER: i32 = 0;

impl Init {
    /// Takes the signals that came. Those of the workload mean nothing here: only SIGTERM from outside of the
    /// container's processes, which has no sender in it, is an order.
    pub(super) fn reap(&mut self, now: Millis) {
        let mut stop = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            let ours = signal.ssi_signo == Signal::TERM.as_raw().unsigned_abs();
            stop |= ours && signal.ssi_pid == 0 && signal.ssi_code == SI_USER;
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            if status.stopped() {
                // A program can stop its watcher, but not for long.
                if self.table.is_watcher(pid) {
                    _ = kill_process(pid, Signal::CONT);
                }
            } else {
                self.ended(pid, status, now);
            }
        }
        if stop {
            self.end_all(Cause::Stop, self.grace(), now);
        }
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus, now: Millis) {
        let raw = pid.as_raw_pid().unsigned_abs();
        // What a watcher said before it was killed counts, also if its program was reaped first.
        self.table.all_mut().for_each(|program| program.hear(now));
        if let Some(program) = self.table.watched_by(pid) {
            program.watcher = None;
            if !program.lives() {
                return;
            }
            if status.exit_status() == Some(0) && program.how.is_some() {
                let id = program.id;
                return self.finish(id, true, now);
            }
            program.orphaned = Some(now);
            if program.how.is_none() && program.cause == Cause::Itself {
                program.cause = Cause::Unwatched;
            }
            self.strays = Some(now);
        } else if self.probes.iter().any(|probe| probe.pid == pid) {
            self.probed(pid, status.exit_status() == Some(0), now);
        } else if let Some(program) = self.table.all_mut().find(|p| p.launched == Some(raw) && p.lives()) {
            // Its watcher is gone, so its end is reported here.
            program.stopped(how(status), now);
        }
    }

    /// After a watcher was killed: ends what has become a child of this process though nobody watches it. Whose
    /// it was cannot be told any more, so an orphan of the engine's own exec goes too.
    pub(super) fn strays(&mut self, now: Millis, seen: &mut Option<Processes>) {
        if self.strays.is_none_or(|at| at > now) {
            return;
        }
        let own = getpid();
        let processes = seen.get_or_insert_with(Processes::now);
        let known = |pid| self.table.is_watcher(pid) || self.probes.iter().any(|probe| probe.pid == pid);
        let mut strays: Vec<Process> = processes.children(own).filter(|child| !known(child.pid)).collect();
        let below: Vec<Process> = strays.iter().flat_map(|stray| processes.below(stray.pid)).collect();
        strays.extend(below);
        tree::kill(&strays, own);

        let orphaned: Vec<(ExecId, Millis)> =
            self.table.all().filter_map(|program| Some((program.id, program.orphaned?))).collect();
        let mut waits = false;
        for (id, since) in orphaned {
            if strays.is_empty() || now.since(since) > GIVE_UP_MS {
                self.finish(id, strays.is_empty(), now);
            } else {
                waits = true;
            }
        }
        self.strays = waits.then(|| now.after(5));
    }

    /// Nothing of a program is left, or nothing can be done about what is.
    pub(super) fn finish(&mut self, id: ExecId, tree_gone: bool, now: Millis) {
        let Some(program) = self.table.get_mut(id) else { return };
        program.orphaned = None;
        if program.how.is_none() && program.launched.is_none() {
            let detail = "the process that was to watch over it was ended".to_owned();
            program.how = Some(How::NotStarted { why: NotStarted::Other, detail });
        }
        program.finish(oom::count(), tree_gone, &mut self.buffer);
        let how = program.how.clone();
        if id == ExecId::MAIN {
            self.main_ended(&how.unwrap_or(How::Signaled(Signal::KILL.as_raw())), now);
        }
    }
}
