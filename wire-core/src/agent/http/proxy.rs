//! `HTTPS_PROXY` and `NO_PROXY`: tunnels by CONNECT.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;

use crate::agent::transport::TransportError;

/// Which proxy carries `https`, and which hosts go without it. Loopback always does, and so does plain HTTP.
///
/// Through a proxy it is the proxy that resolves names, so what a peer's relay may lead to is then its to
/// restrict. `Debug` hides the settings, since they may carry a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    https: String,
    none_for: String,
}

impl ProxySettings {
    /// No proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// `https` is the value of `HTTPS_PROXY`: `http://[USER:PASSWORD@]HOST:PORT`, empty for none.
    ///
    /// `none_for` is the value of `NO_PROXY`: names (their subdomains included), addresses and networks
    /// (`10.0.0.0/8`), separated by commas, or `*`.
    pub fn new(https: impl Into<String>, none_for: impl Into<String>) -> Self {
        Self { https: https.into(), none_for: none_for.into() }
    }

    pub(super) fn matcher(&self) -> Result<Option<Matcher>, TransportError> {
        if self.https.is_empty() {
            return Ok(None);
        }
        let plain = match self.https.split_once("://") {
            Some((scheme, _)) => scheme.eq_ignore_ascii_case("http"),
            None => true,
        };
        let matcher = Matcher::builder().https(self.https.as_str()).no(self.none_for.as_str()).build();
        // The matcher forgets what it cannot parse; going out without the proxy would be the wrong guess.
        let everywhere = Matcher::builder().https(self.https.as_str()).build();
        let probe = http::Uri::from_static("https://relay.example.org");
        if !plain || everywhere.intercept(&probe).is_none() {
            return Err(TransportError::Unusable { what: "HTTPS_PROXY; write it like http://proxy:3128" });
        }
        Ok(Some(matcher))
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.https.is_empty() { "ProxySettings(none)" } else { "ProxySettings(..)" })
    }
}
