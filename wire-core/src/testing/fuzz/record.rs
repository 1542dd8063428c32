//! What comes out of an envelope: records and control messages.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, SESSION, SIGNED, link};
use crate::encoding::cbor;
use crate::record::{
    Ack, Except, Header, Inbound, Kind, MAX_CONTENT_TYPE, MAX_EXCEPT, MAX_MISSING, MAX_UNOPENABLE, Reason,
    RecordHash, RecordId, Salt, SeqRange, forge, open,
};
use crate::time::Timestamp;

/// Every number of a record is at most this.
const MAX_NUMBER: u64 = i64::MAX as u64;

/// Nobody but the sender makes a payload that opens. What the sender signed opens only in its one encoding, with
/// all fields within their bounds, and names this session and this pair.
pub fn record(data: &[u8]) {
    let mut input = Input::new(data);
    match input.choice(4) {
        0 => unsigned(input.rest()),
        1 => {
            let picked = &PAYLOADS[input.choice(PAYLOADS.len())];
            unsigned(&input.edited(picked));
        }
        2 => signed(&mut input),
        _ => fields(&mut input),
    }
}

/// Records with and without their bodies, then control messages.
pub(super) static PAYLOADS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let whole = SIGNED.records.iter().map(|r| r.to_payload().to_vec());
    let stubs = SIGNED.records.iter().map(|r| r.to_stub().to_vec());
    let controls = SIGNED.controls.iter().map(|cose| forge::payload(cose, &[], &[]));
    whole.chain(stubs).chain(controls).collect()
});

/// What Alice signed as the payload of a COSE_Sign1: records, then control messages.
pub(super) static MAPS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let coses = SIGNED.records.iter().map(|r| &r.cose).chain(&SIGNED.controls);
    let map = |cose: &Vec<u8>| {
        let mut d = minicbor::Decoder::new(cose);
        d.array().and_then(|_| d.bytes()).and_then(|_| d.map()).expect("a COSE_Sign1");
        d.bytes().expect("a payload").to_vec()
    };
    coses.map(map).collect()
});

fn hear(payload: &[u8]) -> Option<Inbound> {
    open(payload, &link(&BOB, &ALICE), &ALICE.pinned).ok()
}

fn unsigned(payload: &[u8]) {
    let opened = hear(payload);
    assert_eq!(opened.is_some(), PAYLOADS.iter().any(|honest| honest == payload), "{opened:?}");
    let Some(opened) = opened else { return };
    accept();
    let again = match &opened {
        Inbound::Record(r) => {
            let (salt, body) = r.body().map_or((&[][..], &[][..]), |(s, b)| (s.as_bytes(), b));
            forge::payload(r.cose(), salt, body)
        }
        Inbound::Control(c) => forge::payload(c.cose(), &[], &[]),
    };
    assert_eq!(again, payload);
}

/// Any bytes, or an honest map with changes, under Alice's signature.
fn signed(input: &mut Input<'_>) {
    let map = if input.u8() & 1 == 0 {
        input.rest().to_vec()
    } else {
        let picked = &MAPS[input.choice(MAPS.len())];
        input.edited(picked)
    };
    let cose = forge::sign(ALICE.identity.key(), &SESSION, &map);
    match hear(&forge::payload(&cose, &[], &[])) {
        None => {}
        Some(Inbound::Record(r)) => {
            accept();
            assert_eq!(cbor::to_vec(r.header()), map);
            assert!(within_bounds(r.header()), "{:?}", r.header());
            assert_eq!(r.body(), None);
        }
        Some(Inbound::Control(c)) => {
            accept();
            let control = c.get();
            assert_eq!(control.sign(ALICE.identity.key(), &link(&ALICE, &BOB)), cose);
            assert!(control.cseq > 0 && ack_within_bounds(&control.ack), "{control:?}");
            assert!(control.ack.unopenable.is_empty() || !control.ack.missing.is_empty());
            assert!([control.cseq, control.last, control.ts.as_millis()].iter().all(|n| *n <= MAX_NUMBER));
        }
    }
}

/// A header of any fields, in its one encoding, and a body.
fn fields(input: &mut Input<'_>) {
    let number = |input: &mut Input<'_>| match input.choice(4) {
        0 => input.u64(),
        1 => MAX_NUMBER.saturating_add(input.u8().into()).saturating_sub(1),
        _ => input.u8().into(),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let link = link(&ALICE, &BOB);
    let (changed, seq, ts) = (input.u8(), number(input), Timestamp::from_millis(number(input)));
    let exp = (input.u8() & 1 == 1).then(|| Timestamp::from_millis(number(input)));
    let ack = Ack {
        recv: number(input),
        head: RecordHash::from_bytes([1; 32]),
        proc: number(input),
        seen: number(input),
        except: Vec::new(),
        missing: Vec::new(),
        unopenable: Vec::new(),
    };
    let mut ack = ack;
    let range = SeqRange { from: number(input), to: number(input) };
    let many = |n: u16, most: usize| usize::from(n) % (most + 2);
    ack.except = vec![Except { range, reason: Reason::Refused }; many(input.u16(), MAX_EXCEPT)];
    if changed & 1 == 1 {
        ack.missing = vec![range; many(input.u16(), MAX_MISSING)];
        ack.unopenable =
            vec![crate::envelope::EnvelopeHash::from_bytes([2; 32]); many(input.u16(), MAX_UNOPENABLE)];
    }
    let kind = Kind::Other(text(input.short()));
    let ctype = text(input.short());
    let id = RecordId::from_bytes(input.array());
    let salt = Salt::from_bytes(input.array());
    let body = input.rest();
    let header = Header {
        sid: SESSION,
        from: if changed & 2 == 0 { link.own } else { link.peer },
        to: link.peer,
        seq,
        prev: RecordHash::from_bytes([4; 32]),
        ack,
        ts,
        kind,
        ctype,
        id,
        re: None,
        exp,
        body_hash: forge::hash_body(&salt, if changed & 4 == 0 { body } else { b"another" }),
        body_len: (body.len() as u64).wrapping_add(u64::from(changed & 8)),
    };
    let cose = forge::sign(ALICE.identity.key(), &SESSION, &cbor::to_vec(&header));
    let opened = hear(&forge::payload(&cose, salt.as_bytes(), body));
    let same_body = (changed & 4 == 0 || body == b"another") && changed & 8 == 0;
    let takes = changed & 2 == 0 && same_body && within_bounds(&header);
    assert_eq!(opened.is_some(), takes, "{header:?}");
    if let Some(Inbound::Record(r)) = opened {
        accept();
        // A kind that is known has a name of its own here, and the same one on the wire.
        assert_eq!(cbor::to_vec(r.header()), cbor::to_vec(&header));
        assert_eq!(r.body(), Some((&salt, body)));
    }
}

fn within_bounds(header: &Header) -> bool {
    let kind = header.kind.as_str();
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    let times = std::iter::once(header.ts).chain(header.exp);
    (1..=MAX_NUMBER).contains(&header.seq)
        && times.map(Timestamp::as_millis).all(|t| t <= MAX_NUMBER)
        && (1..=32).contains(&kind.len())
        && kind.bytes().all(plain)
        && header.ctype.len() <= MAX_CONTENT_TYPE
        && header.ctype.bytes().all(|b| (b' '..=b'~').contains(&b))
        && header.ack.missing.is_empty()
        && header.ack.unopenable.is_empty()
        && ack_within_bounds(&header.ack)
}

fn ack_within_bounds(ack: &Ack) -> bool {
    let mut ranges = ack.except.iter().map(|e| &e.range).chain(&ack.missing);
    [ack.recv, ack.proc, ack.seen].iter().all(|n| *n <= MAX_NUMBER)
        && ack.except.len() <= MAX_EXCEPT
        && ack.missing.len() <= MAX_MISSING
        && ack.unopenable.len() <= MAX_UNOPENABLE
        && ranges.all(|r| 1 <= r.from && r.from <= r.to && r.to <= MAX_NUMBER)
}
