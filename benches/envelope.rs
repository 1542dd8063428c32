//! A message through the record layer and the session, next to the bare primitives.
//!
//! `seal` is all that turns a body into an envelope: `SendChain::sign`, `SignedRecord::to_payload`,
//! `Session::seal`. `open` is the way back: `Session::open`, `record::open` under the pinned key, the
//! place in the chain, `Session::commit`.
//!
//! The yardstick is the primitives that any signed and encrypted message needs, from the same crates
//! over as many bytes:
//!
//! 1. one Ed25519 signature, or its strict verification, over as many bytes as are signed;
//! 2. one XChaCha20-Poly1305 with a random nonce over as many bytes as the envelope has;
//! 3. one SHA-256 of the body, because the signature covers the body by its hash.
//!
//! Two more columns: without 3, and with a signature over the message itself in place of 1 and 3, which is
//! what a program does that signs what it sends. What lies between is the record's CBOR and its own
//! hash, the ratchet's keys, the hedged nonce (one more pass over the payload), the sealed header, the
//! envelope's hash by which a replay is known (one more pass over the envelope), and erasing.
//!
//! `cargo bench -p benches --bench envelope`, or with `-- --quick` to see that it works.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![allow(clippy::expect_used, reason = "a failure ends the run")]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use benches::{Compared, Effort, alternate, cpu_time};
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use ed25519_dalek::{Signer as _, SigningKey};
use rand_core::{Rng as _, UnwrapErr};
use sha2::{Digest as _, Sha256};
use wire_core::envelope::{DEFAULT_MAX, sealed_len};
use wire_core::identity::{IdentityKeyPair, Root};
use wire_core::record::{
    self, Ack, Draft, Inbound, Kind, Link, MAX_BODY, Placement, ReceiveChain, RecordHash, RecordId,
    SendChain, SignedRecord,
};
use wire_core::session::{Lane, Session};
use wire_core::testing::{NOW, copy, deliver, sessions};

const TARGET: f64 = 1.25;
const TAG_LEN: usize = 16;

type SysRng = UnwrapErr<getrandom::SysRng>;

fn rng() -> SysRng {
    UnwrapErr(getrandom::SysRng)
}

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::from_args();
    let runs = effort.pick(1, 41);
    println!("envelope: ratio to the bare primitives, min / median / max of {runs} alternating runs");
    println!("{:16} {:>8}   {:<36} {:<22} message signed itself", "", "us", "primitives", "without SHA-256");
    for (name, size) in [("64 B", 64), ("1 KiB", 1024), ("48 KiB", MAX_BODY)] {
        let messages = effort.pick(20, if size > 10_000 { 60 } else { 250 });
        let case = Case::new(size, messages)?;
        let seal = Yardstick::ALL.map(|y| alternate(runs, || case.bare_seal(y), || case.seal()));
        report(&format!("seal {name}"), messages, &seal);
        let open = Yardstick::ALL.map(|y| alternate(runs, || case.bare_open(y), || case.open()));
        report(&format!("open {name}"), messages, &open);
    }
    Ok(())
}

/// What the record layer and the session are compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Yardstick {
    /// Signature by hash, encryption, hash of the body.
    Primitives,
    /// Signature by hash, encryption.
    WithoutHash,
    /// Signature of the message itself, encryption.
    Direct,
}

impl Yardstick {
    const ALL: [Self; 3] = [Self::Primitives, Self::WithoutHash, Self::Direct];
}

fn report(what: &str, messages: usize, compared: &[Compared; 3]) {
    let [primitives, without_hash, direct] = compared;
    let us = primitives.times().1.as_secs_f64() * 1e6 / messages as f64;
    let verdict = if primitives.median() <= TARGET { "met" } else { "missed" };
    let judged = format!("{primitives} (<= {TARGET}: {verdict})");
    println!("{what:16} {us:>8.1}   {judged:<36} {:<22} {direct}", without_hash.to_string());
}

/// Messages of one size, and what both sides need for them.
struct Case {
    drafts: Vec<Draft>,
    key: IdentityKeyPair,
    link: Link,
    back: Link,
    sender: Session,
    receiver: Session,
    /// In the order of one chain, whose first message `receiver` has seen.
    envelopes: Vec<Vec<u8>>,
    bare: Bare,
}

/// What the primitives alone work on.
struct Bare {
    key: SigningKey,
    cipher: XChaCha20Poly1305,
    nonce: [u8; 24],
    body: Vec<u8>,
    /// As many bytes as a record signs.
    signed: Vec<u8>,
    payload: Vec<u8>,
    sealed: Vec<u8>,
}

impl Case {
    fn new(size: usize, messages: usize) -> Result<Self, Box<dyn Error>> {
        let (mut sender, mut receiver) = sessions(1);
        let first = sender.seal(Lane::Ordinary, b"first", DEFAULT_MAX, &mut rng())?;
        deliver(&mut receiver, &first, &mut rng())?;

        let (key, peer) = (IdentityKeyPair::generate(&mut rng()), IdentityKeyPair::generate(&mut rng()));
        let (own, peer) = (Root::of(&key.public(), &[1; 32]), Root::of(&peer.public(), &[2; 32]));
        let link = Link { session: sender.id(), own, peer };
        let back = Link { session: sender.id(), own: peer, peer: own };
        let drafts: Vec<Draft> = (0..messages).map(|_| draft(size)).collect();

        let (mut sealing, mut chain) = (copy(&sender), SendChain::start(&link.session));
        let mut envelopes = Vec::new();
        let mut last = None;
        for draft in drafts.iter().cloned() {
            let record = chain.sign(&key, &link, ack(&link), NOW, draft, &mut rng())?;
            envelopes.push(sealing.seal(Lane::Ordinary, &record.to_payload(), DEFAULT_MAX, &mut rng())?);
            last = Some(record);
        }
        let bare = Bare::new(&last.ok_or("no message")?);
        Ok(Self { drafts, key, link, back, sender, receiver, envelopes, bare })
    }

    fn seal(&self) -> Duration {
        let mut session = copy(&self.sender);
        let mut chain = SendChain::start(&self.link.session);
        // The bodies are the application's, handed over by value.
        let drafts: Vec<(Draft, Ack)> = self.drafts.iter().map(|d| (d.clone(), ack(&self.link))).collect();
        let mut rng = rng();
        cpu_time(|| {
            for (draft, ack) in drafts {
                let record =
                    chain.sign(&self.key, &self.link, ack, NOW, black_box(draft), &mut rng).expect("signs");
                black_box(
                    session.seal(Lane::Ordinary, &record.to_payload(), DEFAULT_MAX, &mut rng).expect("seals"),
                );
            }
        })
    }

    fn bare_seal(&self, yardstick: Yardstick) -> Duration {
        let Bare { key, cipher, body, signed, payload, .. } = &self.bare;
        let signed = if yardstick == Yardstick::Direct { payload } else { signed };
        let mut rng = rng();
        cpu_time(|| {
            for _ in &self.drafts {
                if yardstick == Yardstick::Primitives {
                    black_box(Sha256::digest(black_box(body)));
                }
                black_box(key.sign(black_box(signed)));
                let mut nonce = [0u8; 24];
                rng.fill_bytes(&mut nonce);
                black_box(encrypt(cipher, &nonce, black_box(payload)));
            }
        })
    }

    fn open(&self) -> Duration {
        let mut session = copy(&self.receiver);
        let mut chain = ReceiveChain::start(&self.link.session);
        let pinned = self.key.public().into();
        let mut rng = rng();
        cpu_time(|| {
            for envelope in &self.envelopes {
                let opened = session.open(black_box(envelope), NOW, &mut rng).expect("opens");
                let inbound = record::open(&opened.payload, &self.back, &pinned).expect("verifies");
                let Inbound::Record(record) = inbound else { return false };
                if chain.place(&record) != Placement::Next {
                    return false;
                }
                chain.advance(&record);
                session.commit(opened.step).expect("commits");
                black_box(record);
            }
            true
        })
    }

    fn bare_open(&self, yardstick: Yardstick) -> Duration {
        let Bare { key, cipher, nonce, body, signed, payload, sealed } = &self.bare;
        let signed = if yardstick == Yardstick::Direct { payload } else { signed };
        let signature = &key.sign(signed);
        let key = key.verifying_key();
        cpu_time(|| {
            for _ in &self.drafts {
                let mut opened = black_box(sealed).clone();
                cipher.decrypt_in_place(nonce.into(), &[], &mut opened).expect("opens");
                opened.truncate(payload.len());
                key.verify_strict(black_box(signed), signature).expect("verifies");
                if yardstick == Yardstick::Primitives {
                    black_box(Sha256::digest(black_box(body)));
                }
                black_box(opened);
            }
        })
    }
}

impl Bare {
    fn new(record: &SignedRecord) -> Self {
        let mut seed = [0u8; 32];
        rng().fill_bytes(&mut seed);
        let key = SigningKey::from_bytes(&seed);
        rng().fill_bytes(&mut seed);
        let cipher = XChaCha20Poly1305::new(&seed.into());
        let nonce = [7; 24];
        let signed = record.cose.clone();
        let payload = record.to_payload().to_vec();
        Self {
            sealed: encrypt(&cipher, &nonce, &payload),
            body: record.body.clone(),
            key,
            cipher,
            nonce,
            signed,
            payload,
        }
    }
}

fn draft(size: usize) -> Draft {
    Draft {
        kind: Kind::Msg,
        id: RecordId::generate(NOW, &mut rng()),
        re: None,
        exp: None,
        ctype: "text/plain; charset=utf-8".to_owned(),
        body: vec![0x5a; size],
    }
}

/// An acknowledgement that has nothing special to say, as almost all are.
fn ack(link: &Link) -> Ack {
    Ack {
        recv: 0,
        head: RecordHash::from_bytes(*link.session.as_bytes()),
        proc: 0,
        seen: 0,
        except: Vec::new(),
        missing: Vec::new(),
        unopenable: Vec::new(),
    }
}

/// The payload and zeros up to the length of its envelope, sealed.
fn encrypt(cipher: &XChaCha20Poly1305, nonce: &[u8; 24], payload: &[u8]) -> Vec<u8> {
    let len = sealed_len(payload.len()).unwrap_or_default();
    let mut body = Vec::with_capacity(len);
    body.extend_from_slice(payload);
    body.resize(len - TAG_LEN, 0);
    cipher.encrypt_in_place(nonce.into(), &[], &mut body).expect("far below 256 GiB");
    body
}
