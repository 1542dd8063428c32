//! Files go into a running container and come out, within caps, and its ports are reached though it has no
//! network.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::support::ground::Ground;
use crate::support::{home, images};
use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use wire_core::spawn::docker::{Caps, FileError, Sandbox};
use wire_core::spawn::{Command, ExecError, Lifetime, Relaxation, ShimMode, SpawnSpec};

async fn sandbox() -> (Sandbox, tempfile::TempDir) {
    let (docker, home) = home::docker().await;
    (docker.spawn(SpawnSpec::new(images::busybox())).await.unwrap(), home)
}

async fn all(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.map(|_| bytes)
}

fn archive(entries: &[(&str, &[u8])]) -> io::Cursor<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // By hand, because the crate itself refuses a hostile name.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    io::Cursor::new(builder.into_inner().unwrap())
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let (sandbox, _home) = sandbox().await;
    let big: Vec<u8> = (0..3_000_000u32).map(|i| (i / 7) as u8).collect();
    sandbox.write("/tmp/big", 0o600, io::Cursor::new(big.clone())).await.unwrap();
    assert_eq!(all(sandbox.read("/tmp/big", 0, u64::MAX).await.unwrap()).await.unwrap(), big);
    assert_eq!(all(sandbox.read("/tmp/big", 2_999_998, 99).await.unwrap()).await.unwrap(), big[2_999_998..]);
    sandbox.put("/tmp/in", archive(&[("a", b"one"), ("sub/b", b"two")]), Caps::default()).await.unwrap();
    let names: Vec<_> =
        sandbox.files("/tmp/in").await.unwrap().into_iter().map(|entry| entry.name.0).collect();
    assert_eq!(names, [b"a".to_vec(), b"sub".to_vec()]);
    assert_eq!(sandbox.stat("/tmp/in/a").await.unwrap().size, 3);
    let packed = all(sandbox.get("/tmp/in", Caps::default()).await.unwrap()).await.unwrap();
    let mut archive = tar::Archive::new(&packed[..]);
    let mut found: Vec<_> =
        archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
    found.sort();
    assert!(found.iter().any(|path| path.ends_with("sub/b")), "{found:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn what_is_hostile_or_too_much_is_refused() {
    let (sandbox, _home) = sandbox().await;
    let put = |entries: &[(&str, &[u8])], caps| sandbox.put("/tmp/in", archive(entries), caps);
    for name in ["../out", "/tmp/out", "sub/../../out"] {
        let refused = put(&[(name, b"x")], Caps::default()).await;
        assert!(matches!(refused, Err(FileError::Refused(_))), "{name}: {refused:?}");
    }
    let small = Caps { bytes: 10, entries: 2 };
    assert!(matches!(put(&[("a", &[0; 11])], small).await, Err(FileError::Limit(_))));
    assert!(matches!(put(&[("a", b""), ("b", b""), ("c", b"")], small).await, Err(FileError::Limit(_))));
    assert!(
        matches!(sandbox.stat("/tmp/out").await, Err(FileError::NotFound(_))),
        "nothing came out of there"
    );
    assert!(matches!(
        sandbox.write("/etc/x", 0o644, &b""[..]).await,
        Err(FileError::Denied(_) | FileError::Failed(_))
    ));
    assert!(matches!(sandbox.stat("relative").await, Err(FileError::Path)));
    sandbox.write("/tmp/eleven", 0o644, &[7; 11][..]).await.unwrap();
    let too_much = all(sandbox.get("/tmp/eleven", small).await.unwrap()).await.unwrap_err();
    assert!(
        too_much
            .get_ref()
            .unwrap()
            .downcast_ref::<FileError>()
            .is_some_and(|e| matches!(e, FileError::Limit(_)))
    );
    sandbox.remove().await.unwrap();
}

/// An archive of one entry that is no file.
fn odd(kind: tar::EntryType, link: &str) -> io::Cursor<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o666);
    header.as_gnu_mut().unwrap().name[..3].copy_from_slice(b"odd");
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    builder.append(&header, io::empty()).unwrap();
    io::Cursor::new(builder.into_inner().unwrap())
}

/// The engine would unpack whatever it is given, as root.
#[tokio::test]
async fn what_has_ended_takes_no_more_than_what_runs() {
    let ground = Ground::new().await;
    let spec = SpawnSpec::new(images::busybox()).cmd(["mkdir", "/in"]).relax(Relaxation::WritableRoot);
    let spec = spec.user(1000, 1000);
    let plain = SpawnSpec::new(images::busybox()).relax(Relaxation::WritableRoot).shim(ShimMode::Off);
    let plain = plain.cmd(["sleep", "1000"]).lifetime(Lifetime::For(Duration::from_secs(300)));
    for spec in [plain, spec] {
        let sandbox = ground.spawn(spec).await;
        if !sandbox.has_shim() {
            let running = sandbox.put("/tmp", archive(&[("a", b"x")]), Caps::default()).await;
            let unsupported =
                |error: &FileError| matches!(error, FileError::Exec(ExecError::Unsupported { .. }));
            assert!(running.as_ref().is_err_and(unsupported), "{running:?}");
            assert!(sandbox.get("/etc", Caps::default()).await.is_err_and(|error| unsupported(&error)));
            sandbox.kill().await.unwrap();
        }
        sandbox.wait().await.unwrap();
        let put = |archive, caps| sandbox.put("/", archive, caps);
        for name in ["../out", "/out", "sub/../../out"] {
            let refused = put(archive(&[(name, b"x")]), Caps::default()).await;
            assert!(matches!(refused, Err(FileError::Refused(_))), "{name}: {refused:?}");
        }
        for (kind, link) in [
            (tar::EntryType::Symlink, "/etc/passwd"),
            (tar::EntryType::Symlink, "../../x"),
            (tar::EntryType::Char, ""),
            (tar::EntryType::Fifo, ""),
        ] {
            let refused = put(odd(kind, link), Caps::default()).await;
            assert!(matches!(refused, Err(FileError::Refused(_))), "{kind:?} {link}: {refused:?}");
        }
        let small = Caps { bytes: 10, entries: 2 };
        assert!(matches!(put(archive(&[("a", &[0; 11])]), small).await, Err(FileError::Limit(_))));
        put(archive(&[("folder/file", b"inside")]), small).await.unwrap();
        let packed = all(sandbox.get("/folder", Caps::default()).await.unwrap()).await.unwrap();
        let mut packed = tar::Archive::new(&packed[..]);
        let mut found = Vec::new();
        for entry in packed.entries().unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            found.push((name, entry.header().uid().unwrap(), entry.header().mode().unwrap() & 0o7777));
        }
        let user = if sandbox.has_shim() { 1000 } else { 65532 };
        assert_eq!(found, [("folder/".to_owned(), user, 0o755), ("folder/file".to_owned(), user, 0o644)]);
        sandbox.remove().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_in_the_container_leaves_no_half_file() {
    let (sandbox, _home) = sandbox().await;
    let endless = tokio::io::repeat(1);
    let failed = sandbox.write("/tmp/all", 0o644, endless.take(100 << 20)).await;
    assert!(matches!(failed, Err(FileError::Full(_))), "{failed:?}");
    assert_eq!(sandbox.files("/tmp").await.unwrap(), []);
    sandbox.remove().await.unwrap();
}

/// A source of which the rest cannot be read.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the rest is missing")))
    }
}

#[tokio::test]
async fn a_source_that_breaks_leaves_what_was_there_before() {
    let (sandbox, _home) = sandbox().await;
    sandbox.write("/tmp/file", 0o644, &b"old"[..]).await.unwrap();
    for half in [&b""[..], b"new"] {
        let failed = sandbox.write("/tmp/file", 0o644, half.chain(Broken)).await;
        assert!(matches!(failed, Err(FileError::Source(_))), "{failed:?}");
        assert_eq!(all(sandbox.read("/tmp/file", 0, 99).await.unwrap()).await.unwrap(), b"old");
        assert_eq!(sandbox.files("/tmp").await.unwrap().len(), 1, "nothing unfinished stays");
    }
    let failed =
        sandbox.put("/tmp/in", archive(&[("a", b"one")]).take(600).chain(Broken), Caps::default()).await;
    assert!(matches!(failed, Err(FileError::Source(_))), "{failed:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_what_was_there_before() {
    let (sandbox, _home) = sandbox().await;
    sandbox.write("/tmp/file", 0o644, &b"old"[..]).await.unwrap();
    let (mut source, reader) = tokio::io::duplex(64);
    source.write_all(b"new").await.unwrap();
    let runs = async || sandbox.execs().await.unwrap().iter().any(|exec| exec.outcome.is_none());
    {
        let write = sandbox.write("/tmp/file", 0o644, reader);
        let begun = async { while !runs().await {} };
        tokio::select! {
            written = write => panic!("{written:?}"),
            () = begun => {}
        }
    }
    while runs().await {}
    assert_eq!(sandbox.files("/tmp").await.unwrap().len(), 1);
    assert_eq!(all(sandbox.read("/tmp/file", 0, 99).await.unwrap()).await.unwrap(), b"old");
    sandbox.remove().await.unwrap();
}

/// It is known before anything comes.
#[tokio::test]
async fn what_cannot_be_written_does_not_wait_for_its_source() {
    let (sandbox, _home) = sandbox().await;
    let (_silent, reader) = tokio::io::duplex(64);
    let failed = sandbox.write("/tmp/none/file", 0o644, reader).await;
    assert!(matches!(failed, Err(FileError::NotFound(_))), "{failed:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn many_look_at_once() {
    let (sandbox, _home) = sandbox().await;
    // One more runs all the while.
    let beside = sandbox.exec(Command::new(["sleep", "1000"])).await.unwrap();
    let looks = join_all((0..16).map(|_| sandbox.stat("/tmp"))).await;
    for look in looks {
        assert_eq!(look.unwrap().name.0, b"tmp");
    }
    drop(beside);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_port_is_reached_though_there_is_no_network() {
    let (sandbox, _home) = sandbox().await;
    let nobody = sandbox.tcp(7000).await;
    assert!(matches!(nobody, Err(FileError::NotFound(_))), "{nobody:?}");
    let server = Command::new(["nc", "-l", "-p", "7000", "-e", "/bin/cat"]);
    let server = sandbox.exec(server).await.unwrap();
    let mut tunnel = loop {
        // It takes a moment until it listens.
        match sandbox.tcp(7000).await {
            Err(FileError::NotFound(_)) => {}
            tunnel => break tunnel.unwrap(),
        }
    };
    tunnel.write_all(b"over loopback").await.unwrap();
    tunnel.shutdown().await.unwrap();
    assert_eq!(all(tunnel).await.unwrap(), b"over loopback");
    drop(server);
    sandbox.remove().await.unwrap();
}
