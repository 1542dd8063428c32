//! The attestor: a child of its own, because what it tries may end it. Bounded in time and in bytes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use wire_shim::protocol::{FromShim, Refusal};

use super::{Init, State};
use crate::sys::fds::{Moved, never_wait, pipe, read};
use crate::sys::{Millis, SELF};

/// How long it may take.
const PATIENCE_MS: u64 = 10_000;
/// Bytes that it may say.
const MOST: usize = 1 << 20;
/// At a time.
const PROBES: usize = 4;

/// One that runs.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) pid: Pid,
    pub(super) output: Option<OwnedFd>,
    pub(super) until: Millis,
    evidence: Vec<u8>,
    /// Which connection asked, and its number for the answer; nobody, if it is part of the configuration.
    asked: Option<(u64, u32)>,
}

impl Init {
    /// Starts it.
    pub(super) fn attest(
        &mut self,
        asked: Option<(u64, u32)>,
        nonce: [u8; 16],
        now: Millis,
    ) -> Result<(), Refusal> {
        if self.probes.len() >= PROBES {
            return Err(Refusal::Busy);
        }
        let (pid, output) = start(&nonce).map_err(|_| Refusal::Failed)?;
        let until = now.after(PATIENCE_MS);
        self.probes.push(Probe { pid, output: Some(output), until, evidence: Vec::new(), asked });
        Ok(())
    }

    /// Takes what it says.
    pub(super) fn read_probe(&mut self, at: usize) {
        let Some(probe) = self.probes.get_mut(at) else { return };
        probe.read(&mut self.buffer);
    }

    /// It has ended: passes on what it said, which is nothing if it failed.
    pub(super) fn probed(&mut self, pid: Pid, success: bool, now: Millis) {
        let Some(at) = self.probes.iter().position(|probe| probe.pid == pid) else { return };
        let mut probe = self.probes.swap_remove(at);
        while probe.read(&mut self.buffer) {}
        let evidence = if success { probe.evidence } else { Vec::new() };
        match probe.asked {
            Some((id, req)) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.say(&FromShim::Evidence { req, evidence });
                }
            }
            None => match std::mem::replace(&mut self.state, State::Bare) {
                State::Attesting(setup) if !evidence.is_empty() => self.begin(*setup, evidence, now),
                State::Attesting(_) => {
                    // Bare again, and without its first connection: nothing will ever run.
                    if let Some(conn) = self.conns.get_mut(&0) {
                        conn.refuse(Refusal::Setup);
                    }
                }
                state @ (State::Bare | State::Configured { .. }) => self.state = state,
            },
        }
    }
}

impl Probe {
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(output) = &self.output else { return false };
        match read(output, buffer) {
            Moved::Bytes(n) if self.evidence.len() + n <= MOST => {
                self.evidence.extend_from_slice(buffer.get(..n).unwrap_or_default());
                return true;
            }
            Moved::Bytes(_) => _ = kill_process(self.pid, Signal::KILL),
            Moved::Later => return false,
            Moved::End => {}
        }
        self.output = None;
        false
    }
}

fn start(nonce: &[u8; 16]) -> io::Result<(Pid, OwnedFd)> {
    let (output, theirs) = pipe()?;
    never_wait(&output)?;
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new(SELF);
    // It has the container's environment, the names of which are part of what it says.
    command.arg("attest").arg(nonce);
    command.stdin(Stdio::null()).stdout(theirs).stderr(Stdio::null());
    Ok((Pid::from_child(&command.spawn()?), output))
}
