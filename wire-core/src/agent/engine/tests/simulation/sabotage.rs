//! The simulation notices what it is there to notice: each of these breaks one promise on purpose.

use super::world::World;

/// What a run with `break_it` between the hostile part and the honest one is told. None where there was
/// nothing to break.
fn verdict(seed: u64, break_it: fn(&mut World) -> usize) -> Option<Result<(), String>> {
    let mut world = World::new(seed);
    world.suffer().unwrap();
    (break_it(&mut world) > 0).then(|| super::run_on(&mut world))
}

/// Each seed in which there is something to break finds it, and says what it is.
fn is_noticed(break_it: fn(&mut World) -> usize, expected: &[&str]) {
    let told: Vec<_> = (0..150).filter_map(|seed| verdict(seed, break_it)).take(3).collect();
    assert_eq!(told.len(), 3, "there is hardly anything to break");
    for told in told {
        let what = told.expect_err("nobody noticed");
        assert!(expected.iter().any(|e| what.contains(e)), "{what}");
    }
}

#[test]
fn a_record_that_is_lost() {
    is_noticed(
        |w| w.agents[1].damage("DELETE FROM inbox WHERE kind = 'msg' AND state = 3 AND seq = 2"),
        &["one is lost"],
    );
}

#[test]
fn a_record_that_is_handed_out_again() {
    is_noticed(
        |w| w.agents[1].damage("UPDATE inbox SET state = 1, attempts = 0 WHERE kind = 'msg' AND state = 3"),
        &["handed out after it was closed"],
    );
}

#[test]
fn a_body_that_nobody_sent() {
    is_noticed(
        |w| {
            w.agents[1].damage(
                "UPDATE inbox_record SET body = x'00' WHERE n IN (SELECT n FROM inbox WHERE state = 1 AND attempts = 0)",
            )
        },
        &["with another body"],
    );
}

#[test]
fn an_acknowledgement_that_nobody_gave() {
    is_noticed(
        |w| w.agents[0].damage("UPDATE peer SET peer_recv = own_last WHERE own_last > peer_recv"),
        &["called received", "further than the peer", "miscounted", "its sender says 1"],
    );
}

#[test]
fn a_message_that_its_sender_calls_processed_and_its_receiver_refused() {
    is_noticed(
        |w| w.agents[0].damage("UPDATE outbox SET state = 3 WHERE state IN (4, 5, 6)"),
        &["its sender says 3"],
    );
}

#[test]
fn a_message_that_nobody_posts_again() {
    is_noticed(
        |w| {
            w.agents[0]
                .damage("DELETE FROM outbox_envelope WHERE n IN (SELECT n FROM outbox WHERE state = 0)")
        },
        &["however long"],
    );
}

/// The store is put back to what it was, so that a message key is used again.
#[test]
fn a_chain_that_goes_back() {
    let mut noticed = 0;
    for seed in 0..20 {
        let mut world = World::new(seed);
        let then = world.agents[0].image();
        world.suffer().unwrap();
        if world.models[0].said.is_empty() {
            continue;
        }
        world.agents[0].replace(&then);
        let what = world.agents[0].restart().expect_err("nobody noticed");
        assert!(what.contains("used again"), "{what}");
        noticed += 1;
    }
    assert!(noticed > 5);
}
