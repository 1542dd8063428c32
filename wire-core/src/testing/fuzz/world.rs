//! The honest side of the targets: two parties, what they signed, and a pairing of theirs, the same in each run.

use std::sync::LazyLock;

use super::super::SeededRng;
use crate::identity::{Identity, PinnedKey};
use crate::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, SenderKeyPair};
use crate::pairing::{
    Context, Initiator, InitiatorKeyed, InviteId, InviteSecret, LocalOffer, PairingSecret, Responder,
};
use crate::record::{
    Ack, Control, ControlKind, Draft, Except, Kind, Link, Reason, RecordId, SendChain, SeqRange, SignedRecord,
};
use crate::session::SessionId;
use crate::time::Timestamp;

pub(super) use super::super::NOW;

pub(super) const SESSION: SessionId = SessionId::from_bytes([3; 32]);

pub(super) static ALICE: LazyLock<Party> = LazyLock::new(|| Party::new("alice", 41));
pub(super) static BOB: LazyLock<Party> = LazyLock::new(|| Party::new("bob", 42));

/// An agent with a mailbox for its peer.
pub(super) struct Party {
    pub(super) identity: Identity,
    pub(super) sender: SenderKeyPair,
    pub(super) certificate: Certificate,
    pub(super) pinned: PinnedKey,
    display: &'static str,
}

impl Party {
    fn new(display: &'static str, seed: u64) -> Self {
        let rng = &mut SeededRng::new(seed);
        let (identity, _) = Identity::generate(rng);
        let mailbox = MailboxKeyPair::generate(rng);
        let sender = SenderKeyPair::generate(rng);
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        let pinned = identity.key().public().into();
        Self { identity, sender, certificate, pinned, display }
    }

    pub(super) fn offer(&self) -> LocalOffer<'_> {
        LocalOffer {
            identity: &self.identity,
            url: "https://relay.example.org",
            relay: RelayId::from_bytes([7; 32]),
            certificate: &self.certificate,
            sender: &self.sender,
            display: self.display,
        }
    }
}

/// The session as `own` sees it.
pub(super) fn link(own: &Party, peer: &Party) -> Link {
    Link { session: SESSION, own: own.identity.root(), peer: peer.identity.root() }
}

/// What Alice signed for Bob: three records and two control messages.
pub(super) struct Signed {
    pub(super) records: Vec<SignedRecord>,
    pub(super) controls: Vec<Vec<u8>>,
}

pub(super) static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let rng = &mut SeededRng::new(43);
    let mut chain = SendChain::start(&SESSION);
    let link = link(&ALICE, &BOB);
    let nothing = Ack::nothing(SESSION.as_bytes());
    let kinds =
        [(Kind::Hello, "application/cbor"), (Kind::Ask, "text/plain"), (Kind::Other("x.y-1".into()), "")];
    let records = kinds.map(|(kind, ctype)| {
        let body = if ctype.is_empty() { Vec::new() } else { b"ferry at nine?".to_vec() };
        let answers = kind == Kind::Ask;
        let re = answers.then(|| RecordId::from_bytes([8; 16]));
        let exp = answers.then(|| NOW.plus_millis(60_000));
        let draft = Draft { id: RecordId::generate(NOW, rng), re, exp, ctype: ctype.to_owned(), body, kind };
        chain.sign(ALICE.identity.key(), &link, nothing.clone(), NOW, draft, rng).expect("an honest record")
    });
    let full = Ack {
        recv: 9,
        proc: 7,
        seen: 3,
        except: vec![Except { range: SeqRange { from: 4, to: 5 }, reason: Reason::Poison }],
        missing: vec![SeqRange { from: 10, to: 12 }],
        unopenable: vec![crate::envelope::EnvelopeHash::from_bytes([6; 32])],
        ..nothing.clone()
    };
    let kinds = [(ControlKind::Ack, full), (ControlKind::Status, nothing)];
    let controls = kinds.map(|(kind, ack)| {
        let control = Control { kind, ack, cseq: 5, last: chain.last, head: chain.head, ts: NOW };
        control.sign(ALICE.identity.key(), &link)
    });
    Signed { records: records.into(), controls: controls.into() }
});

/// A pairing by invite of Alice and Bob, and the states between its steps.
pub(super) struct Run {
    /// M1 to M4.
    pub(super) messages: [Vec<u8>; 4],
    initiator: Vec<u8>,
    responder: Vec<u8>,
    awaiting: Vec<u8>,
    /// Alice with her keys, to seal what is no offer.
    pub(super) keyed: InitiatorKeyed,
}

/// What each step draws from: the same step on the same message gives the same.
pub(super) fn step_rng(step: u64) -> SeededRng {
    SeededRng::new(50 + step)
}

pub(super) fn invite() -> (PairingSecret, Context) {
    let rendezvous = InviteId::from_bytes([9; 16]).into();
    (InviteSecret::from_bytes([5; 16]).into(), Context { relay: RelayId::from_bytes([7; 32]), rendezvous })
}

pub(super) static RUN: LazyLock<Run> = LazyLock::new(|| {
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), &mut step_rng(1));
    let initiator = a.to_bytes().expect("an invite is stored").to_vec();
    let keyed = |m2: &[u8]| Initiator::from_bytes(&initiator).and_then(|a| a.receive_m2(m2));
    let (b, m2) = Responder::respond(&secret, context, &m1, &mut step_rng(2)).expect("M1");
    let responder = b.to_bytes().expect("an invite is stored").to_vec();
    let (a, m3) = keyed(&m2).expect("M2").offer(ALICE.offer(), &mut step_rng(3)).expect("an offer");
    let awaiting = a.to_bytes().expect("an invite is stored").to_vec();
    let b = b.receive_m3(&m3, BOB.identity.root()).expect("M3");
    let (_, m4) = b.confirm(BOB.offer(), &mut step_rng(4)).expect("an offer");
    let keyed = keyed(&m2).expect("M2");
    Run { messages: [m1, m2, m3, m4], initiator, responder, awaiting, keyed }
});

impl Run {
    /// The stored states, in the order of the steps.
    pub(super) fn stored(&self) -> [&[u8]; 3] {
        [&self.initiator, &self.responder, &self.awaiting]
    }
}

/// A time that is `offset` milliseconds from now.
pub(super) fn at(offset: i64) -> Timestamp {
    NOW.offset_millis(offset)
}
