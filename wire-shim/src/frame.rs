//! Frames on a byte stream: `"W1"`, the length of the body as a big-endian `u32`, the body as CBOR.

use minicbor::{Decode, Encode};
use zeroize::Zeroize;

/// The first two bytes of each frame.
pub const MAGIC: [u8; 2] = *b"W1";

/// The largest body, in bytes: a configuration with its secrets is the longest message.
pub const MAX_BODY: usize = 2 << 20;

/// The most bytes of output or input in one frame.
pub const CHUNK: usize = 64 << 10;

const HEAD: usize = 6;

/// What comes is not this protocol. The connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream does not continue with a frame.
    #[error("not a frame of the shim's protocol")]
    Magic,
    /// A body longer than [`MAX_BODY`].
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(usize),
    /// The body is no message that this version knows.
    #[error("a frame does not decode")]
    Malformed,
}

/// One message as a frame.
pub fn encode<M: Encode<()>>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut out = vec![0; HEAD];
    minicbor::encode(message, &mut out).map_err(|_| FrameError::Malformed)?;
    let body = out.len() - HEAD;
    if body > MAX_BODY {
        return Err(FrameError::TooLong(body));
    }
    let length = u32::try_from(body).map_err(|_| FrameError::TooLong(body))?;
    let (head, _) = out.split_at_mut(HEAD);
    let (magic, len) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    len.copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

/// Takes bytes as they come and gives messages. Holds at most one frame and what was fed last.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    read: usize,
}

impl Decoder {
    /// An empty one.
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), read: 0 }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        if self.buffer.len() + bytes.len() > self.buffer.capacity() {
            // Not by `Vec`, which would leave what it moves from in freed memory.
            let mut larger = Vec::with_capacity((self.buffer.len() + bytes.len()) * 2);
            larger.extend_from_slice(&self.buffer);
            self.buffer.zeroize();
            self.buffer = larger;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Overwrites what was read so far, after a message with a secret in it.
    pub fn wipe(&mut self) {
        let read = self.buffer.get_mut(..self.read).unwrap_or_default();
        read.zeroize();
    }

    /// The next whole message, or `None` until more is fed. After an error the stream is of no more use.
    pub fn message<M>(&mut self) -> Result<Option<M>, FrameError>
    where
        M: for<'b> Decode<'b, ()>,
    {
        let rest = self.buffer.get(self.read..).unwrap_or_default();
        let known = rest.len().min(MAGIC.len());
        if rest.get(..known) != MAGIC.get(..known) {
            return Err(FrameError::Magic);
        }
        let Some(length) = rest.get(MAGIC.len()..HEAD).and_then(|b| <[u8; 4]>::try_from(b).ok()) else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_BODY {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = rest.get(HEAD..HEAD + length) else { return Ok(None) };
        let mut decoder = minicbor::Decoder::new(body);
        let message = decoder.decode().map_err(|_| FrameError::Malformed)?;
        if decoder.position() != length {
            return Err(FrameError::Malformed);
        }
        self.read += HEAD + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ExecId, ToShim};

    #[test]
    fn a_frame_comes_back_however_it_is_cut() {
        let sent =
            [ToShim::Stdin { exec: ExecId::from([7; 16]), offset: 9, bytes: vec![1, 2, 3] }, ToShim::Beat];
        let bytes: Vec<u8> = sent.iter().flat_map(|m| encode(m).unwrap()).collect();
        for size in 1..=bytes.len() {
            let (mut decoder, mut got) = (Decoder::new(), Vec::new());
            for piece in bytes.chunks(size) {
                decoder.feed(piece);
                while let Some(message) = decoder.message::<ToShim>().unwrap() {
                    got.push(message);
                }
            }
            assert_eq!(got, sent, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_at_once() {
        let refused = |bytes: &[u8]| {
            let mut decoder = Decoder::new();
            decoder.feed(bytes);
            decoder.message::<ToShim>()
        };
        assert_eq!(refused(b"X"), Err(FrameError::Magic));
        assert_eq!(refused(b"WX"), Err(FrameError::Magic));
        assert_eq!(refused(b"W1\xff\xff\xff\xff"), Err(FrameError::TooLong(0xffff_ffff)));
        assert_eq!(refused(b"W1\0\0\0\x02\xff\xff"), Err(FrameError::Malformed));
        let mut long = encode(&ToShim::Beat).unwrap();
        long[5] += 1;
        long.push(0);
        assert_eq!(refused(&long), Err(FrameError::Malformed), "bytes after the message");
        assert_eq!(refused(b"W1\0\0"), Ok(None));
    }
}
