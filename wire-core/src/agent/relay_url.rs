//! Addresses of relays: what a person may type, what a peer may offer.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

pub use super::reach::Reach;

/// Longest relay address that is looked at, in bytes.
pub const MAX_RELAY_URL: usize = 512;

/// The address of a relay: scheme, host and port, nothing else, in one canonical spelling.
///
/// ```
/// use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
/// let relay = RelayUrl::parse("Relay.Example.org", PlainHttp::LoopbackOnly)?;
/// assert_eq!(relay.as_str(), "https://relay.example.org");
/// assert_eq!(relay.host(), "relay.example.org");
/// assert!(RelayUrl::parse("http://relay.example.org", PlainHttp::LoopbackOnly).is_err());
/// # Ok::<(), wire_core::agent::relay_url::RelayUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayUrl {
    origin: String,
    scheme_len: usize,
    https: bool,
    place: Place,
}

/// Where unencrypted HTTP may be spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only to this machine itself.
    #[default]
    LoopbackOnly,
    /// Anywhere: the owner set `allow_plain_http`. Then relay and network see everything that TLS hides.
    Anywhere,
}

/// Why a text is no relay address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayUrlError {
    /// Not a URL, or no host in it.
    #[error("not a relay address; write it like https://relay.example.org")]
    Malformed,
    /// A scheme other than `https` and `http`.
    #[error("a relay address starts with https:// (or http:// on this machine)")]
    Scheme,
    /// `http` to another machine.
    #[error("plain http only reaches this machine; use https, or set allow_plain_http = true")]
    PlainHttp,
    /// A user name or password before the host.
    #[error("a relay address carries no user name and no password")]
    UserInfo,
    /// A path, query or fragment after the host.
    #[error("a relay address ends after the host and port")]
    Trailing,
}

impl RelayUrl {
    /// Reads what a person typed or a peer sent, at most [`MAX_RELAY_URL`] bytes.
    ///
    /// Without a scheme it is `https`, on loopback `http`. Host names become lower case (other scripts
    /// punycode), odd spellings of IP addresses the usual one, default ports vanish.
    pub fn parse(text: &str, plain: PlainHttp) -> Result<Self, RelayUrlError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if text.is_empty() || text.len() > MAX_RELAY_URL || text.contains(odd) {
            return Err(RelayUrlError::Malformed);
        }
        let url = match text.split_once("://") {
            Some((scheme, rest)) => parse_as(&scheme.to_ascii_lowercase(), rest)?,
            None => {
                let https = parse_as("https", text)?;
                if Place::of(&https)? == Place::Loopback { parse_as("http", text)? } else { https }
            }
        };
        let place = Place::of(&url)?;
        let https = url.scheme() == "https";
        if !https && place != Place::Loopback && plain == PlainHttp::LoopbackOnly {
            return Err(RelayUrlError::PlainHttp);
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { origin, scheme_len: url.scheme().len() + "://".len(), https, place })
    }

    /// The whole address without a slash at its end: `https://relay.example.org:8443`.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// `host` or `host:port` as in the address, lower case: what a relay's proof of identity names.
    pub fn host(&self) -> &str {
        self.origin.get(self.scheme_len..).unwrap_or_default()
    }

    /// Whether the connection is encrypted.
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Whether the spelling of the host is within `reach`; a name is judged again once it is resolved.
    pub fn is_within(&self, reach: Reach) -> bool {
        reach == Reach::Anywhere || self.place == Place::Public
    }

    /// Whether the relay is on this machine: `localhost`, 127.0.0.0/8 or ::1.
    pub fn is_loopback(&self) -> bool {
        self.place == Place::Loopback
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayUrl({})", self.origin)
    }
}

/// Whether a relay that a peer names may be contacted at all.
///
/// Without it a peer could aim our requests at hosts behind our firewall.
#[derive(Clone, Debug)]
pub struct PeerRelayPolicy {
    own: RelayUrl,
    plain: PlainHttp,
}

/// Why a relay that a peer named is not contacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerRelayError {
    /// Not an address of a relay.
    #[error("the peer's relay address is refused: {0}")]
    Address(#[from] RelayUrlError),
    /// Not `https`.
    #[error("the peer's relay is not reached over https")]
    NotHttps,
    /// An address of this machine or of a private network.
    #[error("the peer's relay is on a private network")]
    Private,
}

impl PeerRelayPolicy {
    /// The policy of an agent whose own relay is `own`.
    ///
    /// [`PlainHttp::Anywhere`] says that the owner trusts the network: private relays are then allowed too.
    pub const fn new(own: RelayUrl, plain: PlainHttp) -> Self {
        Self { own, plain }
    }

    /// Judges what a peer sent.
    ///
    /// 1. Our own relay is always fine.
    /// 2. On loopback, or with plain HTTP allowed anywhere, any well-formed address is.
    /// 3. Otherwise `https` and no host that is visibly internal; names are judged again once resolved, by
    ///    the [`Reach`] that comes back and belongs on every request to that relay.
    pub fn check(&self, offered: &str) -> Result<(RelayUrl, Reach), PeerRelayError> {
        let relay = RelayUrl::parse(offered, PlainHttp::Anywhere)?;
        if relay == self.own {
            return Ok((relay, Reach::Anywhere));
        }
        if !relay.https && !relay.is_loopback() && self.plain == PlainHttp::LoopbackOnly {
            return Err(PeerRelayError::NotHttps);
        }
        if self.own.is_loopback() || self.plain == PlainHttp::Anywhere {
            return Ok((relay, Reach::Anywhere));
        }
        if !relay.is_within(Reach::PublicOnly) {
            return Err(PeerRelayError::Private);
        }
        Ok((relay, Reach::PublicOnly))
    }
}

/// What the spelling of a host says about where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Loopback,
    Internal,
    Public,
}

impl Place {
    fn of(url: &Url) -> Result<Self, RelayUrlError> {
        let address: IpAddr = match url.host().ok_or(RelayUrlError::Malformed)? {
            Host::Domain(name) => return Self::of_name(name),
            Host::Ipv4(a) => a.into(),
            Host::Ipv6(a) => a.into(),
        };
        Ok(match address {
            a if a.is_loopback() => Self::Loopback,
            a if Reach::PublicOnly.admits(a) => Self::Public,
            _ => Self::Internal,
        })
    }

    fn of_name(name: &str) -> Result<Self, RelayUrlError> {
        const INTERNAL: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".lan"];
        // One spelling per relay: the root dot would be a second one for the proof of identity.
        if name.ends_with('.') {
            return Err(RelayUrlError::Malformed);
        }
        Ok(match name {
            "localhost" => Self::Loopback,
            n if !n.contains('.') || INTERNAL.iter().any(|suffix| n.ends_with(suffix)) => Self::Internal,
            _ => Self::Public,
        })
    }
}

fn parse_as(scheme: &str, rest: &str) -> Result<Url, RelayUrlError> {
    if !matches!(scheme, "https" | "http") {
        return Err(RelayUrlError::Scheme);
    }
    if rest.is_empty() || rest.starts_with('/') {
        return Err(RelayUrlError::Malformed);
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(RelayUrlError::UserInfo);
    }
    if !matches!(tail, "" | "/") {
        return Err(RelayUrlError::Trailing);
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| RelayUrlError::Malformed)?;
    if url.port() == Some(0) || authority.ends_with(':') {
        return Err(RelayUrlError::Malformed);
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
