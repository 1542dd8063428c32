//! What a message costs at least: the steps of its way, each done by nothing but the primitives, one
//! transaction and one sync for as many messages as share it.
//!
//! 1. The sender signs and seals 128 messages and stores them in one transaction of SQLite.
//! 2. The relay verifies one request for each 64 envelopes, appends them to a log, and syncs it.
//! 3. The receiver opens and verifies 128 envelopes, stores them, seals one acknowledgement, all in one
//!    transaction of SQLite.
//!
//! Where the three run beside each other, the slowest of them bounds the rate of one stream, and their
//! processor time, spread over the cores, that of many streams.

#![allow(clippy::expect_used, reason = "a failure ends the run")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rand_core::UnwrapErr;
use rusqlite::{Connection, params};
use wire_core::envelope::DEFAULT_MAX;
use wire_core::identity::{IdentityKeyPair, Root};
use wire_core::mailbox::{
    Call, Certificate, CreatePolicy, Limits, MailboxKeyPair, MailboxServer, Op, Operation, Origin, Plan,
    Quota, RelayKeyPair, SenderKeyPair, SignedRequest,
};
use wire_core::record::{
    self, Ack, Control, ControlKind, Draft, Inbound, Kind, Link, ReceiveChain, RecordId, SendChain,
};
use wire_core::session::{Lane, Session};
use wire_core::testing::{NOW, copy, deliver, sessions};

use crate::cpu_time;
use crate::rig::Outcome;

/// Messages of one transaction.
const STEP: usize = 128;
/// Envelopes of one post.
const POST: usize = 64;

/// What one message costs in one step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Until the step is on the disk.
    pub wall: Duration,
    /// Of one processor.
    pub cpu: Duration,
}

/// What one message costs at least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ceiling {
    /// At the sender.
    pub send: Cost,
    /// At the relay.
    pub relay: Cost,
    /// At the receiver.
    pub receive: Cost,
}

impl Ceiling {
    /// Messages per second of one stream, if its three steps run beside each other on `cores`.
    pub fn one_stream(&self, cores: usize) -> f64 {
        let slowest = self.send.wall.max(self.relay.wall).max(self.receive.wall);
        (1.0 / slowest.as_secs_f64()).min(self.many_streams(cores))
    }

    /// Messages per second of so many streams that no core ever waits.
    pub fn many_streams(&self, cores: usize) -> f64 {
        cores as f64 / self.cpu().as_secs_f64()
    }

    /// Of the processors, in all three steps.
    pub fn cpu(&self) -> Duration {
        self.send.cpu + self.relay.cpu + self.receive.cpu
    }
}

/// Both ends of a session, with two stores and a log on the disk.
#[derive(Debug)]
pub struct Bench {
    body: usize,
    key: IdentityKeyPair,
    link: Link,
    back: Link,
    sender: Session,
    receiver: Session,
    outbox: Connection,
    inbox: Connection,
    log: File,
    relay: MailboxServer,
    poster: SenderKeyPair,
    certificate: Certificate,
    // Removes what is on the disk, last.
    _folder: tempfile::TempDir,
}

impl Bench {
    /// For messages of `body` bytes, with its files in `disk`.
    pub fn new(disk: &Path, body: usize) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(disk)?;
        let (mut sender, mut receiver) = sessions(1);
        // Both have heard of each other, as in a conversation.
        for _ in 0..2 {
            let there = sender.seal(Lane::Ordinary, b"there", DEFAULT_MAX, &mut rng())?;
            deliver(&mut receiver, &there, &mut rng())?;
            let back = receiver.seal(Lane::Ordinary, b"back", DEFAULT_MAX, &mut rng())?;
            deliver(&mut sender, &back, &mut rng())?;
        }
        let (key, peer) = (IdentityKeyPair::generate(&mut rng()), IdentityKeyPair::generate(&mut rng()));
        let (own, peer) = (Root::of(&key.public(), &[1; 32]), Root::of(&peer.public(), &[2; 32]));
        let mailbox = MailboxKeyPair::generate(&mut rng());
        let poster = SenderKeyPair::generate(&mut rng());
        Ok(Self {
            body,
            key,
            link: Link { session: sender.id(), own, peer },
            back: Link { session: sender.id(), own: peer, peer: own },
            sender,
            receiver,
            outbox: store(&folder.path().join("outbox.db"))?,
            inbox: store(&folder.path().join("inbox.db"))?,
            log: OpenOptions::new().create(true).append(true).open(folder.path().join("log"))?,
            relay: MailboxServer::new(
                RelayKeyPair::generate(&mut rng()),
                CreatePolicy::Open,
                Limits::default(),
                [],
                &mut rng(),
            ),
            certificate: Certificate::issue(&mailbox, poster.public(), 0, Quota::default()),
            poster,
            _folder: folder,
        })
    }

    /// Takes `STEP` messages the whole way, and says what each cost.
    pub fn measure(&mut self) -> Outcome<Ceiling> {
        let mut envelopes = Vec::new();
        let send = cost(|| envelopes = self.send());
        let relay = cost(|| envelopes.chunks(POST).for_each(|post| self.post(post)));
        let receive = cost(|| self.receive(&envelopes));
        Ok(Ceiling { send, relay, receive })
    }

    fn send(&mut self) -> Vec<Vec<u8>> {
        let mut session = copy(&self.sender);
        let mut chain = SendChain::start(&self.link.session);
        let tx = self.outbox.transaction().expect("begins");
        let mut envelopes = Vec::new();
        for _ in 0..STEP {
            let draft = Draft {
                kind: Kind::Msg,
                id: RecordId::generate(NOW, &mut rng()),
                re: None,
                exp: None,
                ctype: "application/octet-stream".to_owned(),
                body: vec![0x5a; self.body],
            };
            let ack = Ack::nothing(self.link.session.as_bytes());
            let record = chain.sign(&self.key, &self.link, ack, NOW, draft, &mut rng()).expect("signs");
            let envelope =
                session.seal(Lane::Ordinary, &record.to_payload(), DEFAULT_MAX, &mut rng()).expect("seals");
            keep(&tx, record.seq, &record.cose, &record.body, Some(&envelope));
            envelopes.push(envelope);
        }
        finish(tx, &session);
        envelopes
    }

    fn post(&mut self, post: &[Vec<u8>]) {
        let operation = Operation::Post { envelopes: post.to_vec() };
        let body = SignedRequest::by_sender(
            &self.poster,
            &self.certificate,
            &self.relay.relay_id(),
            NOW,
            &operation,
        );
        let plan = self
            .relay
            .plan(NOW, Origin::UNKNOWN, Call::Mailbox, &body.to_bytes(), &mut rng())
            .expect("verifies");
        let Plan::Apply(_, Op::Append { envelopes, .. }) = plan else { return };
        let mut rows = Vec::new();
        for (hash, envelope) in envelopes {
            rows.extend_from_slice(hash.as_bytes());
            rows.extend_from_slice(&envelope);
        }
        self.log.write_all(&rows).expect("writes");
        self.log.sync_data().expect("syncs");
    }

    fn receive(&mut self, envelopes: &[Vec<u8>]) {
        let mut session = copy(&self.receiver);
        let mut chain = ReceiveChain::start(&self.link.session);
        let pinned = self.key.public().into();
        let tx = self.inbox.transaction().expect("begins");
        for envelope in envelopes {
            let opened = session.open(envelope, NOW, &mut rng()).expect("opens");
            let inbound = record::open(&opened.payload, &self.back, &pinned).expect("verifies");
            let Inbound::Record(record) = inbound else { continue };
            session.commit(opened.step).expect("commits");
            chain.advance(&record);
            let body = record.body().map(|(_, body)| body).unwrap_or_default();
            keep(&tx, record.header().seq, record.cose(), body, None);
        }
        let ack = Ack { recv: chain.recv, head: chain.head, ..Ack::nothing(self.back.session.as_bytes()) };
        let head = ReceiveChain::start(&self.back.session).head;
        let control = Control { kind: ControlKind::Ack, ack, cseq: 1, last: 0, head, ts: NOW };
        let payload = record::control_payload(&control.sign(&self.key, &self.back));
        let sealed = session.seal(Lane::Ordinary, &payload, DEFAULT_MAX, &mut rng()).expect("seals");
        keep(&tx, 0, &sealed, &[], None);
        finish(tx, &session);
    }
}

fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

fn cost(step: impl FnOnce()) -> Cost {
    let start = Instant::now();
    let cpu = cpu_time(step);
    let wall = start.elapsed();
    Cost { wall: wall / STEP as u32, cpu: cpu / STEP as u32 }
}

/// The settings of an agent's store.
fn store(path: &Path) -> Outcome<Connection> {
    let conn = Connection::open(path)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         CREATE TABLE message (seq INTEGER, cose BLOB, body BLOB, envelope BLOB);
         CREATE TABLE session (id INTEGER PRIMARY KEY, state BLOB);",
    )?;
    Ok(conn)
}

fn keep(tx: &rusqlite::Transaction<'_>, seq: u64, cose: &[u8], body: &[u8], envelope: Option<&[u8]>) {
    tx.prepare_cached("INSERT INTO message VALUES (?, ?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![seq, cose, body, envelope]))
        .expect("inserts");
}

fn finish(tx: rusqlite::Transaction<'_>, session: &Session) {
    tx.execute("INSERT OR REPLACE INTO session VALUES (1, ?)", [&session.to_bytes()[..]])
        .expect("stores the session");
    tx.commit().expect("commits");
}
