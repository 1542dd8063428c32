//! One of two handles closes the agent. Whoever waits at the other is told.

use crate::agents::{TestRelay, soon};
use wire_core::agent::Error;

#[tokio::test(flavor = "multi_thread")]
async fn every_wait_ends_with_closed() {
    let relay = TestRelay::start().await;
    let home = tempfile::tempdir().unwrap();
    let agent = relay.agent(home.path(), "alice").await;
    soon(agent.synced()).await.unwrap();
    let other = agent.clone();
    let waits = {
        let (changed, mut inbox, mut arrivals) = (other.trouble_changed(), other.inbox(), other.arrivals());
        tokio::spawn(async move {
            tokio::join!(
                async { changed.await.unwrap_err() },
                async { inbox.next().await.unwrap().unwrap_err() },
                async { arrivals.next().await.unwrap_err() },
            )
        })
    };
    soon(agent.close()).await;
    let (changed, inbox, arrivals) = soon(waits).await.unwrap();
    for error in [changed, inbox, arrivals] {
        assert!(matches!(error, Error::Closed), "{error:?}");
    }
    // And who begins to wait now.
    let errors = [
        soon(other.trouble_changed()).await.unwrap_err(),
        soon(other.synced()).await.unwrap_err(),
        soon(other.drained()).await.unwrap_err(),
        soon(other.peers()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Closed), "{error:?}");
    }
    assert_eq!(Error::Closed.code(), "closed");
}
