//! How far one reader of one program is. The window is counted here too, so that the shim's word for it is not
//! needed.

use wire_shim::protocol::{End, ExecId, RING_MIN, Stream, ToShim, WINDOW};

use super::Reader;
use super::book::Misbehaved;
use super::meaning::outcome;
use crate::spawn::outcome::ExecEvent;

/// Bytes taken before the shim is told: often enough to keep its window open. Less where the program's buffer
/// is smaller, or it would wait for room while we wait for more.
const ACK_EVERY: u64 = WINDOW / 4;

/// How far a reader is.
pub(super) struct Place {
    pub(super) exec: ExecId,
    pub(super) reader: Reader,
    /// The program was started for this reader.
    pub(super) starter: bool,
    next: [u64; 2],
    /// What the shim knows to be taken. Gaps count as taken at once: they take no room in the window, what came
    /// before them still does.
    acked: [u64; 2],
    /// Bytes taken before the shim is told.
    every: u64,
    end: Option<End>,
}

impl Place {
    pub(super) fn new(exec: ExecId, from: [u64; 2], ring: u64, reader: Reader, starter: bool) -> Self {
        let every = ACK_EVERY.min(ring.max(RING_MIN) / 2);
        Self { exec, reader, starter, next: from, acked: from, every, end: None }
    }

    /// Asks for what is missing; what is not taken of what was sent before stays counted.
    pub(super) const fn attach(&self, sub: u32) -> ToShim {
        let ([stdout, stderr], [taken, taken_err]) = (self.next, self.acked);
        ToShim::Attach {
            exec: self.exec,
            sub,
            stdout,
            stderr,
            hold: self.reader.hold,
            stdout_unread: stdout.saturating_sub(taken),
            stderr_unread: stderr.saturating_sub(taken_err),
        }
    }

    /// The reader has taken everything up to `to`. True if the shim is to be told.
    pub(super) const fn took(&mut self, stream: Stream, to: u64) -> bool {
        let acked = &mut self.acked[stream.index()];
        let tell = to >= *acked + self.every;
        if tell {
            *acked = to;
        }
        tell
    }

    pub(super) fn output(&mut self, stream: Stream, offset: u64, bytes: Vec<u8>) -> Result<(), Misbehaved> {
        let at = stream.index();
        if offset != self.next[at] {
            return Err(Misbehaved("output is not where it should go on"));
        }
        self.next[at] += bytes.len() as u64;
        if self.next[at] > self.acked[at] + WINDOW + ACK_EVERY {
            return Err(Misbehaved("more output than the window allows"));
        }
        self.tell(ExecEvent::Out { stream, offset, bytes });
        Ok(())
    }

    pub(super) fn gap(&mut self, stream: Stream, from: u64, to: u64) -> Result<(), Misbehaved> {
        let at = stream.index();
        if from != self.next[at] || to <= from {
            return Err(Misbehaved("a gap is not where output should go on"));
        }
        self.next[at] = to;
        self.acked[at] += to - from;
        self.tell(ExecEvent::Gap { stream, from, to });
        Ok(())
    }

    pub(super) fn eof(&self, stream: Stream, at: u64) -> Result<(), Misbehaved> {
        if self.next[stream.index()] != at {
            return Err(Misbehaved("a stream ends where it has not come to"));
        }
        self.tell(ExecEvent::Eof { stream });
        Ok(())
    }

    /// The program has ended like this; the reader is told when it has everything before it.
    pub(super) fn ends(&mut self, end: &End) {
        self.end = Some(end.clone());
    }

    /// Tells the reader of the end if it has everything before it. True if so: nothing more comes.
    pub(super) fn complete(&self) -> bool {
        let Some(end) = &self.end else { return false };
        let whole = self.next[0] >= end.stdout && self.next[1] >= end.stderr;
        if whole {
            self.tell(ExecEvent::Ended { outcome: outcome(end), oom_seen: end.oom });
        }
        whole
    }

    pub(super) fn tell(&self, event: ExecEvent) {
        drop(self.reader.events.send(event));
    }
}
