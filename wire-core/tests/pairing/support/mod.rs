//! Parties that pair honestly, and ([`model`]) a second implementation of the pairing that can be
//! made to lie.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses the part that it needs, and ends at a surprise"
)]

pub mod model;

use wire_core::identity::Identity;
use wire_core::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, SenderKeyPair};
use wire_core::pairing::{
    Code, Context, Established, Initiator, InviteId, InviteSecret, LocalOffer, Nameplate, PairingError,
    PairingSecret, Responder,
};
pub use wire_core::testing::SeededRng;

pub const CODE: &str = "4821-canyon-velvet-oyster";
pub const OTHER_CODE: &str = "4821-canyon-velvet-oxygen";
pub const URL: &str = "https://relay.example.org";

/// An agent with a mailbox for its peer.
pub struct Party {
    pub identity: Identity,
    pub mailbox: MailboxKeyPair,
    pub sender: SenderKeyPair,
    pub certificate: Certificate,
    pub display: &'static str,
}

impl Party {
    pub fn new(display: &'static str, rng: &mut SeededRng) -> Self {
        let (identity, _) = Identity::generate(rng);
        let mailbox = MailboxKeyPair::generate(rng);
        let sender = SenderKeyPair::generate(rng);
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { identity, mailbox, sender, certificate, display }
    }

    pub fn offer(&self) -> LocalOffer<'_> {
        LocalOffer {
            identity: &self.identity,
            url: URL,
            relay: relay(),
            certificate: &self.certificate,
            sender: &self.sender,
            display: self.display,
        }
    }
}

pub fn relay() -> RelayId {
    RelayId::from_bytes([7; 32])
}

pub fn words(code: &str) -> PairingSecret {
    Code::parse(code).unwrap().words.into()
}

/// The meeting place of `CODE`, at the relay that everyone uses.
pub fn context() -> Context {
    let nameplate: Nameplate = "4821".parse().unwrap();
    Context { relay: relay(), rendezvous: nameplate.into() }
}

/// An invite at the same relay: the one kind of pairing whose states can be copied, by storing them.
pub fn invite() -> (PairingSecret, Context) {
    let rendezvous = InviteId::from_bytes([9; 16]).into();
    (InviteSecret::from_bytes([5; 16]).into(), Context { relay: relay(), rendezvous })
}

/// A whole run between `a` and `b`, and what the relay saw of it: M1 to M4.
pub struct Run {
    pub a: Established,
    pub b: Established,
    pub wire: [Vec<u8>; 4],
}

pub fn run(
    secret: &PairingSecret,
    context: &Context,
    (a, b): (&Party, &Party),
    rng: &mut SeededRng,
) -> Result<Run, PairingError> {
    let (alice, m1) = Initiator::start(secret, context.clone(), rng);
    let (bob, m2) = Responder::respond(secret, context.clone(), &m1, rng)?;
    let (alice, m3) = alice.receive_m2(&m2)?.offer(a.offer(), rng)?;
    let (b, m4) = bob.receive_m3(&m3, b.identity.root())?.confirm(b.offer(), rng)?;
    let a = alice.receive_m4(&m4, rng)?;
    Ok(Run { a, b, wire: [m1, m2, m3, m4] })
}

pub fn flip(message: &[u8], at: usize) -> Vec<u8> {
    let mut changed = message.to_vec();
    changed[at] ^= 1;
    changed
}
