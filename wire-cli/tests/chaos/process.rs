//! What the processes do that are killed: ignored tests of this program, which end when they are killed.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use wire_core::agent::effects::{Database, Value};
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::agent::{Delivery, Peer};
use wire_core::{Agent, Config, Error};

pub(crate) const HOME: &str = "WIRE_CHAOS_HOME";
pub(crate) const NAME: &str = "WIRE_CHAOS_NAME";
pub(crate) const RELAY: &str = "WIRE_CHAOS_RELAY";
pub(crate) const COUNT: &str = "WIRE_CHAOS_COUNT";

/// How a process says that it has done something, on a line of its own.
pub(crate) const STEP: &str = "STEP";

/// The application's own database, beside the agent's home.
pub(crate) fn ledger(home: &Path) -> PathBuf {
    home.join("ledger.db")
}

pub(crate) fn tables(path: &Path) {
    let tables = "CREATE TABLE IF NOT EXISTS sent (n INTEGER PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS applied (place INTEGER PRIMARY KEY, n INTEGER NOT NULL)";
    open(path).execute_batch(tables).unwrap();
}

pub(crate) fn open(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    conn
}

struct Life {
    agent: Agent,
    home: PathBuf,
    count: i64,
}

/// None where it is run by itself.
async fn begin() -> Option<Life> {
    let var = |name: &str| std::env::var(name).ok();
    let (home, name, relay) = (PathBuf::from(var(HOME)?), var(NAME)?, var(RELAY)?);
    let relay = RelayUrl::parse(&relay, PlainHttp::LoopbackOnly).unwrap();
    let config = Config::new(&home, &name).unwrap().with_relay(relay);
    let agent = Agent::open(config).await.unwrap();
    Some(Life { agent, home, count: var(COUNT)?.parse().unwrap() })
}

impl Life {
    async fn peer(&self) -> Peer {
        let peers = self.agent.peers().await.unwrap();
        self.agent.peer(&peers.first().unwrap().name).await.unwrap()
    }
}

/// Sends each number once: what it does not know to have sent it sends again, under the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other test"]
async fn sender() {
    let Some(life) = begin().await else { return };
    let (peer, noted) = (life.peer().await, open(&ledger(&life.home)));
    let first: Option<i64> =
        noted.query_row("SELECT max(n) FROM sent", [], |r| r.get(0)).optional().unwrap().flatten();
    let mut last = None;
    for n in first.unwrap_or(0) + 1..=life.count {
        let sent = loop {
            match peer.send(n.to_string()).key(format!("number {n}")).await {
                Ok(sent) => break sent,
                // What is under way has to be received first.
                Err(Error::Backpressure { .. }) => {
                    if let Some(id) = &last {
                        life.agent.wait_for(id, Delivery::Received).await.unwrap();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        };
        last = Some(sent.id);
        noted.execute("INSERT OR IGNORE INTO sent VALUES (?)", params![n]).unwrap();
        println!("\n{STEP} sent {n}");
    }
    println!("\n{STEP} all sent");
    std::future::pending::<()>().await;
}

/// Writes down each number that comes, in the order in which they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other test"]
async fn receiver() {
    let Some(life) = begin().await else { return };
    let database = Database::open(ledger(&life.home)).await.unwrap();
    let mut inbox = life.agent.inbox();
    while let Some(message) = inbox.next().await {
        let message = message.unwrap();
        let n: i64 = message.text().unwrap().parse().unwrap();
        let write = move |tx: &mut wire_core::agent::effects::Tx<'_>| {
            tx.execute("INSERT INTO applied (n) VALUES (?)", &[Value::Integer(n)])?;
            Ok::<_, Error>(())
        };
        message.with_tx(&database, write).await.unwrap();
        println!("\n{STEP} applied {n}");
    }
}
