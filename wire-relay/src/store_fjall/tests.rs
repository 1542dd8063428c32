use super::records::MailboxRecord;
use super::tables::{envelope_key, mailbox_key, row_key, seen_key, slot_key};
use super::transaction::Transaction;
use super::*;
use wire_core::mailbox::{
    Cursor, Entitled, EnvelopeHash, Guard, Incarnation, MailboxId, Page, Slot, TokenHash, Verdict,
};
use wire_core::pairing::Rendezvous;

const T0: Timestamp = Timestamp::from_millis(1_000_000_000);
const TOMBSTONE: u64 = 300_000;
const LIFE: u64 = 10_000_000;
const INC: Incarnation = Incarnation::from_bytes([7; 16]);
const A: TokenHash = TokenHash::from_bytes([1; 32]);
const B: TokenHash = TokenHash::from_bytes([2; 32]);

fn id(n: u8) -> MailboxId {
    MailboxId::from_bytes([n; 32])
}

fn create(n: u8) -> Op {
    Op::Create { mailbox: id(n), min_epoch: 0, incarnation: INC, entitled: Entitled::Yes, now: T0 }
}

fn append_at(n: u8, envelopes: &[&[u8]], now: Timestamp) -> Op {
    let guard = Guard { epoch: 0, max_pending: 1000, max_bytes: 1 << 20 };
    let envelopes = envelopes.iter().map(|e| (EnvelopeHash::of(e), e.to_vec())).collect();
    Op::Append { mailbox: id(n), guard, envelopes, until: now.plus_millis(LIFE) }
}

fn append(n: u8, envelopes: &[&[u8]]) -> Op {
    append_at(n, envelopes, T0)
}

fn ack(n: u8, seq: u64, envelope: &[u8], now: Timestamp) -> Op {
    let at = Cursor { incarnation: INC, seq };
    Op::Ack { mailbox: id(n), at, hash: EnvelopeHash::of(envelope), now }
}

fn verdicts(outcome: Outcome) -> Vec<Verdict> {
    let Outcome::Appended { verdicts, .. } = outcome else { panic!("{outcome:?}") };
    verdicts
}

struct World {
    _dir: tempfile::TempDir,
    store: FjallStore,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(dir.path(), TOMBSTONE).unwrap();
        Self { _dir: dir, store }
    }

    async fn apply(&self, op: Op) -> Outcome {
        self.store.apply(op).await.unwrap()
    }

    async fn page(&self, n: u8) -> Option<Page> {
        let spec = ReadSpec::Mailbox {
            mailbox: id(n),
            after: None,
            max_envelopes: 100,
            max_bytes: 1 << 20,
            now: T0,
        };
        let outcome = self.store.read(spec).await.unwrap();
        if outcome == Outcome::Absent {
            return None;
        }
        let Outcome::Page { page, .. } = outcome else { panic!("{outcome:?}") };
        Some(page)
    }

    /// Sweeps until there is nothing to do.
    async fn sweep(&self, now: Timestamp) {
        while self.store.sweep(now, 3).await.unwrap() > 0 {}
    }

    fn rows(&self) -> (usize, usize) {
        (self.store.tables.state.len().unwrap(), self.store.tables.env.len().unwrap())
    }
}

#[tokio::test]
async fn operations_of_one_group_see_each_other_and_cost_one_commit() {
    let w = World::new();
    let tables = &w.store.tables;
    let before = tables.db.seqno();
    let mut group = Transaction::new(tables);
    group.execute(create(1)).unwrap();
    assert_eq!(verdicts(group.execute(append(1, &[b"a", b"b", b"a"])).unwrap()), {
        use Verdict::{Same, Stored};
        [Stored, Stored, Same]
    });
    assert_eq!(verdicts(group.execute(append(1, &[b"b", b"c"])).unwrap()), [Verdict::Same, Verdict::Stored]);
    assert_eq!(group.execute(ack(1, 2, b"b", T0)).unwrap(), Outcome::Done(INC));
    let place: Rendezvous = "4821".parse().map(Rendezvous::Nameplate).unwrap();
    let open = Op::SlotOpen {
        candidates: vec![place.clone()],
        token: A,
        until: T0.plus_millis(1000),
        linger: Some(1000),
        quarantine: 1000,
        now: T0,
    };
    group.execute(open).unwrap();
    let put = Op::SlotPut { place: place.clone(), token: A, slot: Slot::A1, bytes: vec![1], now: T0 };
    group.execute(put).unwrap();
    group.execute(Op::SlotClose { place: place.clone(), token: A, now: T0 }).unwrap();
    assert!(w.page(1).await.is_none(), "nothing is there before the commit");
    group.commit().unwrap();
    assert_eq!(tables.db.seqno(), before + 1);
    let page = w.page(1).await.unwrap();
    assert_eq!(page.envelopes, [(3, b"c".to_vec())]);
    assert!(tables.state.get(slot_key(&place, Slot::A1)).unwrap().is_none());
}

#[tokio::test]
async fn acknowledged_envelopes_are_swept_and_known_again_for_a_while() {
    let w = World::new();
    w.apply(create(1)).await;
    let empty = w.rows();
    w.apply(append(1, &[b"a", b"b", b"c", b"d", b"e"])).await;
    w.apply(ack(1, 4, b"d", T0)).await;
    w.sweep(T0).await;
    assert_eq!(w.rows().1, 1, "the envelopes go at once");
    let later = T0.plus_millis(TOMBSTONE - 1);
    w.sweep(later).await;
    assert_eq!(verdicts(w.apply(append(1, &[b"a", b"e"])).await), [Verdict::AckedBefore, Verdict::Same]);
    w.apply(ack(1, 5, b"e", later)).await;
    let over = T0.plus_millis(TOMBSTONE);
    w.sweep(over).await;
    assert_eq!(verdicts(w.apply(append(1, &[b"a", b"e"])).await), [Verdict::Stored, Verdict::AckedBefore]);
    assert_eq!(w.page(1).await.unwrap().envelopes, [(6, b"a".to_vec())]);
    w.apply(ack(1, 6, b"a", over)).await;
    for k in 1..4 {
        w.sweep(over.plus_millis(k * TOMBSTONE)).await;
    }
    assert_eq!(w.rows(), empty, "nothing is left behind");
}

#[tokio::test]
async fn what_nobody_fetches_expires_and_may_be_posted_again() {
    let w = World::new();
    w.apply(create(1)).await;
    w.apply(append(1, &[b"a", b"b"])).await;
    w.apply(append_at(1, &[b"c"], T0.plus_millis(1))).await;
    let expired = T0.plus_millis(LIFE);
    w.sweep(expired).await;
    let page = w.page(1).await.unwrap();
    assert_eq!((page.acked, page.head, page.envelopes), (0, 3, vec![(3, b"c".to_vec())]));
    let again = w.apply(append_at(1, &[b"a", b"c"], expired)).await;
    assert_eq!(verdicts(again), [Verdict::Stored, Verdict::Same]);
    // What was swept of the first "a" does not make the relay forget the second.
    w.sweep(expired.plus_millis(TOMBSTONE)).await;
    let again = w.apply(append_at(1, &[b"a"], expired)).await;
    assert_eq!(verdicts(again), [Verdict::Same]);
    // An owner that had read what expired may still say so.
    assert_eq!(w.apply(ack(1, 2, b"b", expired)).await, Outcome::Done(INC));
}

#[tokio::test]
async fn deleted_mailbox_goes_and_comes_back_only_after_its_tombstone() {
    let w = World::new();
    let nothing = w.rows();
    w.apply(create(1)).await;
    w.apply(append(1, &[b"a", b"b", b"c"])).await;
    w.apply(ack(1, 1, b"a", T0)).await;
    let delete = Op::Delete { mailbox: id(1), now: T0 };
    assert_eq!(w.apply(delete.clone()).await, Outcome::Done(INC));
    assert_eq!(w.apply(delete.clone()).await, Outcome::Done(INC));
    assert!(w.page(1).await.is_none());
    w.sweep(T0).await;
    assert_eq!(w.rows(), (nothing.0 + 1, nothing.1), "the tombstone is all that is left");
    assert_eq!(w.apply(create(1)).await, Outcome::Absent);
    assert_eq!(w.apply(append(1, &[b"a"])).await, Outcome::Absent);
    w.sweep(T0.plus_millis(TOMBSTONE)).await;
    assert_eq!(w.rows(), nothing);
    assert_eq!(w.apply(delete).await, Outcome::Absent);
    assert_eq!(w.apply(create(1)).await, Outcome::Done(INC));
}

#[tokio::test]
async fn quarantined_names_are_not_given_out_and_are_remembered() {
    let w = World::new();
    let place: Rendezvous = "4821".parse().map(Rendezvous::Nameplate).unwrap();
    let open = |token, now: Timestamp| Op::SlotOpen {
        candidates: vec![place.clone()],
        token,
        until: now.plus_millis(1000),
        linger: Some(1000),
        quarantine: 5000,
        now,
    };
    w.apply(open(A, T0)).await;
    let put = Op::SlotPut { place: place.clone(), token: A, slot: Slot::A1, bytes: vec![9], now: T0 };
    w.apply(put).await;
    assert_eq!(w.apply(open(B, T0)).await, Outcome::Taken);
    assert_eq!(w.apply(open(A, T0)).await, Outcome::Taken, "a code is never given out twice");
    let over = T0.plus_millis(1000);
    w.sweep(over).await;
    assert_eq!(w.store.occupied().unwrap(), [("4821".parse().unwrap(), T0.plus_millis(6000))]);
    assert_eq!(w.rows().0, 2, "what was in the slots is gone");
    assert_eq!(w.apply(open(B, T0.plus_millis(5999))).await, Outcome::Taken);
    w.sweep(T0.plus_millis(6000)).await;
    assert!(w.store.occupied().unwrap().is_empty());
    assert!(matches!(w.apply(open(B, T0.plus_millis(6000))).await, Outcome::Opened { .. }));
}

#[tokio::test]
async fn an_invite_may_be_opened_again_by_its_maker_alone() {
    let w = World::new();
    let place: Rendezvous = wire_core::pairing::InviteId::from_bytes([5; 16]).into();
    let open = |token| Op::SlotOpen {
        candidates: vec![place.clone()],
        token,
        until: T0.plus_millis(1000),
        linger: None,
        quarantine: 0,
        now: T0,
    };
    let opened = Outcome::Opened { place: place.clone(), until: T0.plus_millis(1000) };
    assert_eq!(w.apply(open(A)).await, opened);
    assert_eq!(w.apply(open(A)).await, opened);
    assert_eq!(w.apply(open(B)).await, Outcome::Taken);
}

#[tokio::test]
async fn a_place_entitles_each_side_to_one_mailbox() {
    let w = World::new();
    let place: Rendezvous = "4821".parse().map(Rendezvous::Nameplate).unwrap();
    let open = Op::SlotOpen {
        candidates: vec![place.clone()],
        token: A,
        until: T0.plus_millis(1000),
        linger: Some(1000),
        quarantine: 0,
        now: T0,
    };
    w.apply(open).await;
    w.apply(Op::SlotClaim { place: place.clone(), token: B, lapse: 100, now: T0 }).await;
    let create =
        |n, entitled| Op::Create { mailbox: id(n), min_epoch: 0, incarnation: INC, entitled, now: T0 };
    let by = |token| Entitled::ByPlace(place.clone(), token);
    assert_eq!(w.apply(create(1, Entitled::No)).await, Outcome::NotEntitled);
    assert_eq!(w.apply(create(1, by(B))).await, Outcome::Done(INC));
    assert_eq!(w.apply(create(1, Entitled::No)).await, Outcome::Done(INC));
    assert_eq!(w.apply(create(2, by(B))).await, Outcome::NotEntitled);
    assert_eq!(w.apply(create(2, by(A))).await, Outcome::Done(INC));
    assert_eq!(w.apply(create(3, by(TokenHash::from_bytes([3; 32])))).await, Outcome::NotEntitled);
}

#[tokio::test]
async fn a_damaged_record_fails_the_store_and_nothing_is_acknowledged() {
    let w = World::new();
    w.apply(create(1)).await;
    w.store.tables.state.insert(mailbox_key(&id(2)), b"garbage").unwrap();
    assert!(w.store.facts().ready);
    assert_eq!(w.store.apply(append(2, &[b"a"])).await, Err(StoreError::Failed));
    assert!(!w.store.facts().ready);
    assert_eq!(w.store.apply(append(1, &[b"a"])).await, Err(StoreError::Failed));
    assert!(w.page(1).await.unwrap().envelopes.is_empty());
}

/// Changes until one fails, after the engine's own threads have failed to write a table.
async fn fail_below(store: &FjallStore, dir: &Path) -> StoreError {
    store.apply(create(1)).await.unwrap();
    std::fs::remove_dir_all(dir.join("keyspaces")).unwrap();
    store.tables.state.rotate_memtable().unwrap();
    let mut min_epoch = 0;
    loop {
        min_epoch += 1;
        if let Err(error) = store.apply(Op::Epoch { mailbox: id(1), min_epoch }).await {
            return error;
        }
    }
}

#[tokio::test]
async fn an_engine_that_failed_on_a_full_disk_says_full_and_ends_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let has_room = std::sync::Arc::new(AtomicBool::new(false));
    let asked = has_room.clone();
    let room = Room::new(move || asked.load(Ordering::SeqCst));
    let store = FjallStore::open_with(dir.path(), TOMBSTONE, room).unwrap();
    assert_eq!(fail_below(&store, dir.path()).await, StoreError::Full);
    assert_eq!(store.sweep(T0, 1).await, Err(StoreError::Full));
    assert_eq!(store.facts(), Facts { ready: false, ended: None });
    has_room.store(true, Ordering::SeqCst);
    assert_eq!(store.sweep(T0, 1).await, Err(StoreError::Full));
    assert_eq!(store.facts(), Facts { ready: false, ended: Some(StoreError::Full) });
}

#[tokio::test]
async fn an_engine_that_failed_for_another_reason_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = FjallStore::open(dir.path(), TOMBSTONE).unwrap();
    assert_eq!(fail_below(&store, dir.path()).await, StoreError::Failed);
    assert_eq!(store.facts(), Facts { ready: false, ended: Some(StoreError::Failed) });
    assert!(!dir.path().join("room").exists());
}

#[tokio::test]
async fn closing_carries_out_what_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let store = FjallStore::open(dir.path(), TOMBSTONE).unwrap();
    store.apply(create(1)).await.unwrap();
    let names: Vec<[u8; 1]> = (0..50).map(|n| [n]).collect();
    let posts: Vec<_> = names.iter().map(|name| store.apply(append(1, &[name]))).collect();
    // Each is begun, and none is waited for.
    for mut post in posts.into_iter().map(Box::pin) {
        let waker = std::task::Waker::noop();
        assert!(!matches!(
            Future::poll(post.as_mut(), &mut std::task::Context::from_waker(waker)),
            std::task::Poll::Ready(Err(_))
        ));
    }
    drop(store);
    let w = World { store: FjallStore::open(dir.path(), TOMBSTONE).unwrap(), _dir: dir };
    let page = w.page(1).await.unwrap();
    assert_eq!(page.envelopes.len(), 50);
}

#[tokio::test]
async fn records_are_where_the_layout_says() {
    let w = World::new();
    w.apply(create(1)).await;
    w.apply(append(1, &[b"a"])).await;
    let Tables { state, env, .. } = &w.store.tables;
    let record = MailboxRecord::from_bytes(&state.get(mailbox_key(&id(1))).unwrap().unwrap()).unwrap();
    assert_eq!((record.head, record.bytes_head, record.incarnation), (1, 1, INC));
    assert!(state.get(row_key(&id(1), 1)).unwrap().is_some());
    assert_eq!(&*state.get(seen_key(&id(1), &EnvelopeHash::of(b"a"))).unwrap().unwrap(), 1u64.to_be_bytes());
    assert_eq!(&*env.get(envelope_key(&id(1), 1)).unwrap().unwrap(), b"a");
}

#[tokio::test]
async fn a_store_of_another_version_or_kind_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = FjallStore::open(dir.path(), TOMBSTONE).unwrap();
    store.tables.state.insert([0], [2]).unwrap();
    drop(store);
    assert!(matches!(FjallStore::open(dir.path(), TOMBSTONE), Err(OpenError::Newer(_))));

    let foreign = tempfile::tempdir().unwrap();
    let db = fjall::Database::builder(foreign.path()).open().unwrap();
    db.keyspace("items", fjall::KeyspaceCreateOptions::default).unwrap();
    drop(db);
    assert!(matches!(FjallStore::open(foreign.path(), TOMBSTONE), Err(OpenError::Corrupt { .. })));
}
