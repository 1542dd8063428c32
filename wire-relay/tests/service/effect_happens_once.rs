//! What a message causes in the application's own database happens exactly once, whatever ends in between.

use crate::agents::{TestRelay, pair, soon, until};
use wire_core::agent::effects::{Applied, Database, DatabaseError, Tx, Value};
use wire_core::agent::{Delivery, Message, Peer};
use wire_core::{Agent, Error};

async fn ledger(folder: &tempfile::TempDir) -> Database {
    let database = Database::open(folder.path().join("ledger.db")).await.unwrap();
    let made = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    made.execute_batch("CREATE TABLE IF NOT EXISTS entries (text TEXT NOT NULL)").unwrap();
    database
}

/// Two agents that are paired, and the application of the second one.
struct Scene {
    relay: TestRelay,
    homes: [tempfile::TempDir; 3],
    alice: Agent,
    bob: Agent,
    to_bob: Peer,
    database: Database,
}

impl Scene {
    async fn new() -> Self {
        let relay = TestRelay::start().await;
        let homes = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let alice = relay.agent(homes[0].path(), "alice").await;
        let bob = relay.agent(homes[1].path(), "bob").await;
        let (to_bob, _) = soon(pair(&alice, &bob)).await;
        let database = ledger(&homes[2]).await;
        Self { relay, homes, alice, bob, to_bob, database }
    }
}

fn entries(folder: &tempfile::TempDir) -> Vec<String> {
    let read = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    let mut statement = read.prepare("SELECT text FROM entries ORDER BY rowid").unwrap();
    statement.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

fn entry(message: &Message) -> impl FnOnce(&mut Tx<'_>) -> Result<usize, Error> + Send + 'static {
    let text = message.text().unwrap().to_owned();
    move |tx| Ok(tx.execute("INSERT INTO entries VALUES (?)", &[Value::Text(text)])?)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_often_it_is_handed_out() {
    let Scene { relay, homes, alice, bob, to_bob, database } = Scene::new().await;
    let sent = to_bob.send("ten").await.unwrap().id;
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();

    // An effect that fails leaves nothing, and the message is not done.
    let failed = message.with_tx(&database, |tx| {
        tx.execute("INSERT INTO entries VALUES ('half')", &[])?;
        Err::<(), _>(Error::NotText)
    });
    assert!(matches!(failed.await, Err(Error::NotText)));
    assert!(entries(&homes[2]).is_empty());
    assert_eq!(bob.waiting(9).await.unwrap().len(), 1);

    // The program ends between its own commit and the agent's: the agent is closed under it.
    let again = bob.clone();
    bob.close().await;
    assert!(matches!(message.with_tx(&database, entry(&message)).await, Err(Error::Closed)));
    assert_eq!(entries(&homes[2]), ["ten"]);
    drop((message, again));

    let bob = relay.agent(homes[1].path(), "bob").await;
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();
    assert_eq!(message.id(), sent);
    assert_eq!(message.with_tx(&database, entry(&message)).await.unwrap(), Applied::Before);
    assert_eq!(entries(&homes[2]), ["ten"]);
    until(&alice, &sent, Delivery::Processed).await;
    // Acknowledged already, and still nothing happens twice.
    assert_eq!(message.with_tx(&database, entry(&message)).await.unwrap(), Applied::Before);

    to_bob.send("twenty").await.unwrap();
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();
    assert_eq!(message.with_tx(&database, entry(&message)).await.unwrap(), Applied::Now(1));
    assert_eq!(entries(&homes[2]), ["ten", "twenty"]);
    assert!(bob.waiting(9).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_cannot_end_its_transaction_nor_use_the_agents_store() {
    let Scene { homes: _homes, relay: _relay, alice: _alice, bob, to_bob, database } = Scene::new().await;
    to_bob.send("ten").await.unwrap();
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();
    let ended = message.with_tx(&database, |tx| Ok::<_, Error>(tx.execute("ROLLBACK", &[])?));
    assert!(matches!(ended.await, Err(Error::Database(DatabaseError::Ended))));
    let wrong =
        message.with_tx(&database, |tx| Ok::<_, Error>(tx.execute("INSERT INTO nowhere VALUES (1)", &[])?));
    assert!(matches!(wrong.await, Err(Error::Database(DatabaseError::Sql(_)))));
    let panics = message.with_tx(&database, |_| -> Result<(), Error> { panic!("on purpose") });
    assert!(matches!(panics.await, Err(Error::Internal(_))));
    let rows = message
        .with_tx(&database, |tx| {
            Ok::<_, Error>(tx.query("SELECT 1, 2.5, 'three', x'04', NULL, ?", &[Value::Integer(6)])?)
        })
        .await
        .unwrap();
    let row = vec![
        Value::Integer(1),
        Value::Real(2.5),
        Value::Text("three".to_owned()),
        Value::Blob(vec![4]),
        Value::Null,
        Value::Integer(6),
    ];
    assert_eq!(rows, Applied::Now(vec![row]));

    to_bob.send("twenty").await.unwrap();
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();
    let own = Database::open(bob.info().folder.join("notes.db")).await.unwrap();
    let refused = message.with_tx(&own, entry(&message)).await;
    assert!(matches!(refused, Err(Error::Usage(_))), "{refused:?}");
}
