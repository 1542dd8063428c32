//! The streaming read, `POST /v1/read`: one request for many mailboxes, answered by frames.
//!
//! 1. The client sends `[[signed polls], follow]`, each poll as in [`SignedRequest`].
//! 2. The relay sends frames, each `len4 ‖ CBOR`: `[i, incarnation, seq, envelope]` for poll `i`;
//!    `["end", i, [code, time, detail]]` where poll `i` was refused or its mailbox is gone; an empty
//!    frame (`len4` = 0) every 20 s.
//! 3. The last frame is `["bye", ms]`: everything was sent (without `follow`), or the relay goes
//!    down; `ms` says after how long it is worth coming back.
//!
//! The relay stops sending from a mailbox at 64 envelopes or 1 MiB that the owner has not
//! acknowledged, until it does.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::codec::{array_of, message};
use super::{Incarnation, Refused, SignedRequest};
use crate::encoding::{Malformed, cbor};

/// Body of the streaming read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Polls signed by the owners; their `max` and `wait_ms` are not looked at.
    pub polls: Vec<SignedRequest>,
    /// Go on when everything that waits was sent.
    pub follow: bool,
}

message!(ReadRequest[2] { polls: plain, follow: plain });

/// One frame of the answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// Nothing to say; the connection lives.
    KeepAlive,
    /// An envelope.
    Envelope {
        /// Which poll it belongs to, from 0.
        index: u32,
        /// The life of the mailbox.
        incarnation: Incarnation,
        /// The number of the envelope.
        seq: u64,
        /// The envelope.
        envelope: Vec<u8>,
    },
    /// Nothing more comes for this poll in this stream.
    End {
        /// Which poll, from 0.
        index: u32,
        /// Why.
        refused: Refused,
    },
    /// The last frame.
    Bye {
        /// Come back after this many milliseconds, with jitter.
        reconnect_after_ms: u32,
    },
}

impl Frame {
    /// `len4 ‖ CBOR`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        if !matches!(self, Self::KeepAlive) {
            out.extend_from_slice(&cbor::to_vec(self));
        }
        let len = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        if let Some(head) = out.first_chunk_mut::<4>() {
            *head = len.to_be_bytes();
        }
        out
    }
}

impl<C> Encode<C> for Frame {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::KeepAlive => Ok(()),
            Self::Envelope { index, incarnation, seq, envelope } => {
                e.array(4)?.u32(*index)?.bytes(incarnation.as_bytes())?.u64(*seq)?.bytes(envelope)?.ok()
            }
            Self::End { index, refused } => {
                e.array(3)?.str("end")?.u32(*index)?;
                refused.encode(e, c)
            }
            Self::Bye { reconnect_after_ms } => e.array(2)?.str("bye")?.u32(*reconnect_after_ms)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Frame {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let mut ahead = d.clone();
        ahead.array()?;
        if ahead.datatype()? != Type::String {
            array_of(d, 4)?;
            return Ok(Self::Envelope {
                index: d.u32()?,
                incarnation: Decode::decode(d, c)?,
                seq: d.u64()?,
                envelope: d.bytes()?.to_vec(),
            });
        }
        match ahead.str()? {
            "end" => {
                array_of(d, 3)?;
                d.str()?;
                Ok(Self::End { index: d.u32()?, refused: Decode::decode(d, c)? })
            }
            "bye" => {
                array_of(d, 2)?;
                d.str()?;
                Ok(Self::Bye { reconnect_after_ms: d.u32()? })
            }
            _ => Err(decode::Error::message("frame")),
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KeepAlive => f.write_str("KeepAlive"),
            Self::Envelope { index, seq, envelope, .. } => {
                write!(f, "Envelope({index}, {seq}, {} bytes)", envelope.len())
            }
            Self::End { index, refused } => write!(f, "End({index}, {:?})", refused.refusal),
            Self::Bye { reconnect_after_ms } => write!(f, "Bye({reconnect_after_ms})"),
        }
    }
}

/// Cuts a byte stream into frames; never holds more than one frame and the last chunk.
///
/// Call [`push`](Self::push) with each chunk, then [`next_frame`](Self::next_frame) until it gives
/// `None`. After an error the stream is of no more use.
///
/// ```
/// use wire_core::mailbox::{Frame, FrameDecoder};
/// let mut decoder = FrameDecoder::new(1 << 20);
/// let bytes = [Frame::KeepAlive.to_bytes(), Frame::Bye { reconnect_after_ms: 5 }.to_bytes()].concat();
/// let (a, b) = bytes.split_at(6);
/// decoder.push(a);
/// assert_eq!(decoder.next_frame()?, Some(Frame::KeepAlive));
/// assert_eq!(decoder.next_frame()?, None);
/// decoder.push(b);
/// assert_eq!(decoder.next_frame()?, Some(Frame::Bye { reconnect_after_ms: 5 }));
/// # Ok::<(), wire_core::encoding::Malformed>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    taken: usize,
    max: usize,
}

impl FrameDecoder {
    /// Refuses frames whose CBOR is longer than `max` bytes.
    pub const fn new(max: usize) -> Self {
        Self { buffer: Vec::new(), taken: 0, max }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole frame, or `None` if it is not all there.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((head, body)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_be_bytes(*head)).map_err(|_| Malformed)?;
        if len > self.max {
            return Err(Malformed);
        }
        let Some(body) = body.get(..len) else {
            return Ok(None);
        };
        let frame = if len == 0 { Frame::KeepAlive } else { cbor::from_slice(body)? };
        self.taken += 4 + len;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::codec::tests::pinned;
    use crate::mailbox::{MailboxKeyPair, Operation, Refusal, RelayKeyPair};
    use crate::time::Timestamp;
    use data_encoding::HEXLOWER;

    fn all() -> [(Frame, &'static str); 4] {
        [
            (Frame::KeepAlive, "00000000"),
            (
                Frame::Envelope {
                    index: 2,
                    incarnation: Incarnation::from_bytes([0xaa; 16]),
                    seq: 5,
                    envelope: vec![1, 2, 3],
                },
                "00000018 84 02 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 05 43010203",
            ),
            (
                Frame::End {
                    index: 1,
                    refused: Refused { refusal: Refusal::NotFound, time: Timestamp::from_millis(5) },
                },
                "0000000e 83 63656e64 01 83 646e6f6e65 05 f6",
            ),
            (Frame::Bye { reconnect_after_ms: 1000 }, "00000008 82 63627965 1903e8"),
        ]
    }

    #[test]
    fn frames_are_pinned_and_survive_any_chunking() {
        let mut stream = Vec::new();
        for (frame, hex) in all() {
            assert_eq!(HEXLOWER.encode(&frame.to_bytes()), hex.replace(' ', ""));
            stream.extend_from_slice(&frame.to_bytes());
        }
        for size in 1..=stream.len() {
            let mut decoder = FrameDecoder::new(64);
            let mut got = Vec::new();
            for chunk in stream.chunks(size) {
                decoder.push(chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!(got, all().map(|(frame, _)| frame), "chunks of {size}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_or_of_another_shape_is_refused() {
        let mut decoder = FrameDecoder::new(8);
        decoder.push(&9u32.to_be_bytes());
        assert_eq!(decoder.next_frame(), Err(Malformed));
        for bad in ["00000001 80", "00000005 81 63627965", "00000006 82 6362796f 01", "00000002 8100"] {
            let mut decoder = FrameDecoder::new(64);
            decoder.push(&HEXLOWER.decode(bad.replace(' ', "").as_bytes()).unwrap());
            assert_eq!(decoder.next_frame(), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn a_read_request_is_pinned() {
        let owner = MailboxKeyPair::from_seed(&[1; 32]);
        let relay = RelayKeyPair::from_seed(&[2; 32]).public();
        let poll = Operation::Poll { incarnation: None, after: 0, max: 0, wait_ms: 0 };
        let poll = SignedRequest::by_owner(&owner, &relay, Timestamp::from_millis(1), &poll);
        let hex = format!("82 81 {} f5", HEXLOWER.encode(&poll.to_bytes()));
        pinned(
            &ReadRequest { polls: vec![poll], follow: true },
            ReadRequest::to_bytes,
            ReadRequest::from_bytes,
            &hex,
        );
    }
}
