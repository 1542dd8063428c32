//! A real relay on loopback, and agents with homes of their own.

#![allow(dead_code, reason = "each test uses the part that it needs")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod tap;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::agent::transport::Transport;
use wire_core::agent::{Delivery, Peer};
use wire_core::record::RecordId;
use wire_core::{Agent, Config};
use wire_relay::{Relay, RelayConfig, serve};

/// How long a test may wait for what must happen; only a hang reaches it.
pub const HANG: Duration = Duration::from_secs(60);

/// A relay that can be stopped and started again at the same address with the same data.
pub struct TestRelay {
    pub data: TempDir,
    pub address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl TestRelay {
    pub async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut relay = Self { data, address: ([127, 0, 0, 1], 0).into(), running: None };
        relay.restart().await;
        relay
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let service = Relay::open(&RelayConfig::new(self.data.path())).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, service, async { drop(stopped.await) }));
        self.running = Some((stop, task));
    }

    pub async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            drop(stop);
            task.await.unwrap().unwrap();
        }
    }

    pub fn url(&self) -> RelayUrl {
        RelayUrl::parse(&format!("http://{}", self.address), PlainHttp::LoopbackOnly).unwrap()
    }

    pub fn config(&self, home: &Path, name: &str) -> Config {
        Config::new(home, name).unwrap().with_relay(self.url())
    }

    pub async fn agent(&self, home: &Path, name: &str) -> Agent {
        Agent::open(self.config(home, name)).await.unwrap()
    }

    pub async fn agent_over(&self, home: &Path, name: &str, transport: Arc<dyn Transport>) -> Agent {
        Agent::open_with(self.config(home, name), transport).await.unwrap()
    }
}

/// Pairs two agents by a code; each gets its handle of the other.
pub async fn pair(alice: &Agent, bob: &Agent) -> (Peer, Peer) {
    let offer = alice.offer().await.unwrap();
    let code = offer.code();
    let (bobs, alices) = tokio::join!(offer.paired(), bob.join(&code));
    (bobs.unwrap(), alices.unwrap())
}

/// Waits until a record got at least so far.
pub async fn until(agent: &Agent, id: &RecordId, state: Delivery) {
    soon(agent.wait_for(id, state)).await.unwrap();
}

/// Waits for what must happen.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("it never happened")
}
