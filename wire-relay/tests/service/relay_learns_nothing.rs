//! Everything that a relay ever received and stored in a run is read. Each byte of it is the same in
//! every run, new in every run, or the relay's own; and no word of the code, nothing computed from the
//! words alone, no name, no identity key, no plaintext and no number of a message is in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::agents::tap::{Heard, TappedRelay};
use crate::agents::{soon, until};
use crate::scripted::Script;
use wire_core::agent::{Delivery, Peer};
use wire_core::envelope::EnvelopeHash;
use wire_core::testing::{Class, Field, Needles, Received};
use wire_core::{Agent, Config};

/// So many messages go each way: seq passes a width of its encoding.
const MESSAGES: usize = 30;
/// How far off a relay lets a time be, in milliseconds.
const SKEW: u64 = 120_000;

struct Run {
    heard: Vec<Heard>,
    received: Vec<Received>,
    stored: Vec<u8>,
    code: String,
    relay: Vec<u8>,
    /// When it took place, by the relay's clock, which is this machine's.
    time: RangeInclusive<u64>,
    secrets: Needles,
}

/// Two agents pair, and each has `MESSAGES` messages of the other.
async fn run() -> Run {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [data, homes @ ..] = folders.each_ref().map(|folder| folder.path());
    let relay = TappedRelay::start(data).await;
    let (relay_id, start) = (relay.id().as_bytes().to_vec(), now());
    let open =
        |home: &Path, name| Agent::open(Config::new(home, name).unwrap().with_relay(relay.url.clone()));
    let alice = open(homes[0], "alice-in-the-clear").await.unwrap();
    let bob = open(homes[1], "bob-in-the-clear").await.unwrap();
    let offer = alice.offer().await.unwrap();
    let code = offer.code();
    let (to_bob, to_alice) = soon(async { tokio::try_join!(offer.paired(), bob.join(&code)) }).await.unwrap();
    let mut secrets = Needles::new();
    for i in 0..MESSAGES {
        for (from, to, peer) in [(&alice, &bob, &to_bob), (&bob, &alice, &to_alice)] {
            let text = format!("the launch window opens at dawn, {i:04}");
            secrets.add("plaintext", text.as_bytes());
            talk(from, to, peer, &text).await;
        }
    }
    secrets.add("sas", to_bob.info().await.unwrap().sas.as_bytes());
    for agent in [&alice, &bob] {
        let info = agent.info();
        secrets.add("name", info.name.as_bytes());
        secrets.add("root", info.root.as_bytes());
        secrets.add("wid", info.root.to_string().as_bytes());
        secrets.add("identity key", agent.identity().await.unwrap().key.as_bytes());
    }
    alice.close().await;
    bob.close().await;
    let heard = relay.stop().await;
    let mut stored = Vec::new();
    read_all(data, &mut stored);
    let received = heard
        .iter()
        .map(|h| Received::parse(&h.method, &h.target, &h.body).unwrap_or_else(|| panic!("{h:?}")))
        .collect();
    // What is signed at the relay's time is signed at what is known of it.
    let time = start - SKEW..=now() + SKEW;
    Run { heard, received, stored, code, relay: relay_id, time, secrets }
}

/// Each byte that agents send is in a field of a known class: the fields are those of the script, so what
/// is the same in every run is what the protocol says; what is new in every run has no 16 bytes of another
/// run; and the rest is what the relay said or holds itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_is_the_same_in_every_run_or_new_or_the_relays_own() {
    let (one, two) = (run().await, run().await);
    assert_ne!(one.words(), two.words());
    for run in [&one, &two] {
        run.heard.iter().for_each(tells_nothing_by_its_head);
        assert_eq!(shapes(&run.received), shapes(&Script::new("canyon-velvet-oyster", 0).run()));
        check_what_is_the_relays(run);
    }
    let pieces: HashSet<&[u8]> = fresh(&one).into_keys().flat_map(|value| value.chunks_exact(16)).collect();
    for (value, names) in fresh(&two) {
        assert_eq!(names.len(), 1, "one value for {names:?}");
        assert!(!value.windows(16).any(|w| pieces.contains(w)), "of both runs: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_it_received_or_stored_tells_who_or_what() {
    let run = run().await;
    let sid = run.received.iter().find_map(|r| r.all("sid").next()).unwrap();
    let public = [run.digits().as_bytes(), &run.relay, sid, b"wire/pair/1", b"wire/v1 code-phrase", b"wire"];
    let mut needles = run.secrets.clone();
    needles.add_words(&run.words(), &public);
    let heard = run.heard.iter().flat_map(Heard::bytes).collect::<Vec<_>>();
    assert!(run.heard.len() > 100 && run.stored.len() > 10_000, "there is something to read");
    assert_eq!(needles.found_in(&heard), [""; 0], "received");
    assert_eq!(needles.found_in(&run.stored), [""; 0], "stored");
    // One word alone may turn up where text belongs, and so is looked for where there should be none.
    let mut single = Needles::new();
    run.words().iter().filter(|word| word.len() > 5).for_each(|word| single.add(*word, word.as_bytes()));
    let fields = run.received.iter().flat_map(|r| &r.fields).filter(|f| f.class != Class::Fixed);
    assert_eq!(single.found_in(&fields.flat_map(|f| f.value.clone()).collect::<Vec<_>>()), [""; 0]);
}

/// What is sealed, and what is signed or hashed over that.
const SEALED: [&str; 6] = [
    "ack: H(envelope)",
    "ack: signature",
    "post: envelope body",
    "post: envelope header",
    "post: envelope nonce",
    "post: signature",
];

/// The number of a record (seq), of its message (n) and of those in the chain before (pn) change what is
/// sealed, and what is signed or hashed over that.
#[test]
fn the_first_and_the_thousandth_message_differ_only_in_what_is_sealed() {
    let first = Script::new("canyon-velvet-oyster", 0).run();
    for before in [1, 255, 999] {
        assert_eq!(
            differences(&first, &Script::new("canyon-velvet-oyster", before).run()),
            SEALED,
            "{before}"
        );
    }
}

/// With the same randomness and the same clock, other words change the shares, what is computed with the
/// keys that follow from them, and nothing else.
#[test]
fn other_words_differ_only_in_shares_and_in_what_is_sealed() {
    let put = ["put a1: Ya", "put a2: box", "put a2: tag", "put b1: Yb", "put b2: box", "put b2: tag"];
    let named = [SEALED, put].concat();
    let one = Script::new("canyon-velvet-oyster", 0).run();
    for words in ["canyon-velvet-oxygen", "act-add-age", "abstract-accident-universe"] {
        assert_eq!(differences(&one, &Script::new(words, 0).run()), named, "{words}");
    }
    assert_eq!(differences(&one, &Script::new("canyon-velvet-oyster", 0).run()), [""; 0]);
}

/// The fields in which two scripts differ. They are of one length, and what is not fresh is equal, but for
/// the name of an envelope, which the relay computes itself.
fn differences(one: &[Received], two: &[Received]) -> Vec<String> {
    assert_eq!(one.len(), two.len());
    let mut names = BTreeSet::new();
    for (one, two) in one.iter().zip(two) {
        assert_eq!((&one.form, one.fields.len()), (&two.form, two.fields.len()));
        for (a, b) in one.fields.iter().zip(&two.fields) {
            assert_eq!((a.name, a.class, a.value.len()), (b.name, b.class, b.value.len()));
            if a.value != b.value {
                assert!(a.class == Class::Fresh || a.name == "H(envelope)", "{a:?} {b:?}");
                let form = one.form.rsplit('/').next().unwrap();
                names.insert(format!("{}: {}", form.trim_start_matches("mb "), a.name));
            }
        }
    }
    names.into_iter().collect()
}

type Shapes = BTreeMap<String, BTreeSet<(&'static str, Class, Vec<u8>)>>;

/// Of each kind of request: its fields, the value of those that are fixed, the length of those that are
/// fresh. What is sealed in an envelope has a length of its own.
fn shapes(received: &[Received]) -> Shapes {
    let mut shapes = Shapes::new();
    for request in received {
        let fields = shapes.entry(request.form.clone()).or_default();
        for Field { name, class, value } in &request.fields {
            let shape = match class {
                Class::Fixed => value.clone(),
                Class::Fresh if *name != "envelope body" => value.len().to_be_bytes().to_vec(),
                Class::Fresh | Class::Relays => Vec::new(),
            };
            fields.insert((*name, *class, shape));
        }
    }
    shapes
}

/// Every fresh value, and which fields have it.
fn fresh(run: &Run) -> HashMap<&[u8], BTreeSet<&'static str>> {
    let mut values = HashMap::<_, BTreeSet<_>>::new();
    for field in run.received.iter().flat_map(|r| &r.fields).filter(|f| f.class == Class::Fresh) {
        values.entry(field.value.as_slice()).or_default().insert(field.name);
    }
    values
}

fn tells_nothing_by_its_head(heard: &Heard) {
    for (name, value) in &heard.headers {
        let value = value.to_str().unwrap();
        let known = match name.as_str() {
            "host" => value.starts_with("127.0.0.1:"),
            "content-type" => value == "application/cbor",
            "content-length" => value == heard.body.len().to_string(),
            _ => false,
        };
        assert!(known, "{name}: {value}");
    }
}

/// Digits, positions, incarnations, names of envelopes and times are the relay's, and messages of one length
/// are in envelopes of one length.
fn check_what_is_the_relays(run: &Run) {
    let mut mailboxes = HashMap::<&[u8], Vec<Vec<u8>>>::new();
    for request in run.received.iter().filter(|r| r.form == "/v1/mb post") {
        let posted = mailboxes.entry(request.all("mailbox").next().unwrap()).or_default();
        for envelope in envelopes(request) {
            if !posted.contains(&envelope) {
                posted.push(envelope);
            }
        }
    }
    assert_eq!(mailboxes.len(), 2);
    for posted in mailboxes.values() {
        assert_eq!(posted.iter().filter(|e| e.len() == 1024).count(), MESSAGES);
        assert!(posted.iter().all(|e| matches!(e.len(), 512 | 1024)));
    }
    let mut incarnations = BTreeSet::new();
    for request in &run.received {
        assert!(request.all("digits").all(|digits| digits == run.digits().as_bytes()));
        for time in request.all("time") {
            assert!(run.time.contains(&u64::from_be_bytes(time.try_into().unwrap())));
        }
        // An empty one stands for none.
        incarnations.extend(request.all("incarnation").filter(|i| !i.is_empty()));
        let Some(posted) = request.all("mailbox").next().and_then(|m| mailboxes.get(m)) else { continue };
        for position in request.all("position").chain(request.all("after")) {
            assert!(u64::from_be_bytes(position.try_into().unwrap()) <= posted.len() as u64);
        }
        for hash in request.all("H(envelope)") {
            assert!(posted.iter().any(|e| EnvelopeHash::of(e).as_bytes() == hash));
        }
    }
    assert_eq!(incarnations.len(), 2, "one of each mailbox");
}

fn envelopes(post: &Received) -> impl Iterator<Item = Vec<u8>> {
    let [clear, nonce, header, body] =
        ["envelope version, suite", "envelope nonce", "envelope header", "envelope body"]
            .map(|n| post.all(n));
    clear.zip(nonce).zip(header).zip(body).map(|(((c, n), h), b)| [c, n, h, b].concat())
}

impl Run {
    fn digits(&self) -> &str {
        self.code.split('-').next().unwrap()
    }

    fn words(&self) -> Vec<&str> {
        self.code.split('@').next().unwrap().split('-').skip(1).collect()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

async fn talk(from: &Agent, to: &Agent, peer: &Peer, text: &str) {
    let id = peer.send(text).await.unwrap().id;
    let message = soon(to.inbox().next()).await.unwrap().unwrap();
    message.ack().await.unwrap();
    until(from, &id, Delivery::Processed).await;
}

fn read_all(dir: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        into.extend_from_slice(path.to_string_lossy().as_bytes());
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.extend_from_slice(&std::fs::read(&path).unwrap());
        }
    }
}
