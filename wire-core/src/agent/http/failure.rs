//! From the errors of hyper, rustls and the system to ours, which name none of them.

use std::error::Error;
use std::io;

use super::client::Failure;
use super::resolve::OutOfReach;
use crate::agent::transport::TransportError;

/// A request that got no head of an answer.
pub(super) fn of_request(host: &str, failure: &Failure) -> TransportError {
    let host = host.to_owned();
    match failure {
        Failure::Setup(e) => TransportError::Tls { host, reason: e.to_string() },
        Failure::Proxy => TransportError::Unusable { what: "HTTPS_PROXY; write it like http://proxy:3128" },
        Failure::Http(e, proxied) => of_chain(host, e, *proxied),
    }
}

/// An answer that broke off.
pub(super) fn of_body(host: &str, error: &(dyn Error + 'static)) -> TransportError {
    of_chain(host.to_owned(), error, false)
}

fn of_chain(host: String, error: &(dyn Error + 'static), proxied: bool) -> TransportError {
    if let Some(tls) = find::<rustls::Error>(error) {
        return TransportError::Tls { host, reason: tls.to_string() };
    }
    if find::<OutOfReach>(error).is_some() {
        return TransportError::Private { host };
    }
    let timed_out = find::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
    if timed_out || find::<hyper::Error>(error).is_some_and(hyper::Error::is_timeout) {
        return TransportError::Timeout { host };
    }
    // The innermost error says it plainest: "Connection refused", "unexpected end of file".
    let reason = chain(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    if proxied && chain(error).any(|e| e.to_string().starts_with("tunnel error")) {
        return TransportError::Proxy { host, reason };
    }
    TransportError::Unreachable { host, reason }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|e| e.downcast_ref())
}

/// The error and its causes, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| below(e))
}

fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // `source` of an I/O error skips the very error that it wraps.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
