//! Names, arguments and what containers call themselves cannot drive a terminal, and reach no shell.

use crate::rig::Rig;

#[test]
fn arguments_arrive_as_they_are() {
    let rig = Rig::new();
    let hostile = ["$(id)", "a b", "\u{1b}[2J", "--help", "-", "", "*", "\n"];
    let args = [&["run", "IMAGE", "--", "printf", "<%s>"][..], &hostile].concat();
    let done = rig.bytes(&args, b"");
    let want: String = hostile.iter().map(|arg| format!("<{arg}>")).collect();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), want);
    rig.has_nothing();
}

#[test]
fn names_that_are_none_are_refused_and_escaped() {
    let rig = Rig::new();
    for args in [
        &["run", "--name", "../volumes/x", "IMAGE", "--", "id"][..],
        &["run", "--name", "a\u{1b}[2Jb", "IMAGE", "--", "id"],
        &["run", "--name", "a?force=1#x", "IMAGE", "--", "id"],
        &["spawn", "--key", "with space", "IMAGE"],
        &["spawn", "--label", "wire.owner=me", "IMAGE"],
        &["run", "--env", "LD_PRELOAD=/x.so", "IMAGE", "--", "id"],
        &["run", "--env", "WIRE_TOKEN=x", "IMAGE", "--", "id"],
        &["run", "--workdir", "/proc/self", "IMAGE", "--", "id"],
        &["run", "\u{1b}[2J", "--", "id"],
        &["run", "", "--", "id"],
        &["run", "../x?y", "--", "id"],
        &["run", "@sha256:0000", "--", "id"],
    ] {
        let said = rig.run(args).failed(2);
        assert!(!said.contains('\u{1b}') && said.contains("next:"), "{args:?}: {said}");
    }
    for id in ["../x", "\u{1b}[2J", "a?b#c", ""] {
        let said = rig.run(&["ps", id]).failed(1);
        assert!(said.contains("there is no container") && !said.contains('\u{1b}'), "{said}");
    }
    rig.has_nothing();
}

#[test]
fn a_table_is_a_table_whatever_is_in_it() {
    let rig = Rig::new();
    let name = rig.name.as_str();
    rig.run(&["spawn", "--name", name, "IMAGE"]).ok();
    let script = "cp /bin/busybox /tmp/x 2>/dev/null; sleep 1000";
    rig.run(&["exec", name, "--detach", "--", "sh", "-c", script]).ok();
    let program = rig.run(&["exec", name, "--detach", "--", "/no/\u{1b}[2Jsuch"]);
    assert!(!program.failed(125).contains('\u{1b}'));
    let table = rig.run(&["ps", name]).ok().stdout;
    assert!(!table.contains('\u{1b}') && table.contains("runs as"), "{table}");
}
