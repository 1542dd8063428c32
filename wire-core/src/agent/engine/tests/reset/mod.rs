//! The session of two paired agents is reset by their owners, or is tried to be by others.

mod both_ask;
mod forged_or_replayed;
mod nobody_asks;
mod nothing_is_lost;
mod owners_agree;
mod peer_was_restored;
mod rotation_goes_with_it;
mod store_is_stolen;
mod words_differ;

use super::harness::{KEEP_MS, LIFE, Side, World};
use crate::agent::engine::{ResetView, Stage};
use crate::agent::error::Error;
use crate::mailbox::Verdict;
use crate::session::SessionId;

impl Side {
    /// What this side has to post, of all its sessions; the relay takes all of it.
    fn post_all(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(key) = self.read(|b| Ok(b.unposted()?.first().copied())) {
            let post = self.read(|b| b.next_post(key)).expect("something is due");
            let verdicts = vec![Verdict::Stored; post.envelopes.len()];
            self.write(|b| b.posted(&post, LIFE, &verdicts, self.now().plus_millis(KEEP_MS))).unwrap();
            all.extend(post.envelopes);
        }
        all
    }

    fn reset(&self) -> Result<(), Error> {
        self.write(|b| b.reset(self.key()))
    }

    fn confirm(&self, words: &str) -> Result<bool, Error> {
        let done = self.write(|b| b.confirm_reset(self.key(), words));
        self.follow();
        done
    }

    fn view(&self) -> Option<ResetView> {
        self.read(|b| Ok(b.view_peer(self.key())?.reset))
    }

    fn is_asked(&self) -> bool {
        self.view().is_some_and(|view| view.theirs.is_some())
    }

    /// What this side's owner reads out.
    fn words(&self) -> String {
        self.view().and_then(|view| view.agreed).expect("nothing is agreed").1
    }

    fn session(&self) -> SessionId {
        self.follow();
        SessionId::from_bytes(self.value(&format!("SELECT session_id FROM peer WHERE id = {}", self.key().0)))
    }

    fn freeze(&self) {
        self.tamper(|b, p| p.freeze(b.tx, b.now, 1, "test", (b"one", b"other")).unwrap());
    }
}

impl World {
    /// Carries everything both ways until nobody has anything to post.
    fn carry(&self) {
        for _ in 0..100 {
            let (from_alice, from_bob) = (self.alice.post_all(), self.bob.post_all());
            if from_alice.is_empty() && from_bob.is_empty() {
                self.alice.follow();
                self.bob.follow();
                return;
            }
            self.bob.take(&from_alice);
            self.alice.take(&from_bob);
        }
        panic!("they never stop talking");
    }

    /// Alice asks and Bob's owner answers.
    fn agree(&self) {
        self.alice.reset().unwrap();
        self.carry();
        self.bob.reset().unwrap();
        self.carry();
    }

    /// Both owners read out and type.
    fn compare(&self) {
        let (a, b) = (self.alice.words(), self.bob.words());
        assert!(self.alice.confirm(&b).unwrap());
        assert!(self.bob.confirm(&a).unwrap());
        self.carry();
    }

    fn stages(&self) -> (Stage, Stage) {
        (self.alice.stage(), self.bob.stage())
    }

    /// The session in which both are, and talk.
    fn talk(&self, text: &str) -> SessionId {
        self.alice.follow();
        self.bob.follow();
        self.alice.send(text).unwrap();
        self.bob.send(&format!("{text}, back")).unwrap();
        self.carry();
        assert_eq!(self.bob.drain(), [text]);
        assert_eq!(self.alice.drain(), [format!("{text}, back")]);
        self.carry();
        assert_eq!(self.alice.session(), self.bob.session());
        self.alice.session()
    }
}
