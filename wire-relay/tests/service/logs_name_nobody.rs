//! Whatever happens, the relay's log holds no address, mailbox, key, name or body.

use crate::common::*;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use wire_core::mailbox::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_name_nobody() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("wire_relay=trace,wire_core=trace,fjall=warn,info")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    mailbox.posted(&relay, &[b"what the envelope holds"]).await;
    let stranger = Mailbox::new();
    assert_eq!(stranger.post(&relay, &[b"x"]).await.refusal(), Refusal::NotFound);
    let token = ClientToken::random(&mut rng());
    let place = relay.allocate(&token).await;
    relay.claim(&place, &ClientToken::random(&mut rng())).await.ok();
    let frames = Frames::open(&relay, &[&mailbox], true).await;
    let address = relay.address;
    // A connection that breaks off, and one that is cut because it never ends.
    drop(frames);
    let stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut { stuck }, b"POST /v1/mb HTTP/1.1\r\n").await.unwrap();
    relay.stop().await;
    tracing::error!(target: "wire_relay", "that the test would see it");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("that the test would see it"));
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let Some(digits) = std::str::from_utf8(place.as_bytes()).ok() else { panic!("an invite") };
    for secret in [
        hex(mailbox.owner.public().as_bytes()),
        hex(stranger.owner.public().as_bytes()),
        hex(mailbox.sender.public().as_bytes()),
        hex(token.hash().as_bytes()),
        hex(token.expose()),
        "what the envelope holds".to_owned(),
        "127.0.0.1".to_owned(),
        format!(":{}", address.port()),
        format!("\"{digits}\""),
    ] {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}
