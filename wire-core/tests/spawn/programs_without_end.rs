//! A container is used for as long as it is wanted: nothing of a program that is over counts against the next.

use crate::support::{home, images};
use tokio::io::AsyncReadExt as _;
use wire_core::spawn::{Command, Outcome, SpawnSpec};

#[tokio::test]
async fn more_programs_and_files_than_can_be_read_at_once_follow_each_other() {
    let (docker, _home) = home::docker().await;
    let sandbox = docker.spawn(SpawnSpec::new(images::busybox())).await.unwrap();
    for turn in 0..200 {
        let exec = sandbox.exec(Command::new(["/bin/true"])).await.unwrap();
        assert_eq!(exec.output().await.outcome, Outcome::Exited(0), "{turn}");
        let text = turn.to_string().into_bytes();
        sandbox.write("/tmp/file", 0o600, std::io::Cursor::new(text.clone())).await.unwrap();
        let mut read = Vec::new();
        sandbox.read("/tmp/file", 0, 99).await.unwrap().read_to_end(&mut read).await.unwrap();
        assert_eq!(read, text);
    }
    // The programs that moved the files are forgotten, those that were asked for are not.
    let known = sandbox.execs().await.unwrap();
    assert_eq!(known.len(), 200, "{} programs", known.len());
    sandbox.remove().await.unwrap();
}
