//! A program that never starts is told as that, with the reason; one that ends with 126 or 127 by itself is not.

use crate::support::ground::{Ground, hear, plain, sh};
use crate::support::images;
use wire_core::spawn::docker::Sandbox;
use wire_core::spawn::{Command, NotStarted, Outcome, SpawnError, SpawnSpec, TtySize};

async fn reasons(sandbox: &Sandbox) {
    sandbox
        .run(sh("echo 'exit 0' > /tmp/script; cp /bin/busybox /tmp/program; chmod 755 /tmp/*"))
        .await
        .unwrap();
    let table = [
        (Command::new(["/no/such"]), NotStarted::NotFound),
        (Command::new(["no-such"]), NotStarted::NotFound),
        (Command::new(["/etc/passwd"]), NotStarted::NotExecutable),
        (Command::new(["/etc"]), NotStarted::NotExecutable),
        (Command::new(["/tmp/program"]), NotStarted::NotExecutable),
        (Command::new(["true"]).cwd("/no/such"), NotStarted::BadCwd),
        (Command::new(["true"]).cwd("/etc/passwd"), NotStarted::BadCwd),
    ];
    // The engine enters the folder before it becomes the user.
    let private = (Command::new(["true"]).cwd("/root"), NotStarted::BadCwd);
    for (command, why) in table.into_iter().chain(sandbox.has_shim().then_some(private)) {
        for command in [command.clone(), command.clone().tty(TtySize { cols: 80, rows: 24 })] {
            let told = hear(sandbox.exec(command.clone()).await.unwrap()).await;
            assert_eq!(told.outcome, Outcome::NotStarted(why.clone()), "{:?}", command.argv());
            let said = [told.stdout, told.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&said), "", "the reason is no output");
        }
    }
}

async fn own_codes(sandbox: &Sandbox) {
    for code in [0, 1, 125, 126, 127, 128, 137, 255] {
        let told = hear(sandbox.exec(sh(&format!("exit {code}"))).await.unwrap()).await;
        assert_eq!(told.outcome, Outcome::Exited(code));
    }
    let words = "OCI runtime exec failed: exec failed: no such file or directory";
    for code in [126, 127] {
        let line = format!("echo '{words}'; exit {code}");
        let told = hear(sandbox.exec(sh(&line)).await.unwrap()).await;
        assert_eq!(told.outcome, Outcome::Exited(code), "it says so itself");
        assert_eq!(told.stdout, format!("{words}\n").into_bytes());
    }
}

#[tokio::test]
async fn through_the_shim() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    reasons(&sandbox).await;
    own_codes(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn through_the_engine() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    reasons(&sandbox).await;
    own_codes(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn of_the_container_itself() {
    let ground = Ground::new().await;
    for (program, why, code) in [
        ("/no/such", NotStarted::NotFound, 127),
        ("no-such", NotStarted::NotFound, 127),
        ("/etc/passwd", NotStarted::NotExecutable, 126),
    ] {
        let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).cmd([program])).await;
        let output = sandbox.main([0, 0]).await.unwrap().output().await;
        assert_eq!(output.outcome, Outcome::NotStarted(why.clone()));
        assert_eq!(sandbox.wait().await.unwrap().code, Some(code));
        sandbox.remove().await.unwrap();

        // Without the shim the engine refuses to start it, or its own first process ends with the code.
        match ground.docker.spawn(plain([program])).await {
            Err(SpawnError::StartFailed { cleaned: true, .. }) => {}
            Ok(sandbox) => {
                let outcome = sandbox.main([0, 0]).await.unwrap().output().await.outcome;
                assert_eq!(outcome, Outcome::NotStarted(why));
                sandbox.remove().await.unwrap();
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(ground.containers(), Vec::<String>::new());
}
