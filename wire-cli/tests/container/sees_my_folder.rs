//! A folder of this machine belongs, in the container, to whoever mounts it; never to root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::rig::Rig;
use rustix::process::getuid;

/// As somebody who is not root and may use the engine.
fn as_me(rig: &Rig, mut command: Command, folder: &std::path::Path) -> (Command, u32, u32) {
    if !getuid().is_root() {
        let (uid, gid) = (getuid().as_raw(), rustix::process::getgid().as_raw());
        return (command, uid, gid);
    }
    let group = std::fs::metadata("/var/run/docker.sock").unwrap().gid();
    for path in [rig.home.path(), folder] {
        chown(path, Some(1000), Some(group)).unwrap();
    }
    command.uid(1000).gid(group);
    (command, 1000, group)
}

#[test]
fn files_are_mine_on_both_sides() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().unwrap();
    let script = "id -u; id -g; echo made > made";
    let mut command =
        rig.command(&["run", "--mount", ".:/job", "--workdir", "/job", "IMAGE", "--", "sh", "-c", script]);
    command.current_dir(folder.path());
    let (command, uid, gid) = as_me(&rig, command, folder.path());
    let done = crate::support::Running::start(command).end().ok();
    assert_eq!(done.stdout, format!("{uid}\n{gid}\n"));
    let made = folder.path().join("made");
    assert_eq!(std::fs::read_to_string(&made).unwrap(), "made\n");
    assert_eq!(made.metadata().unwrap().uid(), uid);

    let mut command = rig.command(&["run", "--mount", ".:/job:ro", "IMAGE", "--", "touch", "/job/more"]);
    command.current_dir(folder.path());
    let (command, ..) = as_me(&rig, command, folder.path());
    assert!(crate::support::Running::start(command).end().failed(1).contains("Read-only"));
    rig.has_nothing();
}

#[test]
fn root_is_refused() {
    let rig = Rig::new();
    let asked = rig.run(&["run", "--user", "0:0", "IMAGE", "--", "id"]).failed(2);
    assert!(asked.contains("user and group must be 1 to"), "{asked}");
    if getuid().is_root() {
        let said = rig.run(&["run", "--mount", ".:/job", "IMAGE", "--", "id"]).failed(2);
        assert!(said.contains("no container runs as root") && said.contains("--user UID:GID"), "{said}");
    }
    for source in ["/", "/etc", "/var/run/docker.sock", "/proc/self"] {
        let mount = format!("{source}:/job");
        let done = rig.run(&["run", "--user", "1000:1000", "--mount", &mount, "IMAGE", "--", "id"]);
        assert!(done.failed(125).contains("cannot mount"), "{source}");
    }
    rig.has_nothing();
}
