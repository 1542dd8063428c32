//! A log file of somebody who may lie.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, NOW, SESSION, link};
use crate::record::log::{LogLine, LogReport, LogVerifier, Side, SideReport};
use crate::record::{
    Ack, Control, ControlKind, Draft, Except, Kind, Reason, RecordHash, RecordId, SendChain, SeqRange,
    SignedRecord,
};
use crate::testing::SeededRng;

const RECORDS: u64 = 3;
const MAX_LINES: usize = 16;

/// An honest log of three records each.
pub(super) struct Told {
    own: Vec<SignedRecord>,
    peer: Vec<SignedRecord>,
    pub(super) lines: Vec<LogLine>,
    /// A second record of Alice that follows no first one of hers.
    broken: LogLine,
}

pub(super) static TOLD: LazyLock<Told> = LazyLock::new(tell);

/// Each line has one meaning: what is read, written and read again is the same. A log verifies only if each side
/// of it is the beginning of what that side signed, and nothing is proved that was not signed.
pub fn log(data: &[u8]) {
    let mut input = Input::new(data);
    let text = match input.choice(3) {
        0 => input.rest().to_vec(),
        1 => {
            let honest: String = TOLD.lines.iter().map(LogLine::to_text).collect();
            input.edited(honest.as_bytes())
        }
        _ => reordered(&mut input),
    };
    let mut verifier = LogVerifier::default();
    let mut failed = false;
    for line in text.split_inclusive(|b| *b == b'\n') {
        if let Ok(line) = LogLine::parse(line) {
            accept();
            assert_eq!(LogLine::parse(line.to_text().as_bytes()), Ok(line));
        }
        // The first fault ends it; what a caller that goes on hears is no matter, but it must be something.
        failed |= verifier.take(line).is_err();
    }
    if let (Ok(report), false) = (verifier.finish(), failed) {
        proves_no_more(&report);
    }
}

fn proves_no_more(report: &LogReport) {
    assert_eq!(report.session, SESSION);
    for (side, told) in [(&report.own, [&TOLD.own, &TOLD.peer]), (&report.peer, [&TOLD.peer, &TOLD.own])] {
        // A liar may say that the other one is who exports.
        let told = told.into_iter().find(|told| head(told, side.records) == Some(side.head));
        assert!(told.is_some() && is_sound(side), "{side:?}");
    }
    assert_ne!(report.own.root, report.peer.root);
}

fn is_sound(side: &SideReport) -> bool {
    side.processed <= side.received
        && side.received <= side.records
        && side.excepted <= side.processed
        && side.pruned <= side.records
        && (side.records..=RECORDS).contains(&side.signed)
        && !side.conflict
}

fn head(told: &[SignedRecord], records: u64) -> Option<RecordHash> {
    match records.checked_sub(1) {
        None => Some(RecordHash::from_bytes(*SESSION.as_bytes())),
        Some(last) => told.get(last as usize).map(|record| record.hash),
    }
}

/// Honest lines in any order, and ends that count anything.
fn reordered(input: &mut Input<'_>) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..MAX_LINES {
        if input.is_empty() {
            break;
        }
        let picked = input.choice(TOLD.lines.len() + 3);
        text += &match TOLD.lines.get(picked) {
            Some(line) => without_body(line, picked, input).to_text(),
            None if picked == TOLD.lines.len() => {
                LogLine::End { own: input.u8().into(), peer: input.u8().into() }.to_text()
            }
            None if picked == TOLD.lines.len() + 1 => TOLD.broken.to_text(),
            None => {
                let coses: Vec<Vec<u8>> =
                    TOLD.own.iter().take(input.choice(4)).map(|record| record.cose.clone()).collect();
                LogLine::Conflict { by: Side::Own, coses }.to_text()
            }
        };
    }
    text.into_bytes()
}

/// A record may come with or without its body.
fn without_body(line: &LogLine, picked: usize, input: &mut Input<'_>) -> LogLine {
    let mut line = line.clone();
    let prunes = picked > 0 && input.u8() == 1;
    if let (LogLine::Record { body, .. }, true) = (&mut line, prunes) {
        *body = None;
    }
    line
}

fn tell() -> Told {
    let rng = &mut SeededRng::new(44);
    let parties = [&*ALICE, &*BOB];
    let links = [link(&ALICE, &BOB), link(&BOB, &ALICE)];
    let mut chains = [SendChain::start(&SESSION); 2];
    let mut signed = [Vec::<SignedRecord>::new(), Vec::new()];
    let ack = |signed: &[Vec<SignedRecord>; 2], by: usize, recv: u64, proc: u64| {
        let head = head(&signed[1 - by], recv).expect("a record that was signed");
        Ack { recv, proc, head, ..Ack::nothing(SESSION.as_bytes()) }
    };
    for n in 0..RECORDS {
        for by in [0, 1] {
            let recv = chains[1 - by].last.min(n + 1);
            let ack = ack(&signed, by, recv, n.min(recv));
            let id = RecordId::generate(NOW, rng);
            let (ctype, body) = ("text/plain".to_owned(), b"hi".to_vec());
            let draft = Draft { kind: Kind::Msg, id, re: None, exp: None, ctype, body };
            let record = chains[by].sign(parties[by].identity.key(), &links[by], ack, NOW, draft, rng);
            signed[by].push(record.expect("an honest record"));
        }
    }
    let controls = [0, 1].map(|by| {
        let mut ack = ack(&signed, by, RECORDS, RECORDS);
        ack.except.push(Except { range: SeqRange { from: 2, to: 3 }, reason: Reason::Refused });
        let SendChain { last, head } = chains[by];
        let control = Control { kind: ControlKind::Ack, ack, cseq: 1, last, head, ts: NOW };
        control.sign(parties[by].identity.key(), &links[by])
    });
    let [own, peer] = parties.map(|party| party.identity.statements().to_bytes().to_vec());
    let mut lines = vec![LogLine::Head { session: SESSION, own, peer }];
    for (by, records) in [Side::Own, Side::Peer].into_iter().zip(&signed) {
        lines.extend(records.iter().map(|record| LogLine::Record {
            by,
            cose: record.cose.clone(),
            body: Some((record.salt.as_bytes().to_vec(), record.body.clone())),
        }));
    }
    let [own, peer] = controls;
    lines.push(LogLine::Control { by: Side::Own, cose: own });
    lines.push(LogLine::Control { by: Side::Peer, cose: peer });
    lines.push(LogLine::End { own: RECORDS, peer: RECORDS });
    let [own, peer] = signed;
    let mut other = SendChain { last: 1, head: RecordHash::from_bytes([5; 32]) };
    let ack = Ack::nothing(SESSION.as_bytes());
    let id = RecordId::generate(NOW, rng);
    let draft = Draft { kind: Kind::Msg, id, re: None, exp: None, ctype: String::new(), body: Vec::new() };
    let broken = other.sign(ALICE.identity.key(), &links[0], ack, NOW, draft, rng).expect("it is in bounds");
    let broken = LogLine::Record { by: Side::Own, cose: broken.cose, body: None };
    Told { own, peer, lines, broken }
}
