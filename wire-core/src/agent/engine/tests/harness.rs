//! Two agents with real stores and no network: what one has to post is carried to the other by hand,
//! so that a test can lose, repeat, reorder, damage and withhold it.

#![expect(clippy::disallowed_methods, reason = "it copies the files of a store")]

mod identities;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Transaction;
use rusqlite::types::FromSql;
use tempfile::TempDir;

use crate::agent::engine::{Arrival, Batch, Engine, Handed, NewPeer, Outgoing, PeerKey, PeerRow, Stage};
use crate::agent::error::Error;
use crate::agent::relay_url::PeerRelayPolicy;
use crate::agent::schema::MIGRATIONS;
use crate::agent::state::{Delivery, Inward};
use crate::agent::store::StoreFile;
use crate::identity::NextKey;
use crate::mailbox::{
    Certificate, Cursor, Incarnation, MailboxId, MailboxKeyPair, Quota, RelayId, SenderKeyPair, Verdict,
};
use crate::pairing::{Code, Context, Established, Initiator, LocalOffer, Responder};
use crate::record::{Ack, Draft, Kind, RecordId, SendChain, SignedRecord};
use crate::recovery::Contents;
use crate::session::Lane;
use crate::tests_rng::rng;
use crate::time::Timestamp;

pub(super) const URL: &str = "https://relay.example.org";
pub(super) const RELAY: RelayId = RelayId::from_bytes([7; 32]);
/// The life of every mailbox.
pub(super) const LIFE: Incarnation = Incarnation::from_bytes([9; 16]);
/// How long the relay says that it keeps what it takes.
pub(super) const KEEP_MS: u64 = 30 * 24 * 3_600_000;

/// One agent: its store, its secrets, and where its mailbox stands.
pub(super) struct Side {
    store: Option<StoreFile>,
    engine: Engine,
    /// The key that may replace the present one.
    next: NextKey,
    dir: PathBuf,
    _parent: TempDir,
    name: &'static str,
    clock: Cell<Timestamp>,
    peer: Cell<PeerKey>,
    /// Our mailbox for each peer, and how many envelopes of it were read.
    boxes: RefCell<BTreeMap<PeerKey, (MailboxId, u64)>>,
}

impl Side {
    pub(super) fn new(name: &'static str) -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        Self::made(name, now, |tx| {
            let mut next = None;
            Engine::create(tx, now, |key| {
                next = Some(key.clone());
                Ok(())
            })?;
            next.ok_or(Error::NextKeyAway)
        })
    }

    /// From a recovery file, on another machine.
    pub(super) fn restored(name: &'static str, now: Timestamp, contents: &Contents) -> Self {
        Self::made(name, now, |tx| {
            Engine::restore(tx, now, contents, "elsewhere")?;
            Ok(contents.next.clone())
        })
    }

    fn made(
        name: &'static str,
        now: Timestamp,
        make: impl FnOnce(&Transaction<'_>) -> Result<NextKey, Error>,
    ) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().canonicalize().unwrap().join(name);
        let store = StoreFile::open(&dir, MIGRATIONS).unwrap();
        let next = store.write(make).unwrap();
        let engine = store.read(Engine::load).unwrap();
        Self {
            store: Some(store),
            engine,
            next,
            dir,
            _parent: parent,
            name,
            clock: Cell::new(now),
            peer: Cell::new(PeerKey(0)),
            boxes: RefCell::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.get()
    }

    pub(super) fn wait(&self, millis: u64) {
        self.clock.set(self.now().plus_millis(millis));
    }

    /// Somebody sets its clock right, which was fast.
    pub(super) fn put_back(&self, millis: i64) {
        self.clock.set(self.now().offset_millis(-millis));
    }

    /// The row of the latest pairing.
    pub(super) fn key(&self) -> PeerKey {
        self.peer.get()
    }

    pub(super) fn use_peer(&self, key: PeerKey) {
        self.peer.set(key);
    }

    /// Works on with the session that has taken the place of the present one, and its mailbox.
    pub(super) fn follow(&self) {
        let key = self.read(|b| b.successor(self.key()));
        if key != self.key() {
            let mailbox = self.boxes.borrow_mut().remove(&self.key()).unwrap();
            self.boxes.borrow_mut().insert(key, mailbox);
            self.use_peer(key);
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where a peer may move to.
    pub(super) fn allow(&mut self, policy: PeerRelayPolicy) {
        self.engine.policy = Some(policy);
    }

    /// What every transaction begins with.
    pub(super) fn refresh(&mut self) {
        let store = self.store.take().unwrap();
        store.read(|conn| self.engine.refresh(conn)).unwrap();
        self.store = Some(store);
    }

    pub(super) fn store(&self) -> &StoreFile {
        self.store.as_ref().unwrap()
    }

    /// One step in a transaction of its own.
    pub(super) fn write<T>(&self, f: impl FnOnce(&mut Batch<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.batch(|batch| batch.step(f))
    }

    /// A transaction in which a test makes the steps itself.
    pub(super) fn batch<T>(&self, f: impl FnOnce(&mut Batch<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.store().write(|tx| {
            let mut batch = Batch::new(&self.engine, tx, self.now());
            let value = f(&mut batch)?;
            batch.finish()?;
            Ok(value)
        })
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&Batch<'_>) -> Result<T, Error>) -> T {
        self.store().read(|conn| f(&Batch::new(&self.engine, conn, self.now()))).unwrap()
    }

    /// One value of the store.
    pub(super) fn value<T: FromSql>(&self, sql: &str) -> T {
        self.read(|b| Ok(b.tx.query_row(sql, [], |r| r.get(0))?))
    }

    /// Lets a dishonest program work on the peer's row.
    pub(super) fn tamper<T>(&self, f: impl FnOnce(&Batch<'_>, &mut PeerRow) -> T) -> T {
        self.write(|b| b.with_peer(self.key(), |b, p| Ok(f(b, p)))).unwrap()
    }

    pub(super) fn stage(&self) -> Stage {
        self.read(|b| Ok(b.view_peer(self.key())?.stage))
    }

    // Saying.

    pub(super) fn send(&self, text: &str) -> Result<RecordId, Error> {
        self.write(|b| b.send(self.key(), msg(text))).map(|(id, _)| id)
    }

    pub(super) fn delivery(&self, id: &RecordId) -> Delivery {
        self.read(|b| b.delivery(id)).unwrap().state
    }

    /// What there is to post, and the relay takes all of it.
    pub(super) fn post(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(post) = self.read(|b| b.next_post(self.key())) {
            let verdicts = vec![Verdict::Stored; post.envelopes.len()];
            self.write(|b| b.posted(&post, LIFE, &verdicts, self.now().plus_millis(KEEP_MS))).unwrap();
            all.extend(post.envelopes);
        }
        all
    }

    /// Steps that only time brings.
    pub(super) fn tick(&self) {
        if self.read(|b| b.is_time_due()) {
            self.write(|b| {
                b.requeue_expired()?;
                b.seal_due_status()?;
                b.close_stale_boxes()?;
                b.abandon_overdue().map(|_| ())
            })
            .unwrap();
        }
    }

    /// Seals any payload, as a dishonest peer could.
    pub(super) fn forge(&self, payload: &[u8]) -> Vec<u8> {
        self.tamper(|_, p| p.session().unwrap().seal(Lane::Reserved, payload, 256 << 10, &mut rng()).unwrap())
    }

    /// The end of the own chain.
    pub(super) fn chain(&self) -> SendChain {
        self.tamper(|_, p| p.own)
    }

    /// Signs a record at any place of the own chain, without remembering it.
    pub(super) fn sign(&self, chain: &mut SendChain, ack: Option<Ack>, text: &str) -> SignedRecord {
        self.sign_draft(chain, ack, draft(Kind::Msg, self.now(), text))
    }

    pub(super) fn sign_draft(&self, chain: &mut SendChain, ack: Option<Ack>, draft: Draft) -> SignedRecord {
        self.tamper(|b, p| {
            let ack = ack.unwrap_or_else(|| b.plain_ack(p).unwrap());
            let key = b.engine.identity.key();
            chain.sign(key, &p.link, ack, b.now, draft, &mut rng()).unwrap()
        })
    }

    // Hearing.

    /// Takes envelopes as a page of the own mailbox.
    pub(super) fn take(&self, envelopes: &[Vec<u8>]) -> Arrival {
        self.try_take(envelopes).unwrap()
    }

    pub(super) fn try_take(&self, envelopes: &[Vec<u8>]) -> Result<Arrival, Error> {
        let boxes = self.read(|b| b.own_boxes()).into_iter();
        let open: Vec<_> = boxes.filter(|own| own.closing.is_none()).map(|own| own.id).collect();
        let known = self
            .boxes
            .borrow()
            .get(&self.key())
            .copied()
            .filter(|(id, _)| open.is_empty() || open.contains(id));
        // One that was restored, or moved to, was not made here.
        let (id, read) = known.unwrap_or_else(|| (open[0], 0));
        let at = |seq| Cursor { incarnation: LIFE, seq };
        let before = (read > 0).then(|| at(read));
        let page: Vec<_> = (read + 1..).map(at).zip(envelopes.iter().cloned()).collect();
        let arrival = self.write(|b| b.receive_page(&id, before, &page))?;
        self.boxes.borrow_mut().insert(self.key(), (id, read + envelopes.len() as u64));
        Ok(arrival)
    }

    /// Hands out the next record and closes it.
    pub(super) fn handle(&self) -> Option<String> {
        self.claim("me").map(|(n, text)| {
            self.close(n, Inward::Processed);
            text
        })
    }

    pub(super) fn claim(&self, process: &str) -> Option<(i64, String)> {
        self.claim_if(process, |_| true)
    }

    pub(super) fn claim_if(&self, process: &str, is_alive: impl Fn(&str) -> bool) -> Option<(i64, String)> {
        loop {
            match self.write(|b| b.claim_next(process, &is_alive)).unwrap() {
                Handed::Item(item) => return Some((item.n, String::from_utf8(item.body.clone()).unwrap())),
                Handed::Spent(n) => self.close(n, Inward::Poison),
                Handed::Nothing => return None,
            }
        }
    }

    pub(super) fn close(&self, n: i64, state: Inward) {
        self.write(|b| b.close(n, state)).unwrap();
    }

    /// Everything that waits for the application, in order.
    pub(super) fn drain(&self) -> Vec<String> {
        std::iter::from_fn(|| self.handle()).collect()
    }

    // The file.

    /// A copy of the store as it is now.
    pub(super) fn backup(&mut self) -> PathBuf {
        let to = self.dir.with_extension("copy");
        self.store().checkpoint().unwrap();
        copy(&self.dir, &to);
        to
    }

    /// Puts an older copy in the place of the store. The mailbox at the relay goes on.
    pub(super) fn restore(&mut self, from: &Path) {
        self.store = None;
        for name in ["agent.db", "agent.db-wal", "agent.db-shm"] {
            let _ = std::fs::remove_file(self.dir.join(name));
        }
        copy(from, &self.dir);
        self.store = Some(StoreFile::open(&self.dir, MIGRATIONS).unwrap());
        let boxes = self.read(|b| b.own_boxes());
        let read = boxes.iter().map(|o| (o.peer, (o.id, o.cursor.map_or(0, |c| c.seq))));
        self.boxes.replace(read.collect());
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::create_dir(to);
    for name in ["agent.db", "agent.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Alice, who made the code, and Bob.
pub(super) struct World {
    pub(super) alice: Side,
    pub(super) bob: Side,
}

/// What a pairing is asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Wish<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) verify: bool,
    pub(super) deadline: Option<Timestamp>,
}

impl World {
    /// Two strangers.
    pub(super) fn new() -> Self {
        Self { alice: Side::new("alice"), bob: Side::new("bob") }
    }

    /// Both confirmed the code; HELLO waits in both outboxes.
    pub(super) fn pending() -> Self {
        let world = Self::new();
        world.pair(Wish::default(), Wish::default()).unwrap();
        world
    }

    /// Both are paired, and each has heard that the other has its HELLO.
    pub(super) fn paired() -> Self {
        let world = Self::pending();
        world.settle();
        assert_eq!((world.alice.stage(), world.bob.stage()), (Stage::Paired, Stage::Paired));
        world
    }

    /// Both commit a new pairing with each other.
    pub(super) fn pair(&self, alice: Wish<'_>, bob: Wish<'_>) -> Result<(), Error> {
        pair((&self.alice, alice), (&self.bob, bob))
    }

    /// Carries everything both ways until nobody has anything to post.
    pub(super) fn settle(&self) {
        for _ in 0..100 {
            let (from_alice, from_bob) = (self.alice.post(), self.bob.post());
            if from_alice.is_empty() && from_bob.is_empty() {
                return;
            }
            self.bob.take(&from_alice);
            self.alice.take(&from_bob);
        }
        panic!("they never stop talking");
    }

    pub(super) fn wait(&self, millis: u64) {
        self.alice.wait(millis);
        self.bob.wait(millis);
    }
}

/// Both commit a pairing with each other; the first made the code.
pub(super) fn pair(
    (alice, wish_a): (&Side, Wish<'_>),
    (bob, wish_b): (&Side, Wish<'_>),
) -> Result<(), Error> {
    let (a, b) = meet(alice, bob);
    add(alice, a, wish_a)?;
    add(bob, b, wish_b)
}

fn meet(alice: &Side, bob: &Side) -> ((Established, MailboxKeyPair), (Established, MailboxKeyPair)) {
    let rng = &mut rng();
    let code = Code::generate("4821".parse().unwrap(), 3, rng).unwrap();
    let context = Context { relay: RELAY, rendezvous: code.nameplate.into() };
    let boxes = [MailboxKeyPair::generate(rng), MailboxKeyPair::generate(rng)];
    let senders = [SenderKeyPair::generate(rng), SenderKeyPair::generate(rng)];
    let certs = [0, 1].map(|i| Certificate::issue(&boxes[i], senders[i].public(), 0, Quota::default()));
    let offer_a = LocalOffer {
        identity: &alice.engine.identity,
        url: URL,
        relay: RELAY,
        certificate: &certs[0],
        sender: &senders[0],
        display: alice.name,
    };
    let offer_b = LocalOffer {
        identity: &bob.engine.identity,
        url: URL,
        relay: RELAY,
        certificate: &certs[1],
        sender: &senders[1],
        display: bob.name,
    };
    let (a, m1) = Initiator::start(&code.words.clone().into(), context.clone(), rng);
    let (b, m2) = Responder::respond(&code.words.into(), context, &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(offer_a, rng).unwrap();
    let (b, m4) = b.receive_m3(&m3, bob.engine.identity.root()).unwrap().confirm(offer_b, rng).unwrap();
    let a = a.receive_m4(&m4, rng).unwrap();
    let [box_a, box_b] = boxes;
    ((a, box_a), (b, box_b))
}

fn add(
    side: &Side,
    (established, mailbox): (Established, MailboxKeyPair),
    wish: Wish<'_>,
) -> Result<(), Error> {
    let key = side.write(|b| {
        b.add_peer(&NewPeer {
            established: &established,
            mailbox: &mailbox,
            url: URL,
            name: wish.name,
            verify: wish.verify,
            deadline: wish.deadline,
        })
    })?;
    side.peer.set(key);
    side.boxes.borrow_mut().insert(key, (mailbox.public(), 0));
    Ok(())
}

pub(super) fn msg(text: &str) -> Outgoing {
    outgoing(Kind::Msg, text)
}

pub(super) fn outgoing(kind: Kind, text: &str) -> Outgoing {
    Outgoing { kind, re: None, exp: None, ctype: "text/plain".to_owned(), body: text.into(), key: None }
}

pub(super) fn draft(kind: Kind, now: Timestamp, text: &str) -> Draft {
    Draft {
        kind,
        id: RecordId::generate(now, &mut rng()),
        re: None,
        exp: None,
        ctype: "text/plain".to_owned(),
        body: text.into(),
    }
}
