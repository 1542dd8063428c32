//! Input of a program on its way, kept until the program has taken it.

use std::collections::VecDeque;

use wire_shim::protocol::{ExecId, ToShim};

use super::Credit;
use super::book::Misbehaved;

/// Input on its way.
pub(super) struct Input {
    credit: Credit,
    taken: u64,
    sent: u64,
    /// What is not taken yet; sent again on a new connection.
    waiting: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Input {
    pub(super) const fn new(credit: Credit) -> Self {
        Self { credit, taken: 0, sent: 0, waiting: VecDeque::new(), ended: false }
    }

    /// One more piece: what to say.
    pub(super) fn push(&mut self, exec: ExecId, bytes: Vec<u8>) -> ToShim {
        let offset = self.sent;
        self.sent += bytes.len() as u64;
        self.waiting.push_back(bytes.clone());
        ToShim::Stdin { exec, offset, bytes }
    }

    /// This was all: what to say.
    pub(super) const fn end(&mut self, exec: ExecId) -> ToShim {
        self.ended = true;
        ToShim::StdinEnd { exec, offset: self.sent }
    }

    /// On a new connection: what is not known to be taken, again.
    pub(super) fn again(&self, exec: ExecId) -> Vec<ToShim> {
        let mut offset = self.taken;
        let mut again = Vec::new();
        for bytes in &self.waiting {
            again.push(ToShim::Stdin { exec, offset, bytes: bytes.clone() });
            offset += bytes.len() as u64;
        }
        if self.ended {
            again.push(ToShim::StdinEnd { exec, offset: self.sent });
        }
        again
    }

    /// Nobody asks about it any more.
    pub(super) fn leave(&self) {
        self.credit.close();
    }

    /// The program takes no more.
    pub(super) fn close(&mut self) {
        self.credit.close();
        self.waiting.clear();
        self.ended = true;
    }

    /// Nothing is left to be sent, or to be sent again.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }

    pub(super) fn took(&mut self, to: u64) -> Result<(), Misbehaved> {
        if to > self.sent {
            return Err(Misbehaved("it took more input than there was"));
        }
        let mut more = to.saturating_sub(self.taken);
        self.taken = self.taken.max(to);
        self.credit.give(more);
        while more > 0 {
            let Some(first) = self.waiting.front_mut() else { break };
            let whole = first.len() as u64;
            if whole <= more {
                self.waiting.pop_front();
                more -= whole;
            } else {
                first.drain(..usize::try_from(more).unwrap_or(0));
                more = 0;
            }
        }
        Ok(())
    }
}
