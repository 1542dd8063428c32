//! Memory runs out: of the container's command, of its child, of a program, by files in a tmpfs. Each is told
//! as what it was.

use crate::support::ground::{Ground, hear, plain, sh, small};
use wire_core::spawn::{Limits, Outcome, Overflow};

const MEMORY: u64 = 64 << 20;

/// Takes three times the memory, and uses it.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";

#[tokio::test]
async fn the_command_of_the_container() {
    let ground = Ground::new().await;
    let sandbox = ground.spawn(small(MEMORY).cmd(["sh", "-c", &format!("exec {HOG}")])).await;
    let output = sandbox.main([0, 0]).await.unwrap().output().await;
    assert_eq!(output.outcome, Outcome::OomKilled { shared: false });
    assert!(output.oom_seen);
    let exit = sandbox.wait().await.unwrap();
    assert_eq!((exit.code, exit.oom_seen), (Some(137), true));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_child_while_its_parent_goes_on() {
    let ground = Ground::new().await;
    let line = format!("{HOG}; echo $?");
    let sandbox = ground.spawn(small(MEMORY).cmd(["sh", "-c", &line])).await;
    let output = sandbox.main([0, 0]).await.unwrap().output().await;
    assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(0), "137\n".to_owned()));
    assert!(output.oom_seen, "one of its processes was the victim");
    let exit = sandbox.wait().await.unwrap();
    assert_eq!((exit.code, exit.oom_seen), (Some(0), true), "whoever lived on");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_program_alone_and_beside_others() {
    let ground = Ground::new().await;
    let sandbox = ground.spawn(small(MEMORY)).await;
    let alone = sandbox.run(sh(&format!("exec {HOG}"))).await.unwrap();
    assert_eq!((alone.outcome, alone.oom_seen), (Outcome::OomKilled { shared: false }, true));

    let child = sandbox.run(sh(&format!("{HOG}; exit 5"))).await.unwrap();
    assert_eq!((child.outcome, child.oom_seen), (Outcome::Exited(5), true));

    let beside = sandbox.exec(sh("sleep 1000")).await.unwrap();
    let shared = sandbox.run(sh(&format!("exec {HOG}"))).await.unwrap();
    assert_eq!((shared.outcome, shared.oom_seen), (Outcome::OomKilled { shared: true }, true));
    drop(beside);

    let killed_by_itself = sandbox.run(sh("kill -9 $$")).await.unwrap();
    assert_eq!((killed_by_itself.outcome, killed_by_itself.oom_seen), (Outcome::Signaled(9), false));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn files_in_a_tmpfs() {
    let ground = Ground::new().await;
    let fill = "dd if=/dev/zero of=/tmp/all bs=64k count=4000; exit 5";
    let bounded = ground.spawn(small(MEMORY).limits(Limits::default().memory(MEMORY).tmpfs(8 << 20))).await;
    let full = bounded.run(sh(fill)).await.unwrap();
    assert_eq!((full.outcome, full.oom_seen), (Outcome::Exited(5), false));
    assert!(full.stderr.text().contains("No space left"), "{}", full.stderr.text());
    bounded.remove().await.unwrap();

    // As large as the memory: there is no room left for whoever writes, and it is one of its processes that goes.
    let limits = Limits::default().memory(MEMORY).tmpfs(60 << 20);
    let filled = ground.spawn(small(MEMORY).limits(limits)).await;
    let killed = filled.run(sh(fill)).await.unwrap();
    match killed.outcome {
        Outcome::OomKilled { shared: false } | Outcome::Exited(5) => {}
        other => panic!("{other:?}"),
    }
    filled.remove().await.unwrap();
}

#[tokio::test]
async fn without_the_shim_nothing_is_said_that_the_engine_does_not_know() {
    let ground = Ground::new().await;
    let limits = Limits::default().memory(MEMORY);
    let main = ground.spawn(plain(["sh", "-c", &format!("exec {HOG}")]).limits(limits)).await;
    let output = main.main([0, 0]).await.unwrap().output().await;
    assert_eq!((output.outcome, output.oom_seen), (Outcome::OomKilled { shared: true }, true));
    main.remove().await.unwrap();

    let sandbox = ground.spawn(plain(["sleep", "1000"]).limits(limits)).await;
    let before = hear(sandbox.exec(sh("exit 4")).await.unwrap()).await;
    assert_eq!((before.outcome, before.oom_seen), (Outcome::Exited(4), false));
    let child = hear(sandbox.exec(sh(&format!("{HOG}; exit 5"))).await.unwrap()).await;
    assert_eq!(child.outcome, Outcome::Exited(5));
    let killed = hear(sandbox.exec(sh(&format!("exec {HOG}"))).await.unwrap()).await;
    assert_eq!((killed.outcome, killed.oom_seen), (Outcome::OomKilled { shared: true }, true));
    // By whom, the engine does not say of a program.
    let killed = hear(sandbox.exec(sh("kill -9 $$")).await.unwrap()).await;
    assert_eq!((killed.outcome, killed.oom_seen), (Outcome::Exited(137), false));
    let after = hear(sandbox.exec(sh("exit 4")).await.unwrap()).await;
    assert_eq!((after.outcome, after.oom_seen), (Outcome::Exited(4), false), "that was another program");
    sandbox.remove().await.unwrap();
}

/// What is kept of them for who may come and ask is bounded by what the container has.
#[tokio::test]
async fn not_by_what_programs_have_said() {
    let ground = Ground::new().await;
    let sandbox = ground.spawn(small(MEMORY)).await;
    for turn in 0..200 {
        let command = sh("head -c 2000000 /dev/zero");
        let command = if turn % 2 == 0 { command } else { command.overflow(Overflow::DropOldest) };
        let output = sandbox.exec(command).await.unwrap().output().await;
        assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(0), 2_000_000), "{turn}");
    }
    assert!(sandbox.execs().await.unwrap().len() > 10, "some are remembered");
    sandbox.remove().await.unwrap();
}
