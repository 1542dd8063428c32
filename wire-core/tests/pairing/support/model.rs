//! The pairing once more, from its description in docs/PROTOCOL.md and with other crates: CPace by
//! pakery-cpace, ML-KEM by libcrux. It takes its fields as plain bytes, so it can also send what no
//! honest side would.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use curve25519_dalek::ristretto::RistrettoPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, Mac as _};
use libcrux_ml_kem::mlkem768::{self, MlKem768KeyPair};
use pakery_cpace::{CpaceInitiator, CpaceMode, CpaceResponder, InitiatorState};
use rand_core::Rng as _;
use sha2::{Digest as _, Sha256, Sha512};
use wire_core::identity::Identity;

use super::{Party, SeededRng, URL, relay};

pub struct Suite;

impl pakery_cpace::CpaceCiphersuite for Suite {
    type Group = pakery_crypto::Ristretto255Group;
    type Hash = pakery_crypto::Sha512Hash;
    const DSI: &'static [u8] = b"CPaceRistretto255";
    const HASH_BLOCK_SIZE: usize = 128;
    const FIELD_SIZE_BYTES: usize = 32;
}

/// `lv(x)` for x of less than 16,384 bytes.
pub fn lv(x: &[u8]) -> Vec<u8> {
    let mut out = match x.len() {
        n @ 0..=0x7f => vec![n as u8],
        n => vec![n as u8 | 0x80, (n >> 7) as u8],
    };
    out.extend_from_slice(x);
    out
}

pub fn sha256(x: &[u8]) -> [u8; 32] {
    Sha256::digest(x).into()
}

/// CI of a run at the relay and number of `super::context`.
pub fn ci() -> Vec<u8> {
    [lv(b"wire/pair/1"), lv(relay().as_bytes()), lv(b"4821"), lv(b"A=alloc;B=join")].concat()
}

/// The generator that stands for a password.
pub fn generator(prs: &[u8], ci: &[u8], sid: &[u8]) -> RistrettoPoint {
    let head = [lv(b"CPaceRistretto255"), lv(prs)].concat();
    let pad = vec![0u8; 127usize.saturating_sub(head.len())];
    let string = [head, lv(&pad), lv(ci), lv(sid)].concat();
    RistrettoPoint::from_uniform_bytes(&Sha512::digest(&string).into())
}

/// The key schedule.
pub struct Book {
    pub th: Vec<u8>,
    pub conf_a: Vec<u8>,
    pub conf_b: Vec<u8>,
    pub box_a: Vec<u8>,
    pub box_b: Vec<u8>,
    pub rst_a: Vec<u8>,
    pub rst_b: Vec<u8>,
    pub sas: Vec<u8>,
}

impl Book {
    pub fn derive(ci: &[u8], m1: &[u8], m2: &[u8], isk: &[u8], ss: &[u8]) -> Self {
        let sid = &m1[2..34];
        let th = Sha512::digest([lv(ci), lv(sid), lv(m1), lv(m2)].concat()).to_vec();
        let prk = hkdf::Hkdf::<Sha512>::new(Some(&th), &[isk, ss].concat());
        let expand = |name: &str, len: usize| {
            let mut out = vec![0u8; len];
            prk.expand(format!("wire/pair/1 {name}").as_bytes(), &mut out).unwrap();
            out
        };
        Self {
            conf_a: expand("confA", 64),
            conf_b: expand("confB", 64),
            box_a: expand("boxA", 32),
            box_b: expand("boxB", 32),
            rst_a: expand("rstA", 32),
            rst_b: expand("rstB", 32),
            sas: expand("sas", 8),
            th,
        }
    }

    /// M3 or M4 around any plaintext.
    pub fn seal(&self, side: &Side<'_>, plaintext: &[u8], rng: &mut SeededRng) -> Vec<u8> {
        let mut nonce = [0u8; 24];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: plaintext, aad: &side.aad(self) };
        let sealed = cipher(side.box_key(self)).encrypt((&nonce).into(), payload).unwrap();
        [side.tag(self), nonce.to_vec(), sealed].concat()
    }

    /// The plaintext of M3 or M4; its tag must be right.
    pub fn open(&self, side: &Side<'_>, message: &[u8]) -> Vec<u8> {
        assert_eq!(message[..64], side.tag(self));
        let nonce: &[u8; 24] = message[64..88].try_into().unwrap();
        let payload = Payload { msg: &message[88..], aad: &side.aad(self) };
        cipher(side.box_key(self)).decrypt(nonce.into(), payload).unwrap()
    }

    /// The words that 55 bits stand for, by bit strings rather than shifts.
    pub fn sas(&self) -> String {
        let bits: String = self.sas.iter().map(|b| format!("{b:08b}")).collect();
        let list = bip39::Language::English.word_list();
        let word = |i: usize| list[usize::from_str_radix(&bits[11 * i..11 * (i + 1)], 2).unwrap()];
        (0..5).map(word).collect::<Vec<_>>().join(" ")
    }

    pub fn session_id(&self, a: &Identity, b: &Identity, m3: &[u8], m4: &[u8]) -> [u8; 32] {
        let roots = [*a.root().as_bytes(), *b.root().as_bytes()].concat();
        sha256(&[b"wire/session/1", &*self.th, &roots, &sha256(m3), &sha256(m4)].concat())
    }
}

/// Whose message it is: the label in tag and box, and what it answers.
#[derive(Clone)]
pub struct Side<'a> {
    pub mac_label: &'a [u8],
    pub aad_label: &'a [u8],
    pub keys_of_a: bool,
    pub m3_hash: Vec<u8>,
}

impl Side<'_> {
    pub fn a() -> Side<'static> {
        Side { mac_label: b"A", aad_label: b"A", keys_of_a: true, m3_hash: Vec::new() }
    }

    pub fn b(m3: &[u8]) -> Side<'static> {
        Side { mac_label: b"B", aad_label: b"B", keys_of_a: false, m3_hash: sha256(m3).to_vec() }
    }

    fn tag(&self, book: &Book) -> Vec<u8> {
        let key = if self.keys_of_a { &book.conf_a } else { &book.conf_b };
        let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(key).unwrap();
        mac.update(&[self.mac_label, &*book.th, &*self.m3_hash].concat());
        mac.finalize().into_bytes().to_vec()
    }

    fn aad(&self, book: &Book) -> Vec<u8> {
        [&*book.th, self.aad_label, &*self.m3_hash].concat()
    }

    fn box_key<'b>(&self, book: &'b Book) -> &'b [u8] {
        if self.keys_of_a { &book.box_a } else { &book.box_b }
    }
}

fn cipher(key: &[u8]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new_from_slice(key).unwrap()
}

/// A of this implementation, after M1.
pub struct ModelA {
    state: InitiatorState<Suite>,
    kem: MlKem768KeyPair,
    pub m1: Vec<u8>,
}

impl ModelA {
    pub fn start(prs: &str, rng: &mut SeededRng) -> Self {
        let (mut sid, mut seed) = ([0u8; 32], [0u8; 64]);
        rng.fill_bytes(&mut sid);
        rng.fill_bytes(&mut seed);
        let kem = mlkem768::generate_key_pair(seed);
        let ad = [&[1, 1], kem.pk().as_slice()].concat();
        let (ya, state) = CpaceInitiator::<Suite>::start(prs.as_bytes(), &ci(), &sid, &ad, rng).unwrap();
        let m1 = [[1, 1].as_slice(), &sid, &ya, &ad].concat();
        Self { state, kem, m1 }
    }

    pub fn finish(self, m2: &[u8]) -> Book {
        let ct: [u8; 1088] = m2[34..].try_into().unwrap();
        let out = self.state.finish(&m2[1..33], &m2[33..], CpaceMode::InitiatorResponder).unwrap();
        let ss = mlkem768::decapsulate(self.kem.private_key(), &ct.into());
        Book::derive(&ci(), &self.m1, m2, out.isk.as_bytes(), &ss)
    }
}

/// B of this implementation: its keys and M2.
pub fn respond(prs: &str, m1: &[u8], rng: &mut SeededRng) -> (Book, Vec<u8>) {
    let (sid, ya, ad_a) = (&m1[2..34], &m1[34..66], &m1[66..]);
    let ek: [u8; 1184] = m1[68..].try_into().unwrap();
    let mut message = [0u8; 32];
    rng.fill_bytes(&mut message);
    let (ct, ss) = mlkem768::encapsulate(&ek.into(), message);
    let ad_b = [&[1], ct.as_slice().as_slice()].concat();
    let (yb, out) = CpaceResponder::<Suite>::respond(
        ya,
        prs.as_bytes(),
        &ci(),
        sid,
        ad_a,
        &ad_b,
        CpaceMode::InitiatorResponder,
        rng,
    )
    .unwrap();
    let m2 = [[1].as_slice(), &yb, &ad_b].concat();
    (Book::derive(&ci(), m1, &m2, out.isk.as_bytes(), &ss), m2)
}

/// The fields of an offer, each free to be wrong.
#[derive(Clone)]
pub struct Offer {
    pub statements: Vec<u8>,
    pub dr_pub: Vec<u8>,
    pub url: String,
    pub relay: Vec<u8>,
    pub mailbox: Vec<u8>,
    pub certificate: Vec<u8>,
    pub sender_seed: Vec<u8>,
    pub display: Option<String>,
}

impl Offer {
    pub fn of(party: &Party, rng: &mut SeededRng) -> Self {
        let mut secret = [0u8; 32];
        rng.fill_bytes(&mut secret);
        let dr = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret));
        Self {
            statements: party.identity.statements().to_bytes().to_vec(),
            dr_pub: dr.to_bytes().to_vec(),
            url: URL.to_owned(),
            relay: relay().as_bytes().to_vec(),
            mailbox: party.certificate.mailbox().as_bytes().to_vec(),
            certificate: party.certificate.as_bytes().to_vec(),
            sender_seed: party.sender.seed().to_vec(),
            display: Some(party.display.to_owned()).filter(|d| !d.is_empty()),
        }
    }

    pub fn body(&self) -> Vec<u8> {
        let mut e = minicbor::Encoder::new(Vec::new());
        let entries = 3 + u64::from(self.display.is_some());
        e.map(entries).unwrap().u8(1).unwrap().bytes(&self.statements).unwrap();
        e.u8(2).unwrap().bytes(&self.dr_pub).unwrap();
        e.u8(3).unwrap().array(5).unwrap().str(&self.url).unwrap();
        for field in [&self.relay, &self.mailbox, &self.certificate, &self.sender_seed] {
            e.bytes(field).unwrap();
        }
        if let Some(display) = &self.display {
            e.u8(4).unwrap().str(display).unwrap();
        }
        e.into_writer()
    }
}

/// The signature of an offer.
pub fn sign(signer: &Identity, role: &[u8], th: &[u8], body: &[u8], m3_hash: &[u8]) -> Vec<u8> {
    let key = SigningKey::from_bytes(&signer.key().seed());
    key.sign(&[b"wire/pair/1 offer", role, th, &sha256(body), m3_hash].concat()).to_vec()
}

/// `len4 ‖ body ‖ sig64 ‖ zeros`, 4,096 bytes long.
pub fn pad(body: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut plaintext = [&(body.len() as u32).to_be_bytes(), body, signature].concat();
    plaintext.resize(4096, 0);
    plaintext
}

/// An honest M3 of this implementation.
pub fn m3(book: &Book, party: &Party, rng: &mut SeededRng) -> Vec<u8> {
    let body = Offer::of(party, rng).body();
    let signature = sign(&party.identity, b"A", &book.th, &body, b"");
    book.seal(&Side::a(), &pad(&body, &signature), rng)
}

/// An honest M4 of this implementation.
pub fn m4(book: &Book, party: &Party, m3: &[u8], rng: &mut SeededRng) -> Vec<u8> {
    let body = Offer::of(party, rng).body();
    let signature = sign(&party.identity, b"B", &book.th, &body, &sha256(m3));
    book.seal(&Side::b(m3), &pad(&body, &signature), rng)
}
