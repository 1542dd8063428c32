//! A connection: frames in, frames out, and what it still has to be told.
//!
//! What goes out is bounded: it is made from the programs' rings only while little waits ([`LOW`]), and no
//! message is taken in while too much of what answers it waits ([`HIGH`]).

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

use wire_shim::frame::{CHUNK, Decoder, FrameError, encode};
use wire_shim::protocol::{ExecId, FromShim, HOLD_SILENCE_MS, Refusal, Stream, ToShim, WINDOW};
use wire_shim::ring::Read;

use super::program::{Both, Program};
use super::table::Table;
use crate::sys::Millis;
use crate::sys::fds::{Moved, read, write};

/// Output is put in while less than this waits.
const LOW: usize = 256 << 10;
/// No message is taken in while more than this waits.
const HIGH: usize = 512 << 10;
/// Bytes that a stranger may send before it has said who it is.
const STRANGER: usize = 4 << 10;
/// Gaps of one stream that a reader may be behind.
const GAPS: usize = 1024;
/// Readings of one connection at a time: of each program that is remembered, and of some twice.
const SUBS: usize = 320;

/// A client.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
    /// It came over the first process's own streams.
    pub(super) first: bool,
    /// It has proved itself.
    pub(super) known: bool,
    pub(super) opened: Millis,
    pub(super) heard: Millis,
    pub(super) watches: BTreeMap<ExecId, Watch>,
    /// It has asked for something since it proved itself.
    pub(super) asked: bool,
    /// Nothing more is read; it ends when all is written.
    pub(super) closing: bool,
    /// It has said more than was heard.
    pub(super) stalled: bool,
    /// Bytes written so far.
    pub(super) written: u64,
    decoder: Decoder,
    fed: usize,
    out: Vec<u8>,
    sent: usize,
    subs: BTreeMap<u32, Sub>,
    last_served: u32,
}

/// What it wants to be told about a program.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) started: bool,
    pub(super) ended: bool,
    /// It sends input, and knows that so much was taken.
    pub(super) input: Option<u64>,
}

/// A reading of a program's output.
#[derive(Debug)]
struct Sub {
    exec: ExecId,
    hold: bool,
    next: Both<u64>,
    acked: Both<u64>,
    /// What was missing beyond what is acknowledged: it is not under way.
    gaps: Both<VecDeque<(u64, u64)>>,
    eof: Both<bool>,
}

/// Why nothing more comes from a connection.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is gone.
    Gone,
    /// It does not speak the protocol.
    Nonsense,
}

impl From<FrameError> for Broken {
    fn from(_: FrameError) -> Self {
        Self::Nonsense
    }
}

impl Conn {
    pub(super) const fn new(input: OwnedFd, output: OwnedFd, first: bool, now: Millis) -> Self {
        Self {
            input,
            output,
            first,
            known: false,
            opened: now,
            heard: now,
            watches: BTreeMap::new(),
            asked: false,
            closing: false,
            stalled: false,
            written: 0,
            decoder: Decoder::new(),
            fed: 0,
            out: Vec::new(),
            sent: 0,
            subs: BTreeMap::new(),
            last_served: 0,
        }
    }

    /// Bytes that wait to be written.
    pub(super) const fn waiting(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Whether it may speak now.
    pub(super) const fn listens(&self) -> bool {
        !self.closing && self.waiting() < HIGH
    }

    /// Takes in what has come.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Broken> {
        let most = if self.known { buffer.len() } else { STRANGER.min(buffer.len()) };
        let into = buffer.get_mut(..most).unwrap_or_default();
        match read(&self.input, into) {
            Moved::Bytes(n) => {
                self.decoder.feed(into.get(..n).unwrap_or_default());
                self.fed = self.fed.saturating_add(n);
                Ok(())
            }
            Moved::Later => Ok(()),
            Moved::End => Err(Broken::Gone),
        }
    }

    /// The next message that is there.
    pub(super) fn message(&mut self, now: Millis) -> Result<Option<ToShim>, Broken> {
        let message: Option<ToShim> = self.decoder.message()?;
        match &message {
            Some(ToShim::Hello { .. } | ToShim::Configure(_) | ToShim::Exec(_)) => self.decoder.wipe(),
            None if !self.known && self.fed >= STRANGER => return Err(Broken::Nonsense),
            Some(_) | None => {}
        }
        if let Some(message) = message.as_ref().filter(|_| self.known) {
            self.heard = now;
            self.asked |= !matches!(message, ToShim::Beat | ToShim::Configure(_));
        }
        Ok(message)
    }

    /// Says something.
    pub(super) fn say(&mut self, message: &FromShim) {
        match encode(message) {
            Ok(frame) => self.out.extend_from_slice(&frame),
            Err(_) => self.closing = true,
        }
    }

    /// Says why this is the end of it.
    pub(super) fn refuse(&mut self, why: Refusal) {
        self.say(&FromShim::Refused { why });
        self.closing = true;
        self.subs.clear();
        self.watches.clear();
    }

    /// Writes what goes without waiting.
    pub(super) fn push(&mut self) -> Result<bool, Broken> {
        let mut moved = false;
        while self.waiting() > 0 {
            match write(&self.output, self.out.get(self.sent..).unwrap_or_default()) {
                Moved::Bytes(n) => {
                    (self.sent, moved) = (self.sent + n, true);
                    self.written += n as u64;
                }
                Moved::Later => break,
                Moved::End => return Err(Broken::Gone),
            }
        }
        // Output may be put in as fast as it is written, so that this is never empty.
        if self.waiting() > 0 {
            if self.sent >= LOW {
                self.out.drain(..self.sent);
                self.sent = 0;
            }
            return Ok(moved);
        }
        self.out.clear();
        self.out.shrink_to(LOW);
        self.sent = 0;
        Ok(moved)
    }

    /// A new reading, of which so much was sent before and is not taken yet.
    pub(super) fn attach(
        &mut self,
        exec: ExecId,
        sub: u32,
        from: Both<u64>,
        unread: &Both<u64>,
        hold: bool,
    ) -> Result<(), Refusal> {
        if self.subs.contains_key(&sub) {
            return Err(Refusal::Malformed);
        }
        if self.subs.len() >= SUBS {
            self.say(&FromShim::Unread { sub, why: Refusal::Busy });
            return Ok(());
        }
        self.watches.entry(exec).or_default().ended = true;
        let acked = Both {
            stdout: from.stdout.saturating_sub(unread.stdout),
            stderr: from.stderr.saturating_sub(unread.stderr),
        };
        let gaps = Both { stdout: VecDeque::new(), stderr: VecDeque::new() };
        let eof = Both { stdout: false, stderr: false };
        self.subs.insert(sub, Sub { exec, hold, next: from, acked, gaps, eof });
        Ok(())
    }

    /// The end of a reading. An unknown one has ended already. Gives the program if it was read to its end.
    pub(super) fn detach(&mut self, sub: u32, table: &Table) -> Option<ExecId> {
        let sub = self.subs.remove(&sub)?;
        table.get(sub.exec).filter(|program| !program.lives() && sub.has_all(program)).map(|_| sub.exec)
    }

    /// Everything up to `to` was taken.
    pub(super) fn ack(&mut self, sub: u32, stream: Stream, to: u64) -> Result<(), Refusal> {
        let Some(sub) = self.subs.get_mut(&sub) else { return Ok(()) };
        if to > *sub.next.of(stream) {
            return Err(Refusal::Malformed);
        }
        let acked = sub.acked.of_mut(stream);
        *acked = to.max(*acked);
        sub.gaps.of_mut(stream).retain(|(_, end)| end > acked);
        Ok(())
    }

    /// Whether a program is read here.
    pub(super) fn reads(&self, exec: ExecId) -> bool {
        self.subs.values().any(|sub| sub.exec == exec)
    }

    /// The lowest offset of a program's stream that a reader here holds.
    pub(super) fn held(&self, exec: ExecId, stream: Stream, now: Millis) -> Option<u64> {
        if now.since(self.heard) > HOLD_SILENCE_MS {
            return None;
        }
        let holding = self.subs.values().filter(|sub| sub.hold && sub.exec == exec);
        holding.map(|sub| *sub.acked.of(stream)).min()
    }

    /// Nothing more comes of this program: its record is dropped.
    pub(super) fn forget(&mut self, exec: ExecId) {
        self.subs.retain(|_, sub| sub.exec != exec);
        self.watches.remove(&exec);
    }

    /// Whether nothing is left that it could be given, and it has taken what it was: what was only written may
    /// still be on its way, in a process that ends with the container.
    pub(super) fn is_done(&self, table: &Table) -> bool {
        self.waiting() == 0
            && !self.watches.values().any(|watch| watch.ended)
            && self.subs.values().all(|sub| table.get(sub.exec).is_none())
    }

    /// Puts in what its programs have for it. True if there was anything.
    pub(super) fn fill(&mut self, table: &Table) -> bool {
        let before = self.out.len();
        self.fill_news(table);
        while self.waiting() < LOW && self.serve(table) {}
        self.out.len() > before
    }

    fn fill_news(&mut self, table: &Table) {
        let mut watches = std::mem::take(&mut self.watches);
        watches.retain(|exec, watch| {
            let Some(program) = table.get(*exec) else { return false };
            if self.waiting() >= LOW {
                return true;
            }
            if let Some(pid) = program.pid.filter(|_| std::mem::take(&mut watch.started)) {
                self.say(&FromShim::Started { exec: *exec, pid });
            } else if program.pid.is_none() && program.lives() {
                return true;
            }
            if let Some(known) = watch.input {
                let to = program.input.taken();
                if to > known {
                    watch.input = Some(to);
                    self.say(&FromShim::StdinTaken { exec: *exec, to });
                }
                if program.input.closed() {
                    watch.input = None;
                    if program.input.refuses() {
                        self.say(&FromShim::StdinClosed { exec: *exec });
                    }
                }
            }
            if let Some(end) = program.end.as_ref().filter(|_| std::mem::take(&mut watch.ended)) {
                self.say(&FromShim::Ended { exec: *exec, end: end.clone() });
            }
            watch.started || watch.ended || watch.input.is_some()
        });
        self.watches = watches;
    }

    /// One piece for the next reading in turn that can take one.
    fn serve(&mut self, table: &Table) -> bool {
        let after = self.last_served.checked_add(1);
        let later = after.into_iter().flat_map(|after| self.subs.range(after..)).map(|(sub, _)| *sub);
        let turn: Vec<u32> = later.chain(self.subs.range(..=self.last_served).map(|(sub, _)| *sub)).collect();
        for id in turn {
            let Some(sub) = self.subs.get_mut(&id) else { continue };
            let Some(program) = table.get(sub.exec) else { continue };
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(piece) = sub.piece(id, stream, program) {
                    self.last_served = id;
                    self.say(&piece);
                    return true;
                }
            }
        }
        false
    }
}

impl Sub {
    /// Whether it was sent everything that there is.
    fn has_all(&self, program: &Program) -> bool {
        let mut streams = [Stream::Stdout, Stream::Stderr].into_iter();
        streams.all(|stream| *self.next.of(stream) >= program.output.of(stream).ring.end())
    }

    fn piece(&mut self, id: u32, stream: Stream, program: &Program) -> Option<FromShim> {
        let (next, gaps) = (self.next.of_mut(stream), self.gaps.of_mut(stream));
        let missing: u64 = gaps.iter().map(|(from, to)| to - from).sum();
        let under_way = next.saturating_sub(*self.acked.of(stream)).saturating_sub(missing);
        let window = WINDOW.saturating_sub(under_way);
        let most = usize::try_from(window).unwrap_or(usize::MAX).min(CHUNK);
        let from = *next;
        match program.output.of(stream).ring.read(from, most) {
            Read::Bytes(bytes) => {
                *next += bytes.len() as u64;
                Some(FromShim::Out { sub: id, stream, offset: from, bytes })
            }
            // Told when there is room for what follows: gaps take none, and would pile up at a slow reader.
            Read::Gap { .. } if window == 0 || gaps.len() >= GAPS => None,
            Read::Gap { to } => {
                *next = to;
                gaps.push_back((from, to));
                Some(FromShim::Gap { sub: id, stream, from, to })
            }
            Read::Empty => {
                let output = program.output.of(stream);
                let ends = output.fd.is_none() && program.lives() && !program.tty;
                let ends =
                    ends && from == output.ring.end() && !std::mem::replace(self.eof.of_mut(stream), ends);
                ends.then_some(FromShim::Eof { sub: id, stream, at: from })
            }
        }
    }
}
