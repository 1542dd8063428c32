//! Servers of one test each: bytes in, bytes out, so that nothing is assumed about what hyper does.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::agent::http::{HttpTransport, ProxySettings};
use crate::agent::relay_url::{PlainHttp, Reach, RelayUrl};
use crate::agent::transport::{HttpRequest, Method};

/// A hang guard, far above anything that a loopback exchange takes.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) fn transport() -> HttpTransport {
    HttpTransport::new(&ProxySettings::none()).unwrap()
}

pub(super) fn relay(url: &str) -> RelayUrl {
    RelayUrl::parse(url, PlainHttp::LoopbackOnly).unwrap()
}

pub(super) fn post(relay: RelayUrl, body: &'static [u8]) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        relay,
        path: "/v1/mb".to_owned(),
        body: Bytes::from_static(body),
        timeout: LONG,
        max_answer: 1024,
        reach: Reach::Anywhere,
    }
}

/// A listener on a free port of loopback, and its address as a relay.
pub(super) async fn listener() -> (TcpListener, RelayUrl) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = relay(&format!("http://{}", listener.local_addr().unwrap()));
    (listener, relay)
}

pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Reads one request; `None` if the client closed instead.
pub(super) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |n| n.parse().unwrap());
    while bytes.len() < head_len + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
    Some((head, bytes[head_len..].to_vec()))
}

pub(super) async fn answer(stream: &mut (impl AsyncWrite + Unpin), bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream.flush().await.unwrap();
}
