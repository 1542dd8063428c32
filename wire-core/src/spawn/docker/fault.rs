//! What a failed connection, a broken one, or a refusal means. Nothing else makes these errors.

use std::error::Error as StdError;
use std::io;

use hyper::StatusCode;
use serde::Deserialize;

use super::endpoint::Endpoint;
use crate::spawn::error::EngineError;
use crate::spawn::words;

/// The most characters of an engine's words that are repeated.
const WORDS: usize = 2000;

/// No connection was made.
pub(super) fn not_connected(endpoint: &Endpoint, error: io::Error) -> EngineError {
    let path = endpoint.to_string();
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    let local = matches!(endpoint, Endpoint::Unix(_));
    if local && is(&[io::ErrorKind::NotFound, io::ErrorKind::NotADirectory]) {
        EngineError::SocketMissing { path }
    } else if is(&[io::ErrorKind::PermissionDenied]) {
        EngineError::PermissionDenied { path }
    } else if is(&[io::ErrorKind::ConnectionRefused]) {
        EngineError::Refused { path }
    } else {
        EngineError::Unreachable(Box::new(error))
    }
}

/// The connection broke, or what came over it is no HTTP.
pub(super) fn broken(error: hyper::Error) -> EngineError {
    if error.is_parse() {
        return EngineError::Protocol("no HTTP".to_owned());
    }
    if error.is_user() {
        let words = error.source().map_or_else(String::new, ToString::to_string);
        return EngineError::Source(plain(&words));
    }
    match io_cause(&error).map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            EngineError::Protocol("a body that is no HTTP".to_owned())
        }
        _ => EngineError::Unreachable(Box::new(error)),
    }
}

/// An answer that is no success.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> EngineError {
    #[derive(Deserialize)]
    struct Words {
        message: String,
    }
    let words = match serde_json::from_slice(body) {
        Ok(Words { message }) => message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let message = plain(&words);
    match status {
        StatusCode::BAD_REQUEST => EngineError::BadRequest(message),
        StatusCode::NOT_FOUND => EngineError::NotFound(message),
        StatusCode::CONFLICT => EngineError::Conflict(message),
        _ => EngineError::Server { code: status.as_u16(), message },
    }
}

/// The engine's words, which may repeat what a stranger's image says.
pub(super) fn plain(words: &str) -> String {
    words::plain(words, WORDS)
}

/// An answer that does not decode. Says where, never what: the value may be a secret.
pub(super) fn not_json(verb: &'static str, error: &serde_json::Error) -> EngineError {
    let what = match error.classify() {
        serde_json::error::Category::Data => "lacks what is needed",
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is no JSON",
    };
    EngineError::Protocol(format!("the answer to {verb} {what}, at byte {}", error.column()))
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_the_engines_words_and_no_more() {
        let said = |code: u16, body: &[u8]| refused(StatusCode::from_u16(code).unwrap(), body);
        assert!(
            matches!(said(404, br#"{"message":"No such x"}"#), EngineError::NotFound(w) if w == "No such x")
        );
        assert!(matches!(said(409, b"in use\n"), EngineError::Conflict(w) if w == "in use"));
        assert!(matches!(said(400, b""), EngineError::BadRequest(w) if w.is_empty()));
        assert!(matches!(said(409, b"a\x1b[2Jb\nc"), EngineError::Conflict(w) if w == "a?[2Jb?c"));
        assert!(matches!(said(503, b"\xff"), EngineError::Server { code: 503, .. }));
        assert!(
            matches!(said(500, &[b'x'; 9000]), EngineError::Server { message, .. } if message.len() == WORDS + 4)
        );
    }

    #[test]
    fn an_answer_that_does_not_decode_is_not_quoted() {
        #[derive(Debug, Deserialize)]
        struct Want {
            #[allow(dead_code)]
            n: u8,
        }
        for body in [r#"{"n":"s3cret"}"#, r#"{"n": s3cret"#, r#"{"s3cret":1}"#, r#"{"n":"#] {
            let error = not_json("inspect", &serde_json::from_str::<Want>(body).unwrap_err());
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
