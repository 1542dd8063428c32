//! Wire inside an application that has an event loop of its own.
//!
//! The protocol never waits, reads no clock and opens no socket. [`MailboxClient`] says what to do; a
//! driver does it and tells what came of it. [`Agent::drive`] is a whole one. Here time is a number that
//! jumps from one deadline to the next, and the relay is the pure half of the real one over a
//! `BTreeMap`; in an application `drive` would start HTTP requests, and keep state and envelopes on disk.
//!
//! ```text
//! cargo run -p examples --example embed_in_agent
//! ```
#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "it shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;

use getrandom::SysRng;
use getrandom::rand_core::{CryptoRng, UnwrapErr};
use wire_core::envelope::{DEFAULT_MAX, EnvelopeHash};
use wire_core::identity::Identity;
use wire_core::mailbox::client::{Call, Event, Output};
use wire_core::mailbox::{
    Call as Kind, Certificate, CreatePolicy, Frame, Incarnation, Limits, MailboxClient, MailboxId,
    MailboxKeyPair, MailboxServer, Op, Origin, Outcome, Plan, Quota, ReadSpec, Refusal, RelayId,
    RelayKeyPair, Reply, Right, SenderKeyPair, Verdict,
};
use wire_core::pairing::{Code, Context, Established, Initiator, LocalOffer, Responder};
use wire_core::record::{
    self, Ack, Draft, Inbound, Kind as For, Link, Placement, ReceiveChain, RecordId, SendChain,
};
use wire_core::session::Lane;
use wire_core::time::Timestamp;

type Outcomes<T> = Result<T, Box<dyn Error>>;

fn rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

fn main() -> Outcomes<()> {
    let mut now = Timestamp::from_millis(1_750_000_000_000);
    let mut relay = Relay::new();
    let (mut alice, mut bob) = pair("alice", "bob", relay.core.relay_id())?;
    // Each makes its mailbox before the other posts to it; over a real relay the pairing sees to that.
    for agent in [&mut alice, &mut bob] {
        agent.drive(now, &mut relay)?;
    }
    alice.say(now, "ferry at nine?")?;
    // The application's loop: let each do what it can do now, then go on to the next deadline.
    while alice.heard.is_empty() {
        let deadlines = [alice.drive(now, &mut relay)?, bob.drive(now, &mut relay)?];
        if !bob.heard.is_empty() && bob.own.last == 0 {
            bob.say(now, "nine is fine")?;
        } else {
            now = deadlines.into_iter().flatten().min().ok_or("nobody waits for anything")?;
        }
    }
    assert_eq!((&*alice.heard, &*bob.heard), (&["nine is fine".into()][..], &["ferry at nine?".into()][..]));
    Ok(())
}

/// One side of one pairing.
struct Agent {
    name: &'static str,
    identity: Identity,
    link: Link,
    peer: Established,
    own: SendChain,
    theirs: ReceiveChain,
    client: MailboxClient,
    heard: Vec<String>,
}

impl Agent {
    /// The driver: carries out what the client wants, until it wants to wait; says until when.
    fn drive(&mut self, now: Timestamp, relay: &mut Relay) -> Outcomes<Option<Timestamp>> {
        loop {
            match self.client.poll_output(now) {
                Output::Transmit(id, call) => {
                    let reply = relay.answer(now, &call);
                    if call.stream && reply.status < 300 {
                        self.client.handle_chunk(now, id, &reply.body);
                        self.client.handle_end(now, id);
                    } else {
                        self.client.handle_response(now, id, reply.status, &reply.body);
                    }
                }
                Output::Event(Event::Envelope { mailbox, at, envelope }) => {
                    self.hear(now, &envelope)?;
                    // Only when what it brought is on our own disk may the relay forget it.
                    self.client.ack(&mailbox, at, EnvelopeHash::of(&envelope));
                }
                Output::Event(Event::PostRefused { refusal, .. } | Event::BoxRefused { refusal, .. }) => {
                    return Err(refusal.into());
                }
                Output::Event(event) => println!("{}: {event:?}", self.name),
                // A request that is still under way; here every answer is there at once.
                Output::Cancel(_) => {}
                Output::Wait(until) => return Ok(until),
            }
        }
    }

    /// Signs, seals, and hands the envelope to the client.
    fn say(&mut self, now: Timestamp, text: &str) -> Outcomes<()> {
        let (recv, head) = (self.theirs.recv, self.theirs.head);
        let ack = Ack { recv, head, proc: recv, ..Ack::nothing(self.link.session.as_bytes()) };
        let draft = Draft {
            kind: For::Msg,
            id: RecordId::generate(now, &mut rng()),
            re: None,
            exp: None,
            ctype: "text/plain".to_owned(),
            body: text.into(),
        };
        let record = self.own.sign(self.identity.key(), &self.link, ack, now, draft, &mut rng())?;
        let payload = record.to_payload();
        let envelope = self.peer.session.seal(Lane::Ordinary, &payload, DEFAULT_MAX, &mut rng())?;
        let (sender, certificate) = (self.peer.peer.sender.clone(), self.peer.peer.certificate.clone());
        self.client.post(record.seq, sender, certificate, vec![envelope]);
        Ok(())
    }

    /// Opens, verifies under the pinned key, and finds the record's place; only then the session moves.
    fn hear(&mut self, now: Timestamp, envelope: &[u8]) -> Outcomes<()> {
        let opened = self.peer.session.open(envelope, now, &mut rng())?;
        let pinned = self.peer.peer.statements.current().into();
        if let Inbound::Record(record) = record::open(&opened.payload, &self.link, &pinned)?
            && self.theirs.place(&record) == Placement::Next
        {
            self.theirs.advance(&record);
            let text = record.body().map(|(_, body)| String::from_utf8_lossy(body).into_owned());
            println!("{}: {} says {text:?}", self.name, self.peer.peer.display);
            self.heard.extend(text);
        }
        Ok(self.peer.session.commit(opened.step)?)
    }
}

/// The four messages of a pairing, handed over directly: `pair_in_memory` shows them one by one.
fn pair(a: &'static str, b: &'static str, relay: RelayId) -> Outcomes<(Agent, Agent)> {
    let (a, b) = (Prepared::new(a), Prepared::new(b));
    let code = Code::generate("4821".parse()?, 3, &mut rng())?;
    let context = Context { relay, rendezvous: code.nameplate.into() };
    let secret = code.words.into();
    let (alice, m1) = Initiator::start(&secret, context.clone(), &mut rng());
    let (bob, m2) = Responder::respond(&secret, context, &m1, &mut rng())?;
    let (alice, m3) = alice.receive_m2(&m2)?.offer(a.offer(relay), &mut rng())?;
    let (bob, m4) = bob.receive_m3(&m3, b.identity.root())?.confirm(b.offer(relay), &mut rng())?;
    let alice = alice.receive_m4(&m4, &mut rng())?;
    Ok((a.paired(alice, relay), b.paired(bob, relay)))
}

/// An identity, and a mailbox made for one peer.
struct Prepared {
    name: &'static str,
    identity: Identity,
    mailbox: MailboxKeyPair,
    sender: SenderKeyPair,
    certificate: Certificate,
}

impl Prepared {
    fn new(name: &'static str) -> Self {
        let (identity, _next) = Identity::generate(&mut rng());
        let mailbox = MailboxKeyPair::generate(&mut rng());
        let sender = SenderKeyPair::generate(&mut rng());
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { name, identity, mailbox, sender, certificate }
    }

    fn offer(&self, relay: RelayId) -> LocalOffer<'_> {
        LocalOffer {
            identity: &self.identity,
            url: "https://relay.example.org",
            relay,
            certificate: &self.certificate,
            sender: &self.sender,
            display: self.name,
        }
    }

    fn paired(self, peer: Established, relay: RelayId) -> Agent {
        let session = peer.session.id();
        let mut client = MailboxClient::new(relay, 0, 1);
        client.open(self.mailbox, 0, None, Right::None);
        Agent {
            name: self.name,
            link: Link { session, own: self.identity.root(), peer: peer.peer.root() },
            identity: self.identity,
            peer,
            own: SendChain::start(&session),
            theirs: ReceiveChain::start(&session),
            client,
            heard: Vec::new(),
        }
    }
}

/// The relay's pure half decides; a map takes the place of its store.
struct Relay {
    core: MailboxServer,
    life: Incarnation,
    boxes: BTreeMap<MailboxId, BTreeMap<u64, Vec<u8>>>,
}

impl Relay {
    fn new() -> Self {
        let key = RelayKeyPair::generate(&mut rng());
        let core = MailboxServer::new(key, CreatePolicy::Open, Limits::default(), [], &mut rng());
        Self { core, life: Incarnation::random(&mut rng()), boxes: BTreeMap::new() }
    }

    fn answer(&mut self, now: Timestamp, call: &Call) -> Reply {
        let answered = if call.stream { self.read(now, &call.body) } else { self.change(now, &call.body) };
        answered.unwrap_or_else(|refusal| Reply::refused(refusal, now))
    }

    fn change(&mut self, now: Timestamp, body: &[u8]) -> Result<Reply, Refusal> {
        let plan = self.core.plan(now, Origin::UNKNOWN, Kind::Mailbox, body, &mut rng())?;
        let Plan::Apply(ticket, op) = plan else { return Err(Refusal::NotFound) };
        let outcome = match op {
            Op::Create { mailbox, .. } => {
                self.boxes.entry(mailbox).or_default();
                Outcome::Done(self.life)
            }
            Op::Append { mailbox, envelopes, .. } => {
                let Some(kept) = self.boxes.get_mut(&mailbox) else { return Err(Refusal::NotFound) };
                let verdicts = vec![Verdict::Stored; envelopes.len()];
                for (_, envelope) in envelopes {
                    let seq = kept.last_key_value().map_or(1, |(seq, _)| seq + 1);
                    kept.insert(seq, envelope);
                }
                Outcome::Appended { incarnation: self.life, verdicts }
            }
            // This one keeps everything; the real one drops what was acknowledged.
            Op::Ack { .. } => Outcome::Done(self.life),
            _ => Outcome::Absent,
        };
        Ok(self.core.finish(now, ticket, Ok(outcome)))
    }

    /// Everything that waits, then: come back in a second.
    fn read(&self, now: Timestamp, body: &[u8]) -> Result<Reply, Refusal> {
        let mut frames = Vec::new();
        for (index, read) in (0..).zip(self.core.plan_read(now, body)?.reads) {
            let ReadSpec::Mailbox { mailbox, after, .. } = read? else { continue };
            let after = after.map_or(0, |cursor| cursor.seq);
            for (seq, envelope) in self.boxes.get(&mailbox).into_iter().flat_map(|b| b.range(after + 1..)) {
                let (seq, envelope) = (*seq, envelope.clone());
                frames.extend(Frame::Envelope { index, incarnation: self.life, seq, envelope }.to_bytes());
            }
        }
        frames.extend(Frame::Bye { reconnect_after_ms: 1000 }.to_bytes());
        Ok(Reply { status: 200, retry_after: None, body: frames })
    }
}
