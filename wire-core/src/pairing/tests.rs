//! A whole run from a seeded generator, its bytes pinned; and the checks that need a dishonest peer
//! inside.

use data_encoding::HEXLOWER;

use super::sealed::Sealing;
use super::transcript::Schedule;
use super::*;
use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::crypto::kdf::sha256;
use crate::identity::Identity;
use crate::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, SenderKeyPair};
use crate::testing::SeededRng;

struct Party {
    identity: Identity,
    certificate: Certificate,
    sender: SenderKeyPair,
    display: &'static str,
}

impl Party {
    fn new(display: &'static str, rng: &mut SeededRng) -> Self {
        let (identity, _) = Identity::generate(rng);
        let sender = SenderKeyPair::generate(rng);
        let mailbox = MailboxKeyPair::generate(rng);
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { identity, certificate, sender, display }
    }

    fn offer(&self) -> LocalOffer<'_> {
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

fn words() -> PairingSecret {
    Code::parse("4821-canyon-velvet-oyster").unwrap().words.into()
}

fn context() -> Context {
    let nameplate: Nameplate = "4821".parse().unwrap();
    Context { relay: RelayId::from_bytes([7; 32]), rendezvous: nameplate.into() }
}

fn invite() -> (PairingSecret, Context) {
    let rendezvous = InviteId::from_bytes([9; 16]).into();
    (InviteSecret::from_bytes([5; 16]).into(), Context { rendezvous, ..context() })
}

const KNOWN: [(&str, &str); 8] = [
    ("H(M1)", "f3c18df71e3c3b4c415dfd4b2acf3cb3"),
    ("H(M2)", "ad5126423cf2658cfbda60d08cf34c41"),
    ("H(M3)", "d33f49072a89ee868104f4a0d1bf50e7"),
    ("H(M4)", "6f70ea47b6cd77088b65869beced6042"),
    ("session id", "9a38e486d484990ff12839737fb674e6c040c08851662c789faac4c048ac6ebe"),
    ("sas", "veteran aware force lock develop"),
    ("H(rstA)", "5f80bdae4ebcb4b3deb9925a648998d4"),
    ("H(rstB)", "eee4066e7a9017ca7182a4c016b8da41"),
];

/// Every byte that crosses the wire, and what comes of it, for seed 1. A change here is a change of
/// the protocol.
#[test]
fn known_answer() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("", rng));
    let (a, m1) = Initiator::start(&words(), context(), rng);
    let (b, m2) = Responder::respond(&words(), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let (b, m4) = b.receive_m3(&m3, bob.identity.root()).unwrap().confirm(bob.offer(), rng).unwrap();
    let a = a.receive_m4(&m4, rng).unwrap();

    assert_eq!([m1.len(), m2.len(), m3.len(), m4.len()], [1252, 1122, 4200, 4200]);
    let hash = |m: &[u8]| HEXLOWER.encode(&sha256(&[m])[..16]);
    let actual = [
        ("H(M1)", hash(&m1)),
        ("H(M2)", hash(&m2)),
        ("H(M3)", hash(&m3)),
        ("H(M4)", hash(&m4)),
        ("session id", HEXLOWER.encode(a.session.id().as_bytes())),
        ("sas", a.sas.to_string()),
        ("H(rstA)", hash(a.reset_keys.own.expose())),
        ("H(rstB)", hash(a.reset_keys.peer.expose())),
    ];
    assert_eq!(actual.each_ref().map(|(name, value)| (*name, value.as_str())), KNOWN);

    assert_eq!(a.session.id(), b.session.id());
    assert_eq!(a.sas, b.sas);
    assert_eq!(a.reset_keys.own, b.reset_keys.peer);
    assert_eq!(a.reset_keys.peer, b.reset_keys.own);
    assert_eq!((a.role, b.role), (Role::Initiator, Role::Responder));
    assert_eq!((a.peer.display.as_str(), b.peer.display.as_str()), ("", "alice"));
    assert_eq!(a.peer.certificate, bob.certificate);
    assert_eq!(b.peer.sender.public(), alice.sender.public());
}

/// Nothing on the wire shows whether the secret of the KEM is in the keys: whoever alters the ciphertext
/// alters the transcript, and that alone fails the confirmation. So each input is changed by itself.
#[test]
fn every_key_depends_on_every_input() {
    type Inputs<'a> = (Context, [u8; 32], &'a [u8], &'a [u8], [u8; 64], [u8; 32]);
    type Change = fn(&mut Inputs<'_>);
    let keys = |(context, sid, m1, m2, isk, ss): Inputs<'_>| {
        let mut bytes = Vec::new();
        Schedule::derive(&context, &sid, m1, m2, &isk.into(), &ss).write(&mut bytes);
        // TH, confA, confB, the seven keys of 32 bytes, sas
        let (long, rest) = bytes.split_at(3 * 64);
        long.chunks(64).chain(rest.chunks(32)).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let inputs = || (context(), [1; 32], &b"m1"[..], &b"m2"[..], [2; 64], [3; 32]);
    let original = keys(inputs());
    assert_eq!(
        original.iter().map(Vec::len).collect::<Vec<_>>(),
        [64, 64, 64, 32, 32, 32, 32, 32, 32, 32, 8]
    );
    let changes: [(&str, Change); 6] = [
        ("CI", |i| i.0 = invite().1),
        ("sid", |i| i.1[31] ^= 1),
        ("M1", |i| i.2 = b"m0"),
        ("M2", |i| i.3 = b"m0"),
        ("ISK", |i| i.4[63] ^= 1),
        ("ss", |i| i.5[31] ^= 1),
    ];
    for (name, change) in changes {
        let mut changed = inputs();
        change(&mut changed);
        let th_changes = !matches!(name, "ISK" | "ss");
        for (at, (one, other)) in original.iter().zip(keys(changed)).enumerate() {
            assert_eq!(*one != other, at > 0 || th_changes, "key {at} when {name} differs");
        }
    }
}

/// B refuses itself first, so A's own check needs a B that does not look.
#[test]
fn a_refuses_an_m4_of_its_own_identity() {
    let rng = &mut SeededRng::new(2);
    let alice = Party::new("alice", rng);
    let (a, m1) = Initiator::start(&words(), context(), rng);
    let (b, m2) = Responder::respond(&words(), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let elsewhere = Party::new("", rng).identity.root();
    let (_, m4) = b.receive_m3(&m3, elsewhere).unwrap().confirm(alice.offer(), rng).unwrap();
    assert_eq!(a.receive_m4(&m4, rng).unwrap_err(), PairingError::SelfPairing);
}

/// The longest offer that an honest side can have: 32 statements would not fit the shorter size.
#[test]
fn a_body_that_does_not_fit_4096_bytes_is_sealed_in_8064() {
    let rng = &mut SeededRng::new(3);
    let alice = Party::new("alice", rng);
    let (a, m1) = Initiator::start(&words(), context(), rng);
    let (b, m2) = Responder::respond(&words(), context(), &m1, rng).unwrap();
    let a = a.receive_m2(&m2).unwrap();
    for len in [0, 4028, 4029, 7996] {
        let body = vec![0xa5; len];
        let message = Sealing::m3(a.schedule()).seal(&body, &alice.identity, rng);
        assert_eq!(message.len(), if len <= 4028 { 4200 } else { 8168 });
        let sealing = Sealing::m3(b.schedule());
        let opened = sealing.open(&message).unwrap();
        assert_eq!(opened.body(), body);
        sealing.verify(&opened, &alice.identity.key().public()).unwrap();
    }
}

#[test]
fn own_offers_are_checked_before_they_are_sealed() {
    let rng = &mut SeededRng::new(4);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    assert_eq!(alice.offer().check(), Ok(()));
    let bad = |change: &dyn Fn(&mut LocalOffer<'_>)| {
        let mut offer = alice.offer();
        change(&mut offer);
        offer.check().unwrap_err()
    };
    assert_eq!(bad(&|o| o.url = "relay.example.org"), PairingError::OwnUrl);
    assert_eq!(bad(&|o| o.url = "https://user@relay.example.org"), PairingError::OwnUrl);
    assert_eq!(bad(&|o| o.display = "a\u{1b}[2J"), PairingError::OwnDisplay);
    let mut offer = alice.offer();
    offer.sender = &bob.sender;
    assert_eq!(offer.check(), Err(PairingError::OwnCertificate));
}

#[test]
fn stored_states_are_strict() {
    let rng = &mut SeededRng::new(5);
    let alice = Party::new("alice", rng);
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let (b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
    let (a_bytes, b_bytes) = (a.to_bytes().unwrap(), b.to_bytes().unwrap());
    let (awaiting, _) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let w_bytes = awaiting.to_bytes().unwrap();
    assert_eq!([a_bytes.len(), b_bytes.len(), w_bytes.len()], [1398, 426, 522]);

    let a_ok = |b: &[u8]| Initiator::from_bytes(b).map(|s| s.to_bytes().unwrap());
    let b_ok = |b: &[u8]| Responder::from_bytes(b).map(|s| s.to_bytes().unwrap());
    let w_ok = |b: &[u8]| AwaitingConfirmation::from_bytes(b).map(|s| s.to_bytes().unwrap());
    assert_eq!(a_ok(&a_bytes).as_ref(), Ok(&a_bytes));
    assert_eq!(b_ok(&b_bytes).as_ref(), Ok(&b_bytes));
    assert_eq!(w_ok(&w_bytes).as_ref(), Ok(&w_bytes));

    for (bytes, read) in
        [(&a_bytes, &a_ok as &dyn Fn(&[u8]) -> Result<_, PairingError>), (&b_bytes, &b_ok), (&w_bytes, &w_ok)]
    {
        for n in 0..bytes.len() {
            assert_eq!(read(&bytes[..n]), Err(PairingError::Stored), "length {n}");
        }
        assert_eq!(read(&[bytes.as_slice(), &[0]].concat()), Err(PairingError::Stored));
        for at in [0, 1] {
            let mut other = bytes.to_vec();
            other[at] ^= 4;
            assert_eq!(read(&other), Err(PairingError::Stored));
        }
    }
    // a KEM seed that is not M1's
    let mut other = a_bytes.to_vec();
    other[2 + 32 + 16 + 32] ^= 1;
    assert_eq!(a_ok(&other), Err(PairingError::Stored));
    // none is another's
    assert!(a_ok(&b_bytes).is_err() && b_ok(&w_bytes).is_err() && w_ok(&b_bytes).is_err());
}

#[test]
fn stored_states_hold_no_secret_of_the_invite_and_typed_codes_are_not_stored() {
    let rng = &mut SeededRng::new(6);
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let (b, _) = Responder::respond(&secret, context.clone(), &m1, rng).unwrap();
    for bytes in [a.to_bytes().unwrap(), b.to_bytes().unwrap()] {
        assert!(!bytes.windows(16).any(|w| w == [5; 16]));
    }
    let alice = Party::new("alice", rng);
    for (secret, context) in [(words(), self::context()), (words(), context), (secret, self::context())] {
        let (a, m1) = Initiator::start(&secret, context.clone(), rng);
        let (b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
        assert_eq!(a.to_bytes().unwrap_err(), PairingError::NotDurable);
        assert_eq!(b.to_bytes().unwrap_err(), PairingError::NotDurable);
        let (a, _) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
        assert_eq!(a.to_bytes().unwrap_err(), PairingError::NotDurable);
    }
}

#[test]
fn debug_shows_no_key() {
    let rng = &mut SeededRng::new(7);
    let (a, m1) = Initiator::start(&words(), context(), rng);
    let (b, m2) = Responder::respond(&words(), context(), &m1, rng).unwrap();
    let shown = format!("{:?} {:?} {:?} {b:?}", words(), a, Code::parse("4821-zoo-zoo-zoo").unwrap());
    assert!(!["canyon", "velvet", "oyster", "zoo"].iter().any(|w| shown.contains(w)), "{shown}");
    assert_eq!(format!("{b:?}"), "Responder { .. }");
    assert_eq!(format!("{:?}", a.receive_m2(&m2).unwrap()), "InitiatorKeyed { .. }");
}

/// RFC 7748 and Wycheproof name the encodings of the points of low order.
#[test]
fn a_ratchet_key_of_low_order_is_not_contributory() {
    let low_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for text in low_order {
        let bytes = HEXLOWER.decode(text.as_bytes()).unwrap();
        let public = DhPublic::from_slice(&bytes).unwrap();
        assert_eq!(offer::check_contributory(&public), Err(PairingError::Failed), "{text}");
    }
    let good = DhKeyPair::generate(&mut SeededRng::new(8)).public();
    assert_eq!(offer::check_contributory(&good), Ok(()));
}
