//! A relay on this machine that came with a code serves each process of an agent whose own relay is
//! elsewhere, also the one that does not read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::agents::{TestRelay, soon, until};
use wire_core::agent::Delivery;
use wire_core::agent::config::Config;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::{Agent, Config as AgentConfig};

/// The network, until it is cut.
struct Cut {
    inner: HttpTransport,
    cut: AtomicBool,
}

impl Cut {
    fn new(config: &Config) -> Arc<Self> {
        let inner = HttpTransport::new(config.proxy()).unwrap();
        Arc::new(Self { inner, cut: AtomicBool::new(false) })
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cut")
    }
}

impl Transport for Cut {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            if self.cut.load(Ordering::SeqCst) {
                return std::future::pending().await;
            }
            self.inner.call(request).await
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        self.inner.stream(request)
    }
}

/// An agent whose own relay is never asked.
fn elsewhere(home: &Path) -> AgentConfig {
    let own = RelayUrl::parse("https://relay.example.org", PlainHttp::LoopbackOnly).unwrap();
    AgentConfig::new(home, "bob").unwrap().with_relay(own)
}

#[tokio::test(flavor = "multi_thread")]
async fn also_the_one_that_does_not_read() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let config = elsewhere(homes.1.path());
    let network = Cut::new(&config);
    let reader = Agent::open_with(config.clone(), network.clone()).await.unwrap();
    let offer = alice.offer().await.unwrap();
    let code = offer.code();
    let (bobs, alices) = soon(async { tokio::join!(offer.paired(), reader.join(&code)) }).await;
    drop((bobs.unwrap(), alices.unwrap()));

    // The one that reads posts nothing any more.
    network.cut.store(true, Ordering::SeqCst);
    let second = Agent::open(config).await.unwrap();
    let sent = second.peer("alice").await.unwrap().send("from the second").await.unwrap();
    until(&second, &sent.id, Delivery::Relayed).await;
    assert_eq!(soon(alice.inbox().next()).await.unwrap().unwrap().text().unwrap(), "from the second");
}
