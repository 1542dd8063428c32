//! A client that does not finish its first request's head within 30 s is cut off, whatever it began
//! with; one that did may wait longer for its answer.

use crate::common::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use wire_core::mailbox::*;

const HEAD_TIME: Duration = Duration::from_secs(30);

// The clock is the runtime's own: it stands still while there is something to do, and jumps else.
#[tokio::test(start_paused = true)]
async fn silent_connection_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // An empty SETTINGS frame, and the header of a HEADERS frame that never comes.
    let begun = [preface.as_slice(), &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 9, 1, 5, 0, 0, 0, 1]].concat();
    let beginnings: [&[u8]; 7] =
        [b"", b"P", b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM", preface, &begun, b"GET /healthz HTTP/1.1\r\n"];
    for beginning in beginnings {
        let mut socket = TcpStream::connect(relay.address).await.unwrap();
        socket.write_all(beginning).await.unwrap();
        let mut heard = Vec::new();
        let closed = timeout(HEAD_TIME + Duration::from_secs(1), socket.read_to_end(&mut heard)).await;
        assert!(closed.is_ok(), "still open after {:?}", String::from_utf8_lossy(beginning));
    }
    relay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let since = Instant::now();
    let wait = Operation::Poll { incarnation: None, after: 0, max: 1, wait_ms: 45_000 };
    mailbox.owner(&relay, &wait).await.ok();
    assert!(since.elapsed() > HEAD_TIME);
    relay.stop().await;
}
