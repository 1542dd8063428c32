//! The engine ends, is killed, hangs or crashes with everything, and comes back, while a container is made, its
//! programs run, somebody waits for its end and others listen to events: what goes on is found again without
//! the loss of a byte, and no end is ever made up.

use std::time::Duration;

use crate::support::home;
use crate::support::private_dockerd::{PrivateDockerd, until};
use rustix::process::Signal as Os;
use tempfile::TempDir;
use wire_core::spawn::docker::{Docker, Events, Exec, Sandbox, Told};
use wire_core::spawn::{Command, ExecEvent, Exit, Lifetime, NotStarted, Outcome, ShimMode, SpawnSpec, Stdin};

/// An engine with one container of each kind, programs in them, and those who wait.
struct Scene {
    engine: PrivateDockerd,
    docker: Docker,
    image: String,
    sandbox: Sandbox,
    plain: Sandbox,
    events: Events,
    _home: TempDir,
}

impl Scene {
    async fn set(live_restore: bool) -> Option<Self> {
        let engine = PrivateDockerd::start(live_restore).await?;
        let client = engine.client().await;
        let image = home::busybox_on(&client).await;
        let home = tempfile::tempdir().unwrap();
        let docker = home::on(engine.config(), home.path()).await;
        let events = client.events(&[("wire.owner", &docker.owner().to_hex())]).await.unwrap();
        let sandbox = docker.spawn(SpawnSpec::new(&image).cmd(shell(COUNT)).stay()).await.unwrap();
        let plain = SpawnSpec::new(&image)
            .cmd(["sleep", "1000"])
            .shim(ShimMode::Off)
            .lifetime(Lifetime::For(Duration::from_secs(600)));
        let plain = docker.spawn(plain).await.unwrap();
        Some(Self { engine, docker, image, sandbox, plain, events, _home: home })
    }

    /// Past what is told before the break.
    async fn gap(&mut self) {
        while !matches!(self.events.next().await, Told::Gap { .. }) {}
    }

    /// Everything works again with the same handle, and goes away again.
    async fn works(self) {
        let spec = SpawnSpec::new(&self.image).cmd(["sh", "-c", "exit 3"]);
        let again = self.docker.spawn(spec).await.unwrap();
        assert_eq!(again.wait().await.unwrap().code, Some(3));
        for sandbox in [again, self.sandbox, self.plain] {
            sandbox.remove().await.unwrap();
        }
        assert_eq!(self.docker.list().await.unwrap().len(), 0);
    }
}

/// Numbered lines, for as long as nobody says to stop.
const COUNT: &str =
    "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; [ $((i%500)) = 0 ] && sleep 0.02; done; exit 5";

fn shell(text: &str) -> [&str; 3] {
    ["sh", "-c", text]
}

/// Reads numbered lines to the program's end; how many, and how it ended.
async fn count(mut exec: Exec) -> (u64, Outcome) {
    let (mut rest, mut last) = (Vec::new(), 0);
    loop {
        match exec.next().await.unwrap() {
            ExecEvent::Out { bytes, .. } => {
                rest.extend(bytes);
                while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let number: u64 = String::from_utf8_lossy(&line).trim().parse().unwrap();
                    assert_eq!(number, last + 1, "a line is missing, or came twice");
                    last = number;
                }
            }
            ExecEvent::Ended { outcome, .. } => return (last, outcome),
            ExecEvent::Gap { from, to, .. } => panic!("{from}..{to} is lost"),
            _ => {}
        }
    }
}

/// Without live-restore all containers end with the engine, by its doing.
async fn ends_everything(end: impl AsyncFnOnce(&mut PrivateDockerd)) {
    let Some(mut scene) = Scene::set(false).await else { return };
    let main = tokio::spawn(count(scene.sandbox.main([0, 0]).await.unwrap()));
    let plain = scene.plain.main([0, 0]).await.unwrap();
    let exec = scene.sandbox.exec(Command::new(["sleep", "1000"])).await.unwrap();
    let bare = scene.plain.exec(Command::new(["sleep", "1000"])).await.unwrap();
    let restart = async {
        end(&mut scene.engine).await;
        scene.engine.run().await;
    };
    let (waited, waited_plain, ()) = tokio::join!(scene.sandbox.wait(), scene.plain.wait(), restart);
    for exit in [waited.unwrap(), waited_plain.unwrap()] {
        assert!(exit.code.is_none_or(|code| (129..160).contains(&code)), "{exit:?}");
    }
    let (_, outcome) = main.await.unwrap();
    gone_or_lost(&outcome);
    for exec in [plain, exec, bare] {
        gone_or_lost(&exec.output().await.outcome);
    }
    scene.gap().await;
    scene.works().await;
}

fn gone_or_lost(outcome: &Outcome) {
    println!("{outcome:?}");
    match outcome {
        Outcome::ContainerGone(Exit { code, .. }) => {
            assert!(code.is_none_or(|code| (129..160).contains(&code)), "{code:?}");
        }
        // It came when the container was ending already.
        Outcome::NotStarted(NotStarted::Other(_)) | Outcome::Lost { .. } => {}
        // What the engine itself ended has the engine's signal for an end.
        Outcome::Exited(code) => assert!((129..160).contains(code), "{code}"),
        Outcome::Signaled(_) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_engine_that_is_killed_and_ends_its_containers() {
    ends_everything(async |engine| engine.end(Os::KILL).await).await;
}

#[tokio::test]
async fn an_engine_that_is_ended_and_ends_its_containers() {
    ends_everything(async |engine| engine.end(Os::TERM).await).await;
}

/// As when the machine loses its power: nobody is left who knows how anything ended.
#[tokio::test]
async fn everything_crashes() {
    ends_everything(async |engine| engine.crash().await).await;
}

/// Under live-restore everything goes on, and what ends meanwhile has its true end.
async fn goes_on(signal: Os) {
    let Some(mut scene) = Scene::set(true).await else { return };
    let sandbox = &scene.sandbox;
    let main = tokio::spawn(count(sandbox.main([0, 0]).await.unwrap()));
    let mut echo = sandbox.exec(Command::new(["cat"]).stdin(Stdin::Piped)).await.unwrap();
    let mut input = echo.stdin().unwrap();
    input.write_all(b"before ").await.unwrap();
    let ends = "while [ ! -e /tmp/go ]; do sleep 0.02; done; echo late; echo >/tmp/gone; exit 7";
    let ends = sandbox.exec(Command::new(shell(ends))).await.unwrap();
    let short =
        SpawnSpec::new(&scene.image).cmd(shell("while [ ! -e /tmp/go ]; do sleep 0.02; done; exit 6"));
    let short = scene.docker.spawn(short).await.unwrap();
    let client = scene.engine.client().await;
    let root = async |sandbox: &Sandbox| {
        let pid = client.inspect(sandbox.id()).await.unwrap().pid.unwrap();
        std::path::PathBuf::from(format!("/proc/{pid}/root/tmp"))
    };
    let (inside, inside_short) = (root(sandbox).await, root(&short).await);

    let restart = async {
        scene.engine.end(signal).await;
        // Both end while there is no engine: a program, and a container with its command.
        std::fs::write(inside.join("go"), "").unwrap();
        until("the program's end", || inside.join("gone").exists()).await;
        std::fs::write(inside_short.join("go"), "").unwrap();
        until("the container's end", || !inside_short.exists()).await;
        scene.engine.run().await;
    };
    let (waited, ()) = tokio::join!(short.wait(), restart);
    println!("{waited:?}");
    assert_eq!(waited.unwrap().code, Some(6));

    let ended = ends.output().await;
    assert_eq!((ended.outcome, ended.stdout.text()), (Outcome::Exited(7), "late\n".to_owned()));
    input.write_all(b"and after").await.unwrap();
    input.close().await.unwrap();
    let echoed = echo.output().await;
    assert_eq!((echoed.outcome, echoed.stdout.text()), (Outcome::Exited(0), "before and after".to_owned()));
    assert_eq!(scene.sandbox.run(Command::new(shell("exit 9"))).await.unwrap().outcome, Outcome::Exited(9));
    std::fs::write(inside.join("stop"), "").unwrap();
    let (lines, outcome) = main.await.unwrap();
    assert_eq!(outcome, Outcome::Exited(5));
    assert!(lines > 500, "{lines}");
    short.remove().await.unwrap();
    scene.gap().await;
    scene.works().await;
}

#[tokio::test]
async fn an_engine_that_is_killed_and_leaves_its_containers() {
    goes_on(Os::KILL).await;
}

#[tokio::test]
async fn an_engine_that_is_ended_and_leaves_its_containers() {
    goes_on(Os::TERM).await;
}

/// For ten seconds, which is less than a lease.
#[tokio::test]
async fn an_engine_that_hangs() {
    let Some(scene) = Scene::set(false).await else { return };
    let main = tokio::spawn(count(scene.sandbox.main([0, 0]).await.unwrap()));
    let ends = scene.sandbox.exec(Command::new(shell("sleep 3; exit 7"))).await.unwrap();
    let spawning = scene.docker.spawn(SpawnSpec::new(&scene.image));
    let pause = async {
        scene.engine.hang().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        scene.engine.go_on();
    };
    let (spawned, ()) = tokio::join!(spawning, pause);
    spawned.unwrap().remove().await.unwrap();
    assert_eq!(ends.output().await.outcome, Outcome::Exited(7));
    scene.sandbox.write("/tmp/stop", 0o600, &b""[..]).await.unwrap();
    assert_eq!(main.await.unwrap().1, Outcome::Exited(5));
    scene.works().await;
}

/// At any moment of a spawn: an error that says what failed, nothing that runs on unseen, nothing left.
#[tokio::test]
async fn an_engine_that_is_killed_during_a_spawn() {
    let Some(mut scene) = Scene::set(false).await else { return };
    for millis in [5, 20, 40, 80, 120] {
        let spawning = scene.docker.spawn(SpawnSpec::new(&scene.image).cmd(["sleep", "1000"]));
        let kill = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            scene.engine.end(Os::KILL).await;
            scene.engine.run().await;
        };
        let (spawned, ()) = tokio::join!(spawning, kill);
        match spawned {
            // It was quicker: what was given is its holder's to remove.
            Ok(sandbox) => {
                assert_ne!(sandbox.wait().await.unwrap().code, Some(0));
                sandbox.remove().await.unwrap();
            }
            Err(error) => println!("after {millis} ms: {error}"),
        }
    }
    let listed = scene.engine.client().await;
    let owner = scene.docker.owner().to_hex();
    let Scene { sandbox, plain, docker, .. } = &scene;
    for sandbox in [sandbox, plain] {
        listed.remove(sandbox.id(), true).await.unwrap();
    }
    docker.sweep(false).await.unwrap();
    assert_eq!(listed.list(&[("wire.owner", &owner)]).await.unwrap(), [], "in any state");
}
