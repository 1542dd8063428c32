//! What this agent's own store did not take, and why. The store itself cannot say it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::error::{Error, Result};
use crate::mailbox::MailboxId;

/// Whose word was not stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// What came in for a mailbox of ours.
    Mailbox(MailboxId),
    /// Who the relay at this address is.
    Relay(String),
    /// What there is to do could not even be read.
    Work,
    /// Something that the process which reads for this one did not store.
    Reader,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Unstored(Mutex<BTreeMap<Source, Error>>);

impl Unstored {
    /// Notes how storing went. Gives whether that changes what is [`told`](Self::failure): many mailboxes
    /// that one full disk holds up are one piece of news.
    pub(crate) fn note<T>(&self, source: Source, outcome: Result<T, &Error>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |all: &BTreeMap<Source, Error>| all.values().next().map(Error::code);
        let before = told(&all);
        match outcome {
            Ok(_) => drop(all.remove(&source)),
            Err(error @ Error::Store(_)) => drop(all.insert(source, error.again())),
            // It says nothing about the store.
            Err(_) => {}
        }
        told(&all) != before
    }

    /// Why something is not stored that has to be.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.first(|_| true)
    }

    /// The same as far as this process knows by itself.
    pub(crate) fn failure_here(&self) -> Option<Error> {
        self.first(|source| *source != Source::Reader)
    }

    fn first(&self, which: impl Fn(&Source) -> bool) -> Option<Error> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(source, _)| which(source)).map(|(_, error)| error.again())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::StoreError;

    fn mailbox(n: u8) -> Source {
        Source::Mailbox(MailboxId::from_bytes([n; 32]))
    }

    #[test]
    fn an_episode_is_one_piece_of_news_and_ends_when_all_is_stored() {
        let unstored = Unstored::default();
        let full = Error::Store(StoreError::DiskFull);
        assert!(unstored.note(mailbox(1), Err::<(), _>(&full)));
        assert!(!unstored.note(mailbox(1), Err::<(), _>(&full)), "each second");
        assert!(!unstored.note(mailbox(2), Err::<(), _>(&full)), "each mailbox");
        assert!(!unstored.note(mailbox(1), Ok(())), "the other still waits");
        assert_eq!(unstored.failure().unwrap().code(), "disk_full");
        assert!(unstored.note(mailbox(2), Ok(())));
        assert!(unstored.failure().is_none());
    }

    #[test]
    fn another_cause_is_news() {
        let unstored = Unstored::default();
        assert!(unstored.note(mailbox(1), Err::<(), _>(&Error::Store(StoreError::DiskFull))));
        assert!(unstored.note(mailbox(1), Err::<(), _>(&Error::Store(StoreError::ReadOnly))));
        assert_eq!(unstored.failure().unwrap().code(), "store_read_only");
    }

    /// After a step that failed, those behind it are refused for that reason alone.
    #[test]
    fn what_is_not_the_stores_failure_neither_begins_nor_ends_one() {
        let unstored = Unstored::default();
        let follows_not = Error::Internal("it does not follow");
        assert!(!unstored.note(mailbox(1), Err::<(), _>(&follows_not)));
        assert!(unstored.failure().is_none());
        unstored.note(mailbox(1), Err::<(), _>(&Error::Store(StoreError::DiskFull)));
        assert!(!unstored.note(mailbox(1), Err::<(), _>(&follows_not)));
        assert!(unstored.failure().is_some());
    }

    /// Or two processes would tell each other for ever.
    #[test]
    fn what_the_reader_says_is_not_said_on() {
        let unstored = Unstored::default();
        unstored.note(Source::Reader, Err::<(), _>(&Error::Store(StoreError::DiskFull)));
        assert!(unstored.failure().is_some());
        assert!(unstored.failure_here().is_none());
    }
}
