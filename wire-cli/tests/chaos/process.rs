//! What the processes do: ignored tests of this program, which end when they are killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};
use wire_core::agent::Peer;
use wire_core::agent::effects::{Database, DatabaseError, Tx, Value};
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::{Agent, Config, Error};

pub(crate) const HOME: &str = "WIRE_CHAOS_HOME";
pub(crate) const NAME: &str = "WIRE_CHAOS_NAME";
pub(crate) const RELAY: &str = "WIRE_CHAOS_RELAY";
pub(crate) const COUNT: &str = "WIRE_CHAOS_COUNT";
pub(crate) const SENDER: &str = "WIRE_CHAOS_SENDER";

/// How a process says that it has done something, on a line of its own.
pub(crate) const STEP: &str = "STEP";

/// Between two tries of what the disk has no room for: nothing tells that there is room again.
const PAUSE: Duration = Duration::from_millis(50);

/// The application's own database, beside the agent's home.
pub(crate) fn ledger(home: &Path) -> PathBuf {
    home.join("ledger.db")
}

pub(crate) fn tables(path: &Path) {
    let tables = "CREATE TABLE IF NOT EXISTS sent (sender INTEGER PRIMARY KEY, n INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS applied (place INTEGER PRIMARY KEY, sender INTEGER NOT NULL, n INTEGER NOT NULL)";
    open(path).unwrap().execute_batch(tables).unwrap();
}

pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(60))?;
    Ok(conn)
}

/// Tries it until the disk has room; anything else that goes wrong ends the process.
async fn with_room<T>(mut work: impl AsyncFnMut() -> Result<T, Error>) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) if error.code() == "disk_full" => println!("\n{STEP} no room"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
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
    let agent = with_room(async || Agent::open(config.clone()).await).await;
    Some(Life { agent, home, count: var(COUNT)?.parse().unwrap() })
}

impl Life {
    async fn peer(&self) -> Peer {
        with_room(async || {
            let peers = self.agent.peers().await?;
            self.agent.peer(&peers.first().unwrap().name).await
        })
        .await
    }
}

fn of_sqlite(error: rusqlite::Error) -> Error {
    DatabaseError::from(error).into()
}

/// Sends each number once: what it does not know to have sent it sends again, under the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other test"]
async fn sender() {
    let Some(life) = begin().await else { return };
    let sender: i64 = std::env::var(SENDER).unwrap().parse().unwrap();
    let peer = life.peer().await;
    let noted = with_room(async || open(&ledger(&life.home)).map_err(of_sqlite)).await;
    let last = "SELECT coalesce(max(n), 0) FROM sent WHERE sender = ?";
    let last: i64 =
        with_room(async || noted.query_row(last, [sender], |r| r.get(0)).map_err(of_sqlite)).await;
    for n in last + 1..=life.count {
        with_room(async || {
            loop {
                let mut changes = life.agent.changes();
                match peer.send(format!("{sender} {n}")).key(format!("{sender} {n}")).await {
                    Err(Error::Backpressure { .. }) => {}
                    sent => return sent.map(drop),
                }
                // What is under way has to be received first; another process may be told of it before this looks.
                let _ = tokio::time::timeout(PAUSE, changes.changed()).await;
            }
        })
        .await;
        let note = "INSERT INTO sent VALUES (?1, ?2) ON CONFLICT DO UPDATE SET n = ?2";
        with_room(async || noted.execute(note, params![sender, n]).map_err(of_sqlite)).await;
        println!("\n{STEP} sent {sender} {n}");
    }
    println!("\n{STEP} all sent");
    std::future::pending::<()>().await;
}

/// Writes down what comes, in the order in which it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other test"]
async fn receiver() {
    let Some(life) = begin().await else { return };
    let database = with_room(async || Database::open(ledger(&life.home)).await).await;
    let mut inbox = life.agent.inbox();
    loop {
        let message = with_room(async || inbox.next().await.unwrap()).await;
        let text = message.text().unwrap().to_owned();
        let (sender, n) = text.split_once(' ').unwrap();
        let [sender, n] = [sender, n].map(|number| number.parse::<i64>().unwrap());
        with_room(async || {
            let write = move |tx: &mut Tx<'_>| {
                let values = [Value::Integer(sender), Value::Integer(n)];
                tx.execute("INSERT INTO applied (sender, n) VALUES (?, ?)", &values)?;
                Ok::<_, Error>(())
            };
            message.with_tx(&database, write).await
        })
        .await;
        println!("\n{STEP} applied {text}");
    }
}
