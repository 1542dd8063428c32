//! One agent: the real engine over a database in memory, which dies as a program or a machine does.
//!
//! What the worker would sync later lies in an open transaction until something is synced, so that a power
//! cut takes it back as a whole; each batch is a savepoint in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, params_from_iter};

use super::super::harness::{Side, Wish, World as Pair};
use crate::agent::engine::{Batch, Engine, InboxItem, PeerKey, PeerRow};
use crate::agent::error::Error;
use crate::agent::schema::MIGRATIONS;
use crate::agent::store::Sync;
use crate::identity::{Identity, NextKey};
use crate::mailbox::{Cursor, MailboxId};
use crate::session::SendingPlace;
use crate::tests_rng::rng;
use crate::time::Timestamp;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is committed, and whoever asked for it hears so.
    Commit,
    /// The program dies before.
    DieBefore,
    /// The program dies before anybody hears of it.
    DieAfter,
}

/// What came of a transaction.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    Told(T),
    /// It is committed, and nobody knows.
    Untold(T),
    /// It never happened.
    Nothing,
}

impl<T> Outcome<T> {
    /// What happened, whoever knows.
    pub(super) fn happened(self) -> Option<T> {
        match self {
            Self::Told(value) | Self::Untold(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

/// The rows of a store.
pub(super) type Image = BTreeMap<String, Vec<Vec<Value>>>;

pub(super) struct Agent {
    pub(super) name: &'static str,
    conn: Connection,
    engine: Engine,
    pub(super) key: PeerKey,
    pub(super) mailbox: MailboxId,
    /// The clock of its machine.
    pub(super) now: Timestamp,
    /// How far that is off.
    pub(super) offset: i64,
    process: u32,
    /// What the application is at.
    pub(super) claims: Vec<InboxItem>,
    /// Where the sending chain stood when something was sealed last.
    pub(super) place: SendingPlace,
    /// The key that may replace the present one.
    next: NextKey,
}

/// Two stores of agents that are just pairing, or have paired, and their next keys: the same for all runs of a
/// process.
pub(super) fn images(pending: bool) -> &'static [(Image, NextKey); 2] {
    static IMAGES: [OnceLock<[(Image, NextKey); 2]>; 2] = [OnceLock::new(), OnceLock::new()];
    IMAGES[usize::from(pending)].get_or_init(|| {
        let pair = Pair::new();
        // An unfinished pairing is not given up here: however long it takes, it comes to be.
        let wish = Wish { deadline: Some(Timestamp::from_millis(u64::MAX >> 1)), ..Wish::default() };
        pair.pair(wish, wish).unwrap();
        if !pending {
            pair.settle();
        }
        let image = |side: &Side| (side.read(|b| Ok(dump(b.tx))), side.next_key());
        [image(&pair.alice), image(&pair.bob)]
    })
}

fn dump(conn: &Connection) -> Image {
    let mut tables = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names: Vec<String> = tables.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let rows = |name: &String| {
        let mut all = conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let width = all.column_count();
        let rows = all.query_map([], |r| (0..width).map(|i| r.get(i)).collect()).unwrap();
        rows.collect::<Result<Vec<Vec<Value>>, _>>().unwrap()
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

fn fill(conn: &Connection, image: &Image) {
    // They come table by table, whichever refers to which.
    conn.execute_batch("BEGIN; PRAGMA defer_foreign_keys = ON").unwrap();
    for (name, rows) in image {
        for row in rows {
            let places = vec!["?"; row.len()].join(", ");
            let insert = format!("INSERT INTO {name} VALUES ({places})");
            conn.prepare_cached(&insert).unwrap().execute(params_from_iter(row)).unwrap();
        }
    }
    conn.execute_batch("COMMIT").unwrap();
}

impl Agent {
    pub(super) fn new(name: &'static str, (image, next): &(Image, NextKey), now: Timestamp) -> Self {
        let conn = Connection::open_in_memory().unwrap();
        conn.set_prepared_statement_cache_capacity(128);
        // As in a store on a disk: without this SQLite compiles many statements anew for each set of values.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
        for step in MIGRATIONS {
            conn.execute_batch(step.sql).unwrap();
        }
        fill(&conn, image);
        conn.execute_batch("BEGIN").unwrap();
        let engine = Engine::load(&conn).unwrap();
        let (key, mailbox) = {
            let boxes = Batch::new(&engine, &conn, now).own_boxes().unwrap();
            (boxes[0].peer, boxes[0].id)
        };
        let place = stored_place(&conn, &engine, key);
        Self {
            name,
            conn,
            engine,
            key,
            mailbox,
            now,
            offset: 0,
            process: 1,
            claims: Vec::new(),
            place,
            next: next.clone(),
        }
    }

    /// One transaction.
    pub(super) fn write<T>(
        &mut self,
        sync: Sync,
        fate: Fate,
        f: impl FnOnce(&mut Batch<'_>) -> Result<T, Error>,
    ) -> Result<Outcome<T>, Error> {
        self.run("SAVEPOINT batch");
        let mut batch = Batch::new(&self.engine, &self.conn, self.now);
        let outcome = f(&mut batch).and_then(|value| batch.finish().map(|()| value));
        let sealed = batch.has_sealed();
        let place = batch.peers.get(&self.key).and_then(PeerRow::place);
        drop(batch);
        let value = match outcome {
            Ok(value) if fate != Fate::DieBefore => value,
            other => {
                self.run("ROLLBACK TO batch");
                self.run("RELEASE batch");
                return other.map(|_| Outcome::Nothing);
            }
        };
        self.run("RELEASE batch");
        self.engine.refresh(&self.conn)?;
        if sealed || sync == Sync::Now {
            self.run("COMMIT");
            self.run("BEGIN");
        }
        if let Some(place) = place.filter(|_| sealed || sync == Sync::Now) {
            self.place = place;
        }
        Ok(if fate == Fate::Commit { Outcome::Told(value) } else { Outcome::Untold(value) })
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&Batch<'_>) -> Result<T, Error>) -> T {
        f(&Batch::new(&self.engine, &self.conn, self.now)).unwrap()
    }

    /// The peer as the store has it.
    pub(super) fn peer(&self) -> PeerRow {
        PeerRow::load(&self.conn, &self.engine.identity, self.key).unwrap()
    }

    /// One value of the store.
    pub(super) fn value<T: FromSql>(&self, sql: &str) -> T {
        self.conn.prepare_cached(sql).unwrap().query_row([], |r| r.get(0)).unwrap()
    }

    /// Damages the store as no engine does.
    pub(super) fn damage(&self, sql: &str) -> usize {
        self.conn.execute(sql, []).unwrap()
    }

    pub(super) fn image(&self) -> Image {
        dump(&self.conn)
    }

    /// Puts another store in the place of this one.
    pub(super) fn replace(&mut self, image: &Image) {
        let fresh = Self::new(self.name, &(image.clone(), self.next.clone()), self.now);
        (self.conn, self.engine) = (fresh.conn, fresh.engine);
    }

    /// What its identity would be with the next key, and the key after that.
    pub(super) fn rotated(&self) -> (Identity, NextKey) {
        self.engine.identity.rotate(&self.next, &mut rng()).unwrap()
    }

    pub(super) fn has_rotated(&mut self, next: NextKey) {
        self.next = next;
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.read(|b| b.own_boxes())[0].cursor
    }

    pub(super) fn process(&self) -> String {
        format!("{} {}", self.name, self.process)
    }

    /// The program ends and is started again. The chain that it seals with must stand where it stood: a
    /// place that is used again is a key for two messages.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        self.process += 1;
        self.claims.clear();
        self.engine = Engine::load(&self.conn).map_err(|e| e.to_string())?;
        let place = stored_place(&self.conn, &self.engine, self.key);
        if place != self.place {
            return Err(format!("{}: a message key would be used again", self.name));
        }
        Ok(())
    }

    /// What was to be synced later never was.
    pub(super) fn power_cut(&mut self) -> Result<(), String> {
        self.run("ROLLBACK");
        self.run("BEGIN");
        self.restart()
    }

    fn run(&self, sql: &str) {
        self.conn.prepare_cached(sql).unwrap().execute([]).unwrap();
    }
}

fn stored_place(conn: &Connection, engine: &Engine, key: PeerKey) -> SendingPlace {
    PeerRow::load(conn, &engine.identity, key).unwrap().place().unwrap()
}
