//! Where an engine listens.

#![expect(clippy::disallowed_methods, reason = "DOCKER_HOST is where people say which engine they mean")]

use std::fmt;
use std::path::PathBuf;

use super::super::error::EngineError;

const SOCKET: &str = "/var/run/docker.sock";

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port, without encryption: for loopback, and for tunnels that others encrypt.
    Tcp {
        /// Name or address, an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Endpoint {
    /// What `DOCKER_HOST` says, else `/var/run/docker.sock`. `DOCKER_TLS_VERIFY` is refused, as a plain
    /// connection is not what it asks for. Contexts of the `docker` command are not read.
    pub fn from_env() -> Result<Self, EngineError> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match set("DOCKER_HOST") {
            None => Ok(Self::Unix(SOCKET.into())),
            Some(address) => Self::parse(&address, set("DOCKER_TLS_VERIFY").is_some()),
        }
    }

    /// Takes `unix:///path`, `/path` or `tcp://host[:port]`; refuses every other kind by type, and TCP where
    /// it should be encrypted.
    pub fn parse(address: &str, tls: bool) -> Result<Self, EngineError> {
        if address.starts_with('/') {
            return Ok(Self::Unix(address.into()));
        }
        let refused = |scheme: &str| EngineError::Endpoint { scheme: scheme.to_owned() };
        match address.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp", _)) if tls => Err(refused("tls")),
            Some(("tcp", authority)) => tcp(authority).ok_or_else(|| refused("tcp without host and port")),
            Some(("unix", _)) => Err(refused("unix without an absolute path")),
            Some((scheme @ ("ssh" | "http" | "https" | "npipe" | "fd"), _)) => Err(refused(scheme)),
            Some(_) | None => Err(refused("an address of unknown kind")),
        }
    }
}

impl Endpoint {
    /// What the head of a request names as the host.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { .. } => write!(f, "tcp://{}", self.authority()),
        }
    }
}

fn tcp(authority: &str) -> Option<Endpoint> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    let port = port.map_or(Some(2375), |port| port.parse().ok())?;
    Some(Endpoint::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_is_taken_and_the_rest_refused_by_type() {
        let good = |text: &str| Endpoint::parse(text, false).unwrap().to_string();
        assert_eq!(good("unix:///run/x.sock"), "/run/x.sock");
        assert_eq!(good("/run/x.sock"), "/run/x.sock");
        assert_eq!(good("tcp://127.0.0.1:2375"), "tcp://127.0.0.1:2375");
        assert_eq!(good("tcp://box/"), "tcp://box:2375");
        assert_eq!(good("tcp://[::1]:99"), "tcp://[::1]:99");
        for (bad, scheme) in [
            ("ssh://me:secret@box", "ssh"),
            ("https://me:secret@box:2376", "https"),
            ("npipe:////./pipe/docker_engine", "npipe"),
            ("unix://relative", "unix without an absolute path"),
            ("tcp://", "tcp without host and port"),
            ("tcp://me:secret@box:1", "tcp without host and port"),
            ("tcp://box:99999", "tcp without host and port"),
            ("secret", "an address of unknown kind"),
            ("secret://x", "an address of unknown kind"),
            ("", "an address of unknown kind"),
        ] {
            let error = Endpoint::parse(bad, false).unwrap_err();
            assert!(
                matches!(&error, EngineError::Endpoint { scheme: got } if got == scheme),
                "{bad}: {error:?}"
            );
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        assert!(
            matches!(Endpoint::parse("tcp://box:2376", true), Err(EngineError::Endpoint { scheme }) if scheme == "tls")
        );
        assert!(Endpoint::parse("unix:///x", true).is_ok());
    }
}
