use super::harness::{Side, World, draft};
use crate::agent::engine::Stage;
use crate::encoding::cbor;
use crate::identity::Identity;
use crate::record::{
    self, Ack, Control, ControlKind, Draft, Kind, Link, RecordHash, SendChain, SignedRecord,
};
use crate::session::{Lane, SessionId};
use crate::testing;
use crate::tests_rng::rng;
use crate::time::Timestamp;

/// A record that Alice signs with another key, or over other words than hers.
fn foreign(w: &World, key: &Identity, link: Link) -> SignedRecord {
    let mut chain = w.alice.chain();
    let ack = Ack::nothing(link.session.as_bytes());
    chain
        .sign(key.key(), &link, ack, w.alice.now(), draft(Kind::Msg, w.alice.now(), "x"), &mut rng())
        .unwrap()
}

fn control(from: &Side, change: impl FnOnce(&mut Control)) -> Vec<u8> {
    let payload = from.tamper(|b, p| {
        let ack = b.plain_ack(p).unwrap();
        let cseq = p.cseq_own + 1;
        p.cseq_own = cseq;
        let mut c =
            Control { kind: ControlKind::Ack, ack, cseq, last: p.own.last, head: p.own.head, ts: b.now };
        change(&mut c);
        record::control_payload(&c.sign(b.engine.identity.key(), &p.link))
    });
    from.forge(&payload)
}

/// One of each kind, none of which may have an effect. The good ones are sealed around them.
fn hostile(w: &World) -> Vec<Vec<u8>> {
    let alice = &w.alice;
    let link = alice.tamper(|_, p| p.link);
    let good = alice.forge(b"\x01");
    let (mallory, _) = Identity::generate(&mut rng());
    let (mut other_session, _) = testing::sessions(3);

    let mut flipped = good.clone();
    flipped[200] ^= 1;
    let mut flipped_header = good.clone();
    flipped_header[40] ^= 1;
    let mut version = good.clone();
    version[0] = 2;
    let far = SendChain { last: 5_000, head: RecordHash::from_bytes([1; 32]) };
    let end = SendChain { last: i64::MAX as u64 - 1, head: RecordHash::from_bytes([1; 32]) };
    let wrong_session = Link { session: SessionId::from_bytes([8; 32]), ..link };
    let record = |chain: SendChain| alice.sign(&mut { chain }, None, "far").to_payload();
    let mut wrong_body = alice.sign(&mut alice.chain(), None, "body");
    wrong_body.body[0] ^= 1;

    let mut all = vec![
        Vec::new(),
        good[..511].to_vec(),
        vec![0xaa; 512],
        vec![0x55; 256 << 10],
        vec![1; (256 << 10) + 1],
        flipped,
        flipped_header,
        version,
        other_session.seal(Lane::Ordinary, b"\x01", 512, &mut rng()).unwrap(),
        good,
    ];
    let payloads: Vec<Vec<u8>> = vec![
        vec![],
        vec![1],
        vec![2; 100],
        b"\x01\x05hello".to_vec(),
        cbor::to_vec(&"not a record"),
        foreign(w, &mallory, link).to_payload().to_vec(),
        foreign(w, &alice.engine().identity, wrong_session).to_payload().to_vec(),
        foreign(w, &alice.engine().identity, Link { own: link.peer, peer: link.own, ..link })
            .to_payload()
            .to_vec(),
        record(far).to_vec(),
        record(end).to_vec(),
        wrong_body.to_payload().to_vec(),
        vec![1; 60_000],
    ];
    all.extend(payloads.iter().map(|p| alice.forge(p)));
    all
}

#[test]
fn each_kind_is_put_aside_and_ten_thousand_good_ones_arrive_once_and_in_order() {
    let w = World::paired();
    let bad = hostile(&w);
    let arrival = w.bob.take(&bad);
    assert_eq!((arrival.rejected, arrival.records), (bad.len(), 0));
    assert_eq!(w.bob.stage(), Stage::Paired);

    let mut heard = 0u32;
    for batch in 0..20 {
        w.alice
            .batch(|b| {
                for i in 0..500 {
                    let text = (batch * 500 + i).to_string();
                    b.step(|b| b.send(w.alice.key(), super::harness::msg(&text)))?;
                }
                Ok(())
            })
            .unwrap();
        let mut page = w.alice.post();
        // Junk between the good ones, more of it than is remembered.
        for i in (0..page.len()).step_by(10).rev() {
            page.insert(i, vec![batch as u8; 512]);
        }
        for page in page.chunks(128) {
            w.bob.take(page);
        }
        for text in claim_all(&w.bob) {
            assert_eq!(text, heard.to_string());
            heard += 1;
        }
        w.settle();
    }
    assert_eq!(heard, 10_000);
    assert_eq!(w.bob.stage(), Stage::Paired);
    assert!(w.bob.value::<u64>("SELECT count(*) FROM quarantine") <= 256);
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM evidence"), 0);
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM inbox"), 10_001, "and HELLO");
    assert!(w.bob.value::<u64>("SELECT max(length(ratchet)) FROM session") < 250_000);
}

/// Hands everything out and closes it, in one transaction.
fn claim_all(side: &Side) -> Vec<String> {
    use crate::agent::engine::Handed;
    use crate::agent::state::Inward;
    side.write(|b| {
        let mut all = Vec::new();
        while let Handed::Item(item) = b.claim_next("me", |_| true)? {
            b.close(item.n, Inward::Processed)?;
            all.push(String::from_utf8(item.body).unwrap());
        }
        Ok(all)
    })
    .unwrap()
}

#[test]
fn a_stub_is_excepted_as_expired_and_so_is_what_is_too_late() {
    let w = World::paired();
    let alice = &w.alice;
    let mut chain = alice.chain();
    let stub = alice.sign(&mut chain, None, "withdrawn");
    let late = Draft { exp: Some(alice.now()), ..draft(Kind::Msg, alice.now(), "late") };
    let late = alice.sign_draft(&mut chain, None, late);
    let unknown =
        alice.sign_draft(&mut chain, None, draft(Kind::Other("x-new".to_owned()), alice.now(), "?"));
    let hello = alice.sign_draft(&mut chain, None, draft(Kind::Hello, alice.now(), "again"));
    let good = alice.sign(&mut chain, None, "good");
    w.bob.wait(1);
    let page = [
        alice.forge(&stub.to_stub()),
        alice.forge(&late.to_payload()),
        alice.forge(&unknown.to_payload()),
        alice.forge(&hello.to_payload()),
        alice.forge(&good.to_payload()),
    ];
    let arrival = w.bob.take(&page);
    assert_eq!((arrival.records, arrival.rejected), (5, 0));
    let states: String =
        w.bob.value("SELECT group_concat(state, ' ') FROM (SELECT state FROM inbox ORDER BY seq)");
    assert_eq!(states, "3 5 5 4 4 1");
    assert_eq!(w.bob.drain(), ["good"]);
}

/// Numbers of a signed control message that an honest one cannot have.
#[test]
fn absurd_numbers_in_a_control_message_break_nothing() {
    let w = World::paired();
    let max = i64::MAX as u64;
    let range = record::SeqRange { from: 1, to: max };
    let page = [
        control(&w.alice, |c| c.last = max),
        control(&w.alice, |c| c.ack.missing = vec![range; 16]),
        control(&w.alice, |c| c.ts = Timestamp::from_millis(max)),
        control(&w.alice, |c| {
            c.ack.missing = vec![range];
            c.ack.unopenable = vec![crate::envelope::EnvelopeHash::from_bytes([3; 32]); 16];
        }),
        control(&w.alice, |c| c.cseq = max),
    ];
    assert_eq!(w.bob.take(&page).rejected, 0);
    w.settle();
    w.bob.send("alive").unwrap();
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.drain(), ["alive"]);
    assert_eq!(w.bob.stage(), Stage::Paired);
}

#[test]
fn a_step_that_is_refused_costs_its_sender_nothing_but_itself() {
    let w = World::paired();
    let bad = w.alice.forge(b"\x01nonsense");
    w.alice.send("good").unwrap();
    let good = w.alice.post();
    w.bob.take(&[bad.clone(), bad, good[0].clone()]);
    assert_eq!(w.bob.drain(), ["good"]);
}
