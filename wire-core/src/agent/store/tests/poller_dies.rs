use std::time::Duration;

use super::harness::{Child, Place, SCHEMA, listen, part, say};
use crate::agent::clock::Clock;
use crate::agent::error::Error;
use crate::agent::store::{PollLease, PollWatch, StoreError, StoreFile};
use crate::time::Timestamp;

#[test]
fn the_lease_passes_on() {
    if let Some((_, dir)) = part() {
        let store = StoreFile::open(&dir, SCHEMA).unwrap();
        let _lease = PollLease::try_acquire(&store).unwrap().unwrap();
        say("polling");
        listen();
        return;
    }
    let place = Place::new();
    let store = place.open();
    let mut child = Child::start(module_path!(), "the_lease_passes_on", "poller", &place.dir);
    assert_eq!(child.hear(), "polling");
    assert!(PollLease::try_acquire(&store).unwrap().is_none());
    child.kill();
    assert!(PollLease::try_acquire(&store).unwrap().is_some());
}

#[test]
fn it_is_free_again_when_dropped_and_excludes_within_one_process() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    let lease = PollLease::try_acquire(&one).unwrap().unwrap();
    assert!(PollLease::try_acquire(&two).unwrap().is_none());
    assert!(PollLease::try_acquire(&one).unwrap().is_none());
    drop(lease);
    assert!(PollLease::try_acquire(&two).unwrap().is_some());
}

#[test]
fn a_holder_that_hangs_is_polled_past_until_it_moves_again() {
    let place = Place::new();
    let (holder, other) = (place.open(), place.open());
    let clock = Clock::manual(Timestamp::from_millis(0));
    let mut lease = PollLease::try_acquire(&holder).unwrap().unwrap();
    let mut watch = PollWatch::default();

    assert!(!watch.is_silent(&other, clock.monotonic()).unwrap());
    clock.advance(PollWatch::SILENCE - Duration::from_millis(1));
    assert!(!watch.is_silent(&other, clock.monotonic()).unwrap());
    clock.advance(Duration::from_millis(1));
    assert!(watch.is_silent(&other, clock.monotonic()).unwrap());

    lease.beat(None).unwrap();
    assert!(!watch.is_silent(&other, clock.monotonic()).unwrap());
    clock.advance(PollWatch::SILENCE);
    assert!(watch.is_silent(&other, clock.monotonic()).unwrap());
}

#[test]
fn a_new_holder_is_no_silent_one() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let clock = Clock::manual(Timestamp::from_millis(0));
    let mut watch = PollWatch::default();
    drop(PollLease::try_acquire(&store).unwrap().unwrap());
    assert!(!watch.is_silent(&other, clock.monotonic()).unwrap());
    clock.advance(PollWatch::SILENCE);
    let _next = PollLease::try_acquire(&store).unwrap().unwrap();
    assert!(!watch.is_silent(&other, clock.monotonic()).unwrap());
}

/// A disk that is full cannot be told of by a row.
#[test]
fn what_the_holder_cannot_store_is_known_to_the_others_until_it_can() {
    let place = Place::new();
    let (holder, other) = (place.open(), place.open());
    let mut lease = PollLease::try_acquire(&holder).unwrap().unwrap();
    assert!(PollLease::failure_of_holder(&other).is_none());
    let full = Error::Store(StoreError::DiskFull);
    assert!(lease.is_news(Some(&full)));
    lease.beat(Some(&full)).unwrap();
    assert!(!lease.is_news(Some(&full)));
    assert!(matches!(PollLease::failure_of_holder(&other), Some(StoreError::DiskFull)));
    drop(lease);
    let _next = PollLease::try_acquire(&other).unwrap().unwrap();
    assert!(PollLease::failure_of_holder(&holder).is_none());
}
