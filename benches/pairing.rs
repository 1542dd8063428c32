//! A pairing: what it computes, and how long it takes.
//!
//! 1. The processor time of a whole pairing, both sides in one thread and without any I/O, from the code
//!    to two sessions: keys and certificates of two mailboxes, the four messages. Its yardstick are the
//!    primitives in it, as often as the protocol needs them, from the same crates: CPace (two generators,
//!    four multiplications), ML-KEM-768 (one key pair, one encapsulation, one decapsulation), X25519
//!    (three key pairs, three agreements), Ed25519 (six key pairs, four signatures, six strict
//!    verifications).
//! 2. The time over a relay on loopback from the moment when the code is known on the second side until
//!    both sides are `paired`, and until each has the other's first message. Relay and agents sync
//!    everything that they say they have.
//! 3. The same with magic-wormhole, in turn with 2, if `benches/compare/setup.sh` has installed it. It
//!    keeps nothing on disk, has no identities, and its relay is in the process of both clients.
//!
//! `cargo bench -p benches --bench pairing`, or with `-- --quick` to see that it works.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![allow(clippy::expect_used, reason = "a failure ends the run")]

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use benches::rig::{Disk, Outcome, Rig};
use benches::{Effort, Spread, alternate, cpu_time, percentile};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer as _, SigningKey};
use ml_kem::{B32, Decapsulate as _, DecapsulationKey768, EncapsulationKey768, KeyExport as _, Seed};
use rand_core::{Rng as _, UnwrapErr};
use wire_core::identity::Identity;
use wire_core::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, RelayKeyPair, SenderKeyPair};
use wire_core::pairing::{Code, Context, Established, Initiator, LocalOffer, Responder};
use x25519_dalek::{PublicKey, StaticSecret};

const WALL_TARGET_MS: f64 = 30.0;

fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

fn main() -> Outcome<()> {
    let effort = Effort::from_args();
    computed(effort)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(elapsed(effort, Path::new(env!("CARGO_TARGET_TMPDIR"))))
}

// What it computes.

fn computed(effort: Effort) -> Outcome<()> {
    let runs = effort.pick(1, 41);
    let each = effort.pick(1, 10);
    let relay = RelayKeyPair::generate(&mut rng()).public();
    let (alice, bob) = (Identity::generate(&mut rng()).0, Identity::generate(&mut rng()).0);
    let compared = alternate(
        runs,
        || cpu_time(|| (0..each).for_each(|_| primitives())),
        || {
            cpu_time(|| {
                (0..each).for_each(|_| {
                    black_box(pairing(&alice, &bob, relay).expect("pairs"));
                });
            })
        },
    );
    let (bare, full) = compared.times();
    let ms = |t: Duration| t.as_secs_f64() * 1e3 / f64::from(each);
    println!(
        "pairing, processor time of both sides: {:.2} ms against {:.2} ms of primitives",
        ms(full),
        ms(bare)
    );
    println!("  ratio {compared} (min / median / max of {runs} alternating runs)");
    Ok(())
}

fn pairing(alice: &Identity, bob: &Identity, relay: RelayId) -> Outcome<(Established, Established)> {
    let (a, b) = (Route::new(), Route::new());
    let code = Code::generate("4821".parse()?, 3, &mut rng())?;
    let heard = Code::parse(&code.reveal())?;
    let context = Context { relay, rendezvous: code.nameplate.into() };
    let (alices, m1) = Initiator::start(&code.words.into(), context.clone(), &mut rng());
    let (bobs, m2) = Responder::respond(&heard.words.into(), context, &m1, &mut rng())?;
    let (alices, m3) = alices.receive_m2(&m2)?.offer(a.offer(alice, relay), &mut rng())?;
    let (bobs, m4) = bobs.receive_m3(&m3, bob.root())?.confirm(b.offer(bob, relay), &mut rng())?;
    Ok((alices.receive_m4(&m4, &mut rng())?, bobs))
}

/// A mailbox that is made for one peer.
struct Route {
    sender: SenderKeyPair,
    certificate: Certificate,
}

impl Route {
    fn new() -> Self {
        let mailbox = MailboxKeyPair::generate(&mut rng());
        let sender = SenderKeyPair::generate(&mut rng());
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { sender, certificate }
    }

    fn offer<'a>(&'a self, identity: &'a Identity, relay: RelayId) -> LocalOffer<'a> {
        LocalOffer {
            identity,
            url: "https://relay.example.org",
            relay,
            certificate: &self.certificate,
            sender: &self.sender,
            display: "agent",
        }
    }
}

/// As often as the protocol needs each, with nothing between them.
fn primitives() {
    let wide = || {
        let mut bytes = [0u8; 64];
        rng().fill_bytes(&mut bytes);
        bytes
    };
    let narrow = || {
        let mut bytes = [0u8; 32];
        rng().fill_bytes(&mut bytes);
        bytes
    };

    let generator = wide();
    let scalars = [(); 2].map(|()| Scalar::from_bytes_mod_order_wide(&wide()));
    let shares = scalars.map(|s| (RistrettoPoint::from_uniform_bytes(&generator) * s).compress());
    let agree = |mine: &Scalar, theirs: &CompressedRistretto| {
        (theirs.decompress().expect("a share decodes") * mine).compress()
    };
    let [ya, yb] = &scalars;
    let [share_a, share_b] = &shares;
    black_box((agree(ya, share_b), agree(yb, share_a)));

    let key = DecapsulationKey768::from_seed(Seed::from(wide()));
    let public = key.encapsulation_key().to_bytes();
    let peer = EncapsulationKey768::new(&public).expect("a fresh key is sound");
    let (ciphertext, _) = peer.encapsulate_deterministic(&B32::from(narrow()));
    black_box(key.decapsulate(&ciphertext));

    let pairs = [(); 3].map(|()| {
        let secret = StaticSecret::from(narrow());
        (PublicKey::from(&secret), secret)
    });
    let [a, b, next] = &pairs;
    black_box((a.1.diffie_hellman(&b.0), b.1.diffie_hellman(&a.0), next.1.diffie_hellman(&b.0)));

    let keys = [(); 6].map(|()| SigningKey::from_bytes(&narrow()));
    let message = [0x5a; 160];
    let signatures: Vec<_> = keys.iter().take(4).map(|key| (key, key.sign(&message))).collect();
    for (key, signature) in signatures.iter().cycle().take(6) {
        key.verifying_key().verify_strict(&message, signature).expect("verifies");
    }
}

// How long it takes.

/// From the code on, in milliseconds.
struct Exchange {
    paired: f64,
    heard: f64,
}

async fn elapsed(effort: Effort, disk: &Path) -> Outcome<()> {
    let runs = effort.pick(2, 21);
    let rig = Rig::start(disk).await?;
    let mut syncs = Disk::new(disk)?;
    let mut wormhole = Wormhole::start()?;
    let (mut ours, mut theirs, mut sync) = (Vec::new(), Vec::new(), Vec::new());
    let mut ratios = [Spread::default(), Spread::default()];
    for run in 0..runs {
        sync.push(syncs.sync_time(20)?);
        let their = wormhole.as_mut().map(Wormhole::exchange).transpose()?;
        let our = over_the_relay(&rig, run).await?;
        if let Some(their) = their {
            let [paired, heard] = &mut ratios;
            paired.push(our.paired / their.paired);
            heard.push(our.heard / their.heard);
            theirs.push(their);
        }
        ours.push(our);
    }
    rig.stop().await?;

    let sync = percentile(&mut sync, 50).as_secs_f64() * 1e3;
    let (paired, heard) = (spread(&ours, |e| e.paired), spread(&ours, |e| e.heard));
    let verdict = if paired.median() <= WALL_TARGET_MS { "met" } else { "missed" };
    println!("pairing over a relay on loopback, in ms, min / median / max of {runs} runs");
    println!("  code entered to both sides paired:       {paired}   (target <= 30: {verdict})");
    println!("  and a first message each way, on disk:   {heard}");
    println!("  one sync of this disk in the same run:   {sync:.2}");
    if theirs.is_empty() {
        println!("  skipped: magic-wormhole is not installed; benches/compare/setup.sh installs it");
    } else {
        println!("  magic-wormhole, both sides verified:     {}", spread(&theirs, |e| e.paired));
        println!("  and a first message each way, in memory: {}", spread(&theirs, |e| e.heard));
        let [paired, heard] = ratios;
        println!("  ratio to magic-wormhole: paired {paired}, first messages {heard}");
    }
    Ok(())
}

fn spread(exchanges: &[Exchange], of: impl Fn(&Exchange) -> f64) -> Spread {
    let mut spread = Spread::default();
    exchanges.iter().for_each(|e| spread.push(of(e)));
    spread
}

async fn over_the_relay(rig: &Rig, run: usize) -> Outcome<Exchange> {
    let alice = rig.agent(&format!("alice-{run}")).await?;
    let bob = rig.agent(&format!("bob-{run}")).await?;
    let offer = alice.offer().await?;
    let code = offer.code();
    let waiting = tokio::spawn(offer.paired());
    // Until A's question for B's first message is at the relay.
    tokio::time::sleep(Duration::from_millis(50)).await;

    let start = Instant::now();
    let to_alice = bob.join(&code).await?;
    let to_bob = waiting.await??;
    let paired = start.elapsed();
    let (mut alices, mut bobs) = (alice.inbox(), bob.inbox());
    let (at_alice, at_bob, ..) =
        tokio::join!(alices.next(), bobs.next(), to_bob.send("from a"), to_alice.send("from b"));
    let heard = start.elapsed();
    for message in [at_alice, at_bob].into_iter().flatten() {
        message?.ack().await?;
    }
    drop((alices, bobs, to_alice, to_bob));
    alice.close().await;
    bob.close().await;
    Ok(Exchange { paired: paired.as_secs_f64() * 1e3, heard: heard.as_secs_f64() * 1e3 })
}

/// The program that measures magic-wormhole: one exchange for each line that it is sent.
struct Wormhole {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Wormhole {
    /// None if it is not installed.
    fn start() -> Outcome<Option<Self>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../target/compare/venv/bin/python");
        if !python.exists() {
            return Ok(None);
        }
        let mut child = Command::new(python)
            .arg(root.join("compare/magic_wormhole.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut this = Self { child, commands, answers };
        match this.line()?.trim() {
            "ready" => Ok(Some(this)),
            other => Err(format!("magic_wormhole.py says {other:?}").into()),
        }
    }

    fn exchange(&mut self) -> Outcome<Exchange> {
        self.commands.write_all(b"go\n")?;
        let line = self.line()?;
        let times = line.trim().split_once(' ').ok_or("no two times")?;
        Ok(Exchange { paired: times.0.parse()?, heard: times.1.parse()? })
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Wormhole {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
