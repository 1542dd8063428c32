//! A bounded buffer of one stream's newest bytes, addressed by their offset in the whole stream.

use std::collections::VecDeque;

/// What [`Ring::read`] found at an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Bytes from that offset on.
    Bytes(Vec<u8>),
    /// What was there is overwritten; reading goes on at `to`.
    Gap {
        /// The oldest offset that is still there.
        to: u64,
    },
    /// Nothing yet.
    Empty,
}

/// The newest bytes of a stream, at most `capacity` of them.
#[derive(Debug)]
pub struct Ring {
    bytes: VecDeque<u8>,
    start: u64,
    capacity: usize,
}

impl Ring {
    /// Room for `capacity` bytes; takes the memory only as it fills.
    pub const fn new(capacity: usize) -> Self {
        Self { bytes: VecDeque::new(), start: 0, capacity }
    }

    /// The offset of the oldest byte that is kept.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The length of the whole stream so far.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Bytes that fit before the oldest is overwritten, if everything before `kept` may go.
    pub fn room(&self, kept: u64) -> usize {
        let held = self.end().saturating_sub(kept.max(self.start));
        self.capacity.saturating_sub(usize::try_from(held).unwrap_or(usize::MAX))
    }

    /// Appends, and drops the oldest bytes that no longer fit.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().saturating_sub(self.capacity);
        let kept = bytes.get(skipped..).unwrap_or_default();
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.capacity);
        self.bytes.drain(..over.min(self.bytes.len()));
        self.bytes.extend(kept);
        self.start += (over + skipped) as u64;
    }

    /// At most `max` bytes from `offset` on.
    pub fn read(&self, offset: u64, max: usize) -> Read {
        if offset < self.start {
            return Read::Gap { to: self.start };
        }
        let Ok(from) = usize::try_from(offset - self.start) else { return Read::Empty };
        if from >= self.bytes.len() || max == 0 {
            return Read::Empty;
        }
        let to = self.bytes.len().min(from.saturating_add(max));
        let (front, back) = self.bytes.as_slices();
        let mut out = Vec::with_capacity(to - from);
        out.extend_from_slice(front.get(from.min(front.len())..to.min(front.len())).unwrap_or_default());
        out.extend_from_slice(
            back.get(from.saturating_sub(front.len())..to.saturating_sub(front.len())).unwrap_or_default(),
        );
        Read::Bytes(out)
    }

    /// Makes room for `more` bytes that must not be lost, beyond the capacity that was asked for.
    pub fn grow(&mut self, more: usize) {
        self.capacity = self.capacity.max(self.bytes.len().saturating_add(more));
    }

    /// Bytes that are kept now.
    pub fn kept(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back memory that is not used, when nothing more comes.
    pub fn close(&mut self) {
        self.bytes.shrink_to_fit();
        self.capacity = self.bytes.len();
    }

    /// Frees everything before `offset`; it reads as a gap afterwards.
    pub fn discard(&mut self, offset: u64) {
        let drop = offset.min(self.end()).saturating_sub(self.start);
        self.bytes.drain(..usize::try_from(drop).unwrap_or(0).min(self.bytes.len()));
        self.start += drop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain thing: all bytes ever pushed, of which the last `capacity` are readable.
    #[test]
    fn it_reads_as_the_tail_of_the_whole_stream() {
        for capacity in [1usize, 3, 8, 64] {
            let (mut ring, mut all) = (Ring::new(capacity), Vec::new());
            for step in 0usize..200 {
                let piece: Vec<u8> = (0..step % 11).map(|i| (step * 7 + i) as u8).collect();
                ring.push(&piece);
                all.extend_from_slice(&piece);
                let start = all.len().saturating_sub(capacity);
                assert_eq!((ring.start(), ring.end()), (start as u64, all.len() as u64));
                for offset in 0..=all.len() {
                    let expected = if offset < start {
                        Read::Gap { to: start as u64 }
                    } else if offset == all.len() {
                        Read::Empty
                    } else {
                        Read::Bytes(all[offset..all.len().min(offset + 5)].to_vec())
                    };
                    assert_eq!(ring.read(offset as u64, 5), expected);
                }
            }
        }
    }

    #[test]
    fn it_grows_for_what_must_not_be_lost() {
        let mut ring = Ring::new(4);
        ring.push(b"abcd");
        ring.grow(3);
        ring.push(b"efg");
        ring.close();
        assert_eq!((ring.start(), ring.read(0, 99)), (0, Read::Bytes(b"abcdefg".to_vec())));
    }

    #[test]
    fn room_counts_only_what_must_stay() {
        let mut ring = Ring::new(10);
        ring.push(b"abcdefgh");
        assert_eq!(ring.room(0), 2);
        assert_eq!(ring.room(8), 10, "everything was taken");
        ring.discard(5);
        assert_eq!((ring.start(), ring.end(), ring.room(0)), (5, 8, 7));
        assert_eq!(ring.read(5, 99), Read::Bytes(b"fgh".to_vec()));
    }
}
