use super::harness::World;
use crate::agent::engine::{acks, control, inbox, outgoing, query, receive};

/// Statements that run for each message or every few seconds: none may walk through what is over.
#[test]
fn no_hot_statement_scans_the_outbox_or_the_inbox() {
    let w = World::paired();
    let hot = [
        outgoing::UNPOSTED,
        outgoing::NEXT_POST,
        outgoing::TIME_DUE,
        outgoing::REQUEUE_EXPIRED,
        outgoing::REQUEUE_ALL,
        acks::RECEIVED,
        acks::PROCESSED,
        acks::GIVE_UP,
        acks::DROP_ENVELOPES,
        acks::SEALED_BYTES,
        control::FIRST_OPEN,
        control::EXCEPTED,
        control::HELD_SEQS,
        inbox::CLAIM,
        inbox::CLAIMED,
        inbox::READY,
        receive::HELD,
        query::OPEN_DELIVERIES,
    ];
    for sql in hot {
        let plan = plan(&w, sql);
        for line in &plan {
            // The table of peers is short; some look at all of it.
            let scans = line.contains("SCAN") && !line.contains("SCAN p") && !line.contains("inbox_claim")
                || line.ends_with("PRIMARY KEY (peer=?)");
            assert!(!scans && !line.contains("AUTOMATIC"), "{sql}\n{plan:#?}");
        }
    }
}

/// A hand-out looks at the first of each peer, not at all that waits.
#[test]
fn a_claim_reads_one_row_of_each_peer() {
    let w = World::paired();
    let plan = plan(&w, inbox::CLAIM);
    assert!(!plan.iter().any(|l| l.contains("TEMP B-TREE")), "{plan:#?}");
    assert!(
        plan.iter().any(|l| l.contains("SEARCH h USING INDEX inbox_state (state=? AND peer=?)")),
        "{plan:#?}"
    );
    assert!(
        plan.iter().any(|l| l.contains("SEARCH e USING COVERING INDEX inbox_claim (peer=? AND seq<?)")),
        "{plan:#?}"
    );
}

/// What was posted long ago is not looked at to find what was not.
#[test]
fn a_post_is_found_by_its_state() {
    let w = World::paired();
    for sql in [outgoing::UNPOSTED, outgoing::NEXT_POST] {
        let plan = plan(&w, sql);
        let by_state = |l: &String| l.contains("SEARCH o USING INDEX outbox_state (peer=? AND state=?");
        assert!(plan.iter().any(by_state), "{plan:#?}");
    }
}

fn plan(w: &World, sql: &str) -> Vec<String> {
    w.alice.read(|b| {
        let mut statement = b.tx.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let none = vec![rusqlite::types::Null; statement.parameter_count()];
        Ok(statement.query_map(rusqlite::params_from_iter(none), |r| r.get(3))?.collect::<Result<_, _>>()?)
    })
}
