//! Inputs to begin with: for each target what is honest, and what lies at a boundary.

use super::world::{ALICE, RUN, SIGNED};
use super::{identity, log, mailbox_client, offer, record, recovery, relay, reset, session};
use crate::envelope::{HARD_MAX, OVERHEAD};
use crate::mailbox::{
    Allocate, Allocated, Claim, Claimed, ClientToken, Close, Cursor, Done, EnvelopeHash, Frame, Get, Got,
    Incarnation, InviteId, Nameplate, Operation, OperatorToken, Page, Posted, Put, Refusal, Refused,
    Rendezvous, Right, Slot, Verdict,
};
use crate::pairing::InviteLink;
use crate::record::{forge, log::LogLine};
use crate::testing::{NOW, SeededRng};

const LIFE: Incarnation = Incarnation::from_bytes([1; 16]);

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The target that it is for.
    pub target: &'static str,
    /// Its file's name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// All of them, the same in each run. The files of `fuzz/seeds` are these, and what was found since.
pub fn seeds() -> Vec<Seed> {
    let mut all = Seeds::default();
    all.text();
    all.identity();
    all.record();
    all.recovery();
    all.pairing();
    all.envelope();
    all.mailbox();
    all.relay();
    all.log();
    all.session();
    all.scenario();
    all.reset();
    all.0
}

#[derive(Default)]
struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, target: &'static str, name: impl Into<String>, parts: &[&[u8]]) {
        self.0.push(Seed { target, name: name.into(), bytes: parts.concat() });
    }

    fn text(&mut self) {
        let link = InviteLink::generate(
            "https://relay.example.org".parse().expect("a URL"),
            &mut SeededRng::new(80),
        );
        for (name, text) in [
            ("code", "4821-canyon-velvet-oyster"),
            ("code-with-relay", "4821 CANY.velvet_oyst@relay.example.org:8443"),
            ("code-on-loopback", "000000000-zoo-zoo-zoo-zoo-zoo-zoo-zoo-zoo@[::1]:1"),
            ("code-mistyped", "4821-canyon-velvet-oistre"),
            ("link", &link.reveal()),
            ("origin", "http://127.0.0.1:65535"),
            ("origin-v6", "https://[2001:db8::1]:443"),
            ("root", &ALICE.identity.root().to_string()),
            ("record-id", "01K9ZQ6J5T4M2P8W7X3Y0V1N9B"),
            ("challenge", "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"),
        ] {
            self.add("text", name, &[text.as_bytes()]);
        }
    }

    fn identity(&mut self) {
        self.add("identity", "one", &[&[0], &identity::honest_chain(1)]);
        self.add("identity", "three", &[&[0], &identity::honest_chain(3)]);
        self.add("identity", "edited", &[&[1, 3, 0, 0, 5, 1]]);
        // The second statement claims another serial, and is signed by its own key.
        self.add("identity", "another-serial", &[&[2, 2, 0, 1, 100, 7, 0, 0]]);
        // The last commits to another key, which is its right.
        self.add("identity", "another-next", &[&[2, 1, 0, 1, 70, 7, 0]]);
        self.add("certificate", "honest", &[&[0], identity::CERTIFICATE.as_bytes()]);
        self.add("certificate", "edited", &[&[1, 0, 0, 65, 1]]);
        self.add("certificate", "all-quotas-at-most", &[&[2, 0, 0, 0], &[0xff; 52]]);
        self.add("certificate", "another-mailbox", &[&[2, 0, 9, 1], &[1; 52]]);
    }

    fn record(&mut self) {
        for (n, payload) in record::PAYLOADS.iter().enumerate() {
            self.add("record", format!("payload-{n}"), &[&[0], payload]);
            self.add("record", format!("payload-{n}-edited"), &[&[1, n as u8, 0, 0, 90, 1]]);
        }
        for (n, map) in record::MAPS.iter().enumerate() {
            self.add("record", format!("map-{n}"), &[&[2, 0], map]);
            self.add("record", format!("map-{n}-edited"), &[&[2, 1, n as u8, 0, 0, 107, 1]]);
        }
        // One head is longer than it has to be: inside of what is signed, and outside of it.
        self.add("record", "map-wide", &[&[2, 1, 0, 0, 0, 0, 0x16, 2, 0, 1, 1, 14]]);
        let cose = &SIGNED.records[0].cose;
        let wide = [&cose[..6], &[0x5a, 0, 0], &cose[7..]].concat();
        self.add("record", "payload-wide", &[&[0], &forge::payload(&wide, &[], &[])]);
        // changed, then seq, ts, exp, recv, proc, seen, from, to; except; kind, ctype, id, salt, body.
        let numbers: [u8; 18] = [0, 2, 1, 2, 1, 1, 2, 9, 2, 3, 2, 3, 2, 3, 2, 1, 2, 4];
        let rest = [&[0, 0][..], b"\x03msg\x0atext/plain", &[8; 16], &[9; 16], b"ferry at nine"].concat();
        self.add("record", "fields", &[&[3], &numbers, &rest]);
        self.add("record", "fields-of-another", &[&[3, 2], &numbers[1..], &rest]);
        let most = [&[0, 1][..], b"\x03msg\x00", &[8; 16], &[9; 16]].concat();
        self.add("record", "fields-most-excepts", &[&[3], &numbers, &[1, 0], &most[2..]]);
    }

    fn recovery(&mut self) {
        let (file, body) = (&recovery::FILE, &recovery::BODY);
        self.add("recovery", "honest", &[&[1]]);
        // The header alone: a whole file would be 4 KiB of noise.
        self.add("recovery", "header", &[&[0], &file[..67]]);
        for (name, at, value) in
            [("memory", 15u16, 0xff), ("passes", 22, 0xff), ("lanes", 26, 1), ("nonce", 43, 1)]
        {
            self.add("recovery", name, &[&[1, 0], &at.to_be_bytes(), &[value]]);
        }
        self.add("recovery", "body", &[&[2]]);
        self.add("recovery", "frame", &[&[3, 0]]);
        self.add("recovery", "frame-longer-than-it-needs", &[&[3, 1]]);
        self.add("recovery", "frame-unclean", &[&[3, 0, 0, 0x0f, 0xff, 1]]);
        let at = |field: &[u8]| body.windows(field.len()).position(|w| w == field).expect("a field") as u16;
        for (name, field, edit) in [
            ("body-another-name", &b"\x63bob"[..], &b"\x04\x63abc"[..]),
            ("body-name-that-is-none", b"\x63bob", b"\x04\x63../"),
            ("body-another-time", b"\x01\x1b", b"\x04\x01\x1b\x00\x01"),
            ("body-another-next-key", b"\x05\x58\x20", b"\x04\x05\x58\x20\x00"),
        ] {
            self.add("recovery", name, &[&[2, 3], &at(field).to_be_bytes(), edit]);
        }
        self.add("recovery", "body-wide", &[&[2, 2], &at(b"\x01\x1b").to_be_bytes(), &[1, 0x18]]);
        self.add("recovery", "body-cut", &[&[2, 1, 3, 0]]);
    }

    fn reset(&mut self) {
        let run = &reset::RUN;
        for (n, name) in [(0u8, "request"), (1, "answer")] {
            self.add("reset", name, &[&[n, 1]]);
            self.add("reset", format!("{name}-raw"), &[&[n, 0], &run.messages[usize::from(n)]]);
            self.add("reset", format!("{name}-edited"), &[&[n, 1, 0, 0, 90, 1]]);
            self.add("reset", format!("{name}-signed"), &[&[n, 2]]);
            // Another sender, receiver, counter or hash, key: signed by the peer all the same.
            for at in [5u8, 40, 75, 100, 110, 120] {
                self.add("reset", format!("{name}-signed-{at}"), &[&[n, 2, 0, 0, at, 1]]);
            }
            self.add("reset", format!("{name}-signed-cut"), &[&[n, 2, 1, 0, 200]]);
        }
        self.add("reset", "state", &[&[2], &run.state]);
        self.add("reset", "words", &[&[3], b"canoe lamp velvet orbit fence ZOO-zoo_abandon"]);
        self.add("reset", "words-mistyped", &[&[3], b"canoe lamp velvet orbit fence zoo zoo abandom"]);
        self.add("reset_envelope", "honest", &[&[1]]);
        self.add("reset_envelope", "raw", &[&[0], &run.envelope]);
        self.add("reset_envelope", "edited-header", &[&[1, 0, 0, 30, 1]]);
        self.add("reset_envelope", "edited-body", &[&[1, 0, 0, 200, 1]]);
        self.add("reset_envelope", "sealed", &[&[2, 0], b"not signed"]);
        self.add("reset_envelope", "sealed-empty", &[&[2, 1]]);
    }

    fn pairing(&mut self) {
        for (n, message) in RUN.messages.iter().enumerate() {
            let step = n as u8;
            self.add("pairing", format!("m{}", n + 1), &[&[step, 1]]);
            self.add("pairing", format!("m{}-edited", n + 1), &[&[step, 1, 0, 0, 40, 1]]);
            self.add("pairing", format!("m{}-last-byte", n + 1), &[&[step, 1, 1], &end(message)]);
        }
        self.add("pairing", "m1-raw", &[&[0, 0], &RUN.messages[0]]);
        // Another list of suites, with its count; a share of zeros, the identity.
        self.add("pairing", "m1-more-suites", &[&[0, 1, 0, 0, 66, 3, 2, 0, 68, 1, 2]]);
        self.add("pairing", "m1-identity", &[&[0, 1, 3, 0, 34, 32], &[0; 32]]);
        self.add("pairing", "m2-identity", &[&[1, 1, 3, 0, 1, 32], &[0; 32]]);
        self.add("pairing", "m2-another-suite", &[&[1, 1, 0, 0, 33, 3]]);

        self.add("offer", "honest", &[&[1]]);
        self.add("offer", "raw", &[&[0], &offer::BODY]);
        self.add("offer", "of-another", &[&[2]]);
        self.add("offer", "own", &[&[3]]);
        self.add("offer", "padding", &[&[4, 0, 0x0f, 0xff, 1]]);
        self.add("offer", "longer-than-it-needs", &[&[4, 2, 0x10, 0, 255], &[0; 255]]);
        let at =
            |field: &[u8]| offer::BODY.windows(field.len()).position(|w| w == field).expect("a field") as u16;
        let mailbox = at(ALICE.certificate.mailbox().as_bytes());
        self.add("offer", "another-mailbox", &[&[1, 0], &mailbox.to_be_bytes(), &[1]]);
        for (name, field, edit) in [
            ("name-that-hides", &b"alice"[..], &b"\x05\xe2\x80\xaebo"[..]),
            ("url-with-user", b"https://relay", b"\x0chttps://u@la"),
            ("low-order-key", b"\x02\x58\x20", &[&b"\x23\x02\x58\x20"[..], &[0; 32]].concat()),
        ] {
            self.add("offer", name, &[&[1, 3], &at(field).to_be_bytes(), edit]);
        }
    }

    fn envelope(&mut self) {
        let max = (HARD_MAX as u32).to_be_bytes();
        let head = [3, 0, 0, 2, 1, 1];
        self.add("envelope", "smallest", &[&[0], &max, &[0, 9], &head]);
        self.add("envelope", "largest", &[&[0], &max, &[0, 18], &head]);
        self.add("envelope", "too-large", &[&[0], &max, &[0, 19], &head]);
        self.add("envelope", "no-class", &[&[0], &max, &[1, 2, 1], &head]);
        self.add("envelope", "another-suite", &[&[0], &max, &[0, 9, 3, 0, 0, 2, 1, 9]]);
        for (name, payload) in
            [("empty", 0u32), ("full", 410), ("over", 411), ("most", (HARD_MAX - OVERHEAD) as u32)]
        {
            self.add("envelope", format!("size-{name}"), &[&[1], &payload.to_be_bytes(), &max]);
            self.add("envelope", format!("body-{name}"), &[&[2, 0, 0], &payload.to_be_bytes()]);
        }
        self.add("envelope", "body-of-a-class-too-many", &[&[2, 0, 1], &410u32.to_be_bytes()]);
        self.add("envelope", "body-unclean", &[&[2, 0, 0], &9u32.to_be_bytes(), &[0, 0, 13, 1]]);
    }

    fn mailbox(&mut self) {
        let digits: Rendezvous = "4821".parse::<Nameplate>().expect("digits").into();
        let token = ClientToken::from_bytes([9; 32]);
        let right = Right::Pairing { place: digits.clone(), token: token.clone() };
        let refused = |refusal| Refused { refusal, time: NOW }.to_bytes();
        let put = Put { place: digits.clone(), token: token.clone(), slot: Slot::A1, bytes: vec![1, 2] };
        let page = Page {
            time: NOW,
            incarnation: LIFE,
            acked: 3,
            head: 6,
            envelopes: vec![(4, vec![1]), (6, vec![])],
        };
        let verdicts = vec![Verdict::Stored, Verdict::TooLarge];
        let get = Get { place: digits.clone(), token: token.clone(), slot: Slot::B2, wait_ms: 50_000 };
        let id = Rendezvous::Invite(InviteId::from_bytes([7; 16]));
        let bodies = [
            ("allocate", Allocate { token: token.hash(), invite: None, right }.to_bytes()),
            ("allocated", Allocated { place: digits.clone(), until: NOW }.to_bytes()),
            ("claim", Claim { place: id, token: token.hash() }.to_bytes()),
            ("claimed", Claimed { until: NOW }.to_bytes()),
            ("put", put.to_bytes()),
            ("get", get.to_bytes()),
            ("got", Got { bytes: Some(vec![7]), contested: false }.to_bytes()),
            ("close", Close { place: digits, token }.to_bytes()),
            ("done", Done { time: NOW, incarnation: LIFE }.to_bytes()),
            ("posted", Posted { time: NOW, incarnation: LIFE, verdicts, expires_at: NOW }.to_bytes()),
            ("page", page.to_bytes()),
            ("empty", vec![0x80]),
            ("refused", refused(Refusal::NotFound)),
            ("refused-stale", refused(Refusal::Stale { incarnation: LIFE, first: 1, head: u64::MAX })),
            ("refused-work", refused(Refusal::Work { challenge: [4; 16], bits: 20 })),
            ("wide", vec![0x81, 0x18, 5]),
            ("array-without-end", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec()),
        ];
        for (name, body) in &bodies {
            self.add("mailbox_bodies", *name, &[body]);
        }
        for (name, operation) in operations() {
            self.add("mailbox_bodies", format!("args-{name}"), &[&[operation.code()], &operation.args()]);
        }
        let envelope = Frame::Envelope { index: 2, incarnation: LIFE, seq: 5, envelope: vec![1, 2, 3] };
        let over = Frame::End { index: 1, refused: Refused { refusal: Refusal::OldEpoch, time: NOW } };
        let frames = [Frame::KeepAlive, envelope, over, Frame::Bye { reconnect_after_ms: 5 }];
        let stream: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
        self.add("frames", "all", &[&[1, 3, 200, 7], &stream]);
        self.add("frames", "cut", &[&[5; 4], &stream[..stream.len() - 1]]);
        self.add("frames", "too-long", &[&[5; 4], &2049u32.to_be_bytes(), &[0; 9]]);
        self.add("relay_proof", "honest", &[b"\x00\x12Relay.Example:8770\x00"]);
        self.add("relay_proof", "of-another-host", &[b"\x00\x05relay\x01\x06relay."]);
        self.add("relay_proof", "of-another-time", &[b"\x00\x05relay\x00\x00\x00\x28\x01"]);
        self.add("relay_proof", "of-another-challenge", &[b"\x01\x05relay\x00"]);
    }

    fn relay(&mut self) {
        let keys = &*relay::KEYS;
        for n in 0..7 {
            self.add("relay_requests", format!("honest-{n}"), &[&[0], &relay::honest_body(keys, n)]);
            self.add("relay_requests", format!("edited-{n}"), &[&[1, n as u8, 0, 0, 40, 1]]);
        }
        for (name, operation) in operations() {
            // By the owner, by the sender, at the edge of the skew and behind it.
            for (who, signer, offset) in [
                ("owner", 0, 0),
                ("sender", 1, 0),
                ("liar", 2, 0),
                ("late", 0, 120_000),
                ("too-late", 0, 120_001),
            ] {
                if signer <= 1 || operation.code() <= 2 {
                    let head = [&[2, operation.code(), signer][..], &u32::to_be_bytes(offset), &[0]].concat();
                    self.add("relay_requests", format!("{name}-by-{who}"), &[&head, &operation.args()]);
                }
            }
        }
        self.add("relay_requests", "empty-post", &[&[2, 2, 1, 0, 0, 0, 0, 0, 0x80]]);
        for (name, script) in mailbox_client::scripts() {
            self.add("mailbox_client", name, &[&script]);
        }
    }

    fn log(&mut self) {
        let text: String = log::TOLD.lines.iter().map(LogLine::to_text).collect();
        self.add("log", "honest", &[&[0], text.as_bytes()]);
        self.add("log", "edited", &[&[1, 0, 1, 44, 3]]);
        let order: Vec<u8> = (0..log::TOLD.lines.len() as u8).flat_map(|n| [n, 0]).skip(1).collect();
        self.add("log", "in-order", &[&[2, 0], &order[1..]]);
        self.add("log", "pruned", &[&[2, 0, 1, 1], &order[3..]]);
        self.add("log", "turned-round", &[&[2, 0, 4, 0, 1, 0, 5, 0, 2, 0, 6, 0, 3, 0, 7, 0, 8, 0, 9, 0]]);
        self.add("log", "cut", &[&[2, 0, 1, 0, 10, 1, 0]]);
        self.add("log", "no-conflict", &[&[2, 0, 1, 0, 12, 2]]);
        self.add("log", "another-history", &[&[2, 0, 1, 0, 11, 10, 2, 0]]);
        for (name, line) in [
            ("line-doubled-member", "{\"end\":[1,1],\"end\":[1,1]}\n"),
            ("line-null", "{\"by\":\"own\",\"cose\":\"\",\"salt\":null,\"body\":null}\n"),
            ("line-escaped", "{\"by\":\"own\",\"control\":\"A\\u0041A\"}\n"),
            ("line-without-end", "{\"end\":[0,0]}"),
        ] {
            self.add("log", name, &[&[0], line.as_bytes()]);
        }
    }

    fn session(&mut self) {
        self.add("session_state", "bob", &[&[0], &session::TALK.bob]);
        self.add("session_state", "alice", &[&[0], &session::TALK.alice]);
        self.add("session_state", "edited", &[&[4, 0, 0, 1, 1]]);
        self.add("session_state", "chain-at-its-end", &[&[4, 3, 0, 201, 4, 0xff, 0xff, 0xff, 0xff]]);
        for (n, stored) in RUN.stored().into_iter().enumerate() {
            self.add("session_state", format!("pairing-{n}"), &[&[0], stored]);
            self.add("session_state", format!("pairing-{n}-edited"), &[&[5 + n as u8, 0, 0, 70, 0x80]]);
        }
        for (n, envelope) in session::TALK.waiting.iter().enumerate() {
            self.add("session_open", format!("waiting-{n}"), &[&[0], envelope]);
        }
        for n in 0..6 {
            self.add("session_open", format!("edited-{n}"), &[&[1, n, 0, 0, 200, 1]]);
            self.add("session_open", format!("whole-{n}"), &[&[1, n]]);
        }
        self.add("session_open", "forged-skip", &[&[2, 4, 1, 0x07, 0xd0, 0, 4, 1, 0x0f, 0xa1, 0]]);
        self.add("session_open", "forged-far", &[&[2, 4, 0, 0xff, 0xff, 0xff, 0xff, 0]]);
        self.add("session_open", "forged-key", &[&[2, 1], &[5; 32], b"\x03abc"]);
    }

    fn scenario(&mut self) {
        let turns = (0..9u8).flat_map(|n| [n % 2, 3, 6 + n % 2, n / 2]).collect::<Vec<u8>>();
        self.add("scenario", "ping-pong", &[&turns]);
        self.add("scenario", "both-first", &[&[0, 1, 1, 2, 0, 3, 1, 4, 6, 1, 7, 1, 6, 0, 7, 0]]);
        self.add("scenario", "reordered", &[&[0, 1, 0, 2, 0, 3, 6, 2, 6, 1, 6, 1, 6, 0]]);
        self.add("scenario", "lost-in-the-middle", &[&[0, 9, 0, 9, 0, 9, 6, 2, 1, 5, 7, 0, 0, 9, 6, 3]]);
        self.add("scenario", "tampered", &[&[0, 9, 12, 0, 4, 0, 0, 90, 1, 6, 0, 12, 0, 4, 0, 1, 144, 1]]);
        self.add("scenario", "started-again", &[&[0, 1, 14, 6, 0, 15, 1, 1, 14, 7, 0, 14, 15]]);
        // Alice's first is late by more chains than Bob keeps.
        let late: Vec<u8> = (1..9).flat_map(|n| [0, 1, 6, n, 1, 1, 7, n - 1]).collect();
        self.add("scenario", "too-late", &[&[0, 1], &late, &[6, 0]]);
    }
}

fn operations() -> [(&'static str, Operation); 9] {
    let at = Cursor { incarnation: LIFE, seq: 5 };
    let create = |right| Operation::Create { min_epoch: 1, right };
    let operator = OperatorToken::new(b"abc").expect("a token");
    [
        ("create", create(Right::None)),
        ("create-operator", create(Right::Operator(operator))),
        ("create-work", create(Right::Work { challenge: [4; 16], answer: [1; 8] })),
        ("post", Operation::Post { envelopes: vec![vec![1; 16], vec![2; 17], vec![3; 16]] }),
        ("post-over-the-day", Operation::Post { envelopes: vec![vec![1; 16]; 9] }),
        ("poll", Operation::Poll { incarnation: Some(LIFE), after: 4, max: 128, wait_ms: 50_000 }),
        ("ack", Operation::Ack { at, hash: EnvelopeHash::from_bytes([6; 32]) }),
        ("epoch", Operation::Epoch { min_epoch: u32::MAX }),
        ("delete", Operation::Delete),
    ]
}

/// Cuts the last byte off.
fn end(message: &[u8]) -> [u8; 2] {
    ((message.len() - 1) as u16).to_be_bytes()
}
