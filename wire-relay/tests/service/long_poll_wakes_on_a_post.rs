//! A poll that waits is answered by the post, by the slot's writing, or by the relay's end; not by
//! its time running out.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn long_poll_wakes_on_a_post() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let (page, verdicts) =
        tokio::join!(mailbox.poll(&relay, MAX_WAIT_MS), mailbox.posted(&relay, &[b"hello"]));
    assert_eq!(verdicts, [Verdict::Stored]);
    assert_eq!(contents(&page), [b"hello"]);

    let (a, b) = (ClientToken::random(&mut rng()), ClientToken::random(&mut rng()));
    let place = relay.allocate(&a).await;
    relay.claim(&place, &b).await.ok();
    let (got, put) = tokio::join!(
        relay.get_slot(&place, &a, Slot::B1, MAX_WAIT_MS),
        relay.put(&place, &b, Slot::B1, b"m2")
    );
    put.ok();
    assert_eq!(Got::from_bytes(got.ok()).unwrap().bytes.as_deref(), Some(b"m2".as_slice()));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_poll_is_answered_when_the_relay_stops() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let poll = Operation::Poll { incarnation: None, after: 0, max: 1, wait_ms: MAX_WAIT_MS };
    let poll = SignedRequest::by_owner(&mailbox.owner, &relay.relay_id, now(), &poll).to_bytes();
    let address = relay.address;
    // Sent on a connection of its own, and the relay stops only when the request has reached it.
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let head = format!(
        "POST /v1/mb HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        poll.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut line = [0; 25];
    socket.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(&poll).await.unwrap();
    relay.stop().await;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
}
