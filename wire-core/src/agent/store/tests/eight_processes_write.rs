use super::harness::{Child, Place, listen, part, say};
use crate::agent::store::{StoreError, StoreFile};

const PROCESSES: i64 = 8;
const TIMES: i64 = 40;

/// Read, then write what follows from it: the pattern that loses updates without a lock.
fn increment(store: &StoreFile) -> Result<(), StoreError> {
    store.write(|tx| {
        let n: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM item", [], |row| row.get(0))?;
        tx.execute("INSERT INTO item (id, body) VALUES (?1, x'00')", [n + 1])?;
        Ok(())
    })
}

#[test]
fn no_increment_is_lost() {
    if let Some((_, dir)) = part() {
        let store = StoreFile::open(&dir, super::harness::SCHEMA).unwrap();
        say("ready");
        listen();
        for _ in 0..TIMES {
            increment(&store).unwrap();
        }
        return;
    }
    let place = Place::new();
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|_| Child::start(module_path!(), "no_increment_is_lost", "writer", &place.dir))
        .collect();
    for child in &mut children {
        assert_eq!(child.hear(), "ready");
    }
    for child in &mut children {
        child.tell("go");
    }
    for child in children {
        child.finish();
    }
    assert_eq!(super::harness::ids(&place.open()), (1..=PROCESSES * TIMES).collect::<Vec<_>>());
}

#[test]
fn threads_of_one_process_share_one_store() {
    let place = Place::new();
    let store = place.open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| increment(&store).unwrap()));
        }
    });
    assert_eq!(super::harness::ids(&store), (1..=100).collect::<Vec<_>>());
}

#[test]
fn the_queue_is_held_for_as_long_as_a_writer_is_inside() {
    use rustix::fs::{FlockOperation::NonBlockingLockExclusive, flock};

    let place = Place::new();
    let store = place.open();
    let queue = std::fs::File::open(place.file("write.lock")).unwrap();
    let inside: Result<bool, StoreError> =
        store.write(|_| Ok(flock(&queue, NonBlockingLockExclusive).is_err()));
    assert!(inside.unwrap());
    flock(&queue, NonBlockingLockExclusive).unwrap();
}
