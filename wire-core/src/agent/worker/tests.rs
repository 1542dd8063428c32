use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::agent::schema::MIGRATIONS;

struct Fixture {
    worker: Worker,
    db: PathBuf,
    _dir: TempDir,
}

fn start() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().canonicalize().unwrap().join("alice");
    let store = Arc::new(StoreFile::open(&folder, MIGRATIONS).unwrap());
    let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
    let time = Arc::new(RelayTime { clock, offset_ms: AtomicI64::new(0) });
    store.write(|tx| Engine::create(tx, time.now(), |_| Ok(()))).unwrap();
    let engine = store.read(Engine::load).unwrap();
    let worker = Worker::start(store, engine, time).unwrap();
    Fixture { worker, db: folder.join("agent.db"), _dir: dir }
}

/// A step with an effect.
fn insert(tag: u8) -> impl FnOnce(&mut Batch<'_>) -> Result<usize, Error> + Send + 'static {
    move |b| Ok(b.tx.execute("INSERT INTO consumed (tag, until) VALUES (?, 0)", [vec![tag]])?)
}

async fn count(worker: &Worker) -> u64 {
    let look = |b: &Batch<'_>| Ok(b.tx.query_row("SELECT count(*) FROM consumed", [], |r| r.get(0))?);
    worker.read(look).await.unwrap()
}

#[tokio::test]
async fn steps_share_a_transaction_and_one_that_fails_spoils_no_other() {
    let f = start();
    let first = f.worker.submit(insert(1));
    let failing = f.worker.submit(|b| {
        insert(2)(b)?;
        Err::<(), _>(Error::usage("after its effect"))
    });
    let last = f.worker.submit(insert(3));
    assert!(first.await.unwrap().is_ok());
    assert!(matches!(failing.await.unwrap(), Err(Error::Usage("after its effect"))));
    assert!(last.await.unwrap().is_ok());
    assert_eq!(count(&f.worker).await, 2);
}

/// Who waits for a change looks again at each, so a look must not be one.
#[tokio::test]
async fn a_step_without_effect_and_one_that_concerns_its_maker_wake_nobody() {
    let f = start();
    f.worker.write(insert(1)).await.unwrap();
    // The maker of a step hears of it before the others do; what comes after a look was told.
    f.worker.read(|_| Ok(())).await.unwrap();
    let mut changes = f.worker.changes();
    changes.mark_unchanged();
    let nothing = f.worker.write(|b| Ok(b.tx.execute("DELETE FROM consumed WHERE until > 5", [])?));
    assert_eq!(nothing.await.unwrap(), 0);
    f.worker.note(insert(3)).await.unwrap();
    f.worker.read(|_| Ok(())).await.unwrap();
    assert!(!changes.has_changed().unwrap());
    f.worker.write(insert(2)).await.unwrap();
    f.worker.read(|_| Ok(())).await.unwrap();
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn a_transaction_that_cannot_begin_is_told_as_what_it_is() {
    let f = start();
    rusqlite::Connection::open(&f.db).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for sync in [Sync::Now, Sync::Later, Sync::Own] {
        let told = f.worker.submit_with(sync, insert(1)).await.unwrap();
        assert!(matches!(told, Err(Error::Store(crate::agent::store::StoreError::Newer { found: 99, .. }))));
    }
}

#[tokio::test]
async fn a_thread_that_died_keeps_nobody_waiting() {
    let f = start();
    let mut changes = f.worker.changes();
    changes.mark_unchanged();
    let dead = f.worker.submit(|_| -> Result<(), Error> { panic!("a fault in a step") });
    assert!(dead.await.is_err());
    changes.changed().await.unwrap();
    assert!(matches!(f.worker.write(insert(1)).await, Err(Error::Closed)));
    f.worker.stop().await;
}
