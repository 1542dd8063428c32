//! A container is made, proved from inside, and its programs run: the whole path on the machine's engine.

use std::time::Duration;

use crate::support::ground::{Ground, plain, sh};
use crate::support::{home, images};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use wire_core::spawn::{
    Command, ExecError, Lifetime, NotStarted, Outcome, OutputCap, Relaxation, ShimMode, SpawnSpec, Stdin,
};

#[tokio::test]
async fn as_another_user_with_no_more_rights() {
    let ground = Ground::new().await;
    let tell =
        "id -u; id -g; id -G; echo $FROM; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";
    let lines = "1000\n1001\n1001\nhere\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
    let with_shim = SpawnSpec::new(images::busybox()).env("FROM", "here");
    for spec in [with_shim, plain(["sleep", "1000"]).env("FROM", "here")] {
        let sandbox = ground.spawn(spec).await;
        let output = sandbox.run(sh(tell).user(1000, 1001)).await.unwrap();
        assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(0), lines.to_owned()));
        let own = sandbox.run(sh("id -u").user(65532, 65532)).await.unwrap();
        assert_eq!(own.stdout.text(), "65532\n");
        for (uid, gid) in [(0, 1000), (1000, 0), (0, 0), (u32::MAX, 1)] {
            let refused = sandbox.run(sh("id").user(uid, gid)).await.unwrap_err();
            assert!(matches!(refused, ExecError::Command(_)), "{refused:?}");
        }
        let limited = sh("id").user(1000, 1001).timeout(Duration::from_secs(9));
        assert!(matches!(sandbox.run(limited).await, Err(ExecError::Unsupported { .. })));
        sandbox.remove().await.unwrap();
    }
}

#[tokio::test]
async fn a_command_runs_and_its_output_and_end_are_true() {
    let (docker, _home) = home::docker().await;
    let spec =
        SpawnSpec::new(images::busybox()).cmd(["/bin/sh", "-c", "echo out; echo err >&2; id -u; exit 7"]);
    let sandbox = docker.spawn(spec).await.unwrap();
    assert!(sandbox.attestation().unwrap().holds());
    let output = sandbox.main([0, 0]).await.unwrap().output().await;
    assert_eq!(output.stdout.text(), "out\n65532\n");
    assert_eq!(output.stderr.text(), "err\n");
    assert_eq!(output.outcome, Outcome::Exited(7));
    let exit = sandbox.wait().await.unwrap();
    assert_eq!(exit.code, Some(7));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn one_shot_takes_its_input_and_leaves_nothing() {
    let (docker, _home) = home::docker().await;
    for mode in [ShimMode::Auto, ShimMode::Off] {
        let bytes: Vec<u8> = (0..2_000_000u32).map(|i| (i / 3) as u8).collect();
        let spec = SpawnSpec::new(images::busybox())
            .cmd(["/bin/sh", "-c", "md5sum; exit 5"])
            .stdin(Stdin::Bytes(bytes))
            .lifetime(Lifetime::For(Duration::from_secs(60)))
            .shim(mode);
        let output = docker.run(spec).await.unwrap();
        assert_eq!(output.stdout.text(), "0b5ab01e17137eecc3bc97d8aaf25d81  -\n", "{mode:?}");
        assert_eq!(output.outcome, Outcome::Exited(5), "{mode:?}");
    }
    assert_eq!(docker.list().await.unwrap(), []);
}

/// Nobody could write to it or end it.
#[tokio::test]
async fn an_input_that_nobody_took_ends() {
    let ground = Ground::new().await;
    let cat = ["cat"];
    for spec in [SpawnSpec::new(images::busybox()), plain(["sleep", "1000"])] {
        let sandbox = ground.spawn(spec).await;
        let output = sandbox.run(Command::new(cat).stdin(Stdin::Piped)).await.unwrap();
        assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(0), 0));
        sandbox.remove().await.unwrap();
    }
    let spec = SpawnSpec::new(images::busybox()).cmd(cat).stdin(Stdin::Piped);
    assert_eq!(ground.docker.run(spec).await.unwrap().outcome, Outcome::Exited(0));
}

#[tokio::test]
async fn input_is_written_like_any_other() {
    let ground = Ground::new().await;
    for spec in [SpawnSpec::new(images::busybox()), plain(["sleep", "1000"])] {
        let sandbox = ground.spawn(spec).await;
        let mut exec = sandbox.exec(Command::new(["md5sum"]).stdin(Stdin::Piped)).await.unwrap();
        let mut stdin = exec.stdin().unwrap();
        // More than the window.
        let mut bytes = tokio::io::repeat(b'x').take(2_000_000);
        assert_eq!(tokio::io::copy(&mut bytes, &mut stdin).await.unwrap(), 2_000_000);
        stdin.shutdown().await.unwrap();
        assert!(AsyncWriteExt::write_all(&mut stdin, b"more").await.is_err(), "it was shut");
        let output = exec.output().await;
        assert_eq!(output.stdout.text(), "939ee55a36872cb4222e09cced62a7b5  -\n");
        sandbox.remove().await.unwrap();
    }
}

/// An engine takes some of it, and then nothing more, and says neither. Whoever hears of the end on one thread must
/// not find the input open on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_of_a_program_that_has_ended_is_closed() {
    let ground = Ground::new().await;
    for spec in [SpawnSpec::new(images::busybox()), plain(["sleep", "1000"])] {
        let sandbox = ground.spawn(spec).await;
        for command in [sh("exit 0"), sh("exit 0").user(1000, 1001)].into_iter().cycle().take(20) {
            let mut exec = sandbox.exec(command.stdin(Stdin::Piped)).await.unwrap();
            let mut stdin = exec.stdin().unwrap();
            while exec.next().await.is_some() {}
            let late = stdin.write_all(b"late").await;
            assert!(matches!(late, Err(ExecError::StdinClosed)), "{late:?}");
        }
        // One that takes nothing, and is ended while somebody writes to it.
        let mut exec = sandbox.exec(sh("read line; exit 0").stdin(Stdin::Piped)).await.unwrap();
        let mut stdin = exec.stdin().unwrap();
        let much = vec![b'\n'; 5_000_000];
        let (written, output) = tokio::join!(stdin.write_all(&much), exec.output());
        assert!(matches!(written, Err(ExecError::StdinClosed)), "{written:?}");
        assert_eq!(output.outcome, Outcome::Exited(0));
        sandbox.remove().await.unwrap();
    }
}

#[tokio::test]
async fn a_one_shot_leaves_what_was_there_before() {
    let ground = Ground::new().await;
    let spec = || {
        let spec = SpawnSpec::new(images::busybox()).cmd(["sh", "-c", "echo once"]).key("found").stay();
        spec.lifetime(Lifetime::For(Duration::from_secs(300)))
    };
    let before = ground.spawn(spec()).await;
    assert_eq!(ground.docker.run(spec()).await.unwrap().stdout.text(), "once\n");
    drop(tokio::time::timeout(Duration::ZERO, ground.docker.run(spec())).await);
    ground.docker.settled().await;
    assert_eq!(ground.containers(), [before.id().as_str()]);
    before.remove().await.unwrap();
}

#[tokio::test]
async fn programs_run_one_after_another_in_one_container() {
    let (docker, _home) = home::docker().await;
    let sandbox = docker.spawn(SpawnSpec::new(images::busybox())).await.unwrap();
    let run = |command: Command| sandbox.run(command);
    let echoed = run(Command::new(["cat"]).stdin(Stdin::Bytes(b"hello".to_vec()))).await.unwrap();
    assert_eq!((echoed.outcome, echoed.stdout.text()), (Outcome::Exited(0), "hello".to_owned()));
    let empty = run(Command::new(["cat"])).await.unwrap();
    assert_eq!((empty.outcome, empty.stdout.total), (Outcome::Exited(0), 0));
    let missing = run(Command::new(["/no/such"])).await.unwrap();
    assert_eq!(missing.outcome, Outcome::NotStarted(NotStarted::NotFound));
    let slow = Command::new(["sleep", "1000"]).timeout(Duration::from_millis(50)).grace(Duration::ZERO);
    assert_eq!(run(slow).await.unwrap().outcome, Outcome::TimedOut { killed: true });
    let again = sandbox.attest().await.unwrap();
    assert!(again.holds(), "{again}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_small_buffer_holds_nobody_up() {
    let (docker, _home) = home::docker().await;
    let sandbox = docker.spawn(SpawnSpec::new(images::busybox())).await.unwrap();
    let cap = OutputCap { head: 2 << 10, tail: 2 << 10 };
    let flood = Command::new(["dd", "if=/dev/zero", "bs=1000", "count=1000"]).output(cap);
    let output = sandbox.run(flood).await.unwrap();
    assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(0), 1_000_000));
    assert_eq!(output.stdout.dropped, 1_000_000 - 4096);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn another_handle_finds_the_container_and_its_programs() {
    let (docker, _home) = home::docker().await;
    let spec = SpawnSpec::new(images::busybox())
        .relax(Relaxation::ExecTmp)
        .lifetime(Lifetime::For(Duration::from_secs(60)));
    let made = docker.spawn(spec).await.unwrap();
    let name = made.name().to_string();
    let id = made.exec(Command::new(["sh", "-c", "echo first; sleep 1000"])).await.unwrap().detach().unwrap();
    drop(made);
    let found = docker.get(&name).await.unwrap().unwrap();
    assert_eq!(found.execs().await.unwrap().len(), 1);
    let mut exec = found.attach(id, [0, 0]).await.unwrap();
    let Some(wire_core::spawn::ExecEvent::Out { bytes, .. }) = exec.next().await else { panic!() };
    assert_eq!(bytes, b"first\n");
    let attestation = found.attest().await.unwrap();
    assert!(attestation.holds(), "{attestation}");
    assert_eq!(attestation.relaxed().len(), 1);
    exec.kill_tree(Duration::ZERO).unwrap();
    assert_eq!(exec.output().await.outcome, Outcome::Signaled(15));
    found.remove().await.unwrap();
    assert!(docker.get(&name).await.unwrap().is_none());
}
