use super::*;
use crate::identity::{Identity, StatementChain};
use crate::record::{
    Ack, Control, ControlKind, Draft, Except, Kind, Link, Reason, RecordError, RecordHash, RecordId,
    SendChain, SeqRange, SignedRecord,
};
use crate::session::SessionId;
use crate::tests_rng::rng;
use crate::time::Timestamp;

const SESSION: SessionId = SessionId::from_bytes([3; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Two sides that talk, and what they signed.
struct Talk {
    who: [Identity; 2],
    chains: [SendChain; 2],
    signed: [Vec<SignedRecord>; 2],
}

impl Talk {
    fn new() -> Self {
        let who = [(); 2].map(|()| Identity::generate(&mut rng()).0);
        Self { who, chains: [SendChain::start(&SESSION); 2], signed: [Vec::new(), Vec::new()] }
    }

    fn link(&self, by: usize) -> Link {
        Link { session: SESSION, own: self.who[by].root(), peer: self.who[1 - by].root() }
    }

    /// What the side says of the first `recv` records of the other.
    fn ack(&self, by: usize, recv: u64, proc: u64) -> Ack {
        let mut ack = Ack::nothing(SESSION.as_bytes());
        (ack.recv, ack.proc) = (recv, proc);
        if let Some(top) = recv.checked_sub(1) {
            ack.head = self.signed[1 - by][top as usize].hash;
        }
        ack
    }

    fn say(&mut self, by: usize, ack: Ack, text: &str) -> SignedRecord {
        let record = self.sign(by, ack, text);
        self.signed[by].push(record.clone());
        record
    }

    fn sign(&mut self, by: usize, ack: Ack, text: &str) -> SignedRecord {
        let draft = Draft {
            kind: Kind::Msg,
            id: RecordId::generate(NOW, &mut rng()),
            re: None,
            exp: None,
            ctype: "text/plain".to_owned(),
            body: text.as_bytes().to_vec(),
        };
        let link = self.link(by);
        self.chains[by].sign(self.who[by].key(), &link, ack, NOW, draft, &mut rng()).unwrap()
    }

    fn control(&self, by: usize, ack: Ack) -> Vec<u8> {
        let chain = self.chains[by];
        let control =
            Control { kind: ControlKind::Ack, ack, cseq: 1, last: chain.last, head: chain.head, ts: NOW };
        control.sign(self.who[by].key(), &self.link(by))
    }

    /// Three records each, the last of the peer without a body, and a control message of both.
    fn told() -> (Self, Vec<LogLine>) {
        let mut talk = Self::new();
        for n in 0..3 {
            for by in [0, 1] {
                let ack = talk.ack(by, talk.chains[1 - by].last.min(n + 1), n);
                talk.say(by, ack, "hi");
            }
        }
        let mut all = talk.ack(0, 3, 3);
        all.except.push(Except { range: SeqRange { from: 2, to: 3 }, reason: Reason::Refused });
        let controls = [talk.control(0, all), talk.control(1, talk.ack(1, 3, 2))];
        let mut lines = vec![talk.head()];
        lines.extend(talk.signed[0].iter().map(|r| line(Side::Own, r)));
        lines.extend(talk.signed[1].iter().map(|r| line(Side::Peer, r)));
        if let Some(LogLine::Record { body, .. }) = lines.last_mut() {
            *body = None;
        }
        let [own, peer] = controls;
        lines.push(LogLine::Control { by: Side::Own, cose: own });
        lines.push(LogLine::Control { by: Side::Peer, cose: peer });
        lines.push(LogLine::End { own: 3, peer: 3 });
        (talk, lines)
    }

    fn head(&self) -> LogLine {
        let [own, peer] = [0, 1].map(|n| self.who[n].statements().to_bytes().to_vec());
        LogLine::Head { session: SESSION, own, peer }
    }
}

fn line(by: Side, record: &SignedRecord) -> LogLine {
    let body = Some((record.salt.as_bytes().to_vec(), record.body.clone()));
    LogLine::Record { by, cose: record.cose.clone(), body }
}

fn verify(lines: &[LogLine]) -> Result<LogReport, LogError> {
    let mut log = LogVerifier::default();
    for line in lines {
        let text = line.to_text();
        assert_eq!(LogLine::parse(text.as_bytes()).as_ref(), Ok(line), "{text}");
        log.take(text.as_bytes())?;
    }
    log.finish()
}

fn fault(lines: &[LogLine]) -> LogFault {
    verify(lines).unwrap_err().fault
}

#[test]
fn what_a_log_proves_is_counted() {
    let (talk, lines) = Talk::told();
    let report = verify(&lines).unwrap();
    assert_eq!(report.session, SESSION);
    let own = SideReport {
        root: talk.who[0].root(),
        records: 3,
        head: talk.chains[0].head,
        pruned: 0,
        received: 3,
        processed: 2,
        excepted: 0,
        signed: 3,
        conflict: false,
    };
    assert_eq!(report.own, own);
    let peer = SideReport {
        root: talk.who[1].root(),
        head: talk.chains[1].head,
        pruned: 1,
        processed: 3,
        excepted: 2,
        ..own
    };
    assert_eq!(report.peer, peer);
}

/// Each one thing that somebody might change, and how it shows.
#[test]
fn no_line_can_be_changed_left_out_doubled_or_moved() {
    let (mut talk, good) = Talk::told();
    let changed = |change: &dyn Fn(&mut Vec<LogLine>)| {
        let mut lines = good.clone();
        change(&mut lines);
        fault(&lines)
    };
    for n in 1..=6 {
        let left_out = changed(&|lines| drop(lines.remove(n)));
        assert!(matches!(left_out, LogFault::Chain | LogFault::Ack | LogFault::Cut), "{n}: {left_out}");
        assert_eq!(changed(&|lines| lines.insert(n, lines[n].clone())), LogFault::Chain, "{n} twice");
    }
    assert_eq!(changed(&|lines| lines.swap(1, 2)), LogFault::Chain);
    assert_eq!(changed(&|lines| lines.swap(6, 7)), LogFault::OutOfPlace);
    assert_eq!(changed(&|lines| drop(lines.remove(0))), LogFault::OutOfPlace);
    assert_eq!(changed(&|lines| lines.insert(1, lines[0].clone())), LogFault::OutOfPlace);
    assert_eq!(changed(&|lines| lines.insert(7, lines[7].clone())), LogFault::OutOfPlace);
    assert_eq!(changed(&|lines| drop(lines.pop())), LogFault::Cut);
    assert_eq!(changed(&|lines| lines.push(lines[9].clone())), LogFault::Cut);
    assert_eq!(changed(&|lines| lines[9] = LogLine::End { own: 3, peer: 2 }), LogFault::Cut);
    for n in [1, 4] {
        // Said by the other side, or of another session.
        let as_other = changed(&|lines| {
            if let LogLine::Record { by, .. } = &mut lines[n] {
                *by = by.other();
            }
        });
        assert_eq!(as_other, LogFault::Record(RecordError::Signature));
        let body = changed(&|lines| {
            if let LogLine::Record { body: Some((_, body)), .. } = &mut lines[n] {
                body[0] ^= 1;
            }
        });
        assert_eq!(body, LogFault::Record(RecordError::Body));
        let salt = changed(&|lines| {
            if let LogLine::Record { body: Some((salt, _)), .. } = &mut lines[n] {
                salt.pop();
            }
        });
        assert!(matches!(salt, LogFault::Record(_)));
    }
    let session = changed(&|lines| {
        if let LogLine::Head { session, .. } = &mut lines[0] {
            *session = SessionId::from_bytes([4; 32]);
        }
    });
    assert_eq!(session, LogFault::Record(RecordError::Signature));
    let twins = changed(&|lines| {
        if let LogLine::Head { own, peer, .. } = &mut lines[0] {
            peer.clone_from(own);
        }
    });
    assert_eq!(twins, LogFault::Identity);
    // A control message as a record, and the other way round.
    let LogLine::Control { cose: control, .. } = &good[7] else { panic!() };
    let LogLine::Record { cose: record, .. } = &good[1] else { panic!() };
    let as_record = LogLine::Record { by: Side::Own, cose: control.clone(), body: None };
    assert_eq!(changed(&|lines| lines.insert(4, as_record.clone())), LogFault::Chain);
    assert_eq!(
        changed(&|lines| lines[7] = LogLine::Control { by: Side::Own, cose: record.clone() }),
        LogFault::Chain
    );
    // A signature of the right key over what is not so.
    let foreign = Ack { head: RecordHash::from_bytes([9; 32]), ..talk.ack(0, 3, 3) };
    let more = Ack { recv: 4, ..talk.ack(0, 3, 3) };
    let unproved = Ack { proc: 3, ..talk.ack(0, 2, 2) };
    let unsaid = Ack { seen: 4, ..talk.ack(0, 3, 3) };
    for ack in [foreign, more, unproved, unsaid] {
        let lying = LogLine::Control { by: Side::Own, cose: talk.control(0, ack.clone()) };
        assert_eq!(changed(&|lines| lines[7] = lying.clone()), LogFault::Ack, "{ack:?}");
    }
    let back = talk.ack(0, 1, 0);
    let back = talk.say(0, back, "what was said before is not so");
    assert_eq!(changed(&|lines| lines.insert(4, line(Side::Own, &back))), LogFault::Ack);
}

#[test]
fn every_flipped_character_is_refused_or_changes_nothing() {
    let (_, good) = Talk::told();
    let texts: Vec<String> = good.iter().map(LogLine::to_text).collect();
    for (n, text) in texts.iter().enumerate() {
        for at in (0..text.len()).step_by(3) {
            let mut bad = text.clone().into_bytes();
            bad[at] ^= 1;
            let mut log = LogVerifier::default();
            let mut lines: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            lines[n] = &bad;
            let outcome =
                lines.iter().try_for_each(|line| log.take(line)).and_then(|()| log.finish().map(|_| ()));
            assert!(outcome.is_err(), "line {n}, byte {at}: {}", String::from_utf8_lossy(&bad));
        }
    }
}

#[test]
fn lines_of_another_form_are_refused() {
    let end = |text: &str| LogLine::parse(text.as_bytes());
    assert_eq!(end("{\"end\":[1,2]}\n"), Ok(LogLine::End { own: 1, peer: 2 }));
    assert_eq!(end(" {\"end\" : [1, 2]}\n"), Ok(LogLine::End { own: 1, peer: 2 }));
    for bad in [
        "",
        "\n",
        "{\"end\":[1,2]}",
        "{\"end\":[1,2]}\n\n",
        "{\"end\":[1,2],\"end\":[1,2]}\n",
        "{\"end\":[1,2],\"more\":1}\n",
        "{\"end\":[1]}\n",
        "{\"end\":[1,-2]}\n",
        "{\"end\":[1,2.0]}\n",
        "{\"by\":\"own\",\"cose\":\"AA==\"}\n",
        "{\"by\":\"own\",\"cose\":\"AB\"}\n",
        "{\"by\":\"own\",\"cose\":\"AA\",\"salt\":null}\n",
        "{\"by\":\"own\",\"cose\":\"AA\",\"salt\":\"AA\"}\n",
        "{\"by\":\"them\",\"cose\":\"AA\"}\n",
        "{\"by\":\"own\"}\n",
        "{\"wire_log\":2,\"session\":\"AA\",\"own\":\"\",\"peer\":\"\"}\n",
        "[]\n",
    ] {
        assert_eq!(end(bad), Err(LogFault::Malformed), "{bad}");
    }
    let long = format!("{{\"by\":\"own\",\"cose\":\"{}\"}}\n", "A".repeat(MAX_LINE));
    assert_eq!(end(&long), Err(LogFault::Malformed));
}

#[test]
fn a_rotated_key_takes_over_and_does_not_give_back() {
    let mut talk = Talk::new();
    talk.say(0, Ack::nothing(SESSION.as_bytes()), "before");
    let (old, next) = Identity::generate(&mut rng());
    talk.who[0] = old;
    talk.signed[0].clear();
    talk.chains[0] = SendChain::start(&SESSION);
    let one = talk.say(0, Ack::nothing(SESSION.as_bytes()), "by the first key");
    let first = talk.who[0].clone();
    let (rotated, _) = first.rotate(&next, &mut rng()).unwrap();
    talk.who[0] = rotated;
    let two = talk.say(0, Ack::nothing(SESSION.as_bytes()), "by the second");
    let fork = talk.chains;
    let three = talk.say(0, Ack::nothing(SESSION.as_bytes()), "too");
    let end = LogLine::End { own: 3, peer: 0 };
    let log = |records: [&SignedRecord; 3]| {
        let records = records.map(|r| line(Side::Own, r));
        [vec![talk.head()], records.to_vec(), vec![end.clone()]].concat()
    };
    assert_eq!(verify(&log([&one, &two, &three])).unwrap().own.records, 3);
    assert_eq!(StatementChain::verify(talk.who[0].statements().to_bytes()).unwrap().serial(), 1);
    let mut thief =
        Talk { who: [first, talk.who[1].clone()], chains: fork, signed: [Vec::new(), Vec::new()] };
    let stolen = thief.say(0, Ack::nothing(SESSION.as_bytes()), "by the first key again");
    assert_eq!(fault(&log([&one, &two, &stolen])), LogFault::Record(RecordError::Signature));
}

#[test]
fn two_histories_are_proved_to_anybody() {
    let (mut talk, lines) = Talk::told();
    let fork = talk.chains;
    let ack = talk.ack(1, 3, 2);
    let one = talk.sign(1, ack.clone(), "I agree");
    talk.chains = fork;
    let other = talk.sign(1, ack.clone(), "I do not");
    let after = talk.sign(1, ack, "as I said");
    let with = |coses: Vec<&SignedRecord>| {
        let mut lines = lines.clone();
        let coses = coses.into_iter().map(|r| r.cose.clone()).collect();
        lines.insert(9, LogLine::Conflict { by: Side::Peer, coses });
        verify(&lines)
    };
    for proof in [vec![&one, &other], vec![&one, &after]] {
        let report = with(proof).unwrap();
        assert_eq!((report.peer.conflict, report.own.conflict), (true, false));
    }
    for none in [vec![&one, &one], vec![&other, &after], vec![&after, &one], vec![&one]] {
        assert_eq!(with(none).unwrap_err().fault, LogFault::NoConflict);
    }
    assert_eq!(with(vec![]).unwrap_err().fault, LogFault::Malformed);
    // A history that begins elsewhere.
    talk.chains[1] = SendChain { last: 0, head: RecordHash::from_bytes([1; 32]) };
    let ack = talk.ack(1, 3, 2);
    let elsewhere = talk.sign(1, ack, "another beginning");
    assert!(with(vec![&elsewhere]).unwrap().peer.conflict);
}
