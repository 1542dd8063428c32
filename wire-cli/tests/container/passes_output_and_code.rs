//! `wire run` passes on what a command writes, byte for byte, and how it ends; and leaves nothing.

use crate::rig::Rig;

#[test]
fn output_is_not_altered() {
    let rig = Rig::new();
    let script = r"printf 'a\r\n\033[31m\377\000z'; printf 'e\033\376' >&2; exit 7";
    let done = rig.bytes(&["run", "IMAGE", "--", "sh", "-c", script], b"");
    assert_eq!(done.stdout, b"a\r\n\x1b[31m\xff\0z");
    assert_eq!(done.stderr, b"e\x1b\xfe");
    assert_eq!(done.status.code(), Some(7));
    rig.has_nothing();
}

#[test]
fn the_code_says_how_it_ended() {
    let rig = Rig::new();
    for (script, code) in [("true", 0), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)] {
        let done = rig.run(&["run", "IMAGE", "--", "sh", "-c", script]);
        assert_eq!((done.code, done.stderr.as_str()), (code, ""), "{script}");
    }
    let done = rig.run(&["run", "IMAGE", "--", "/no/such"]);
    assert!(done.failed(127).starts_with("not_started: there is no such program"));
    let done = rig.run(&["run", "IMAGE", "--", "/etc/passwd"]);
    assert!(done.failed(126).starts_with("not_started:"));
    rig.has_nothing();
}

#[test]
fn what_fails_here_is_not_taken_for_the_commands_code() {
    let rig = Rig::new();
    let missing = ["run", "--pull", "never", "wire-test/no-such:1", "--", "true"];
    assert!(rig.run(&missing).failed(125).contains("no such image: wire-test/no-such:1"));
    let mut away = rig.command(&["run", "IMAGE", "--", "true"]);
    away.env("DOCKER_HOST", "unix:///no/such/socket");
    let said = crate::support::Running::start(away).end().failed(125);
    assert!(said.contains("no container engine: /no/such/socket") && said.contains("next:"), "{said}");
}
