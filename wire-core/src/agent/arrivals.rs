//! Messages as they come, for who only wants to see them.

use std::collections::BTreeSet;

use super::core::Agent;
use super::error::{Error, Result};
use super::inbox::Message;

/// Shows each message once, first those that wait, then new ones as they come. Nothing is handed out
/// by it, so another process may take and process them meanwhile.
#[derive(Debug)]
pub struct Arrivals {
    agent: Agent,
    /// Rows that were shown and still wait.
    shown: BTreeSet<i64>,
}

impl Agent {
    /// The messages of all peers, to be looked at.
    pub fn arrivals(&self) -> Arrivals {
        Arrivals { agent: self.clone(), shown: BTreeSet::new() }
    }
}

impl Arrivals {
    /// The next message; waits for one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Message> {
        let worker = &self.agent.shared.worker;
        let mut changes = worker.changes();
        loop {
            changes.mark_unchanged();
            let waiting = worker.read(|b| b.waiting_rows()).await?;
            self.shown.retain(|n| waiting.contains(n));
            // A record that waited for an earlier one comes after it, whatever its row.
            for n in waiting {
                if self.shown.insert(n)
                    && let Some(item) = worker.read(move |b| b.waiting_row(n)).await?
                {
                    return Ok(Message::seen(self.agent.clone(), item));
                }
            }
            changes.changed().await.map_err(|_| Error::Closed)?;
        }
    }
}
