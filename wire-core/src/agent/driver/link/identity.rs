//! Which key speaks for the relay. Nothing is posted to one that is not the one we know.

use rand_core::Rng as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{Input, Link, REFUSED_WAIT_MS};
use crate::agent::engine::KnownRelay;
use crate::agent::entropy::os_rng;
use crate::agent::error::Error;
use crate::agent::views::RelayState;
use crate::mailbox::MailboxClient;
use crate::time::Timestamp;

/// How long everything waits after the relay could not say who it is.
const IDENTIFY_WAIT_MS: u64 = 2_000;

impl Link {
    /// Finds out which key the relay has: from the store, or by asking it.
    pub(super) fn identify(&mut self, now: Timestamp, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        let wanted = !self.waiting.is_empty() || !self.unread.is_empty();
        if self.identifying || !wanted || self.not_before.is_some_and(|t| t > now) {
            return;
        }
        self.identifying = true;
        let (shared, api, url, tell) =
            (self.shared.clone(), self.api.clone(), self.url.clone(), tell.clone());
        io.spawn(async move {
            let known = {
                let url = url.clone();
                shared.worker.read(move |batch| batch.relay(&url)).await
            };
            let outcome = match known {
                Ok(Some(known)) => Ok(known),
                Ok(None) => shared.identify(&api).await,
                Err(error) => Err(error),
            };
            let _ = tell.send(Input::Identified(url, outcome)).await;
        });
    }

    pub(super) fn identified(&mut self, now: Timestamp, outcome: Result<KnownRelay, Error>) {
        self.identifying = false;
        match outcome {
            Ok(known) => {
                self.not_before = None;
                match &mut self.client {
                    None => {
                        let seed = os_rng().next_u64();
                        self.client = Some(MailboxClient::new(known.id, known.offset_ms, seed));
                    }
                    // It was asked again, after it refused.
                    Some(client) => client.set_clock(known.offset_ms),
                }
            }
            Err(error) => {
                self.not_before = Some(now.plus_millis(IDENTIFY_WAIT_MS));
                if matches!(error, Error::RelayMismatch { .. } | Error::ClockSkew { .. }) {
                    // Nothing more is posted to a relay that is not the one we know.
                    self.client = None;
                    std::mem::take(&mut self.flights).values().for_each(AbortHandle::abort);
                    self.posts.clear();
                    self.waiting.clear();
                    self.busy.clear();
                    self.unread = self.boxes.keys().copied().collect();
                    self.not_before = Some(now.plus_millis(REFUSED_WAIT_MS));
                }
                self.shared.set_relay_state(&self.url, RelayState::of(&error));
            }
        }
    }

    /// Asks the relay who it is, although that is pinned.
    pub(super) fn check_again(&mut self, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        let (shared, api, url, tell) =
            (self.shared.clone(), self.api.clone(), self.url.clone(), tell.clone());
        io.spawn(async move {
            let outcome = shared.identify(&api).await;
            let _ = tell.send(Input::Identified(url, outcome)).await;
        });
    }
}
