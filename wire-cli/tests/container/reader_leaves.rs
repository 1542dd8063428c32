//! `wire run .. | head`: the program ends as by a broken pipe, quietly, and its container is removed.

use std::io::Read as _;
use std::process::Stdio;

use crate::rig::Rig;

#[test]
fn a_flood_ends_with_its_reader() {
    let rig = Rig::new();
    let mut command = rig.command(&["run", "IMAGE", "--", "yes"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut two = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut two).unwrap();
    assert_eq!(&two, b"y\ny\n");
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(141), ""));
    rig.has_nothing();
}

#[test]
fn a_full_disk_is_no_success() {
    let rig = Rig::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = rig.command(&["run", "IMAGE", "--", "echo", "lost"]);
    let done = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(125), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("cannot write"), "{done:?}");
    rig.has_nothing();
}
