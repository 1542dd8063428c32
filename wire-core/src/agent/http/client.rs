//! The three clients and their connectors, each built when it is first needed.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::ring;

use super::resolve::Resolver;
use crate::agent::relay_url::{Reach, RelayUrl};

/// Per address tried; the time-out of the request is over all of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the idle time-outs that proxies and load balancers use.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// Finds peers that vanished without a word, while a long poll waits.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const MAX_IDLE_PER_HOST: usize = 8;

/// Makes the TLS configuration, at the first `https` request.
pub(super) type TlsSetup = Box<dyn Fn() -> Result<ClientConfig, rustls::Error> + Send + Sync>;

type Tcp = HttpConnector<Resolver>;
type Pool<C> = Client<C, Full<Bytes>>;

/// Clients by route; clones share the pools.
#[derive(Clone)]
pub(super) struct Clients(Arc<Routes>);

struct Routes {
    proxy: Option<Matcher>,
    setup: TlsSetup,
    tls: OnceLock<Arc<ClientConfig>>,
    own: Direct,
    // Apart from `own`, or a pooled connection to a private address would serve a peer's relay too.
    named_by_peer: Direct,
    tunnel: OnceLock<Pool<HttpsConnector<Tunnel<Tcp>>>>,
}

struct Direct {
    reach: Reach,
    plain: OnceLock<Pool<Tcp>>,
    tls: OnceLock<Pool<HttpsConnector<Tcp>>>,
}

/// Why a request got no head of an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The TLS configuration cannot be made.
    Setup(rustls::Error),
    /// The proxy setting is no `http` proxy.
    Proxy,
    /// Hyper's word; `true` if a proxy stood between.
    Http(Error, bool),
}

impl Clients {
    pub(super) fn new(proxy: Option<Matcher>, setup: TlsSetup) -> Self {
        let direct = |reach| Direct { reach, plain: OnceLock::new(), tls: OnceLock::new() };
        Self(Arc::new(Routes {
            proxy,
            setup,
            tls: OnceLock::new(),
            own: direct(Reach::Anywhere),
            named_by_peer: direct(Reach::PublicOnly),
            tunnel: OnceLock::new(),
        }))
    }

    /// Sends `request` by the route for `relay`, returning when the head of the answer is there.
    pub(super) async fn request(
        &self,
        relay: &RelayUrl,
        reach: Reach,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        let routes = &*self.0;
        let direct = match reach {
            Reach::Anywhere => &routes.own,
            Reach::PublicOnly => &routes.named_by_peer,
        };
        if !relay.is_https() {
            return direct.plain().request(request).await.map_err(|e| Failure::Http(e, false));
        }
        let via = routes.proxy.as_ref().filter(|_| !relay.is_loopback());
        match via.and_then(|matcher| matcher.intercept(request.uri())) {
            Some(proxy) => routes.tunnel(&proxy)?.request(request).await.map_err(|e| Failure::Http(e, true)),
            None => direct.tls(routes)?.request(request).await.map_err(|e| Failure::Http(e, false)),
        }
    }

    #[cfg(test)]
    pub(super) fn has_tls(&self) -> bool {
        self.0.tls.get().is_some()
    }
}

impl Routes {
    fn tls_config(&self) -> Result<ClientConfig, Failure> {
        let config = match self.tls.get() {
            Some(config) => config,
            None => {
                let config = (self.setup)().map_err(Failure::Setup)?;
                self.tls.get_or_init(|| Arc::new(config))
            }
        };
        Ok(ClientConfig::clone(config))
    }

    /// One proxy serves all `https` destinations, so one pool does.
    fn tunnel(&self, proxy: &Intercept) -> Result<&Pool<HttpsConnector<Tunnel<Tcp>>>, Failure> {
        if let Some(client) = self.tunnel.get() {
            return Ok(client);
        }
        if proxy.uri().scheme() != Some(&http::uri::Scheme::HTTP) {
            return Err(Failure::Proxy);
        }
        let tls = self.tls_config()?;
        Ok(self.tunnel.get_or_init(|| pool(https(tls, tunnel(proxy)))))
    }
}

impl Direct {
    fn plain(&self) -> &Pool<Tcp> {
        self.plain.get_or_init(|| pool(tcp(self.reach)))
    }

    fn tls(&self, routes: &Routes) -> Result<&Pool<HttpsConnector<Tcp>>, Failure> {
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let config = routes.tls_config()?;
        Ok(self.tls.get_or_init(|| pool(https(config, tcp(self.reach)))))
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("proxy", &self.0.proxy.is_some())
            .field("tls", &self.0.tls.get().is_some())
            .finish_non_exhaustive()
    }
}

/// Mozilla's roots as compiled in, ring, TLS 1.3.
pub(super) fn web_roots() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_webpki_roots().with_no_client_auth())
}

fn tcp(reach: Reach) -> Tcp {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new(reach));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEP_ALIVE));
    connector
}

fn tunnel(proxy: &Intercept) -> Tunnel<Tcp> {
    let to: Uri = proxy.uri().clone();
    let tunnel = Tunnel::new(to, tcp(Reach::Anywhere));
    match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }
}

fn https<C>(config: ClientConfig, below: C) -> HttpsConnector<C> {
    HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_all_versions()
        .wrap_connector(below)
}

fn pool<C: Connect + Clone>(connector: C) -> Pool<C> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .build(connector)
}
