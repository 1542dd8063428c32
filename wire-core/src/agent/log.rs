//! The joint log of a pairing, as evidence: [`Peer::log`] and [`Peer::prune`].

use std::collections::VecDeque;
use std::time::Duration;

use super::engine::{LogFrame, PeerKey};
use super::error::{Error, Result};
use super::peer::Peer;
use crate::record::log::{LogLine, Side};
use crate::time::Timestamp;

/// The lines of a log, as they stood when it was begun. [`LogLine::to_text`] writes each.
///
/// What both sides signed, with the newest acknowledgement of each: a third party needs nothing else to check it
/// with [`LogVerifier`](crate::record::log::LogVerifier).
#[derive(Debug)]
pub struct LogReader {
    peer: Peer,
    key: PeerKey,
    bodies: bool,
    ready: VecDeque<LogLine>,
    /// Sides of which records are left, with the last seq that was read and the last that there is.
    left: VecDeque<(Side, u64, u64)>,
    tail: Vec<LogLine>,
}

impl Peer {
    /// The joint log with this peer: of the present session, or of the last one where the pairing is over. Without
    /// `bodies` it shows who signed what when, and not what it said.
    pub async fn log(&self, bodies: bool) -> Result<LogReader> {
        self.log_before(0, bodies).await
    }

    /// [`Peer::log`] of the session so many resets before the present one.
    ///
    /// # Errors
    /// [`Error::Usage`] where there was none.
    pub async fn log_before(&self, resets: u32, bodies: bool) -> Result<LogReader> {
        let key = self.key();
        let look = move |b: &super::engine::Batch<'_>| {
            let key = b.session_before(key, resets)?;
            Ok((key, b.log_frame(key)?))
        };
        let (key, frame): (PeerKey, LogFrame) = self.agent().shared.worker.read(look).await?;
        let [own, peer] = frame.counts;
        Ok(LogReader {
            peer: self.clone(),
            key,
            bodies,
            ready: VecDeque::from([frame.head]),
            left: VecDeque::from([(Side::Own, 0, own), (Side::Peer, 0, peer)]),
            tail: frame.tail,
        })
    }

    /// Forgets the bodies of messages that are at least so old and that both sides are done with: `processed`,
    /// `refused` or `expired`. What was signed of them stays, so the log goes on to verify. Gives how many.
    pub async fn prune(&self, age: Duration) -> Result<u64> {
        let key = self.key();
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let now = self.agent().shared.now().as_millis();
        let before = Timestamp::from_millis(now.saturating_sub(age).saturating_add(1));
        self.agent().shared.worker.write(move |b| b.prune_bodies(key, before)).await
    }
}

impl LogReader {
    /// The next line; none behind the last one.
    pub async fn next(&mut self) -> Result<Option<LogLine>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            let Some((by, after, top)) = self.left.pop_front() else {
                self.ready.extend(std::mem::take(&mut self.tail));
                return Ok(self.ready.pop_front());
            };
            if after < top {
                let (key, worker) = (self.key, &self.peer.agent().shared.worker);
                let page = worker.read(move |b| b.log_page(key, by, after, top)).await?;
                let last =
                    page.last().map(|(seq, _)| *seq).ok_or_else(|| Error::corrupt("a record is missing"))?;
                let bodies = self.bodies;
                self.ready.extend(page.into_iter().map(|(_, line)| shown(line, bodies)));
                self.left.push_front((by, last, top));
            }
        }
    }
}

fn shown(line: LogLine, bodies: bool) -> LogLine {
    match line {
        LogLine::Record { by, cose, .. } if !bodies => LogLine::Record { by, cose, body: None },
        line => line,
    }
}
