//! Which key speaks for the relay. Nothing is posted to one that is not the one we know.

use rand_core::Rng as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{Input, Link, REFUSED_WAIT_MS};
use crate::agent::engine::{KnownRelay, PeerKey};
use crate::agent::error::Error;
use crate::agent::unstored::Source;
use crate::agent::views::RelayState;
use crate::entropy::os_rng;
use crate::mailbox::{MailboxClient, MailboxId, Refusal};
use crate::time::Timestamp;

/// How long everything waits after the relay could not say who it is.
const IDENTIFY_WAIT_MS: u64 = 2_000;

/// How far the relay has shown who it is.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// A question is under way.
    asking: bool,
    /// Its answer was given before the doubt, and says nothing about it.
    outdated: bool,
    /// What is stored does not do: the relay answered as another.
    distrusted: bool,
    /// The store says so too, for every process.
    noted: bool,
    /// The relay is to be asked, although its key is pinned.
    pub(super) check: bool,
    /// What was refused by an answer that came since the last question, and counts only when the relay
    /// is the one we know.
    missing: Vec<Doubted>,
    /// The same from before the question that is under way.
    asked_for: Vec<Doubted>,
}

/// An answer that another relay at this address would give as well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doubted {
    /// To a post, under a certificate of that epoch.
    Post { peer: PeerKey, epoch: u32, refusal: Refusal },
    /// For a mailbox of ours.
    Box(Refusal),
    /// The mailbox that we had for a peer is not there, and was to be closed.
    Closing(PeerKey, MailboxId),
}

impl Doubted {
    /// Whether an answer is one of these.
    pub(super) fn is(refusal: Refusal) -> bool {
        matches!(refusal, Refusal::NotFound | Refusal::OldEpoch | Refusal::Skew)
    }
}

impl Identity {
    /// Notes what is the case if the relay is the one we know.
    pub(super) fn doubt_answer(&mut self, answer: Doubted) {
        self.missing.push(answer);
        self.check = true;
    }
}

impl Link {
    /// Finds out which key the relay has, where that is not known or in doubt: from the store, or by
    /// asking it. One question at a time.
    pub(super) fn identify(&mut self, now: Timestamp, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        let ask = match &self.client {
            Some(_) => self.identity.check,
            None => {
                let wanted = !self.waiting.is_empty() || !self.unread.is_empty();
                wanted && self.not_before.is_none_or(|t| t <= now)
            }
        };
        if self.identity.asking || !ask {
            return;
        }
        self.identity.asking = true;
        let stored_will_do = self.client.is_none() && !self.identity.distrusted;
        self.identity.check = false;
        self.identity.asked_for = std::mem::take(&mut self.identity.missing);
        let (shared, api, url, tell) =
            (self.shared.clone(), self.api.clone(), self.url.clone(), tell.clone());
        io.spawn(async move {
            let outcome = if stored_will_do { shared.known(&api).await } else { shared.identify(&api).await };
            let _ = tell.send(Input::Identified(url, outcome)).await;
        });
    }

    pub(super) fn identified(&mut self, now: Timestamp, outcome: Result<KnownRelay, Error>) {
        self.identity.asking = false;
        let missing = std::mem::take(&mut self.identity.asked_for);
        if std::mem::take(&mut self.identity.outdated) && outcome.is_ok() {
            return;
        }
        self.shared.note_stored(Source::Relay(self.url.clone()), outcome.as_ref());
        match outcome {
            Ok(known) => {
                self.not_before = None;
                self.identity.distrusted = false;
                // It was measured from the wall clock.
                let offset_ms =
                    known.offset_ms.saturating_add(self.shared.time.clock.now().signed_since(now));
                match &mut self.client {
                    None => {
                        let seed = os_rng().next_u64();
                        self.client = Some(MailboxClient::new(known.id, offset_ms, seed));
                    }
                    // It was asked again, after it refused.
                    Some(client) => client.set_clock(offset_ms),
                }
                for answer in missing {
                    self.count(answer);
                }
            }
            Err(error) => {
                let mut wait = IDENTIFY_WAIT_MS;
                if matches!(error, Error::RelayMismatch { .. } | Error::ClockSkew { .. }) {
                    self.distrust();
                    wait = REFUSED_WAIT_MS;
                }
                // One that serves, and only did not answer this time, goes on.
                self.not_before = self.client.is_none().then(|| now.plus_millis(wait));
                // What could not be noted says nothing about the relay.
                if !matches!(error, Error::Store(_)) {
                    self.shared.set_relay_state(&self.url, RelayState::of(&error));
                }
            }
        }
    }

    /// The relay is the one we know, so what it said is so.
    fn count(&self, answer: Doubted) {
        match answer {
            Doubted::Post { peer, epoch, refusal } => {
                // Whoever hears of it and then looks into the store finds it there.
                drop(self.shared.worker.submit(move |batch| batch.refusal_proved(peer, epoch, refusal)));
                // What ends the pairing is told by the store alone: it is no reason to wait.
                if refusal != Refusal::OldEpoch {
                    self.shared.set_refusal(peer, Some(refusal));
                }
            }
            Doubted::Box(refusal) => {
                self.shared.set_relay_state(&self.url, RelayState::Refuses(refusal));
            }
            Doubted::Closing(peer, mailbox) => {
                drop(self.shared.worker.submit(move |batch| batch.mailbox_closed(peer, &mailbox)));
            }
        }
    }

    /// Somebody found that the relay is not the one we know: what was asked before that does not count.
    pub(in crate::agent::driver) fn doubt(&mut self) {
        self.identity.noted = true;
        self.identity.outdated = self.identity.asking;
        if self.client.is_some() {
            self.distrust();
        }
    }

    /// Another process has seen the relay prove its key: there is nothing to wait for.
    pub(in crate::agent::driver) fn trust_again(&mut self) {
        if std::mem::take(&mut self.identity.noted) && !self.identity.asking {
            self.identity.distrusted = false;
            self.not_before = None;
        }
    }

    /// Nothing more is posted, read or acknowledged there until the relay has proved its key.
    fn distrust(&mut self) {
        self.client = None;
        self.identity.distrusted = true;
        self.identity.check = false;
        self.identity.missing.clear();
        std::mem::take(&mut self.flights).values().for_each(AbortHandle::abort);
        self.posts.clear();
        self.waiting.clear();
        self.busy.clear();
        self.stop_reading();
        // What there is to do is looked up anew, from where the store stands.
        self.shared.worker.note_change();
    }
}
