//! A store comes back from an older copy, the session ends with an alarm, and the owners reset it.

use std::path::Path;

use crate::agents::{TestRelay, pair, soon, until};
use wire_core::agent::effects::{Database, Value};
use wire_core::agent::{Delivery, Message, Peer, PeerInfo, PeerState, ResetState};
use wire_core::{Agent, Error};

/// Follows a peer until it stands so.
async fn until_peer(agent: &Agent, peer: &Peer, stands: impl Fn(&PeerInfo) -> bool) -> PeerInfo {
    let mut changes = agent.changes();
    loop {
        changes.mark_unchanged();
        let info = peer.info().await.unwrap();
        if stands(&info) {
            return info;
        }
        soon(changes.changed()).await.unwrap();
    }
}

fn is_at(state: ResetState) -> impl Fn(&PeerInfo) -> bool {
    move |info| info.reset.as_ref().is_some_and(|reset| reset.state == state)
}

fn is_done(info: &PeerInfo) -> bool {
    info.reset.is_none() && info.state == PeerState::Paired
}

/// With their rights: a store that others could read is refused.
fn copy_tree(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.unwrap().success());
}

/// What Bob's application does with a message: an entry in its own database, exactly once.
async fn enter(database: &Database, message: &Message) {
    let text = message.text().unwrap().to_owned();
    let entry = move |tx: &mut wire_core::agent::effects::Tx<'_>| {
        Ok::<_, Error>(tx.execute("INSERT INTO entries VALUES (?)", &[Value::Text(text)])?)
    };
    message.with_tx(database, entry).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn by_both_owners_and_talks_again_with_nothing_lost_and_nothing_doubled() {
    let relay = TestRelay::start().await;
    let homes = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let alice = relay.agent(homes[0].path(), "alice").await;
    let bob = relay.agent(homes[1].path(), "bob").await;
    let (to_bob, to_alice) = soon(pair(&alice, &bob)).await;
    let path = homes[2].path().join("ledger.db");
    let database = Database::open(&path).await.unwrap();
    let ledger = rusqlite::Connection::open(&path).unwrap();
    ledger.execute_batch("CREATE TABLE entries (text TEXT NOT NULL)").unwrap();
    let mut inbox = bob.inbox();

    let one = to_bob.send("one").await.unwrap().id;
    enter(&database, &soon(inbox.next()).await.unwrap().unwrap()).await;
    until(&alice, &one, Delivery::Processed).await;
    alice.close().await;
    let copy = homes[3].path().join("copy");
    copy_tree(homes[0].path(), &copy);

    // What happens after the copy.
    let alice = relay.agent(homes[0].path(), "alice").await;
    let two = alice.peer("bob").await.unwrap().send("two").await.unwrap().id;
    enter(&database, &soon(inbox.next()).await.unwrap().unwrap()).await;
    until(&alice, &two, Delivery::Processed).await;
    let ask = to_alice.ask("ready?").start().await.unwrap();
    until(&bob, &ask.id(), Delivery::Received).await;
    alice.close().await;

    std::fs::remove_dir_all(homes[0].path().join("agents")).unwrap();
    copy_tree(&copy.join("agents"), &homes[0].path().join("agents"));
    let alice = relay.agent(homes[0].path(), "alice").await;
    let to_bob = alice.peer("bob").await.unwrap();
    let three = to_bob.send("three").await.unwrap().id;
    until_peer(&bob, &to_alice, |info| info.state == PeerState::Frozen).await;
    assert!(matches!(to_alice.send("no").await, Err(Error::SessionFrozen { .. })));
    assert!(matches!(soon(ask.reply()).await, Err(Error::SessionFrozen { .. })));

    // Alice's owner asks; Bob's is told, and nothing happens before he answers.
    to_bob.reset().await.unwrap();
    until_peer(&bob, &to_alice, is_at(ResetState::Requested)).await;
    assert_eq!(to_alice.info().await.unwrap().state, PeerState::Frozen);
    let bobs = to_alice.reset().await.unwrap().reset.unwrap();
    assert_eq!(bobs.state, ResetState::AwaitsWords);
    let alices = until_peer(&alice, &to_bob, is_at(ResetState::AwaitsWords)).await.reset.unwrap();
    let (a, b) = (alices.words.unwrap(), bobs.words.unwrap());
    to_bob.confirm_reset(&b).await.unwrap();
    to_alice.confirm_reset(&a).await.unwrap();
    until_peer(&alice, &to_bob, is_done).await;
    let info = until_peer(&bob, &to_alice, is_done).await;
    // HELLO of Bob is in the copy; the question is not, and was received.
    assert_eq!(info.lost, Some((2, 2)));

    // What Alice has said anew comes, what she does not know any more does not come twice.
    enter(&database, &soon(inbox.next()).await.unwrap().unwrap()).await;
    until(&alice, &three, Delivery::Processed).await;
    let mut entries = ledger.prepare("SELECT text FROM entries ORDER BY rowid").unwrap();
    let texts: Vec<String> = entries.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(texts, ["one", "two", "three"]);

    // The question is asked again under its id, and who waits for the reply gets it.
    let question = soon(alice.inbox().next()).await.unwrap().unwrap();
    assert_eq!((question.text().unwrap(), question.id()), ("ready?", ask.id()));
    question.reply_with("yes").await.unwrap();
    question.ack().await.unwrap();
    assert_eq!(soon(ask.reply()).await.unwrap().text().unwrap(), "yes");

    // The handles of before go on to work, and one peer is there on each side.
    let last = to_alice.send("after").await.unwrap().id;
    let message = soon(alice.inbox().next()).await.unwrap().unwrap();
    assert_eq!(message.text().unwrap(), "after");
    message.ack().await.unwrap();
    until(&bob, &last, Delivery::Processed).await;
    assert_eq!((alice.peers().await.unwrap().len(), bob.peers().await.unwrap().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_the_relay_and_the_processes_between_its_steps() {
    let mut relay = TestRelay::start().await;
    let homes = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let alice = relay.agent(homes[0].path(), "alice").await;
    let bob = relay.agent(homes[1].path(), "bob").await;
    soon(pair(&alice, &bob)).await;

    // The RESET waits on the disk until there is a relay again.
    relay.stop().await;
    alice.peer("bob").await.unwrap().reset().await.unwrap();
    alice.close().await;
    relay.restart().await;
    let alice = relay.agent(homes[0].path(), "alice").await;
    let to_alice = bob.peer("alice").await.unwrap();
    until_peer(&bob, &to_alice, is_at(ResetState::Requested)).await;
    let b = to_alice.reset().await.unwrap().reset.unwrap().words.unwrap();
    bob.close().await;
    let bob = relay.agent(homes[1].path(), "bob").await;
    let to_alice = bob.peer("alice").await.unwrap();
    let to_bob = alice.peer("bob").await.unwrap();
    let a = until_peer(&alice, &to_bob, is_at(ResetState::AwaitsWords)).await.reset.unwrap().words.unwrap();
    assert_eq!(to_alice.info().await.unwrap().reset.unwrap().words.as_deref(), Some(b.as_str()));
    to_alice.confirm_reset(&a).await.unwrap();
    assert_eq!(to_alice.info().await.unwrap().reset.unwrap().state, ResetState::Confirmed);
    // Meanwhile they talk in the old session.
    let sent = to_alice.send("meanwhile").await.unwrap().id;
    let message = soon(alice.inbox().next()).await.unwrap().unwrap();
    message.ack().await.unwrap();
    until(&bob, &sent, Delivery::Processed).await;
    to_bob.confirm_reset(&b).await.unwrap();
    until_peer(&alice, &to_bob, is_done).await;
    until_peer(&bob, &to_alice, is_done).await;
    let sent = to_bob.send("in the new one").await.unwrap().id;
    soon(bob.inbox().next()).await.unwrap().unwrap().ack().await.unwrap();
    until(&alice, &sent, Delivery::Processed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_differ_are_an_error_and_the_old_session_stands() {
    let relay = TestRelay::start().await;
    let homes = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let alice = relay.agent(homes[0].path(), "alice").await;
    let bob = relay.agent(homes[1].path(), "bob").await;
    let (to_bob, to_alice) = soon(pair(&alice, &bob)).await;
    assert!(matches!(to_bob.confirm_reset("oyster").await, Err(Error::NoReset { .. })));
    to_bob.reset().await.unwrap();
    until_peer(&bob, &to_alice, is_at(ResetState::Requested)).await;
    to_alice.reset().await.unwrap();
    let info = until_peer(&alice, &to_bob, is_at(ResetState::AwaitsWords)).await;
    assert!(matches!(to_bob.confirm_reset("oyster").await, Err(Error::Usage(_))));
    let own = info.reset.unwrap().words.unwrap();
    let refused = to_bob.confirm_reset(&own).await;
    assert!(matches!(refused, Err(Error::ResetWordsDiffer { ref peer }) if peer == "bob"), "{refused:?}");
    let info = to_bob.info().await.unwrap();
    assert!(info.reset.is_none() && info.words_differed.is_some() && info.state == PeerState::Paired);
    let sent = to_bob.send("as before").await.unwrap().id;
    soon(bob.inbox().next()).await.unwrap().unwrap().ack().await.unwrap();
    until(&alice, &sent, Delivery::Processed).await;
    to_alice.cancel_reset().await.unwrap();
    assert!(to_alice.info().await.unwrap().reset.is_none());
}
