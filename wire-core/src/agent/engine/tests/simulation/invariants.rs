//! What holds after each step, and what holds at the end.

use super::agent::Agent;
use super::model::Model;
use crate::agent::engine::Stage;
use crate::record::log::{LogReport, LogVerifier, Side};

const MAX_HELD: u64 = 1024;
const MAX_OUTSTANDING: u64 = 1024;
const MAX_QUARANTINE: u64 = 256;
const MAX_SEALED: u32 = 1600;
/// What is sent when there is just room yet may be as long as an envelope is.
const MAX_SEALED_BYTES: u64 = (16 << 20) + (64 << 10);

/// What a store counts of its peer.
struct Numbers {
    stage: i64,
    own_last: u64,
    peer_recv: u64,
    peer_proc: u64,
    recv: u64,
    proc: u64,
    unacked: u64,
    sealed: u64,
    held: u64,
    aside: u64,
    evidence: u64,
    early: u64,
}

impl Numbers {
    fn of(agent: &Agent) -> Self {
        agent.read(|b| {
            Ok(b.tx.prepare_cached(NUMBERS)?.query_row([], |r| {
                Ok(Self {
                    stage: r.get(0)?,
                    own_last: r.get(1)?,
                    peer_recv: r.get(2)?,
                    peer_proc: r.get(3)?,
                    recv: r.get(4)?,
                    proc: r.get(5)?,
                    unacked: r.get(6)?,
                    sealed: r.get(7)?,
                    held: r.get(8)?,
                    aside: r.get(9)?,
                    evidence: r.get(10)?,
                    early: r.get(11)?,
                })
            })?)
        })
    }
}

const NUMBERS: &str = "SELECT state, own_last, peer_recv, peer_proc, recv, proc, unacked,
    (SELECT coalesce(sum(size), 0) FROM outbox WHERE state < 2),
    (SELECT count(*) FROM inbox WHERE state = 0),
    (SELECT count(*) FROM quarantine),
    (SELECT count(*) FROM evidence),
    (SELECT count(*) FROM outbox WHERE (state BETWEEN 2 AND 6 AND seq > peer_recv)
        OR (state BETWEEN 3 AND 6 AND seq > peer_proc))
    FROM peer";

/// After each step, of what each says of the other and keeps.
pub(super) fn check(agents: &[Agent; 2]) -> Result<(), String> {
    let [a, b] = agents.each_ref().map(Numbers::of);
    check_one(&agents[0], &a, &b)?;
    check_one(&agents[1], &b, &a)
}

fn check_one(agent: &Agent, p: &Numbers, q: &Numbers) -> Result<(), String> {
    let claims = [
        (
            p.stage <= Stage::Paired as i64,
            "the session is frozen or over, and nobody but the relay was hostile",
        ),
        (p.evidence == 0, "there is evidence against an honest peer"),
        (p.peer_recv <= q.recv, "a record is called received that the peer does not have"),
        (p.peer_proc <= q.proc, "a record is called processed that the peer has not processed"),
        (q.recv <= p.own_last, "a record was received that was never sent"),
        (p.proc <= p.recv, "a record is processed that is not there"),
        (p.early == 0, "a record is shown as further than the peer has signed"),
        (p.own_last.saturating_sub(p.peer_recv) <= MAX_OUTSTANDING, "more is outstanding than may be"),
        (p.unacked <= MAX_SEALED_BYTES, "more bytes are outstanding than may be"),
        (p.unacked == p.sealed, "the bytes that are outstanding are miscounted"),
        (p.held <= MAX_HELD, "more is held than may be"),
        (p.aside <= MAX_QUARANTINE, "more is put aside than may be"),
        (agent.place.n <= MAX_SEALED, "the chain is longer than may be"),
    ];
    let broken = claims.into_iter().find(|(holds, _)| !holds);
    broken.map_or(Ok(()), |(_, what)| Err(format!("{}: {what}", agent.name)))
}

/// Both logs verify, and each proves what the other does.
pub(super) fn check_logs(agents: &[Agent; 2], models: &[Model; 2]) -> Result<(), String> {
    let [alice, bob] = [proved(&agents[0])?, proved(&agents[1])?];
    for (one, other, model) in [(&alice, &bob, &models[0]), (&bob, &alice, &models[1])] {
        let records = model.said.len() as u64 + 1;
        let own = (one.own.records, one.own.received, one.own.processed);
        if own != (records, records, records) || one.own.head != other.peer.head {
            return Err(format!("the logs do not agree on {records} records: {own:?}"));
        }
        if one.own.excepted != other.peer.excepted || one.own.conflict || one.peer.conflict {
            return Err("the logs do not agree on what was excepted, or prove a conflict".to_owned());
        }
    }
    Ok(())
}

fn proved(agent: &Agent) -> Result<LogReport, String> {
    let lines = agent.read(|b| {
        let frame = b.log_frame(agent.key)?;
        let mut lines = vec![frame.head];
        for (by, top) in [Side::Own, Side::Peer].into_iter().zip(frame.counts) {
            let mut after = 0;
            while after < top {
                let page = b.log_page(agent.key, by, after, top)?;
                let Some((last, _)) = page.last() else { break };
                after = *last;
                lines.extend(page.into_iter().map(|(_, line)| line));
            }
        }
        lines.extend(frame.tail);
        Ok(lines)
    });
    let mut log = LogVerifier::default();
    for line in lines {
        log.take(line.to_text().as_bytes()).map_err(|e| format!("the log of {}: {e}", agent.name))?;
    }
    log.finish().map_err(|e| format!("the log of {}: {e}", agent.name))
}
