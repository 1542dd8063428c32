//! What comes of a reset from the other side, and what of it lies in the own store.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, NOW, SESSION, step_rng};
use crate::identity::{Identity, Root};
use crate::pairing::ResetKey;
use crate::record::RecordHash;
use crate::reset::{self, CheckWords, Message, Request, Requester, ResetError, Standing};

const LABELS: [&[u8]; 2] = [b"wire/reset/1", b"wire/reset-ok/1"];

/// A RESET of Alice's and the RESET_OK of Bob's.
pub(super) struct Run {
    pub(super) state: Vec<u8>,
    pub(super) messages: [Vec<u8>; 2],
    pub(super) envelope: Vec<u8>,
}

pub(super) static RUN: LazyLock<Run> = LazyLock::new(|| {
    let hash = |n| Some(RecordHash::from_bytes([n; 32]));
    let standing = Standing { last: 5, head: hash(2), recv: 7, recv_head: hash(3) };
    let (to, rng) = (BOB.identity.root(), &mut step_rng(10));
    let asked = Requester::new(&ALICE.identity, None, to, NOW.as_millis(), Some(SESSION), standing, rng);
    let request = verify(asked.message()).expect("an honest RESET");
    let (answer, _) = request.answer(&BOB.identity, Standing::default(), rng).expect("an honest RESET");
    let message = Message::Request(asked.message().to_vec());
    let envelope = reset::seal(&key(), roots(), &message, 65_536, rng).expect("it fits");
    let messages = [asked.message().to_vec(), answer];
    Run { state: asked.to_bytes().to_vec(), messages, envelope }
});

fn key() -> ResetKey {
    ResetKey::from_bytes([6; 32])
}

fn roots() -> (Root, Root) {
    (ALICE.identity.root(), BOB.identity.root())
}

fn requester() -> Requester {
    Requester::from_bytes(&RUN.state).expect("what was stored")
}

fn verify(message: &[u8]) -> Result<Request, ResetError> {
    Request::verify(message, BOB.identity.root(), ALICE.identity.statements())
}

/// A message is taken exactly if it is the honest one, or if the peer itself has signed another; and whatever the
/// peer signs, two messages that differ give two sessions and other words.
pub fn reset(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.choice(4);
    match which {
        2 => return state(input.rest()),
        3 => return words(input.rest()),
        _ => {}
    }
    let honest = &RUN.messages[which];
    let mode = input.choice(3);
    let message = match mode {
        0 => input.rest().to_vec(),
        1 => input.edited(honest),
        _ => {
            let (body, _) = honest.split_last_chunk::<64>().expect("a signature");
            let signer = [&ALICE, &BOB][which].identity.key();
            let body = input.edited(body);
            [body.as_slice(), &signer.sign(LABELS[which], &[&body])].concat()
        }
    };
    let is_taken = if which == 0 { request(&message) } else { answer(&message) };
    if mode < 2 || message == *honest {
        assert_eq!(is_taken, message == *honest, "nobody else can sign one");
    }
    if is_taken {
        accept();
    }
}

fn request(message: &[u8]) -> bool {
    let Ok(request) = verify(message) else { return false };
    assert!(!request.is_rotation(), "she brings nothing that he lacks");
    assert_eq!(request.is_timely(0, NOW), (1..=NOW.as_millis() + 86_400_000).contains(&request.ctr()));
    assert!(!request.is_timely(request.ctr(), NOW));
    let answered = request.answer(&BOB.identity, Standing::default(), &mut step_rng(11));
    let (answer, agreed) = answered.expect("what is taken can be answered");
    let accepted = requester().accept(&answer, BOB.identity.statements(), &mut step_rng(12));
    // Who made the honest one takes only what answers that.
    assert_eq!(accepted.is_ok(), message == RUN.messages[0]);
    if let Ok(accepted) = accepted {
        assert_eq!(accepted.session.id(), agreed.session.id());
        assert_eq!(accepted.words.matches(&agreed.words.own()), Ok(true));
    }
    assert!(of(&BOB.identity, message).is_err(), "it is no answer");
    true
}

fn answer(message: &[u8]) -> bool {
    let Ok(agreed) = of(&BOB.identity, message) else { return false };
    let honest = of(&BOB.identity, &RUN.messages[1]).expect("the honest RESET_OK");
    let is_honest = message == RUN.messages[1];
    assert_eq!(agreed.session.id() == honest.session.id(), is_honest);
    assert_eq!(*agreed.words.own() == *honest.words.own(), is_honest);
    assert!(verify(message).is_err(), "it is no RESET");
    true
}

fn of(peer: &Identity, message: &[u8]) -> Result<reset::Agreed, ResetError> {
    requester().accept(message, peer.statements(), &mut step_rng(12))
}

fn state(bytes: &[u8]) {
    let Ok(requester) = Requester::from_bytes(bytes) else { return };
    accept();
    assert_eq!(*requester.to_bytes(), *bytes);
}

fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(words) = CheckWords::from_stored(text, text) else { return };
    accept();
    assert_eq!(words.own().split(' ').count(), 8);
    assert_eq!(words.matches(&words.own()), Ok(true));
}

/// An envelope opens exactly if it is one that the peer has sealed for this receiver.
pub fn reset_envelope(data: &[u8]) {
    let mut input = Input::new(data);
    let (envelope, sealed) = match input.choice(3) {
        0 => (input.rest().to_vec(), None),
        1 => (input.edited(&RUN.envelope), None),
        _ => {
            let kind = input.choice(2);
            let bytes = input.rest().to_vec();
            let message = if kind == 0 { Message::Request(bytes) } else { Message::Answer(bytes) };
            let sealed = reset::seal(&key(), roots(), &message, 65_536, &mut step_rng(13));
            let Some(envelope) = sealed else { return };
            (envelope, Some(message))
        }
    };
    let opened = reset::open(&key(), roots(), &envelope);
    let honest = (envelope == RUN.envelope).then(|| Message::Request(RUN.messages[0].clone()));
    match sealed.or(honest) {
        Some(message) => {
            assert_eq!(opened, Some(Ok(message)));
            accept();
        }
        None => assert!(!matches!(opened, Some(Ok(_))), "nobody has sealed it"),
    }
    let (a, b) = roots();
    assert!(!matches!(reset::open(&key(), (b, a), &envelope), Some(Ok(_))), "the other way");
}
