//! Attack 11: a peer that knows the code sends an offer that is not its own, or not for this run. One
//! thing is wrong at a time; the same message with nothing wrong is accepted.

use crate::support::model::{self, ModelA, Offer, Side};
use crate::support::{CODE, Party, SeededRng, context, words};
use wire_core::identity::Identity;
use wire_core::mailbox::{Certificate, Quota};
use wire_core::pairing::{Initiator, PairingError, PeerOffer, Responder};

const PRS: &str = "canyon-velvet-oyster";

struct World {
    rng: SeededRng,
    alice: Party,
    bob: Party,
    carol: Party,
}

impl World {
    fn new() -> Self {
        let mut rng = SeededRng::new(1);
        let (alice, bob) = (Party::new("alice", &mut rng), Party::new("bob", &mut rng));
        let carol = Party::new("carol", &mut rng);
        Self { rng, alice, bob, carol }
    }

    /// What B makes of an M3 of Alice whose offer was changed, signed by `signer` for `th` (of the
    /// run, if `None`), and whose plaintext was changed.
    fn m3(
        &mut self,
        signer: fn(&Self) -> &Identity,
        th: Option<&[u8]>,
        offer: &dyn Fn(&Self, &mut Offer),
        plaintext: &dyn Fn(&mut Vec<u8>),
    ) -> Result<PeerOffer, PairingError> {
        let a = ModelA::start(PRS, &mut self.rng);
        let (b, m2) = Responder::respond(&words(CODE), context(), &a.m1, &mut self.rng).unwrap();
        let book = a.finish(&m2);
        let mut o = Offer::of(&self.alice, &mut self.rng);
        offer(self, &mut o);
        let body = o.body();
        let signature = model::sign(signer(self), b"A", th.unwrap_or(&book.th), &body, b"");
        let mut padded = model::pad(&body, &signature);
        plaintext(&mut padded);
        let m3 = book.seal(&Side::a(), &padded, &mut self.rng);
        b.receive_m3(&m3, self.bob.identity.root()).map(|v| v.peer().clone())
    }

    fn offer(&mut self, change: &dyn Fn(&Self, &mut Offer)) -> Result<PeerOffer, PairingError> {
        self.m3(|w| &w.alice.identity, None, change, &|_| ())
    }
}

#[test]
fn nothing_wrong() {
    let mut w = World::new();
    let peer = w.offer(&|_, _| ()).unwrap();
    assert_eq!(peer.root(), w.alice.identity.root());
    assert_eq!(peer.url, crate::support::URL);
}

/// Carol, in the middle of two pairings, passes Alice's statements off as her own.
#[test]
fn statements_of_someone_else() {
    let mut w = World::new();
    let signed_by_carol = w.m3(|w| &w.carol.identity, None, &|_, _| (), &|_| ());
    assert_eq!(signed_by_carol.err(), Some(PairingError::Failed));
    let statements_of_carol =
        w.offer(&|w, o| o.statements = w.carol.identity.statements().to_bytes().to_vec());
    assert_eq!(statements_of_carol.err(), Some(PairingError::Failed));
}

#[test]
fn a_signature_for_another_run() {
    let mut w = World::new();
    let other = w.m3(|w| &w.alice.identity, Some(&[1; 64]), &|_, _| (), &|_| ());
    assert_eq!(other.err(), Some(PairingError::Failed));
}

/// B's signature covers H(M3), so an offer that it made for one M3 cannot answer another.
#[test]
fn a_signature_of_b_for_another_m3() {
    let mut w = World::new();
    for (m3_hash_right, accepted) in [(true, true), (false, false)] {
        let rng = &mut w.rng;
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let (book, m2) = model::respond(PRS, &m1, rng);
        let (a, m3) = a.receive_m2(&m2).unwrap().offer(w.alice.offer(), rng).unwrap();
        let body = Offer::of(&w.bob, rng).body();
        let hash = if m3_hash_right { model::sha256(&m3) } else { [0; 32] };
        let signature = model::sign(&w.bob.identity, b"B", &book.th, &body, &hash);
        let m4 = book.seal(&Side::b(&m3), &model::pad(&body, &signature), rng);
        let error = a.receive_m4(&m4, rng).err();
        assert_eq!(error, if accepted { None } else { Some(PairingError::Failed) });
    }
}

#[test]
fn statements_that_do_not_verify() {
    let mut w = World::new();
    for at in [0, 1, 40, 70, 100, 120, 169] {
        let error = w.offer(&|_, o| o.statements[at] ^= 1).err();
        assert!(error.is_some(), "byte {at}");
    }
    assert_eq!(w.offer(&|_, o| o.statements.clear()).err(), Some(PairingError::Malformed));
    assert!(w.offer(&|_, o| o.statements = o.statements.repeat(2)).is_err());
}

#[test]
fn a_certificate_that_gives_no_right() {
    let mut w = World::new();
    type Change = fn(&World, &mut Offer);
    let wrong: [(&str, Change); 5] = [
        ("altered", |_, o| o.certificate[80] ^= 1),
        ("of another mailbox", |w, o| o.certificate = w.carol.certificate.as_bytes().to_vec()),
        ("under another mailbox key", |w, o| {
            o.mailbox = w.carol.mailbox.public().as_bytes().to_vec();
        }),
        ("for another sender", |w, o| {
            let other = w.carol.sender.public();
            let cert = Certificate::issue(&w.alice.mailbox, other, 0, Quota::default());
            o.certificate = cert.as_bytes().to_vec();
        }),
        ("with another seed", |w, o| o.sender_seed = w.carol.sender.seed().to_vec()),
    ];
    for (name, change) in wrong {
        assert_eq!(w.offer(&change).err(), Some(PairingError::Failed), "{name}");
    }
    assert_eq!(w.offer(&|_, o| o.certificate.truncate(100)).err(), Some(PairingError::Failed));
    assert_eq!(w.offer(&|_, o| o.sender_seed.truncate(31)).err(), Some(PairingError::Malformed));
}

#[test]
fn a_ratchet_key_of_low_order() {
    let mut w = World::new();
    let mut one = vec![0u8; 32];
    one[0] = 1;
    for key in [vec![0u8; 32], one] {
        let error = w.offer(&|_, o| o.dr_pub.clone_from(&key)).err();
        assert_eq!(error, Some(PairingError::Failed));
    }
}

#[test]
fn an_address_that_aims_elsewhere() {
    let mut w = World::new();
    for url in
        ["", "relay.example.org", "file:///etc/passwd", "https://a@b", "https://h/\u{1b}[2J", "https://h?x"]
    {
        let error = w.offer(&|_, o| o.url = url.to_owned()).err();
        assert_eq!(error, Some(PairingError::Malformed), "{url:?}");
    }
}

/// A name is shown, so it is made harmless; it is no reason to fail.
#[test]
fn a_name_that_drives_a_terminal() {
    let mut w = World::new();
    let peer = w.offer(&|_, o| o.display = Some("\u{1b}]0;root\u{7}\u{202e}ecila".to_owned())).unwrap();
    assert_eq!(peer.display.as_str(), "?]0;root??ecila");
    let long = w.offer(&|_, o| o.display = Some("x".repeat(65))).err();
    assert_eq!(long, Some(PairingError::Malformed));
    let empty = w.offer(&|_, o| o.display = Some(String::new())).err();
    assert_eq!(empty, Some(PairingError::Malformed));
}

#[test]
fn padding_and_lengths_that_hide_something() {
    let mut w = World::new();
    type Change = fn(&mut Vec<u8>);
    let wrong: [(&str, Change); 5] = [
        ("a bit in the padding", |p| p[4095] = 1),
        ("a length past the end", |p| p[..4].copy_from_slice(&4029u32.to_be_bytes())),
        ("an enormous length", |p| p[..4].copy_from_slice(&u32::MAX.to_be_bytes())),
        ("the longer size without need", |p| p.resize(8064, 0)),
        ("another size", |p| p.truncate(4000)),
    ];
    for (name, change) in wrong {
        let error = w.m3(|w| &w.alice.identity, None, &|_, _| (), &change).err();
        assert_eq!(error, Some(PairingError::Malformed), "{name}");
    }
}
