//! What two agents send to their relay from a code to acknowledged messages, made by the pure core alone:
//! all randomness comes from seeds, and the clock stands still.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a test fails by panicking")]

use wire_core::envelope::{DEFAULT_MAX, EnvelopeHash};
use wire_core::identity::Identity;
use wire_core::mailbox::*;
use wire_core::pairing::{Code, Context, Established, Initiator, LocalOffer, Responder};
use wire_core::record::{Ack as Acknowledged, Draft, Kind, Link, RecordId, SendChain};
use wire_core::session::Lane;
use wire_core::testing::{NOW, Received, SeededRng, deliver};

/// What may differ between two runs.
#[derive(Clone, Copy)]
pub struct Script {
    words: &'static str,
    /// How many records each side signs and seals before the one that the relay gets to see.
    before: u64,
}

struct Side {
    identity: Identity,
    mailbox: MailboxKeyPair,
    sender: SenderKeyPair,
    certificate: Certificate,
    token: ClientToken,
}

struct Log {
    relay: RelayId,
    place: Rendezvous,
    received: Vec<Received>,
}

impl Script {
    pub fn new(words: &'static str, before: u64) -> Self {
        Self { words, before }
    }

    /// Every request, in order.
    pub fn run(self) -> Vec<Received> {
        let rng = &mut SeededRng::new(1);
        let relay = RelayKeyPair::from_seed(&[7; 32]).public();
        let code = Code::parse(&format!("4821-{}", self.words)).unwrap();
        let place = Rendezvous::from(code.nameplate.clone());
        let secret = code.words.into();
        let context = Context { relay, rendezvous: place.clone() };
        let (alice, bob) = (Side::new(rng), Side::new(rng));
        let mut log = Log { relay, place, received: Vec::new() };

        log.identify(rng);
        let allocate = Allocate { token: alice.token.hash(), invite: None, right: Right::None };
        log.post("/v1/pair/allocate", &allocate.to_bytes());
        let (a, m1) = Initiator::start(&secret, context.clone(), rng);
        log.put(&alice, Slot::A1, &m1);
        log.get(&alice, Slot::B1);

        log.identify(rng);
        let claim = Claim { place: log.place.clone(), token: bob.token.hash() };
        log.post("/v1/pair/claim", &claim.to_bytes());
        log.get(&bob, Slot::A1);
        let (b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
        log.put(&bob, Slot::B1, &m2);
        log.get(&bob, Slot::A2);

        log.create(&alice);
        let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer("alice", relay), rng).unwrap();
        log.put(&alice, Slot::A2, &m3);
        log.get(&alice, Slot::B2);
        log.create(&bob);
        let b = b.receive_m3(&m3, bob.identity.root()).unwrap();
        let (mut b, m4) = b.confirm(bob.offer("bob", relay), rng).unwrap();
        log.put(&bob, Slot::B2, &m4);
        let mut a = a.receive_m4(&m4, rng).unwrap();
        log.close(&alice);

        // Alice's message is number `before` of her first chain; Bob has sealed as many, hears it, and so
        // his message is the first of the chain after one of that length.
        let bobs = self.before_last(&mut b, &bob.identity);
        let alices = self.before_last(&mut a, &alice.identity);
        let envelope = say(&mut a, &alice.identity, alices, &mut SeededRng::new(2));
        log.deliver(&a, &envelope, &bob);
        deliver(&mut b.session, &envelope, &mut SeededRng::new(3)).unwrap();
        let envelope = say(&mut b, &bob.identity, bobs, &mut SeededRng::new(4));
        log.deliver(&b, &envelope, &alice);
        log.received
    }

    fn before_last(self, from: &mut Established, identity: &Identity) -> SendChain {
        let mut chain = SendChain::start(&from.session.id());
        let rng = &mut SeededRng::new(5);
        for _ in 0..self.before {
            chain = sign(from, identity, chain, rng).1;
        }
        chain
    }
}

fn say(from: &mut Established, identity: &Identity, chain: SendChain, rng: &mut SeededRng) -> Vec<u8> {
    sign(from, identity, chain, rng).0
}

/// The next record of the chain, sealed, and the chain after it.
fn sign(
    from: &mut Established,
    identity: &Identity,
    mut chain: SendChain,
    rng: &mut SeededRng,
) -> (Vec<u8>, SendChain) {
    let session = from.session.id();
    let link = Link { session, own: identity.root(), peer: from.peer.root() };
    let draft = Draft {
        kind: Kind::Msg,
        id: RecordId::generate(NOW, rng),
        re: None,
        exp: None,
        ctype: "text/plain".to_owned(),
        body: vec![b'x'; 100],
    };
    let ack = Acknowledged::nothing(session.as_bytes());
    let record = chain.sign(identity.key(), &link, ack, NOW, draft, rng).unwrap();
    let envelope = from.session.seal(Lane::Ordinary, &record.to_payload(), DEFAULT_MAX, rng).unwrap();
    (envelope, chain)
}

impl Side {
    fn new(rng: &mut SeededRng) -> Self {
        let (identity, _) = Identity::generate(rng);
        let (mailbox, sender) = (MailboxKeyPair::generate(rng), SenderKeyPair::generate(rng));
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { identity, mailbox, sender, certificate, token: ClientToken::random(rng) }
    }

    fn offer<'a>(&'a self, display: &'a str, relay: RelayId) -> LocalOffer<'a> {
        let Self { identity, sender, certificate, .. } = self;
        LocalOffer { identity, url: "http://127.0.0.1:8770", relay, certificate, sender, display }
    }
}

impl Log {
    fn add(&mut self, method: &str, target: &str, body: &[u8]) {
        self.received.push(Received::parse(method, target, body).unwrap());
    }

    fn post(&mut self, path: &str, body: &[u8]) {
        self.add("POST", path, body);
    }

    fn identify(&mut self, rng: &mut SeededRng) {
        self.add("GET", &format!("/v1/relay?c={}", Challenge::random(rng).to_text()), b"");
    }

    fn put(&mut self, from: &Side, slot: Slot, bytes: &[u8]) {
        let (place, token) = (self.place.clone(), from.token.clone());
        self.post("/v1/pair/put", &Put { place, token, slot, bytes: bytes.to_vec() }.to_bytes());
    }

    fn get(&mut self, from: &Side, slot: Slot) {
        let (place, token) = (self.place.clone(), from.token.clone());
        self.post("/v1/pair/get", &Get { place, token, slot, wait_ms: 25_000 }.to_bytes());
    }

    fn close(&mut self, from: &Side) {
        let (place, token) = (self.place.clone(), from.token.clone());
        self.post("/v1/pair/close", &Close { place, token }.to_bytes());
    }

    fn owner(&self, owner: &Side, operation: &Operation) -> SignedRequest {
        SignedRequest::by_owner(&owner.mailbox, &self.relay, NOW, operation)
    }

    fn create(&mut self, owner: &Side) {
        // The second time by whoever goes on to read it.
        let pairing = Right::Pairing { place: self.place.clone(), token: owner.token.clone() };
        for right in [pairing, Right::None] {
            let create = self.owner(owner, &Operation::Create { min_epoch: 0, right });
            self.post(MAILBOX_PATH, &create.to_bytes());
        }
    }

    /// The envelope is posted, read and acknowledged.
    fn deliver(&mut self, from: &Established, envelope: &[u8], to: &Side) {
        let incarnation = Incarnation::from_bytes([6; 16]);
        let poll = Operation::Poll { incarnation: None, after: 0, max: 0, wait_ms: 0 };
        let read = ReadRequest { polls: vec![self.owner(to, &poll)], follow: true };
        self.post(READ_PATH, &read.to_bytes());
        let post = Operation::Post { envelopes: vec![envelope.to_vec()] };
        let (sender, certificate) = (&from.peer.sender, &from.peer.certificate);
        let post = SignedRequest::by_sender(sender, certificate, &self.relay, NOW, &post);
        self.post(MAILBOX_PATH, &post.to_bytes());
        let at = Cursor { incarnation, seq: 1 };
        let ack = self.owner(to, &Operation::Ack { at, hash: EnvelopeHash::of(envelope) });
        self.post(MAILBOX_PATH, &ack.to_bytes());
    }
}
