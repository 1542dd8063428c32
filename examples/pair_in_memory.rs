//! Two agents pair by a code and send each other one sealed message, all in memory: no relay, no
//! runtime, no I/O. What a driver would post and fetch is a `Vec<u8>` here.
//!
//! ```text
//! cargo run -p examples --example pair_in_memory
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;

use getrandom::SysRng;
use getrandom::rand_core::{CryptoRng, UnwrapErr};
use wire_core::envelope::DEFAULT_MAX;
use wire_core::identity::Identity;
use wire_core::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, RelayKeyPair, SenderKeyPair};
use wire_core::pairing::{Code, Context, Initiator, LocalOffer, Responder};
use wire_core::session::{Lane, Session};
use wire_core::time::Timestamp;

/// All randomness of the protocol comes in as an argument.
fn rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

fn main() -> Result<(), Box<dyn Error>> {
    let relay = RelayKeyPair::generate(&mut rng()).public();
    let (alice, bob) = (Agent::new("alice"), Agent::new("bob"));

    // Alice's relay gave her a number; she draws the words and reads the code to Bob.
    let code = Code::generate("4821".parse()?, 3, &mut rng())?;
    println!("alice: wire join {}", *code.reveal());
    let heard = Code::parse(&code.reveal())?;
    let context = Context { relay, rendezvous: code.nameplate.into() };

    // Four messages. Each step takes the state and gives the next one.
    let (a, m1) = Initiator::start(&code.words.into(), context.clone(), &mut rng());
    let (b, m2) = Responder::respond(&heard.words.into(), context, &m1, &mut rng())?;
    let (a, m3) = a.receive_m2(&m2)?.offer(alice.offer(relay), &mut rng())?;
    let (b, m4) = b.receive_m3(&m3, bob.identity.root())?.confirm(bob.offer(relay), &mut rng())?;
    let a = a.receive_m4(&m4, &mut rng())?;
    println!("the relay carried {:?} bytes", [m1.len(), m2.len(), m3.len(), m4.len()]);
    println!("alice: that is {} {}", a.peer.display, a.peer.root().fingerprint());
    println!("bob:   that is {} {}", b.peer.display, b.peer.root().fingerprint());
    println!("both may compare: {}", a.sas);
    assert_eq!(a.sas, b.sas);

    // From here on they have a session. Either may speak first.
    let (mut a, mut b) = (a.session, b.session);
    deliver("alice", &mut a, &mut b, "ferry at nine?")?;
    deliver("bob", &mut b, &mut a, "nine is fine")?;
    Ok(())
}

fn deliver(name: &str, from: &mut Session, to: &mut Session, text: &str) -> Result<(), Box<dyn Error>> {
    let envelope = from.seal(Lane::Ordinary, text.as_bytes(), DEFAULT_MAX, &mut rng())?;
    let opened = to.open(&envelope, Timestamp::from_millis(0), &mut rng())?;
    // Nothing has changed yet: the receiver commits when it has accepted the payload.
    to.commit(opened.step)?;
    println!("{name}: {:?} in {} bytes", String::from_utf8_lossy(&opened.payload), envelope.len());
    assert_eq!(&*opened.payload, text.as_bytes());
    Ok(())
}

/// An identity, and a mailbox made for one peer.
struct Agent {
    name: &'static str,
    identity: Identity,
    sender: SenderKeyPair,
    certificate: Certificate,
}

impl Agent {
    fn new(name: &'static str) -> Self {
        let (identity, _next) = Identity::generate(&mut rng());
        let mailbox = MailboxKeyPair::generate(&mut rng());
        let sender = SenderKeyPair::generate(&mut rng());
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { name, identity, sender, certificate }
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
}
