//! What an operator may set.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use wire_core::mailbox::{CreatePolicy, Limits};

/// How a relay is set up.
///
/// ```
/// use wire_relay::{CreatePolicy, RelayConfig};
/// let mut config = RelayConfig::new("/var/lib/wire")
///     .listen(([0, 0, 0, 0], 8770).into())
///     .create(CreatePolicy::Work)
///     .hosts(["relay.example.org"]);
/// config.limits.max_pending = 100_000;
/// assert_eq!(config.data.to_str(), Some("/var/lib/wire"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayConfig {
    /// The directory of the relay's key and store. Made with mode 0700 if it is not there.
    pub data: PathBuf,
    /// Where to listen; `127.0.0.1:8770` unless set. Whoever binds the socket reads it.
    pub listen: SocketAddr,
    /// Who may make a mailbox or open a code.
    pub create: CreatePolicy,
    /// The names that clients know the relay by, with or without port. It proves its key for these
    /// only; with none, for whatever name it is asked as.
    pub hosts: Vec<String>,
    /// What it takes at most.
    pub limits: Limits,
}

impl RelayConfig {
    /// The defaults, with `data` as the directory.
    pub fn new(data: impl AsRef<Path>) -> Self {
        Self {
            data: data.as_ref().to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8770)),
            create: CreatePolicy::Open,
            hosts: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Sets where to listen.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets who may make a mailbox or open a code.
    #[must_use]
    pub fn create(mut self, policy: CreatePolicy) -> Self {
        self.create = policy;
        self
    }

    /// Sets the names that clients know the relay by.
    #[must_use]
    pub fn hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.hosts = hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect();
        self
    }

    /// Sets what it takes at most.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
