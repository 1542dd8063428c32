//! The client against a relay that is a script, in virtual time.

mod script;

use std::collections::BTreeMap;

use self::script::{Asked, LIFE, Reply, START, Sim, TURN_MS, at, end, envelope, mailbox, obliging, refuse};
use super::*;
use crate::mailbox::{Frame, Incarnation};

#[test]
fn a_new_mailbox_is_created_read_and_acknowledged() {
    let mut sim = Sim::new(1);
    sim.client.open(mailbox(1), 0, None, Right::None);
    sim.run(1_000, |now, asked| match asked {
        Asked::Read(_) => Reply::Stream([envelope(0, 1), envelope(0, 2)].concat(), false),
        _ => obliging(now, asked),
    });
    let id = mailbox(1).public();
    let heard: Vec<_> = sim
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Envelope { mailbox, at, .. } => Some((*mailbox, *at)),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [(id, at(1)), (id, at(2))]);
    assert_eq!(sim.reads(), [&vec![(id, None)]]);
    for seq in 1..=2 {
        sim.client.ack(&id, at(seq), EnvelopeHash::from_bytes([seq as u8; 32]));
    }
    assert!(!sim.client.is_idle());
    sim.run(1_000, obliging);
    assert!(sim.client.is_idle());
    assert_eq!(sim.operations(), [1, 4], "one acknowledgement, the newest");
    // The stream goes on; a new one would begin behind what was acknowledged.
    let stream = sim.replies[0].1;
    sim.client.handle_end(sim.now, stream);
    sim.run(1_000, obliging);
    assert_eq!(sim.reads()[1], &vec![(id, Some(at(2)))]);
}

#[test]
fn a_mailbox_that_the_relay_lost_is_created_again_and_read_from_its_start() {
    let reborn = Refusal::Stale { incarnation: Incarnation::from_bytes([2; 16]), first: 1, head: 0 };
    for refusal in [Refusal::NotFound, reborn] {
        let mut sim = Sim::new(2);
        sim.client.open(mailbox(1), 3, Some(at(5)), Right::None);
        let mut first = true;
        sim.run(5_000, |now, asked| match asked {
            Asked::Read(_) if std::mem::take(&mut first) => Reply::Stream(end(0, refusal, now), false),
            _ => obliging(now, asked),
        });
        let id = mailbox(1).public();
        let asked: Vec<_> = sim.sent.iter().map(|(_, a)| a.clone()).collect();
        let create = Operation::Create { min_epoch: 3, right: Right::None };
        let expected =
            [Asked::Read(vec![(id, Some(at(5)))]), Asked::One(id, create), Asked::Read(vec![(id, None)])];
        assert_eq!(asked, expected);
    }
}

#[test]
fn a_wrong_clock_is_set_by_the_relay_once_for_each_request() {
    let mut sim = Sim::new(3);
    let ahead = |now: Timestamp| now.plus_millis(3_600_000);
    sim.post(7);
    let mut seen = 0;
    sim.run(1_000, |now, asked| {
        seen += 1;
        if seen == 1 { refuse(Refusal::Skew, ahead(now)) } else { obliging(now, asked) }
    });
    assert_eq!((sim.operations().as_slice(), sim.posted().as_slice()), (&[2u8, 2][..], &[7][..]));
    assert!(
        sim.events
            .iter()
            .any(|e| matches!(e, Event::Clock { offset_ms } if (3_590_000..3_610_000).contains(offset_ms)))
    );

    // One that always says so is not believed for ever.
    sim.post(8);
    sim.run(600_000, |now, _| refuse(Refusal::Skew, ahead(now)));
    assert_eq!(sim.operations().len(), 4);
    assert!(sim.events.contains(&Event::PostRefused { tag: 8, refusal: Refusal::Skew }));
}

/// With a clock so far off nothing goes out before the relay has proved its time.
#[test]
fn a_clock_that_is_days_off_is_not_set_by_what_nobody_signed() {
    let mut sim = Sim::new(3);
    sim.post(7);
    sim.run(120_000, |now, _| refuse(Refusal::Skew, now.plus_millis(2 * 24 * 3_600_000)));
    assert!(sim.posted().is_empty());
    assert!(!sim.events.iter().any(|e| matches!(e, Event::PostRefused { .. })));
    assert!(sim.events.iter().any(|e| matches!(e, Event::Clock { offset_ms } if *offset_ms > 100_000_000)));
    // It is not given up: once the time is proved to be near, the post goes out.
    sim.run(60_000, obliging);
    assert_eq!(sim.posted(), [7]);
}

#[test]
fn a_post_that_is_not_taken_for_now_is_told() {
    let mut sim = Sim::new(3);
    sim.post(7);
    let mut first = true;
    sim.run(60_000, |now, asked| {
        if std::mem::take(&mut first) { refuse(Refusal::Full, now) } else { obliging(now, asked) }
    });
    assert!(sim.events.contains(&Event::PostDelayed { tag: 7, refusal: Refusal::Full }));
    assert_eq!(sim.posted(), [7]);
}

/// Nothing is posted, so only the stream can learn of it.
#[test]
fn a_wrong_clock_does_not_make_a_reader_deaf() {
    for whole in [true, false] {
        let mut sim = Sim::new(4);
        sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
        let right = |now: Timestamp| now.plus_millis(7_200_000);
        let mut first = true;
        sim.run(10_000, |now, asked| match (std::mem::take(&mut first), whole) {
            (true, true) => refuse(Refusal::Skew, right(now)),
            (true, false) => Reply::Stream(end(0, Refusal::Skew, right(now)), false),
            (false, _) => obliging(now, asked),
        });
        assert_eq!(sim.reads().len(), 2);
        assert!(sim.events.iter().any(|e| matches!(e, Event::Clock { .. })));
    }
}

#[test]
fn the_waits_are_jittered_and_double_up_to_half_a_minute() {
    let mut longest = [0u64; 12];
    for seed in 0..200 {
        let mut sim = Sim::new(seed);
        sim.post(1);
        sim.run(600_000, |_, _| Reply::Fail);
        let times: Vec<_> = sim.sent.iter().map(|(t, _)| *t).collect();
        for (i, pair) in times.windows(2).take(12).enumerate() {
            let wait = pair[1].since(pair[0]) - TURN_MS;
            assert!(wait <= (250 << i).min(30_000), "try {i} waited {wait} ms");
            longest[i] = longest[i].max(wait);
        }
    }
    for (i, longest) in longest.into_iter().enumerate() {
        assert!(longest > (200 << i).min(25_000), "the whole span is used at try {i}: {longest}");
    }
}

#[test]
fn a_post_is_never_under_way_twice_and_is_answered_once() {
    let mut sim = Sim::new(5);
    (1..=3).for_each(|tag| sim.post(tag));
    let mut under_way: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut n = 0;
    sim.run(600_000, |now, asked| {
        let Asked::One(_, Operation::Post { envelopes }) = asked else { panic!() };
        n += 1;
        *under_way.entry(envelopes[0].clone()).or_default() += 1;
        match n % 4 {
            0 => Reply::Fail,
            1 => refuse(Refusal::Unavailable { retry_after: 1 }, now),
            2 => Reply::Http(502, b"<html>".to_vec()),
            _ => obliging(now, asked),
        }
    });
    let mut posted = sim.posted();
    posted.sort_unstable();
    assert_eq!(posted, [1, 2, 3]);
    assert!(sim.client.is_idle());

    let mut sim = Sim::new(6);
    sim.post(1);
    sim.run(600_000, |_, _| Reply::Hang);
    sim.client.retry_now();
    sim.run(600_000, |_, _| Reply::Hang);
    assert_eq!(sim.sent.len(), 1, "no answer yet is no reason to post it again");
}

#[test]
fn bye_sends_the_reader_away_and_posts_go_on() {
    let mut sim = Sim::new(7);
    sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
    sim.run(20_000, |_, _| Reply::Stream(Frame::Bye { reconnect_after_ms: 8_000 }.to_bytes(), true));
    let reads: Vec<_> = sim.sent.iter().map(|(t, _)| *t).collect();
    assert!(reads[1].since(reads[0]) >= 8_000 && reads[1].since(reads[0]) < 16_100);
    sim.post(1);
    sim.run(100, obliging);
    assert_eq!(sim.posted(), [1]);
    // Seven weeks are too long to stay away.
    let mut sim = Sim::new(8);
    sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
    sim.run(3 * 3_600_000, |_, _| {
        Reply::Stream(Frame::Bye { reconnect_after_ms: u32::MAX }.to_bytes(), true)
    });
    assert!(sim.sent.len() >= 2);
}

#[test]
fn a_relay_that_asks_for_a_lifetime_of_patience_is_asked_again() {
    let mut sim = Sim::new(9);
    sim.post(1);
    sim.run(2 * 3_600_000, |now, _| refuse(Refusal::Rate { retry_after: u32::MAX }, now));
    assert!(sim.sent.len() >= 2);
    sim.client.retry_now();
    sim.run(100, obliging);
    assert_eq!(sim.posted(), [1]);
}

#[test]
fn a_stream_of_something_else_is_given_up_and_started_again() {
    let huge = [&u32::MAX.to_be_bytes()[..], &[0; 64]].concat();
    let far = Frame::Envelope { index: 0, incarnation: LIFE, seq: u64::MAX, envelope: vec![] }.to_bytes();
    for bad in [b"\0\0\0\x05hello".to_vec(), huge, envelope(1, 1), end(9, Refusal::NotFound, START), far] {
        let mut sim = Sim::new(10);
        sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
        let mut first = true;
        sim.run(2_000, |now, asked| {
            if std::mem::take(&mut first) {
                Reply::Stream([bad.clone(), envelope(0, 6)].concat(), false)
            } else {
                obliging(now, asked)
            }
        });
        assert_eq!((sim.reads().len(), sim.cancelled), (2, 1));
        assert!(
            !sim.events.iter().any(|e| matches!(e, Event::Envelope { .. })),
            "nothing behind it is taken"
        );
    }
}

#[test]
fn another_set_of_mailboxes_is_another_stream() {
    let mut sim = Sim::new(11);
    let [one, two] = [1, 2].map(|n| mailbox(n).public());
    sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
    sim.run(1_000, obliging);
    sim.client.open(mailbox(2), 0, Some(at(7)), Right::None);
    sim.run(1_000, obliging);
    sim.client.close(&one);
    sim.run(1_000, obliging);
    sim.client.close(&two);
    sim.run(1_000, obliging);
    let mut both = vec![(one, Some(at(5))), (two, Some(at(7)))];
    both.sort();
    assert_eq!(sim.reads(), [&vec![(one, Some(at(5)))], &both, &vec![(two, Some(at(7)))]]);
    assert_eq!(sim.cancelled, 3);
}

#[test]
fn one_that_is_refused_for_now_is_asked_for_again_and_holds_up_no_other() {
    let mut sim = Sim::new(12);
    sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
    let mut first = true;
    sim.run(20_000, |now, asked| match asked {
        Asked::Read(_) if std::mem::take(&mut first) => {
            let refused = end(0, Refusal::Unavailable { retry_after: 10 }, now);
            Reply::Stream([refused, envelope(0, 6)].concat(), false)
        }
        _ => obliging(now, asked),
    });
    let times: Vec<_> = sim.sent.iter().map(|(t, _)| *t).collect();
    assert_eq!(times.len(), 2);
    assert!(times[1].since(times[0]) >= 10_000);
    assert!(sim.events.iter().any(|e| matches!(e, Event::Envelope { .. })), "the stream went on");
}

#[test]
fn what_cannot_be_stored_is_not_read_on() {
    let mut sim = Sim::new(13);
    sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
    sim.run(1_000, obliging);
    let stream = sim.replies[0].1;
    sim.client.pause_reading(sim.now.plus_millis(5_000));
    sim.client.handle_chunk(sim.now, stream, &envelope(0, 6));
    sim.run(4_999, obliging);
    assert_eq!((sim.cancelled, sim.reads().len()), (1, 1));
    assert!(!sim.events.iter().any(|e| matches!(e, Event::Envelope { .. })));
    sim.run(1_000, obliging);
    assert_eq!(sim.reads()[1], &vec![(mailbox(1).public(), Some(at(5)))]);
}

#[test]
fn a_mailbox_that_is_over_is_not_brought_back_by_an_older_request() {
    let mut sim = Sim::new(14);
    sim.client.open(mailbox(1), 0, None, Right::None);
    sim.run(1_000, |now, _| refuse(Refusal::Unavailable { retry_after: 60 }, now));
    sim.client.delete(mailbox(1));
    sim.run(600_000, obliging);
    assert_eq!(sim.operations(), [1, 6]);
    assert!(sim.events.contains(&Event::Deleted { mailbox: mailbox(1).public() }));
    assert!(sim.reads().is_empty());
}

#[test]
fn an_answer_to_another_client_is_none_to_this_one() {
    let mut sim = Sim::new(15);
    sim.post(1);
    let Output::Transmit(id, _) = sim.client.poll_output(START) else { panic!() };
    let mut next = MailboxClient::new(sim.relay.public(), 0, 16);
    std::mem::swap(&mut next, &mut sim.client);
    sim.post(2);
    let Output::Transmit(..) = sim.client.poll_output(START) else { panic!() };
    let Reply::Http(status, body) = refuse(Refusal::OldEpoch, START) else { panic!() };
    sim.client.handle_response(START, id, status, &body);
    assert!(matches!(sim.client.poll_output(START), Output::Wait(None)));
}

/// Whatever the relay does wrong, it is asked a bounded number of times.
#[test]
fn no_failure_makes_it_hot() {
    type Policy = fn(Timestamp, &Asked) -> Reply;
    let policies: [(&str, Policy); 14] = [
        ("no connection", |_, _| Reply::Fail),
        ("a page of a proxy", |_, _| Reply::Http(502, b"<html>bad gateway".to_vec())),
        ("a good page of a proxy", |_, _| Reply::Http(200, b"<html>welcome".to_vec())),
        ("a redirect", |_, _| Reply::Http(302, Vec::new())),
        ("not ready, without a time", |now, _| refuse(Refusal::Unavailable { retry_after: 0 }, now)),
        ("full", |now, _| refuse(Refusal::Full, now)),
        ("none", |now, _| refuse(Refusal::NotFound, now)),
        ("skew", |now, _| refuse(Refusal::Skew, Timestamp::from_millis(now.as_millis() ^ 0xffff_ffff))),
        ("streams end at once", |now, asked| match asked {
            Asked::Read(_) => Reply::Stream(Vec::new(), true),
            _ => obliging(now, asked),
        }),
        ("streams end with bye", |now, asked| match asked {
            Asked::Read(_) => Reply::Stream(Frame::Bye { reconnect_after_ms: 0 }.to_bytes(), true),
            _ => obliging(now, asked),
        }),
        ("streams are broken", |now, asked| match asked {
            Asked::Read(_) => Reply::Stream(b"\0\0\0\x02no".to_vec(), false),
            _ => obliging(now, asked),
        }),
        ("streams fail", |now, asked| match asked {
            Asked::Read(_) => Reply::Fail,
            _ => obliging(now, asked),
        }),
        ("mailboxes are lost again and again", |now, asked| match asked {
            Asked::Read(_) => Reply::Stream(end(0, Refusal::NotFound, now), false),
            _ => obliging(now, asked),
        }),
        ("mailboxes are refused in the stream", |now, asked| match asked {
            Asked::Read(_) => Reply::Stream(end(0, Refusal::Skew, START), false),
            _ => obliging(now, asked),
        }),
    ];
    for (what, policy) in policies {
        let mut sim = Sim::new(20);
        sim.client.open(mailbox(1), 0, Some(at(5)), Right::None);
        sim.client.open(mailbox(2), 0, None, Right::None);
        sim.post(1);
        sim.run(60_000, policy);
        let first_minute = sim.sent.len();
        assert!(first_minute <= 90, "{what}: {first_minute} requests in the first minute");
        sim.run(540_000, policy);
        let later = sim.sent.len() - first_minute;
        assert!(later <= 200, "{what}: {later} requests in nine more minutes");
        // And it comes back.
        sim.post(2);
        sim.run(120_000, obliging);
        assert!(sim.posted().contains(&2), "{what}");
    }
}
