use super::*;
use crate::identity::Identity;
use crate::session::SessionId;
use crate::tests_rng::rng;
use crate::time::Timestamp;

const SESSION: SessionId = SessionId::from_bytes([3; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct Pair {
    alice: Identity,
    bob: Identity,
    chain: SendChain,
}

impl Pair {
    fn new() -> Self {
        let (alice, _) = Identity::generate(&mut rng());
        let (bob, _) = Identity::generate(&mut rng());
        Self { alice, bob, chain: SendChain::start(&SESSION) }
    }

    fn alices(&self) -> Link {
        Link { session: SESSION, own: self.alice.root(), peer: self.bob.root() }
    }

    fn bobs(&self) -> Link {
        Link { session: SESSION, own: self.bob.root(), peer: self.alice.root() }
    }

    fn say(&mut self, body: &str) -> SignedRecord {
        let draft = Draft {
            kind: Kind::Msg,
            id: RecordId::generate(NOW, &mut rng()),
            re: None,
            exp: None,
            ctype: "text/plain".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let (key, link) = (self.alice.key().clone(), self.alices());
        let ack = Ack::nothing(SESSION.as_bytes());
        self.chain.sign(&key, &link, ack, NOW, draft, &mut rng()).unwrap()
    }

    fn hear(&self, payload: &[u8]) -> Result<Inbound, RecordError> {
        open(payload, &self.bobs(), &self.alice.key().public().into())
    }

    fn record(&self, payload: &[u8]) -> VerifiedRecord {
        match self.hear(payload).unwrap() {
            Inbound::Record(r) => *r,
            Inbound::Control(_) => panic!("a control message"),
        }
    }
}

#[test]
fn records_link_and_arrive_whole() {
    let mut pair = Pair::new();
    let mut chain = ReceiveChain::start(&SESSION);
    for text in ["one", "two", "three"] {
        let sent = pair.say(text);
        let got = pair.record(&sent.to_payload());
        assert_eq!(got.body().unwrap().1, text.as_bytes());
        assert_eq!(got.hash(), sent.hash);
        assert_eq!(chain.place(&got), Placement::Next);
        chain.advance(&got);
        assert_eq!(chain.place(&got), Placement::Behind);
    }
    assert_eq!(chain.recv, 3);
    assert_eq!(chain.head, pair.chain.head);
}

#[test]
fn a_gap_a_fork_and_another_history_are_told_apart() {
    let mut pair = Pair::new();
    let fork = pair.chain;
    let mut chain = ReceiveChain::start(&SESSION);
    let one = pair.say("one");
    let two = pair.say("two");
    assert_eq!(chain.place(&pair.record(&two.to_payload())), Placement::Ahead);
    chain.advance(&pair.record(&one.to_payload()));
    pair.chain = fork;
    let other = pair.say("another one");
    assert_eq!(chain.place(&pair.record(&other.to_payload())), Placement::Behind);
    assert_ne!(other.hash, one.hash);
    let after_fork = pair.say("and two");
    assert_eq!(chain.place(&pair.record(&after_fork.to_payload())), Placement::Broken);
}

#[test]
fn another_session_sender_or_receiver_is_refused() {
    let mut pair = Pair::new();
    let payload = pair.say("one").to_payload();
    let key = pair.alice.key().public().into();
    let link = pair.bobs();
    let other = SessionId::from_bytes([4; 32]);
    assert_eq!(open(&payload, &Link { session: other, ..link }, &key), Err(RecordError::Signature));
    let (carol, _) = Identity::generate(&mut rng());
    for wrong in [Link { own: carol.root(), ..link }, Link { peer: carol.root(), ..link }, pair.alices()] {
        assert_eq!(open(&payload, &wrong, &key), Err(RecordError::WrongSession));
    }
    assert_eq!(open(&payload, &link, &pair.bob.key().public().into()), Err(RecordError::Signature));
}

#[test]
fn a_stub_keeps_its_place_and_a_changed_body_does_not_pass() {
    let mut pair = Pair::new();
    let sent = pair.say("one");
    let stub = pair.record(&sent.to_stub());
    assert_eq!(stub.body(), None);
    assert_eq!(stub.hash(), sent.hash);
    let payload = sent.to_payload();
    let mut changed = payload.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(pair.hear(&changed), Err(RecordError::Body));
    changed.pop();
    assert_eq!(pair.hear(&changed), Err(RecordError::Body));
    assert_eq!(pair.hear(&payload[..payload.len() - 18]), Err(RecordError::Malformed), "half a salt");
}

#[test]
fn control_messages_stand_outside_the_chain() {
    let pair = Pair::new();
    let mut ack = Ack::nothing(SESSION.as_bytes());
    ack.missing.push(SeqRange { from: 2, to: 4 });
    ack.except.push(Except { range: SeqRange { from: 1, to: 1 }, reason: Reason::Poison });
    let control =
        Control { kind: ControlKind::Status, ack, cseq: 5, last: 0, head: pair.chain.head, ts: NOW };
    let payload = control_payload(&control.sign(pair.alice.key(), &pair.alices()));
    let Inbound::Control(got) = pair.hear(&payload).unwrap() else { panic!("a record") };
    assert_eq!(*got.get(), control);
    let mut longer = payload.to_vec();
    longer.push(0);
    assert_eq!(pair.hear(&longer), Err(RecordError::Malformed));
    let zero = Control { cseq: 0, ..control };
    let mut no_gap = Control { cseq: 6, ..zero.clone() };
    no_gap.ack.missing.clear();
    no_gap.ack.unopenable.push(crate::envelope::EnvelopeHash::of(b"of no use to anybody"));
    for bad in [zero, no_gap] {
        let payload = control_payload(&bad.sign(pair.alice.key(), &pair.alices()));
        assert_eq!(pair.hear(&payload), Err(RecordError::Malformed));
    }
}

#[test]
fn every_truncation_and_flipped_byte_of_a_payload_is_refused() {
    let mut pair = Pair::new();
    let payload = pair.say("one").to_payload();
    for n in 0..payload.len() {
        // the one valid shorter form is the stub
        let stub = matches!(pair.hear(&payload[..n]), Ok(Inbound::Record(r)) if r.body().is_none());
        assert_eq!(stub, n == payload.len() - 3 - Salt::LEN, "length {n}");
    }
    for i in 0..payload.len() {
        let mut bad = payload.to_vec();
        bad[i] ^= 0x20;
        assert!(pair.hear(&bad).is_err(), "byte {i}");
    }
}

#[test]
fn what_a_receiver_would_refuse_is_not_signed_and_takes_no_place() {
    let mut pair = Pair::new();
    let before = pair.chain;
    let draft = |kind, ctype: &str, body| Draft {
        kind,
        id: RecordId::generate(NOW, &mut rng()),
        re: None,
        exp: None,
        ctype: ctype.to_owned(),
        body,
    };
    let key = pair.alice.key().clone();
    let link = pair.alices();
    for bad in [
        draft(Kind::Msg, "text/plain\n", Vec::new()),
        draft(Kind::Msg, &"x".repeat(MAX_CONTENT_TYPE + 1), Vec::new()),
        draft(Kind::Other("Not Plain".to_owned()), "text/plain", Vec::new()),
        draft(Kind::Msg, "text/plain", vec![0; MAX_BODY + 1]),
    ] {
        let ack = Ack::nothing(SESSION.as_bytes());
        assert!(pair.chain.sign(&key, &link, ack, NOW, bad, &mut rng()).is_err());
    }
    assert_eq!(pair.chain, before);
}

#[test]
fn a_signed_header_that_is_not_deterministic_is_refused() {
    let mut pair = Pair::new();
    let sent = pair.say("one");
    let key = pair.alice.key().public().into();
    let payload = cose::verify(&key, &SESSION, &sent.cose).unwrap().to_vec();
    assert!(Header::decode(&payload).is_ok());
    let resigned = |payload: &[u8]| {
        let cose = cose::sign(pair.alice.key(), &SESSION, payload);
        let mut out = vec![1];
        crate::encoding::lv(&mut out, &cose);
        out
    };
    // an unknown key 18 at the end, the map's head one larger
    let mut unknown = payload.clone();
    unknown[0] += 1;
    unknown.extend_from_slice(&[0x12, 0x00]);
    assert_eq!(pair.hear(&resigned(&unknown)), Err(RecordError::Malformed));
    // a doubled key
    let mut doubled = payload.clone();
    doubled[0] += 1;
    doubled.extend_from_slice(&[0x0e, 0x03]);
    assert_eq!(pair.hear(&resigned(&doubled)), Err(RecordError::Malformed));
    // indefinite length
    let mut indefinite = payload.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    assert_eq!(pair.hear(&resigned(&indefinite)), Err(RecordError::Malformed));
    // nesting without end
    assert_eq!(pair.hear(&resigned(&[0x81; 4096])), Err(RecordError::Malformed));
}
