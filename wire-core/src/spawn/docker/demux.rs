//! The engine's multiplexed stream: 8 bytes of head (stream, three zeros, length), then that many bytes.
//!
//! Whether a stream is multiplexed at all is the caller's knowledge, as it asked for a terminal or not. It is
//! never guessed from the bytes: those are the container's to choose.

use bytes::{Buf, Bytes};

use super::super::Stream;

const HEAD: usize = 8;

/// The most bytes of the engine's own message that are kept.
const MESSAGE: usize = 4096;

/// What comes is not what the engine promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DemuxError {
    /// A head that does not exist.
    #[error("a frame of no known stream")]
    Head,
    /// The stream ends inside a frame.
    #[error("the stream ends inside a frame")]
    Cut,
    /// The engine failed while it streamed.
    #[error("{0}")]
    System(String),
}

/// Takes a stream apart. Holds what was fed last and a head, never a frame: parts of one are given as they come.
#[derive(Debug)]
pub struct Demux {
    tty: bool,
    fed: Bytes,
    head: [u8; HEAD],
    have: usize,
    at: At,
}

#[derive(Debug)]
enum At {
    Head,
    Part { stream: Stream, left: u32 },
    Message { text: Vec<u8>, left: u32 },
}

impl Demux {
    /// For a program with a terminal, or without one.
    pub const fn new(tty: bool) -> Self {
        Self { tty, fed: Bytes::new(), head: [0; HEAD], have: 0, at: At::Head }
    }

    /// Takes the next bytes. Call [`part`](Self::part) until it gives `None` before the next.
    pub fn feed(&mut self, bytes: Bytes) {
        debug_assert!(self.fed.is_empty(), "what was fed before is not taken yet");
        self.fed = bytes;
    }

    /// The next part, or `None` until more is fed. After an error the stream is of no more use.
    pub fn part(&mut self) -> Result<Option<(Stream, Bytes)>, DemuxError> {
        if self.tty {
            let all = std::mem::take(&mut self.fed);
            return Ok((!all.is_empty()).then_some((Stream::Stdout, all)));
        }
        while !self.fed.is_empty() {
            match &mut self.at {
                At::Head => {
                    let room = self.head.get_mut(self.have..).unwrap_or_default();
                    let taken = room.len().min(self.fed.len());
                    self.fed.copy_to_slice(room.get_mut(..taken).unwrap_or_default());
                    self.have += taken;
                    if self.have == HEAD {
                        self.have = 0;
                        self.at = frame(self.head)?;
                    }
                }
                At::Part { left: 0, .. } => self.at = At::Head,
                At::Part { stream, left } => {
                    let part = take(&mut self.fed, left);
                    return Ok(Some((*stream, part)));
                }
                At::Message { text, left } => {
                    text.extend_from_slice(&take(&mut self.fed, left));
                    if *left == 0 || text.len() >= MESSAGE {
                        text.truncate(MESSAGE);
                        return Err(DemuxError::System(String::from_utf8_lossy(text).into_owned()));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The stream has ended: an error, unless it did so between two frames.
    pub fn end(&self) -> Result<(), DemuxError> {
        match &self.at {
            At::Head if self.have == 0 => Ok(()),
            At::Part { left: 0, .. } => Ok(()),
            At::Message { text, .. } => Err(DemuxError::System(String::from_utf8_lossy(text).into_owned())),
            At::Head | At::Part { .. } => Err(DemuxError::Cut),
        }
    }
}

/// 0 is the echo of the input, which belongs to the output; 3 is the engine's own failure.
fn frame(head: [u8; HEAD]) -> Result<At, DemuxError> {
    let [kind, 0, 0, 0, a, b, c, d] = head else { return Err(DemuxError::Head) };
    let left = u32::from_be_bytes([a, b, c, d]);
    match kind {
        0 | 1 => Ok(At::Part { stream: Stream::Stdout, left }),
        2 => Ok(At::Part { stream: Stream::Stderr, left }),
        3 if left == 0 => Err(DemuxError::System(String::new())),
        3 => Ok(At::Message { text: Vec::new(), left }),
        _ => Err(DemuxError::Head),
    }
}

fn take(fed: &mut Bytes, left: &mut u32) -> Bytes {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(fed.len());
    *left -= u32::try_from(taken).unwrap_or(*left);
    fed.split_to(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(tty: bool, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, Result<(), DemuxError>) {
        let (mut demux, mut out, mut err) = (Demux::new(tty), Vec::new(), Vec::new());
        for piece in pieces {
            demux.feed(Bytes::copy_from_slice(piece));
            loop {
                match demux.part() {
                    Ok(Some((Stream::Stdout, bytes))) => out.extend_from_slice(&bytes),
                    Ok(Some((Stream::Stderr, bytes))) => err.extend_from_slice(&bytes),
                    Ok(None) => break,
                    Err(error) => return (out, err, Err(error)),
                }
            }
        }
        let end = demux.end();
        (out, err, end)
    }

    const TALK: &[u8] = b"\x01\0\0\0\0\0\0\x03abc\x02\0\0\0\0\0\0\x02de\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01f";

    #[test]
    fn a_stream_comes_apart_however_it_is_cut() {
        for size in 1..=TALK.len() {
            let pieces: Vec<&[u8]> = TALK.chunks(size).collect();
            assert_eq!(
                run(false, &pieces),
                (b"abcf".to_vec(), b"de".to_vec(), Ok(())),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn an_end_inside_a_frame_is_an_error_at_every_byte() {
        let whole = [0, 11, 21, 29, TALK.len()];
        for at in 0..=TALK.len() {
            let end = run(false, &[&TALK[..at]]).2;
            assert_eq!(end.is_ok(), whole.contains(&at), "cut at {at}: {end:?}");
        }
    }

    #[test]
    fn the_longest_frame_is_given_as_it_comes() {
        let mut demux = Demux::new(false);
        demux.feed(Bytes::from_static(b"\x01\0\0\0\xff\xff\xff\xffxy"));
        assert_eq!(demux.part(), Ok(Some((Stream::Stdout, Bytes::from_static(b"xy")))));
        for _ in 0..100 {
            demux.feed(Bytes::from_static(&[7; 4096]));
            assert_eq!(demux.part().map(|part| part.map(|(_, bytes)| bytes.len())), Ok(Some(4096)));
            assert_eq!(demux.part(), Ok(None));
        }
        assert_eq!(demux.end(), Err(DemuxError::Cut));
    }

    #[test]
    fn the_engines_own_failure_is_no_output() {
        let said = |bytes: &[u8]| run(false, &[b"\x01\0\0\0\0\0\0\x01a", bytes]);
        let failed = |text: &str| (b"a".to_vec(), vec![], Err(DemuxError::System(text.to_owned())));
        assert_eq!(said(b"\x03\0\0\0\0\0\0\x04oops"), failed("oops"));
        assert_eq!(said(b"\x03\0\0\0\0\0\0\x09oops"), failed("oops"), "cut");
        assert_eq!(said(b"\x03\0\0\0\0\0\0\0"), failed(""));
        let mut long = b"\x03\0\0\0\xff\xff\xff\xff".to_vec();
        long.resize(100_000, b'x');
        assert_eq!(said(&long), failed(&"x".repeat(MESSAGE)), "kept to a limit");
    }

    #[test]
    fn no_other_head_is_taken() {
        for head in
            [*b"\x04\0\0\0\0\0\0\x01", *b"\x01\x01\0\0\0\0\0\x01", *b"\x01\0\0\x01\0\0\0\x01", *b"hello wo"]
        {
            assert_eq!(run(false, &[&head]).2, Err(DemuxError::Head), "{head:?}");
        }
    }

    #[test]
    fn a_terminal_says_what_it_likes() {
        let hostile = b"\x01\0\0\0\x7f\xff\xff\xff\x02\0\0\0\0\0\0\x01\x03\0\0\0";
        for size in 1..=hostile.len() {
            let pieces: Vec<&[u8]> = hostile.chunks(size).collect();
            assert_eq!(run(true, &pieces), (hostile.to_vec(), vec![], Ok(())));
        }
    }
}
