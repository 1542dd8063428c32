//! Output of a container that runs without the shim: always drained, kept within bounds, read by any
//! number of readers from any offset that is still there.
//!
//! The engine stalls a container whose attached output nobody takes, so one pump takes it all, and what
//! happens to output that is not read in time is the caller's word: [`Overflow`].

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::unfold;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire_shim::frame::CHUNK;
use wire_shim::protocol::{Overflow, Stream};
use wire_shim::ring::{Read, Ring};

use crate::spawn::outcome::{ExecEvent, Outcome};

/// The kept output of one container.
#[derive(Debug)]
pub(crate) struct Spool {
    state: Mutex<State>,
    /// Rung at every change.
    changed: Notify,
    overflow: Overflow,
    /// Cancelled at the end.
    over: CancellationToken,
}

#[derive(Debug)]
struct State {
    rings: [Ring; 2],
    /// Where each reader is that `Overflow::Block` waits for.
    holders: BTreeMap<u64, [u64; 2]>,
    next: u64,
    started: bool,
    /// Nobody will read it any more, and nobody can come to.
    abandoned: bool,
    end: Option<(Outcome, bool)>,
}

/// The program wrote more than is kept, under [`Overflow::Kill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflowed;

impl Spool {
    /// Keeps the newest `capacity` bytes of each stream.
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Arc<Self> {
        let rings = [Ring::new(capacity), Ring::new(capacity)];
        let holders = BTreeMap::new();
        let state = State { rings, holders, next: 0, started: false, abandoned: false, end: None };
        let (state, over) = (Mutex::new(state), CancellationToken::new());
        Arc::new(Self { state, changed: Notify::new(), overflow, over })
    }

    /// Appends. Under `Block` it waits until the readers that hold have taken enough; before the first
    /// such reader comes, it waits when the buffer is full.
    pub(crate) async fn push(&self, stream: Stream, mut bytes: &[u8]) -> Result<(), Overflowed> {
        while !bytes.is_empty() {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Enabled before the look, or a change in between would be missed.
            changed.as_mut().enable();
            let taken = {
                let mut state = self.state();
                let (kept, abandoned) = (state.kept(stream), state.abandoned);
                let ring = &mut state.rings[stream.index()];
                let room = match self.overflow {
                    _ if abandoned => bytes.len(),
                    Overflow::DropOldest => bytes.len(),
                    Overflow::Block | Overflow::Kill => ring.room(kept),
                };
                if room == 0 && self.overflow == Overflow::Kill {
                    return Err(Overflowed);
                }
                let (now, later) = bytes.split_at(room.min(bytes.len()));
                ring.push(now);
                bytes = later;
                !now.is_empty()
            };
            if taken {
                self.changed.notify_waiters();
            } else {
                changed.await;
            }
        }
        Ok(())
    }

    /// It runs: its readers are told so first.
    pub(crate) fn started(&self) {
        self.state().started = true;
        self.changed.notify_waiters();
    }

    /// Nobody reads it any more: the program is not to wait for that.
    pub(crate) fn abandon(&self) {
        self.state().abandoned = true;
        self.changed.notify_waiters();
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, outcome: Outcome, oom_seen: bool) {
        // Whoever hears of the end finds the input closed.
        self.over.cancel();
        self.state().end.get_or_insert((outcome, oom_seen));
        self.changed.notify_waiters();
    }

    /// Cancelled when the program has ended.
    pub(crate) const fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Reads from these offsets on. A reader that holds makes `Overflow::Block` wait for it.
    pub(crate) fn read(self: &Arc<Self>, from: [u64; 2], hold: bool) -> SpoolReader {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if hold {
            state.holders.insert(number, from);
        }
        SpoolReader { spool: Arc::clone(self), number, at: from, started: false, ended: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Everything before this offset may be overwritten without a loss to anyone who holds.
    fn kept(&self, stream: Stream) -> u64 {
        let slowest = self.holders.values().map(|at| at[stream.index()]).min();
        slowest.unwrap_or_else(|| self.rings[stream.index()].start())
    }
}

/// One reader of a spool.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    spool: Arc<Spool>,
    number: u64,
    at: [u64; 2],
    started: bool,
    ended: bool,
}

/// What a reader is told, as it comes.
pub(crate) type Told = Pin<Box<dyn futures_core::Stream<Item = ExecEvent> + Send>>;

impl SpoolReader {
    /// Cancelled when the program has ended.
    pub(crate) fn over(&self) -> &CancellationToken {
        self.spool.over()
    }

    /// All of it as a stream.
    pub(crate) fn events(self) -> Told {
        Box::pin(unfold(self, |mut reader| async move { Some((reader.next().await?, reader)) }))
    }

    /// The next event; `None` after the end. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<ExecEvent> {
        if self.ended {
            return None;
        }
        loop {
            let spool = Arc::clone(&self.spool);
            let changed = spool.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(event) = self.look() {
                spool.changed.notify_waiters();
                return Some(event);
            }
            changed.await;
        }
    }

    fn look(&mut self) -> Option<ExecEvent> {
        let mut state = self.spool.state();
        if state.started && !self.started {
            self.started = true;
            return Some(ExecEvent::Started { pid: None });
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let at = &mut self.at[stream.index()];
            let offset = *at;
            let event = match state.rings[stream.index()].read(offset, CHUNK) {
                Read::Empty => continue,
                Read::Gap { to } => {
                    *at = to;
                    ExecEvent::Gap { stream, from: offset, to }
                }
                Read::Bytes(bytes) => {
                    *at += bytes.len() as u64;
                    ExecEvent::Out { stream, offset, bytes }
                }
            };
            let at = self.at;
            state.holders.entry(self.number).and_modify(|place| *place = at);
            return Some(event);
        }
        let (outcome, oom_seen) = state.end.clone()?;
        self.ended = true;
        Some(ExecEvent::Ended { outcome, oom_seen })
    }
}

impl Drop for SpoolReader {
    fn drop(&mut self) {
        self.spool.state().holders.remove(&self.number);
        self.spool.changed.notify_waiters();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a pump and its readers run at once")]
mod tests {
    use super::*;

    async fn all(mut reader: SpoolReader) -> (Vec<u8>, Vec<(u64, u64)>) {
        let (mut bytes, mut gaps) = (Vec::new(), Vec::new());
        while let Some(event) = reader.next().await {
            match event {
                ExecEvent::Out { bytes: more, .. } => bytes.extend(more),
                ExecEvent::Gap { from, to, .. } => gaps.push((from, to)),
                ExecEvent::Started { .. } | ExecEvent::Eof { .. } | ExecEvent::Ended { .. } => {}
            }
        }
        (bytes, gaps)
    }

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[tokio::test]
    async fn block_waits_for_the_reader_that_holds_and_loses_nothing() {
        let spool = Spool::new(100, Overflow::Block);
        let reader = spool.read([0, 0], true);
        let pump = {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move {
                spool.push(Stream::Stdout, &sample(10_000)).await.unwrap();
                spool.end(Outcome::Exited(0), false);
            })
        };
        tokio::task::yield_now().await;
        assert!(!pump.is_finished(), "the buffer is full and nobody has read");
        assert_eq!(all(reader).await, (sample(10_000), Vec::new()));
        pump.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_buffer_without_a_reader_waits_for_the_first() {
        let spool = Spool::new(100, Overflow::Block);
        let pump = {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move {
                spool.push(Stream::Stderr, &sample(300)).await.unwrap();
                spool.end(Outcome::Exited(0), false);
            })
        };
        tokio::task::yield_now().await;
        assert_eq!(all(spool.read([0, 0], true)).await, (sample(300), Vec::new()));
        pump.await.unwrap();
    }

    #[tokio::test]
    async fn drop_oldest_tells_exactly_what_is_gone_and_slows_nobody() {
        let spool = Spool::new(100, Overflow::DropOldest);
        let mut quick = spool.read([0, 0], true);
        spool.push(Stream::Stdout, &sample(60)).await.unwrap();
        assert!(matches!(quick.next().await, Some(ExecEvent::Out { offset: 0, .. })));
        let slow = spool.read([0, 0], true);
        spool.push(Stream::Stdout, &sample(200)[60..]).await.unwrap();
        spool.end(Outcome::Exited(0), false);
        assert_eq!(all(slow).await, (sample(200)[100..].to_vec(), vec![(0, 100)]));
        assert_eq!(all(quick).await, (sample(200)[100..].to_vec(), vec![(60, 100)]));
    }

    #[tokio::test]
    async fn kill_says_when_it_is_too_much() {
        let spool = Spool::new(100, Overflow::Kill);
        assert_eq!(spool.push(Stream::Stdout, &sample(100)).await, Ok(()));
        assert_eq!(spool.push(Stream::Stdout, &[1]).await, Err(Overflowed));
    }

    #[tokio::test]
    async fn a_reader_that_leaves_holds_nobody_any_more() {
        let spool = Spool::new(100, Overflow::Block);
        let (left, stays) = (spool.read([0, 0], true), spool.read([0, 0], true));
        let pump = {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move {
                spool.push(Stream::Stdout, &sample(1000)).await.unwrap();
                spool.end(Outcome::Exited(0), false);
            })
        };
        let read = tokio::spawn(all(stays));
        tokio::task::yield_now().await;
        assert!(!pump.is_finished(), "one of the two has read nothing");
        drop(left);
        assert_eq!(read.await.unwrap().0, sample(1000));
        pump.await.unwrap();
    }
}
