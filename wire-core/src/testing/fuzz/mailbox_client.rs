//! A client of a relay that answers anything, at any time.

use super::accept;
use super::input::Input;
use super::relay::{KEYS, Keys};
use super::world::NOW;
use crate::envelope::EnvelopeHash;
use crate::mailbox::client::{Call, Event, MAX_CLOCK_OFFSET_MS, Output, RequestId};
use crate::mailbox::{
    Cursor, Done, Frame, Incarnation, MAILBOX_PATH, MailboxClient, Operation, Posted, READ_PATH, ReadRequest,
    Refusal, Refused, Right, SignedRequest, Verdict,
};
use crate::time::Timestamp;

const MAX_STEPS: usize = 24;
/// No input gives more than this to do: every mailbox and job once, and their events.
const MAX_OUTPUTS: usize = 64;
const LIFE: Incarnation = Incarnation::from_bytes([1; 16]);

/// What the client sends is signed for this relay, at a time within 24 hours of its own; a post is told to have
/// ended once; envelopes come for its own mailbox only; and it comes to rest after each answer.
pub fn mailbox_client(data: &[u8]) {
    let mut input = Input::new(data);
    let keys = &*KEYS;
    let mut client = MailboxClient::new(keys.relay.public(), 0, 5);
    client.open(keys.owner.clone(), 1, None, Right::None);
    client.post(1, keys.sender.clone(), keys.certificate.clone(), vec![vec![1; 16]]);
    let mut run = Run { client, keys, now: NOW, flying: Vec::new(), posts: 0 };
    run.rest();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            return;
        }
        run.step(&mut input);
        run.rest();
    }
}

struct Run {
    client: MailboxClient,
    keys: &'static Keys,
    now: Timestamp,
    flying: Vec<(RequestId, Call)>,
    posts: u32,
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        let kind = input.choice(8);
        let mailbox = self.keys.owner.public();
        match kind {
            0 => self.now = self.now.plus_millis(input.u32().into()),
            1 => {
                let at = Cursor { incarnation: LIFE, seq: input.u8().into() };
                self.client.ack(&mailbox, at, EnvelopeHash::from_bytes([2; 32]));
            }
            2 => self.client.retry_now(),
            3 => self.client.open(
                self.keys.owner.clone(),
                1,
                Some(Cursor { incarnation: LIFE, seq: 1 }),
                Right::None,
            ),
            _ => self.answer(kind, input),
        }
    }

    fn answer(&mut self, kind: usize, input: &mut Input<'_>) {
        if self.flying.is_empty() {
            return;
        }
        let at = input.choice(self.flying.len());
        let (id, stream) = (self.flying[at].0, self.flying[at].1.stream);
        let (status, body) = body(input);
        match kind {
            4 if stream => self.client.handle_chunk(self.now, id, &body),
            4 | 5 => {
                self.flying.remove(at);
                self.client.handle_response(self.now, id, status, &body);
            }
            6 => {
                self.flying.remove(at);
                self.client.handle_failure(self.now, id);
            }
            _ if stream => {
                self.flying.remove(at);
                self.client.handle_end(self.now, id);
            }
            _ => self.client.handle_response(self.now, id, status, &body),
        }
    }

    /// Until there is nothing to do.
    fn rest(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.client.poll_output(self.now) {
                Output::Wait(until) => return assert!(until.is_none_or(|t| t > self.now)),
                Output::Cancel(id) => self.flying.retain(|(flying, _)| *flying != id),
                Output::Event(event) => self.told(&event),
                Output::Transmit(id, call) => {
                    self.sent(&call);
                    self.flying.push((id, call));
                }
            }
        }
        panic!("the client does not come to rest");
    }

    fn told(&mut self, event: &Event) {
        accept();
        match event {
            Event::Envelope { mailbox, .. }
            | Event::Opened { mailbox, .. }
            | Event::BoxRefused { mailbox, .. } => {
                assert_eq!(*mailbox, self.keys.owner.public());
            }
            Event::Posted { tag, .. } | Event::PostRefused { tag, .. } => {
                self.posts += 1;
                assert_eq!((*tag, self.posts), (1, 1));
            }
            Event::PostDelayed { tag, refusal } => assert!(*tag == 1 && refusal.is_transient()),
            Event::Clock { .. } | Event::Reachable(_) => {}
            Event::Deleted { .. } | Event::Revoked { .. } => panic!("nobody asked for that: {event:?}"),
        }
    }

    fn sent(&self, call: &Call) {
        let requests = if call.stream {
            assert_eq!(call.path, READ_PATH);
            ReadRequest::from_bytes(&call.body).expect("a read").polls
        } else {
            assert_eq!(call.path, MAILBOX_PATH);
            vec![SignedRequest::from_bytes(&call.body).expect("a request")]
        };
        for request in requests {
            assert!(request.verify(&self.keys.relay.public()).is_ok());
            let off = request.time().signed_since(self.now).saturating_abs();
            assert!(off <= MAX_CLOCK_OFFSET_MS, "signed {off} ms off");
            let is_poll = matches!(request.operation(), Ok(Operation::Poll { .. }));
            assert_eq!(is_poll, call.stream);
        }
    }
}

/// A status and a body: a good answer or refusal of any kind, or anything.
fn body(input: &mut Input<'_>) -> (u16, Vec<u8>) {
    let time = Timestamp::from_millis(
        NOW.as_millis().wrapping_add_signed(i64::from(input.u32().cast_signed()) * 100),
    );
    let refused = |refusal: Refusal| (refusal.status(), Refused { refusal, time }.to_bytes());
    match input.choice(12) {
        0 => (200, Done { time, incarnation: LIFE }.to_bytes()),
        1 => {
            let verdicts = vec![Verdict::Stored];
            (202, Posted { time, incarnation: LIFE, verdicts, expires_at: time }.to_bytes())
        }
        2 => refused(Refusal::NotFound),
        3 => refused(Refusal::Skew),
        4 => refused(Refusal::Quota { retry_after: input.u32() }),
        5 => refused(Refusal::Stale { incarnation: LIFE, first: 1, head: 2 }),
        6 => refused(Refusal::OldEpoch),
        7 => {
            let frame = Frame::Envelope {
                index: input.u8().into(),
                incarnation: LIFE,
                seq: input.u64() >> (input.u8() % 64),
                envelope: input.short().to_vec(),
            };
            (200, frame.to_bytes())
        }
        8 => {
            let refusal =
                [Refusal::NotFound, Refusal::Skew, Refusal::OldEpoch, Refusal::Full][input.choice(4)];
            (200, Frame::End { index: input.u8().into(), refused: Refused { refusal, time } }.to_bytes())
        }
        9 => (200, Frame::Bye { reconnect_after_ms: input.u32() }.to_bytes()),
        _ => (input.u16(), input.short().to_vec()),
    }
}

/// Answers to begin with. A step is its kind, the flight, four bytes of time, which body, and that one's fields.
pub(super) fn scripts() -> [(&'static str, Vec<u8>); 6] {
    let created = [5, 0, 0, 0, 0, 0, 0];
    let posted = [5, 0, 0, 0, 0, 0, 1];
    let envelope = [4, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3, 1, 2, 3];
    let lost = [4, 0, 0, 0, 0, 0, 8, 0, 0];
    let bye = [4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9];
    let far = [5, 0, 0x7f, 0xff, 0xff, 0xff, 3];
    let later = [0, 0, 0x0f, 0, 0];
    [
        ("honest", [&created[..], &posted, &envelope, &[1, 9], &created].concat()),
        ("quota", [&created[..], &[5, 0, 0, 0, 0, 0, 4, 0, 0, 0, 9], &later, &posted].concat()),
        ("skew", [&[5, 0, 0, 0, 0, 9, 3][..], &far, &later, &far].concat()),
        ("lost", [&created[..], &posted, &lost, &later, &created].concat()),
        ("bye", [&created[..], &posted, &bye, &[7, 0, 0, 0, 0, 0, 0], &later].concat()),
        (
            "no-relay",
            [&[6, 0][..], &later, &[6, 0], &[2], &[5, 0, 0, 0, 0, 0, 11, 1, 0xf6, 2, 9, 9]].concat(),
        ),
    ]
}
