//! The address of a relay in a code, a link or an offer: `http(s)://HOST[:PORT]`, strictly.
//!
//! Written here rather than left to a URL library, because such text comes from a stranger and is
//! later shown and dialled: no user part, no query, no fragment, no number in disguise
//! (`0x7f.1`), nothing but ASCII.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::{fmt, str::FromStr};

const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;
/// Bytes of the longest relay address in an offer.
pub(super) const MAX_URL: usize = 255;
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// `http://HOST[:PORT]` or `https://HOST[:PORT]`, in lower case, without a path.
///
/// HOST is a DNS name, an IPv4 address, or an IPv6 address in brackets. Whether plain HTTP is
/// allowed, and to where, is the caller's policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Reads `HOST[:PORT]` too: that means `https`, and `http` on loopback.
    pub fn of_host_or_origin(text: &str) -> Result<Self, ParseOriginError> {
        if SCHEMES.iter().any(|s| text.starts_with(s)) {
            return text.parse();
        }
        let host = host_of(text).ok_or(ParseOriginError)?;
        let scheme = if is_loopback(host) { "http" } else { "https" };
        Ok(Self(format!("{scheme}://{}", text.to_ascii_lowercase())))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not `http(s)://HOST[:PORT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a relay address: expected http(s)://HOST[:PORT]")]
pub struct ParseOriginError;

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let lower = text.to_ascii_lowercase();
        let rest = SCHEMES.iter().find_map(|s| lower.strip_prefix(s)).ok_or(ParseOriginError)?;
        host_of(rest).ok_or(ParseOriginError)?;
        Ok(Self(lower))
    }
}

/// What may follow `@` in a code.
pub(super) fn is_host_or_origin(text: &str) -> bool {
    Origin::of_host_or_origin(text).is_ok()
}

/// What an offer may give as its relay: an origin, and perhaps a path of plain segments where the
/// relay is mounted.
pub(crate) fn is_relay_url(text: &str) -> bool {
    let Some(rest) = SCHEMES.iter().find_map(|s| text.strip_prefix(s)) else { return false };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    text.len() <= MAX_URL
        && host_of(authority).is_some()
        && path.bytes().all(plain)
        && path.split('/').all(|segment| segment != "." && segment != "..")
}

/// The host of `HOST[:PORT]`, if the whole is well formed.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (address, after) = v6.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (address, port)
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
            (is_name_or_v4(host).then_some(host)?, port)
        }
    };
    port.is_none_or(is_port).then_some(host)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

fn is_name_or_v4(host: &str) -> bool {
    let label = |l: &str| {
        (1..=MAX_LABEL).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    // URL libraries take a host whose last label is a number, in any base, for an IPv4 address.
    let last = host.rsplit('.').next().unwrap_or(host).to_ascii_lowercase();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    host.len() <= MAX_HOST && host.split('.').all(label) && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_strict() {
        for good in ["https://relay.example.org", "http://127.0.0.1:8080", "https://[2001:db8::1]:443"] {
            assert_eq!(good.parse::<Origin>().unwrap().as_str(), good);
        }
        for bad in [
            "relay.example.org",
            "https://",
            "https://user@host",
            "https://host/",
            "https://host?x",
            "https://host#x",
            "https://host:",
            "https://host:080",
            "https://host:65536",
            "https://127.1",
            "https://0x7f.0x1",
            "https://1.2.3.256",
            "https://[::1",
            "https://[::1]x",
            "https://[fe80::1%eth0]",
            "https://ho_st",
            "https://host..org",
            "https://host.",
            "https://hоst",
            "https://host\u{1b}",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_offer_may_add_a_plain_path() {
        assert!(is_relay_url("https://host/a/b-c"));
        assert!(is_relay_url("http://127.0.0.1:41873/"));
        for bad in ["https://host/?q", "https://host/a b", "https://host/../x", "file:///etc", "https:///x"] {
            assert!(!is_relay_url(bad), "{bad}");
        }
        assert!(!is_relay_url(&format!("https://host/{}", "a".repeat(MAX_URL))));
    }
}
