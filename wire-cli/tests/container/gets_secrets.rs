//! A secret reaches the container's user, and nobody else: not arguments, not the engine, not the log.

use std::io::Write as _;

use crate::rig::{Rig, docker};

const SECRET: &str = "swordfish-4711-hush";

#[test]
fn it_is_read_and_shows_nowhere() {
    let rig = Rig::new();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SECRET.as_bytes()).unwrap();
    let given = format!("key={}", file.path().display());
    let name = rig.name.as_str();
    let mut command = rig.command(&["spawn", "--name", name, "--secret", &given, "IMAGE"]);
    command.env("WIRE_LOG", "trace");
    let spawned = crate::support::Running::start(command).end().ok();
    assert!(!spawned.stdout.contains(SECRET) && !spawned.stderr.contains(SECRET));
    assert!(spawned.stderr.contains("TRACE") || spawned.stderr.contains("DEBUG"), "a log to look into");
    let read = rig.run(&["exec", name, "--", "cat", "/run/wire/key"]).ok();
    assert_eq!(read.stdout.trim_end(), SECRET);
    assert!(!docker(&["inspect", name]).contains(SECRET));
    let environ = rig.run(&["exec", name, "--", "sh", "-c", "cat /proc/self/environ; ls -ln /run/wire"]).ok();
    assert!(!environ.stdout.contains(SECRET) && environ.stdout.contains("-r--------"), "{environ:?}");
    rig.run(&["stop", name]).ok();

    let piped =
        rig.bytes(&["run", "--secret", "key=-", "IMAGE", "--", "cat", "/run/wire/key"], SECRET.as_bytes());
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), SECRET);
    rig.has_nothing();
}

#[test]
fn variables_are_taken_from_here() {
    let rig = Rig::new();
    let mut command = rig.command(&[
        "run",
        "--env",
        "TAKEN",
        "--env",
        "SAID=b",
        "IMAGE",
        "--",
        "sh",
        "-c",
        "echo $TAKEN $SAID",
    ]);
    command.env("TAKEN", "a");
    assert_eq!(crate::support::Running::start(command).end().ok().stdout, "a b\n");
    let mut command = rig.command(&["run", "--env", "TAKEN", "IMAGE", "--", "true"]);
    command.env_remove("TAKEN");
    let said = crate::support::Running::start(command).end().failed(2);
    assert!(said.contains("TAKEN is not set here"), "{said}");
    let twice = rig.run(&["run", "-i", "--secret", "a=-", "IMAGE", "--", "true"]).failed(2);
    assert!(twice.contains("once only"), "{twice}");
}
