//! The bodies, frames and proofs that a client and a relay exchange.

use super::accept;
use super::input::Input;
use super::relay::KEYS;
use crate::encoding::Malformed;
use crate::mailbox::client::read_page;
use crate::mailbox::{
    Allocate, Allocated, CERTIFICATE_LEN, Certificate, Challenge, Claim, Claimed, Close, CreatePolicy, Done,
    Empty, Frame, FrameDecoder, Get, Got, Limits, MailboxServer, Operation, Page, Posted, Put, ReadRequest,
    Refused, RelayInfo, RelayProof, SignedRequest,
};
use crate::testing::{NOW, SeededRng};

/// Longest frame that is tried.
const MAX_FRAME: usize = 2048;

/// What any decoder takes is encoded to the very bytes that came.
pub fn mailbox_bodies(data: &[u8]) {
    macro_rules! round_trip {
        ($($name:ident),+) => {
            $(if let Ok(value) = $name::from_bytes(data) {
                accept();
                assert_eq!(value.to_bytes(), data, stringify!($name));
            })+
        };
    }
    round_trip!(Allocate, Allocated, Claim, Claimed, Close, Done, Empty, Get, Got, Page, Posted, Put);
    round_trip!(ReadRequest, Refused, RelayProof, SignedRequest);
    if let Ok(request) = SignedRequest::from_bytes(data) {
        drop(request.operation());
        assert!(
            request
                .certificate()
                .is_none_or(|c| Certificate::verify(c).is_err() || c.len() == CERTIFICATE_LEN)
        );
    }
    if let Ok(refused) = Refused::from_bytes(data) {
        assert!((400..600).contains(&refused.refusal.status()));
        assert_eq!(read_page(400, data), Err(refused.refusal));
    }
    assert_eq!(read_page(200, data).is_ok(), Page::from_bytes(data).is_ok());
    let Some((code, args)) = data.split_first() else { return };
    if let Ok(operation) = Operation::from_args(*code, args) {
        accept();
        assert_eq!((operation.code(), operation.args()), (*code, args.to_vec()));
    }
}

/// A stream gives the same frames however it is cut into chunks, and these are encoded to the bytes that they
/// were cut from.
pub fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let sizes: [u8; 4] = input.array();
    let stream = input.rest();
    let (whole, end) = decode(std::iter::once(stream));
    let mut rest = stream;
    let chunks = sizes.iter().cycle().map(|size| {
        let (head, tail) = rest.split_at(usize::from(*size).clamp(1, rest.len().max(1)).min(rest.len()));
        rest = tail;
        head
    });
    let (cut, cut_end) = decode(chunks.take_while(|chunk| !chunk.is_empty()));
    assert_eq!((&whole, end), (&cut, cut_end));
    let again: Vec<u8> = whole.iter().flat_map(Frame::to_bytes).collect();
    assert!(stream.starts_with(&again));
    if !whole.is_empty() {
        accept();
    }
}

fn decode<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<(), Malformed>) {
    let mut decoder = FrameDecoder::new(MAX_FRAME);
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(malformed) => return (frames, Err(malformed)),
            }
        }
    }
    (frames, Ok(()))
}

/// A proof holds for the challenge, the host and the time that the relay signed, and no other bytes are one.
pub fn relay_proof(data: &[u8]) {
    let mut input = Input::new(data);
    let relay = KEYS.relay.clone();
    let id = relay.public();
    let challenge = Challenge::from_bytes([7; 32]);
    let asked = Challenge::from_bytes([7 ^ (input.u8() & 1); 32]);
    let host = String::from_utf8_lossy(input.short()).into_owned();
    let dialled = if input.u8() & 1 == 0 {
        host.to_ascii_uppercase()
    } else {
        String::from_utf8_lossy(input.short()).into_owned()
    };
    let server = MailboxServer::new(relay, CreatePolicy::Open, Limits::default(), [], &mut SeededRng::new(1));
    let honest = server.prove(NOW, &challenge.to_text(), &host).expect("a challenge").body;
    let bytes = input.edited(&honest);
    let info = RelayProof::from_bytes(&bytes).ok().and_then(|proof| proof.verify(&asked, &dialled).ok());
    let same = bytes == honest && asked == challenge && dialled.eq_ignore_ascii_case(&host);
    assert_eq!(info, same.then_some(RelayInfo { relay_id: id, time: NOW }));
    if same {
        accept();
    }
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(server.prove(NOW, &text, &host).is_ok(), Challenge::from_text(&text).is_ok());
}
