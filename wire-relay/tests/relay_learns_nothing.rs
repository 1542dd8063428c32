//! Everything that a relay ever received and stored in a run is read: no word of the code, nothing
//! computed from the words alone, no name, no identity key, no plaintext is in it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agents;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use agents::{TestRelay, soon, until};
use sha2::{Digest as _, Sha256, Sha512};
use wire_core::Agent;
use wire_core::agent::Delivery;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::http::ProxySettings;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};

const SAID: [&str; 2] = ["the launch window opens at dawn", "understood, holding position"];

type Sent = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Keeps a copy of every request.
struct Recording(HttpTransport, Sent);

impl Recording {
    fn keep(&self, request: &HttpRequest) {
        self.1.lock().unwrap().push((request.path.clone(), request.body.to_vec()));
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

impl Transport for Recording {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.keep(&request);
        self.0.call(request)
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        self.keep(&request);
        self.0.stream(request)
    }
}

struct Run {
    sent: Vec<(String, Vec<u8>)>,
    stored: Vec<u8>,
    words: Vec<String>,
    secrets: Vec<(String, Vec<u8>)>,
}

async fn run() -> Run {
    let mut relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sent = Sent::default();
    let open = |home: &Path, name: &'static str| {
        let transport = Recording(HttpTransport::new(&ProxySettings::none()).unwrap(), sent.clone());
        let config = relay.config(home, name);
        async move { Agent::open_with(config, Arc::new(transport)).await.unwrap() }
    };
    let alice = open(homes.0.path(), "alice-in-the-clear").await;
    let bob = open(homes.1.path(), "bob-in-the-clear").await;
    let offer = alice.offer().await.unwrap();
    let code = offer.code();
    let (to_bob, to_alice) = soon(async { tokio::try_join!(offer.paired(), bob.join(&code)) }).await.unwrap();
    for (from, to, peer, text) in [(&alice, &bob, &to_bob, SAID[0]), (&bob, &alice, &to_alice, SAID[1])] {
        let id = peer.send(text).await.unwrap().id;
        let message = soon(to.inbox().next()).await.unwrap().unwrap();
        message.ack().await.unwrap();
        until(from, &id, Delivery::Processed).await;
    }
    let sas = to_bob.info().await.unwrap().sas;
    let words = code.split('@').next().unwrap().split('-').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let mut secrets = vec![("sas".to_owned(), sas.into_bytes())];
    for agent in [&alice, &bob] {
        let info = agent.info();
        secrets.push(("name".to_owned(), info.name.into_bytes()));
        secrets.push(("root".to_owned(), info.root.as_bytes().to_vec()));
        secrets.push(("wid".to_owned(), info.root.to_string().into_bytes()));
        secrets.push(("identity key".to_owned(), info.key.as_bytes().to_vec()));
    }
    alice.close().await;
    bob.close().await;
    relay.stop().await;
    let mut stored = Vec::new();
    read_all(relay.data.path(), &mut stored);
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    Run { sent, stored, words, secrets }
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

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

/// What a careless client might compute from the words alone: each form of them, and its hashes.
fn from_the_words(words: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut forms: Vec<Vec<u8>> = ["-", " ", ""].iter().map(|s| words.join(s).into_bytes()).collect();
    forms.extend(words.iter().map(|w| w.clone().into_bytes()));
    let mut all = Vec::new();
    for form in forms {
        let shown = String::from_utf8_lossy(&form).into_owned();
        for (what, hash) in
            [("sha256", Sha256::digest(&form).to_vec()), ("sha512", Sha512::digest(&form).to_vec())]
        {
            let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            all.push((format!("{what} of {shown}"), hash[..16].to_vec()));
            all.push((format!("{what} in hex of {shown}"), hex.into_bytes()[..24].to_vec()));
        }
        // Words of three or four letters turn up in random bytes; the joined ones and long ones do not.
        if form.len() >= 6 {
            all.push((shown, form));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_it_received_or_stored_tells_who_or_what() {
    let run = run().await;
    let received: Vec<u8> =
        run.sent.iter().flat_map(|(path, body)| [path.as_bytes(), body].concat()).collect();
    assert!(run.sent.len() > 12 && run.stored.len() > 10_000, "there is something to read");
    let mut needles = from_the_words(&run.words);
    needles.extend(run.secrets);
    needles.extend(SAID.iter().map(|s| ("plaintext".to_owned(), s.as_bytes().to_vec())));
    for (what, needle) in needles {
        assert!(!contains(&received, &needle), "the relay received: {what}");
        assert!(!contains(&run.stored, &needle), "the relay stored: {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_other_words_have_the_same_shape() {
    let shape = |run: &Run| -> Vec<(String, usize)> {
        run.sent
            .iter()
            .filter(|(path, _)| path.ends_with("/put"))
            .map(|(p, b)| (p.clone(), b.len()))
            .collect()
    };
    let (one, two) = (run().await, run().await);
    assert_ne!(one.words, two.words);
    assert_eq!(shape(&one), shape(&two));
    assert_eq!(shape(&one).len(), 4, "M1 to M4");
}
