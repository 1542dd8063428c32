//! A terminal's output is what its program says: bytes that look like the engine's own frames come as they
//! are, in order, and do not pile up.

#![cfg(feature = "docker")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests, too, end at a surprise"
)]

#[path = "spawn/support/mod.rs"]
mod support;

use support::ground::{Ground, forget_peak, hear, peak, plain, sh};
use wire_core::spawn::docker::Sandbox;
use wire_core::spawn::{Command, ExecEvent, Outcome, Stream, TtySize};

const SIZE: TtySize = TtySize { cols: 80, rows: 24 };

/// The head of a frame of two GiB, then one of the engine's own failures.
const HOSTILE: &[u8] = b"\x01\0\0\0\x7f\xff\xff\xff\x03\0\0\0\0\0\0\x04oops\x02\0\0\0\0\0\0\0end";
const SAY: &str = r"printf '\001\000\000\000\177\377\377\377\003\000\000\000\000\000\000\004oops\002\000\000\000\000\000\000\000end'";

const FLOOD: u64 = 20 << 20;

async fn bytes_come_as_they_are(sandbox: &Sandbox) {
    let told = hear(sandbox.exec(sh(SAY).tty(SIZE)).await.unwrap()).await;
    assert_eq!((told.outcome, told.stdout, told.stderr), (Outcome::Exited(0), HOSTILE.to_vec(), vec![]));

    // The engine sets the size only once the program runs.
    let wait = r#"until [ "$(stty size 2>/dev/null)" = "24 80" ]; do :; done; tty"#;
    let terminal = sandbox.run(sh(wait).tty(SIZE)).await.unwrap();
    assert!(terminal.stdout.text().starts_with("/dev/"), "{}", terminal.stdout.text());
}

async fn a_flood_does_not_pile_up(sandbox: &Sandbox) {
    let flood = format!("head -c {FLOOD} /dev/zero | tr '\\0' '\\001'");
    // Once for the buffers and the allocator, once to measure.
    sandbox.run(sh("head -c 1000000 /dev/zero").tty(SIZE)).await.unwrap();
    let before = forget_peak();
    let mut exec = sandbox.exec(Command::new(["sh", "-c", &flood]).tty(SIZE)).await.unwrap();
    let (mut total, mut outcome) = (0, None);
    while let Some(event) = exec.next().await {
        match event {
            ExecEvent::Out { stream: Stream::Stdout, offset, bytes } => {
                assert_eq!(offset, total);
                assert!(bytes.iter().all(|byte| *byte == 1));
                total += bytes.len() as u64;
            }
            ExecEvent::Ended { outcome: how, .. } => outcome = Some(how),
            ExecEvent::Started { .. } | ExecEvent::Eof { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((outcome, total), (Some(Outcome::Exited(0)), FLOOD));
    let grown = peak().saturating_sub(before);
    assert!(grown <= 16 << 10, "{grown} KiB");
}

#[tokio::test]
async fn through_the_shim() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    bytes_come_as_they_are(&sandbox).await;
    a_flood_does_not_pile_up(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn through_the_engine() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    bytes_come_as_they_are(&sandbox).await;
    a_flood_does_not_pile_up(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn of_the_container_itself() {
    let ground = Ground::new().await;
    let shim = support::images::busybox();
    let shim = wire_core::spawn::SpawnSpec::new(shim).cmd(["sh", "-c", SAY]).tty(SIZE);
    let wait = format!(r#"until [ "$(stty size 2>/dev/null)" = "24 80" ]; do :; done; {SAY}"#);
    for spec in [shim, plain(["sh", "-c", &wait]).tty(SIZE)] {
        let sandbox = ground.spawn(spec).await;
        let output = sandbox.main([0, 0]).await.unwrap().output().await;
        assert_eq!((output.outcome, output.stdout.head), (Outcome::Exited(0), HOSTILE.to_vec()));
        sandbox.remove().await.unwrap();
    }
}
