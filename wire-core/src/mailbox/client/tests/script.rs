//! A relay that is a script, and virtual time.

use crate::mailbox::client::*;
use crate::mailbox::{
    Frame, Incarnation, Quota, ReadRequest, RelayKeyPair, SenderKeyPair, SignedRequest, Verdict,
};
use crate::testing::SeededRng;

pub(super) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const LIFE: Incarnation = Incarnation::from_bytes([1; 16]);
/// How long the relay takes for an answer.
pub(super) const TURN_MS: u64 = 10;

pub(super) enum Reply {
    /// No connection.
    Fail,
    Http(u16, Vec<u8>),
    /// Frames, and whether the stream ends behind them.
    Stream(Vec<u8>, bool),
    /// Nothing comes.
    Hang,
}

/// What there is of a request once its signature was verified.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    One(MailboxId, Operation),
    Read(Vec<(MailboxId, Option<Cursor>)>),
}

pub(super) struct Sim {
    pub(super) client: MailboxClient,
    pub(super) relay: RelayKeyPair,
    pub(super) now: Timestamp,
    pub(super) replies: Vec<(Timestamp, RequestId, Reply)>,
    pub(super) sent: Vec<(Timestamp, Asked)>,
    pub(super) cancelled: usize,
    pub(super) events: Vec<Event>,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        let relay = RelayKeyPair::generate(&mut SeededRng::new(seed));
        let client = MailboxClient::new(relay.public(), 0, seed);
        let (replies, sent, events) = Default::default();
        Self { client, relay, now: START, replies, sent, cancelled: 0, events }
    }

    /// Lets the client and the relay of `policy` have this long with each other.
    pub(super) fn run(&mut self, millis: u64, mut policy: impl FnMut(Timestamp, &Asked) -> Reply) {
        let end = self.now.plus_millis(millis);
        loop {
            match self.client.poll_output(self.now) {
                Output::Transmit(id, call) => {
                    let asked = self.read(&call);
                    let reply = policy(self.now, &asked);
                    assert_eq!(call.stream, matches!(asked, Asked::Read(_)));
                    self.sent.push((self.now, asked));
                    self.replies.push((self.now.plus_millis(TURN_MS), id, reply));
                }
                Output::Cancel(id) => {
                    self.cancelled += 1;
                    self.replies.retain(|(_, other, _)| *other != id);
                }
                Output::Event(event) => self.events.push(event),
                Output::Wait(until) => {
                    assert!(until.is_none_or(|t| t > self.now), "it waits for what is over");
                    let replies = self.replies.iter().filter(|r| !matches!(r.2, Reply::Hang)).map(|r| r.0);
                    match replies.chain(until).min() {
                        Some(next) if next <= end => self.now = next,
                        _ => break,
                    }
                    self.deliver();
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        let now = self.now;
        let due = |r: &(Timestamp, RequestId, Reply)| r.0 <= now && !matches!(r.2, Reply::Hang);
        while let Some(i) = self.replies.iter().position(due) {
            let (_, id, reply) = self.replies.remove(i);
            match reply {
                Reply::Fail => self.client.handle_failure(now, id),
                Reply::Http(status, body) => self.client.handle_response(now, id, status, &body),
                Reply::Stream(bytes, over) => {
                    // Cut where it hurts.
                    bytes.chunks(7).for_each(|chunk| self.client.handle_chunk(now, id, chunk));
                    if over {
                        self.client.handle_end(now, id);
                    } else {
                        self.replies.push((now, id, Reply::Hang));
                    }
                }
                Reply::Hang => {}
            }
        }
    }

    /// The request, its signature verified.
    fn read(&self, call: &Call) -> Asked {
        let one = |request: &SignedRequest| {
            request.verify(&self.relay.public()).unwrap();
            (request.mailbox(), request.operation().unwrap())
        };
        if !call.stream {
            assert_eq!(call.path, MAILBOX_PATH);
            let (mailbox, operation) = one(&SignedRequest::from_bytes(&call.body).unwrap());
            return Asked::One(mailbox, operation);
        }
        assert_eq!(call.path, READ_PATH);
        let polls = ReadRequest::from_bytes(&call.body).unwrap().polls;
        Asked::Read(
            polls
                .iter()
                .map(one)
                .map(|(mailbox, operation)| {
                    let Operation::Poll { incarnation, after, .. } = operation else { panic!() };
                    (mailbox, incarnation.map(|incarnation| Cursor { incarnation, seq: after }))
                })
                .collect(),
        )
    }

    pub(super) fn post(&mut self, tag: u64) {
        let (owner, sender) = (mailbox(9), SenderKeyPair::from_seed(&[8; 32]));
        let certificate = Certificate::issue(&owner, sender.public(), 0, Quota::default());
        self.client.post(tag, sender, certificate, vec![vec![tag as u8; 512]]);
    }

    pub(super) fn reads(&self) -> Vec<&Vec<(MailboxId, Option<Cursor>)>> {
        self.sent.iter().filter_map(|(_, a)| if let Asked::Read(r) = a { Some(r) } else { None }).collect()
    }

    pub(super) fn operations(&self) -> Vec<u8> {
        self.sent
            .iter()
            .filter_map(|(_, a)| if let Asked::One(_, o) = a { Some(o.code()) } else { None })
            .collect()
    }

    pub(super) fn posted(&self) -> Vec<u64> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Posted { tag, .. } = e { Some(*tag) } else { None })
            .collect()
    }
}

pub(super) fn mailbox(n: u8) -> MailboxKeyPair {
    MailboxKeyPair::from_seed(&[n; 32])
}

pub(super) fn at(seq: u64) -> Cursor {
    Cursor { incarnation: LIFE, seq }
}

pub(super) fn envelope(index: u32, seq: u64) -> Vec<u8> {
    Frame::Envelope { index, incarnation: LIFE, seq, envelope: vec![seq as u8; 512] }.to_bytes()
}

pub(super) fn end(index: u32, refusal: Refusal, time: Timestamp) -> Vec<u8> {
    Frame::End { index, refused: Refused { refusal, time } }.to_bytes()
}

pub(super) fn refuse(refusal: Refusal, time: Timestamp) -> Reply {
    Reply::Http(refusal.status(), Refused { refusal, time }.to_bytes())
}

/// A relay that does everything, and whose streams say nothing.
pub(super) fn obliging(now: Timestamp, asked: &Asked) -> Reply {
    match asked {
        Asked::Read(_) => Reply::Stream(Frame::KeepAlive.to_bytes(), false),
        Asked::One(_, Operation::Post { envelopes }) => {
            let verdicts = vec![Verdict::Stored; envelopes.len()];
            let expires_at = now.plus_millis(1_000);
            Reply::Http(202, Posted { time: now, incarnation: LIFE, verdicts, expires_at }.to_bytes())
        }
        Asked::One(..) => Reply::Http(200, Done { time: now, incarnation: LIFE }.to_bytes()),
    }
}
