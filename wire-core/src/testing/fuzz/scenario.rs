//! Two agents, sessions and records of both, and a relay that delivers as it likes.

use std::collections::BTreeMap;

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, NOW, Party};
use crate::envelope::DEFAULT_MAX;
use crate::record::{
    Ack, Draft, Inbound, Kind, Link, Placement, ReceiveChain, RecordHash, RecordId, SendChain,
    VerifiedRecord, open,
};
use crate::session::{Lane, OpenError, Session};
use crate::testing::{SeededRng, copy, sessions};

const MAX_EVENTS: usize = 96;
/// Closed chains that a receiver keeps.
const KEPT: usize = 5;

/// The bytes are a schedule: send, deliver in any order or again, deliver a changed copy, start again from the
/// store; what is never delivered is lost. Every honest record opens exactly once, in its place, as it was signed,
/// whatever came before it; nothing else opens. What of the ratchet's past is too old is the one exception.
pub fn scenario(data: &[u8]) {
    let mut input = Input::new(data);
    let mut rng = SeededRng::new(70);
    let (a, b) = sessions(71);
    let mut sides = [Side::new(a, &ALICE, &BOB), Side::new(b, &BOB, &ALICE)];
    for _ in 0..MAX_EVENTS {
        if input.is_empty() {
            break;
        }
        let event = input.u8();
        let [a, b] = &mut sides;
        let (from, to) = if event & 1 == 0 { (a, b) } else { (b, a) };
        match event >> 1 & 7 {
            0..3 => {
                let size = usize::from(input.u8()) * 8;
                from.send(size, &mut rng);
            }
            3..6 => {
                if let Some(at) = from.pick(&mut input) {
                    to.receive(&mut from.sent[at], &mut rng);
                }
            }
            6 => {
                if let Some(at) = from.pick(&mut input) {
                    let edits = input.short();
                    to.refuse(&from.sent[at], &Input::new(edits).edited(&from.sent[at].envelope), &mut rng);
                }
            }
            _ => to.session = copy(&to.session),
        }
    }
    let [a, b] = &mut sides;
    deliver_the_rest(a, b, &mut rng);
    deliver_the_rest(b, a, &mut rng);
}

fn deliver_the_rest(from: &mut Side, to: &mut Side, rng: &mut SeededRng) {
    for sent in &mut from.sent {
        to.receive(sent, rng);
    }
    to.has_all_of(from);
}

struct Sent {
    envelope: Vec<u8>,
    body: Vec<u8>,
    hash: RecordHash,
    /// The sender's chain of the ratchet that it is in.
    chain: usize,
    opened: bool,
}

struct Side {
    session: Session,
    party: &'static Party,
    peer: &'static Party,
    link: Link,
    chain: SendChain,
    received: ReceiveChain,
    /// Beyond a gap.
    held: BTreeMap<u64, VerifiedRecord>,
    sent: Vec<Sent>,
    /// This side's own chain of the ratchet, and the newest one of the peer's that was seen.
    turn: usize,
    peer_turn: usize,
}

impl Side {
    fn new(session: Session, party: &'static Party, peer: &'static Party) -> Self {
        let id = session.id();
        Self {
            link: Link { session: id, own: party.identity.root(), peer: peer.identity.root() },
            chain: SendChain::start(&id),
            received: ReceiveChain::start(&id),
            held: BTreeMap::new(),
            sent: Vec::new(),
            turn: 0,
            peer_turn: 0,
            session,
            party,
            peer,
        }
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        let at = input.choice(self.sent.len());
        (at < self.sent.len()).then_some(at)
    }

    fn send(&mut self, size: usize, rng: &mut SeededRng) {
        let ReceiveChain { recv, head } = self.received;
        let ack = Ack { recv, head, ..Ack::nothing(self.link.session.as_bytes()) };
        let draft = Draft {
            kind: Kind::Msg,
            id: RecordId::generate(NOW, rng),
            re: None,
            exp: None,
            ctype: String::new(),
            body: vec![self.sent.len() as u8; size],
        };
        let body = draft.body.clone();
        let record = self.chain.sign(self.party.identity.key(), &self.link, ack, NOW, draft, rng);
        let record = record.expect("an honest record");
        let envelope = self.session.seal(Lane::Ordinary, &record.to_payload(), DEFAULT_MAX, rng);
        let envelope = envelope.expect("few are sent, and none is long");
        self.sent.push(Sent { envelope, body, hash: record.hash, chain: self.turn, opened: false });
    }

    /// What the model expects of an envelope of the peer, and what comes of it.
    fn receive(&mut self, sent: &mut Sent, rng: &mut SeededRng) {
        let before = self.session.to_bytes();
        let result = self.session.open(&sent.envelope, NOW, rng);
        assert_eq!(self.session.to_bytes(), before, "opening changed the session");
        if self.peer_turn.saturating_sub(sent.chain) > KEPT {
            return assert_eq!(result.unwrap_err(), OpenError::Unopenable);
        }
        if sent.opened {
            return assert_eq!(result.unwrap_err(), OpenError::Replayed);
        }
        let opened = result.expect("an honest envelope opens");
        let inbound = open(&opened.payload, &self.link, &self.peer.pinned).expect("an honest record");
        let Inbound::Record(record) = inbound else { panic!("a control message out of nowhere") };
        assert_eq!(record.hash(), sent.hash);
        assert_eq!(record.body().map(|(_, body)| body), Some(sent.body.as_slice()));
        self.acknowledged(&record.header().ack);
        self.turn += usize::from(opened.step.turns());
        self.session.commit(opened.step).expect("nothing lies between");
        self.peer_turn = self.peer_turn.max(sent.chain);
        sent.opened = true;
        accept();
        self.place(*record);
    }

    fn place(&mut self, record: VerifiedRecord) {
        match self.received.place(&record) {
            Placement::Next => self.received.advance(&record),
            Placement::Ahead => drop(self.held.insert(record.header().seq, record)),
            place @ (Placement::Behind | Placement::Broken) => panic!("{place:?} of an honest peer"),
        }
        while let Some(held) = self.held.remove(&(self.received.recv + 1)) {
            assert_eq!(self.received.place(&held), Placement::Next);
            self.received.advance(&held);
        }
    }

    /// What the peer says of this side's chain is true.
    fn acknowledged(&self, ack: &Ack) {
        let said = match ack.recv.checked_sub(1) {
            None => Some(RecordHash::from_bytes(*self.link.session.as_bytes())),
            Some(n) => self.sent.get(n as usize).map(|sent| sent.hash),
        };
        assert_eq!(Some(ack.head), said);
    }

    /// A copy that is not the envelope opens nowhere, changes nothing, and raises no alarm.
    fn refuse(&self, sent: &Sent, changed: &[u8], rng: &mut SeededRng) {
        if changed == sent.envelope {
            return;
        }
        let before = self.session.to_bytes();
        let error = self.session.open(changed, NOW, rng).expect_err("a changed envelope opens");
        assert_eq!(self.session.to_bytes(), before, "refusing changed the session");
        assert_ne!(error, OpenError::CloneDetected, "a relay can raise the alarm");
        assert_ne!(error, OpenError::Replayed, "a changed copy passes for the original");
    }

    /// The chain is what the peer sent, up to the first record that could not be opened any more.
    fn has_all_of(&self, peer: &Self) {
        let run = peer.sent.iter().take_while(|sent| sent.opened).count();
        assert_eq!(self.received.recv, run as u64);
        assert_eq!(self.held.len(), peer.sent.iter().skip(run).filter(|sent| sent.opened).count());
        let head = peer.sent.get(run.wrapping_sub(1)).map(|sent| sent.hash);
        assert!(run == 0 || head == Some(self.received.head));
    }
}
