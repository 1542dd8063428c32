//! Keeps the beginning and the end of a stream, whatever its length.
//!
//! ```
//! use wire_core::spawn::{Collector, OutputCap};
//! let mut kept = Collector::new(OutputCap { head: 3, tail: 2 });
//! kept.push(b"abcd");
//! kept.push(b"efgh");
//! let kept = kept.finish();
//! assert_eq!((&kept.head[..], &kept.tail[..], kept.total, kept.dropped), (&b"abc"[..], &b"gh"[..], 8, 3));
//! ```

use std::collections::VecDeque;

use super::command::OutputCap;
use super::outcome::Capped;

/// A stream as it comes, of which at most [`OutputCap`] is in memory.
#[derive(Debug)]
pub struct Collector {
    cap: OutputCap,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    /// Bytes that were never seen, because they were overwritten before they could be read.
    missed: u64,
}

impl Collector {
    /// An empty stream.
    pub const fn new(cap: OutputCap) -> Self {
        Self { cap, head: Vec::new(), tail: VecDeque::new(), total: 0, missed: 0 }
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        // The head closes at a gap: what comes after it is not the beginning any more.
        let room = if self.missed == 0 { self.cap.head.saturating_sub(self.head.len()) } else { 0 };
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = rest.get(rest.len().saturating_sub(self.cap.tail)..).unwrap_or_default();
        let over = (self.tail.len() + rest.len()).saturating_sub(self.cap.tail);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// The next `bytes` bytes were lost.
    pub fn skip(&mut self, bytes: u64) {
        self.total += bytes;
        self.missed += bytes;
        // What was the end is now in front of a hole.
        self.tail.clear();
    }

    /// What was kept.
    pub fn finish(self) -> Capped {
        let kept = (self.head.len() + self.tail.len()) as u64;
        Capped { head: self.head, tail: self.tail.into(), total: self.total, dropped: self.total - kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_ends_do_not_depend_on_how_the_stream_is_cut() {
        let all: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (head, tail) in [(0, 0), (10, 0), (0, 10), (10, 10), (999, 1), (600, 600), (2000, 5)] {
            for size in [1, 7, 64, 1000] {
                let mut kept = Collector::new(OutputCap { head, tail });
                all.chunks(size).for_each(|piece| kept.push(piece));
                let kept = kept.finish();
                let first = head.min(1000);
                let last = tail.min(1000 - first);
                assert_eq!(kept.head, all[..first]);
                assert_eq!(kept.tail, all[1000 - last..]);
                assert_eq!((kept.total, kept.dropped), (1000, (1000 - first - last) as u64));
            }
        }
    }

    #[test]
    fn a_hole_is_counted_and_nothing_is_shown_as_whole_across_it() {
        let mut kept = Collector::new(OutputCap { head: 8, tail: 4 });
        kept.push(b"abc");
        kept.skip(100);
        kept.push(b"xyz");
        let kept = kept.finish();
        assert_eq!(
            (&kept.head[..], &kept.tail[..], kept.total, kept.dropped),
            (&b"abc"[..], &b"xyz"[..], 106, 100)
        );
    }
}
