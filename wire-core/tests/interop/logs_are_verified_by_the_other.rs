//! A talk of records between the two: each verifies what the other signs, and the joint log that either writes.

use serde_json::{Value, json};
use wire_core::identity::PinnedKey;
use wire_core::pairing::Role;
use wire_core::record::log::{LogError, LogLine, LogReport, LogVerifier, Side};
use wire_core::record::{
    self, Ack, Control, ControlKind, Draft, Inbound, Kind, Link, Placement, ReceiveChain, RecordId, SendChain,
};
use wire_core::time::Timestamp;

use crate::one_pairs_with_the_other::pair;
use crate::python::{Python, bytes, hex};
use crate::support::{Party, SeededRng};

/// The Rust side of a talk, and all lines of its log.
struct Talk<'p> {
    python: &'p Python,
    party: Party,
    link: Link,
    pinned: PinnedKey,
    own: SendChain,
    theirs: ReceiveChain,
    lines: Vec<LogLine>,
    rng: SeededRng,
}

impl<'p> Talk<'p> {
    fn new(python: &'p Python, seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let party = Party::new("rust", &mut rng);
        let (ours, theirs) = pair(python, &party, Role::Initiator, &mut rng);
        python.ask(json!({ "op": "session_from_pairing", "session": "s", "pair": "pair" }));
        let agent = &ours.peer.statements;
        let session = ours.session.id();
        let link = Link { session, own: party.identity.root(), peer: agent.root() };
        let head = LogLine::Head {
            session,
            own: party.identity.statements().to_bytes().to_vec(),
            peer: agent.to_bytes().to_vec(),
        };
        let pinned = agent.current().into();
        drop(theirs);
        let (own, theirs) = (SendChain::start(&session), ReceiveChain::start(&session));
        Self { python, party, link, pinned, own, theirs, lines: vec![head], rng }
    }

    fn ack(&self) -> Ack {
        let mut ack = Ack::nothing(self.link.session.as_bytes());
        (ack.recv, ack.head, ack.proc) = (self.theirs.recv, self.theirs.head, self.theirs.recv);
        ack
    }

    fn say(&mut self, kind: Kind, body: &str) {
        let draft = Draft {
            kind,
            id: RecordId::generate(NOW, &mut self.rng),
            re: None,
            exp: None,
            ctype: "text/plain".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let (key, ack) = (self.party.identity.key().clone(), self.ack());
        let record = self.own.sign(&key, &self.link, ack, NOW, draft, &mut self.rng).unwrap();
        let taken = self.python.ask(take(&record.to_payload()));
        assert_eq!((&taken["result"], &taken["body"]), (&json!("placed"), &json!(hex(body))));
        assert_eq!(taken["hash"], hex(record.hash.as_bytes()));
        let body = Some((record.salt.as_bytes().to_vec(), record.body));
        self.lines.push(LogLine::Record { by: Side::Own, cose: record.cose, body });
    }

    fn hear(&mut self, kind: &str, body: &str) {
        let signed = self.python.ask(json!({
            "op": "sign_record", "session": "s", "kind": kind, "body": hex(body), "ctype": "text/plain",
        }));
        let opened = record::open(&bytes(&signed["payload"]), &self.link, &self.pinned).unwrap();
        let Inbound::Record(record) = opened else { panic!("a control message") };
        assert_eq!(self.theirs.place(&record), Placement::Next);
        assert_eq!(hex(record.hash().as_bytes()), signed["hash"]);
        self.theirs.advance(&record);
        let (salt, said) = record.body().unwrap();
        assert_eq!(said, body.as_bytes());
        let body = Some((salt.as_bytes().to_vec(), said.to_vec()));
        self.lines.push(LogLine::Record { by: Side::Peer, cose: record.cose().to_vec(), body });
    }

    /// The newest word of each side, and the end.
    fn finish(&mut self) {
        let control = Control {
            kind: ControlKind::Status,
            ack: self.ack(),
            cseq: 1,
            last: self.own.last,
            head: self.own.head,
            ts: NOW,
        };
        let cose = control.sign(self.party.identity.key(), &self.link);
        let taken = self.python.ask(take(&record::control_payload(&cose)));
        assert_eq!(taken["result"], "control");
        self.lines.push(LogLine::Control { by: Side::Own, cose });
        self.python.ask(json!({ "op": "process", "session": "s", "upto": self.own.last - 1 }));
        let signed = self.python.ask(json!({ "op": "sign_control", "session": "s", "kind": "ack" }));
        let opened = record::open(&bytes(&signed["payload"]), &self.link, &self.pinned).unwrap();
        let Inbound::Control(control) = opened else { panic!("a record") };
        assert_eq!((control.get().ack.recv, control.get().ack.proc), (self.own.last, self.own.last - 1));
        assert_eq!(control.get().ack.head, self.own.head);
        self.lines.push(LogLine::Control { by: Side::Peer, cose: control.cose().to_vec() });
        self.lines.push(LogLine::End { own: self.own.last, peer: self.theirs.recv });
    }

    fn told(python: &'p Python, seed: u64) -> Self {
        let mut talk = Self::new(python, seed);
        talk.say(Kind::Hello, "");
        talk.hear("hello", "");
        for n in 0..5 {
            talk.say(Kind::Msg, &format!("message {n}"));
            talk.hear("reply", &format!("answer {n}"));
        }
        talk.finish();
        talk
    }

    fn text(&self) -> String {
        self.lines.iter().map(LogLine::to_text).collect()
    }
}

fn take(payload: &[u8]) -> Value {
    json!({ "op": "take_payload", "session": "s", "payload": hex(payload) })
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn verify(text: &str) -> Result<LogReport, LogError> {
    let mut log = LogVerifier::default();
    for line in text.split_inclusive('\n') {
        log.take(line.as_bytes())?;
    }
    log.finish()
}

#[test]
fn ours_by_python_and_pythons_by_us_to_the_same_report() {
    let Some(python) = Python::start() else { return };
    let talk = Talk::told(&python, 21);
    let ours = verify(&talk.text()).unwrap();
    let theirs = python.ask(json!({ "op": "log_verify", "text": talk.text() }));
    let theirs = &theirs["report"];
    assert_eq!((ours.own.records, ours.own.received, ours.own.processed), (6, 6, 5));
    for (name, side, other) in [("own", &ours.own, &ours.peer), ("peer", &ours.peer, &ours.own)] {
        assert_eq!(theirs[name]["records"], side.records);
        assert_eq!(theirs[name]["pruned"], side.pruned);
        // There it is what that side signed to have of the other.
        assert_eq!(theirs[name]["received"], other.received);
        assert_eq!(theirs[name]["processed"], other.processed);
    }
    // What Python writes of the same talk, where it is `own`.
    let LogLine::Head { own, peer, .. } = &talk.lines[0] else { panic!("no head") };
    let written = python.ask(json!({
        "op": "log_write", "session": "s", "own": hex(peer), "peer": hex(own), "pruned": { "peer": [2] },
    }));
    let report = verify(written["text"].as_str().unwrap()).unwrap();
    assert_eq!((report.own.head, report.peer.head), (ours.peer.head, ours.own.head));
    assert_eq!((report.peer.pruned, report.own.pruned), (1, 0));
}

/// Whoever changes anything is caught by both.
#[test]
fn a_changed_one_is_refused_by_both() {
    let Some(python) = Python::start() else { return };
    let talk = Talk::told(&python, 22);
    let good: Vec<String> = talk.lines.iter().map(LogLine::to_text).collect();
    let mut changed: Vec<(String, Vec<String>)> = Vec::new();
    let mut change = |what: String, with: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        with(&mut lines);
        changed.push((what, lines));
    };
    for n in 0..good.len() {
        if n < 13 || n == good.len() - 1 {
            change(format!("without line {n}"), &|lines| drop(lines.remove(n)));
        }
        change(format!("line {n} twice"), &|lines| lines.insert(n, lines[n].clone()));
        change(format!("an A for another character in line {n}"), &|lines| {
            let at = lines[n].find("\":\"").map_or(3, |at| at + 60).min(lines[n].len() - 4);
            let with = if &lines[n][at..=at] == "A" { "B" } else { "A" };
            lines[n].replace_range(at..=at, with);
        });
    }
    change("the sides exchanged".to_owned(), &|lines| {
        for line in lines.iter_mut().skip(1) {
            *line = line.replace("\"by\":\"own\"", "\"by\":\"x\"");
            *line =
                line.replace("\"by\":\"peer\"", "\"by\":\"own\"").replace("\"by\":\"x\"", "\"by\":\"peer\"");
        }
    });
    change("two records of a side exchanged".to_owned(), &|lines| lines.swap(1, 3));
    change("without the last byte".to_owned(), &|lines| _ = lines.last_mut().unwrap().pop());
    change("another count".to_owned(), &|lines| {
        let last = lines.last_mut().unwrap();
        *last = last.replace('6', "5");
    });
    assert!(changed.len() >= 20, "{}", changed.len());
    for (what, lines) in changed {
        let text = lines.concat();
        assert!(verify(&text).is_err(), "we take it {what}");
        let answer = python.try_ask(json!({ "op": "log_verify", "text": text }));
        assert!(answer.get("error").is_some(), "Python takes it {what}: {answer}");
    }
}
