//! What should have arrived: what each side was told that it had said, in plain vectors, and what the
//! application of the other side did with it.

use std::collections::BTreeMap;

use super::agent::Agent;
use crate::agent::engine::InboxItem;
use crate::agent::state::{Delivery, Inward};
use crate::record::RecordId;
use crate::time::Timestamp;

/// HELLO has the first number.
const FIRST_SEQ: u64 = 2;
/// After so many hand-outs a record may be poison.
const POISON: u32 = 5;

/// One record that was committed.
pub(super) struct Said {
    pub(super) text: String,
    exp: Option<Timestamp>,
    handed: u32,
    closed: Option<Inward>,
}

/// What one side has said.
#[derive(Default)]
pub(super) struct Model {
    pub(super) said: Vec<Said>,
    by_id: BTreeMap<[u8; 16], usize>,
    /// The latest that was handed out.
    handed: Option<usize>,
    /// Each beginning of an envelope, and the hash of all of it.
    envelopes: BTreeMap<Vec<u8>, [u8; 32]>,
}

impl Model {
    /// A message was committed. The same id again is the same message.
    pub(super) fn say(&mut self, id: RecordId, text: &str, exp: Option<Timestamp>) -> Result<(), String> {
        if let Some(at) = self.by_id.get(id.as_bytes()) {
            return (self.said[*at].text == text)
                .then_some(())
                .ok_or_else(|| format!("{text:?} was given the id of {:?}", self.said[*at].text));
        }
        if self.said.iter().any(|said| said.text == text) {
            return Err(format!("{text:?} was sent a second time under its key"));
        }
        self.by_id.insert(*id.as_bytes(), self.said.len());
        self.said.push(Said { text: text.to_owned(), exp, handed: 0, closed: None });
        Ok(())
    }

    /// A record that says so went out in place of a message; no application sees it.
    pub(super) fn rotates(&mut self) {
        let text = "a new key".to_owned();
        self.said.push(Said { text, exp: None, handed: 0, closed: Some(Inward::Processed) });
    }

    /// An envelope goes out. Its nonce and header are its sealing's alone.
    pub(super) fn posts(&mut self, envelope: &[u8]) -> Result<(), String> {
        let hash = *crate::envelope::EnvelopeHash::of(envelope).as_bytes();
        let head = envelope[..82].to_vec();
        if self.envelopes.insert(head, hash).is_some_and(|known| known != hash) {
            return Err("one nonce and header stand before two bodies".to_owned());
        }
        Ok(())
    }

    /// How many different envelopes went out.
    pub(super) fn sealed(&self) -> usize {
        self.envelopes.len()
    }

    fn find(&mut self, item: &InboxItem) -> Result<(usize, &mut Said), String> {
        let at = *self.by_id.get(item.id.as_bytes()).ok_or("a record was handed out that was never sent")?;
        Ok((at, &mut self.said[at]))
    }

    /// The application of the other side is handed a record.
    pub(super) fn hand(&mut self, item: &InboxItem) -> Result<(), String> {
        let last = self.handed;
        let (at, said) = self.find(item)?;
        let text = said.text.clone();
        if said.closed.is_some() {
            return Err(format!("{text:?} was handed out after it was closed"));
        }
        if item.body != text.as_bytes() {
            return Err(format!("{text:?} was handed out with another body"));
        }
        let is_first = said.handed == 0;
        said.handed += 1;
        if is_first && last.is_some_and(|last| last > at) {
            return Err(format!("{text:?} was handed out behind a later one"));
        }
        if is_first {
            self.handed = Some(at);
        }
        Ok(())
    }

    /// The application's word on it is committed.
    pub(super) fn close(&mut self, item: &InboxItem, state: Inward) -> Result<(), String> {
        let (_, said) = self.find(item)?;
        if said.handed == 0 || (state == Inward::Poison && said.handed < POISON) {
            return Err(format!("{:?} was closed as {state:?} after {} hand-outs", said.text, said.handed));
        }
        if said.closed.is_some_and(|known| known != state) {
            return Err(format!("{:?} was closed in two ways", said.text));
        }
        said.closed = Some(state);
        Ok(())
    }

    /// Everything was heard, and both sides say the same of it.
    pub(super) fn check_end(&self, from: &Agent, to: &Agent) -> Result<BTreeMap<Delivery, u64>, String> {
        let mut counts = BTreeMap::new();
        let inbox = states(to, "SELECT seq, state FROM inbox WHERE peer = ? ORDER BY seq");
        let outbox = states(from, "SELECT seq, state FROM outbox WHERE peer = ? ORDER BY seq");
        let expected = self.said.len() as u64 + 1;
        for (what, rows) in [("inbox", &inbox), ("outbox", &outbox)] {
            if rows.len() as u64 != expected || rows.keys().ne((1..=expected).collect::<Vec<_>>().iter()) {
                return Err(format!(
                    "{expected} records of {}, and {} in the {what}: one is lost or too many",
                    from.name,
                    rows.len()
                ));
            }
        }
        let hello = (inbox[&1], outbox[&1]);
        if hello != (Inward::Processed as i64, Delivery::Processed as i64) {
            return Err(format!("HELLO of {} ended as {hello:?}", from.name));
        }
        for (seq, said) in (FIRST_SEQ..).zip(&self.said) {
            let (text, there, here) = (&said.text, inbox[&seq], outbox[&seq]);
            let reached = match said.closed {
                Some(state) => state as i64 == there,
                None => said.exp.is_some() && said.handed == 0 && there == Inward::Expired as i64,
            };
            if !reached {
                return Err(format!(
                    "{text:?} is {there} in the store, the application said {:?}",
                    said.closed
                ));
            }
            // The numbers of both are the same from `processed` on.
            if here != there {
                return Err(format!("{text:?} is {there} there, and its sender says {here}"));
            }
            *counts.entry(Delivery::from_store(here).map_err(|e| e.to_string())?).or_default() += 1;
        }
        Ok(counts)
    }
}

fn states(agent: &Agent, sql: &str) -> BTreeMap<u64, i64> {
    agent.read(|b| {
        let mut statement = b.tx.prepare_cached(sql)?;
        let rows = statement.query_map([agent.key.0], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}
