//! What a program's end is reported as: its code, its signal, or why it never ran.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Shim, exited, never_started, shell, spec};
use wire_shim::protocol::{Cause, How, NotStarted};

#[test]
fn a_program_ends_with_its_own_code_or_signal() {
    let mut shim = Shim::new();
    let (output, end) = shim.run(&shell(1, "echo out; echo err >&2; exit 7"));
    exited(7, &end);
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!((end.stdout, end.stderr, end.oom), (4, 4, false));

    for (number, code) in [(2, 126), (3, 127), (4, 0), (5, 255)] {
        exited(code, &shim.run(&shell(number, &format!("exit {code}"))).1);
    }
    let (_, end) = shim.run(&shell(6, "kill -9 $$"));
    assert_eq!((end.how, end.cause), (How::Signaled(9), Cause::Itself));
}

#[test]
fn what_cannot_start_says_why() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = [
        ("no-such-program".to_owned(), NotStarted::NotFound),
        ("/no/such/program".to_owned(), NotStarted::NotFound),
        (String::new(), NotStarted::NotFound),
        (file("plain", 0o644, "#!/bin/sh\n"), NotStarted::NotExecutable),
        (file("words", 0o755, "no program at all"), NotStarted::NotExecutable),
        (file("interpreter", 0o755, "#!/no/such/interpreter\n"), NotStarted::NotExecutable),
        (folder.path().to_str().unwrap().to_owned(), NotStarted::NotExecutable),
        (folder.path().join("foreign").to_str().unwrap().to_owned(), NotStarted::NotExecutable),
    ];
    let mut foreign = b"\x7fELF\x02\x01\x01".to_vec();
    foreign.resize(120, 0);
    // A program, of version 1, for a processor that nobody has.
    foreign[16..24].copy_from_slice(&[2, 0, 0xff, 0x7e, 1, 0, 0, 0]);
    let foreign_path = folder.path().join("foreign");
    fs::write(&foreign_path, foreign).unwrap();
    fs::set_permissions(&foreign_path, fs::Permissions::from_mode(0o755)).unwrap();
    for (number, (program, why)) in (1..).zip(cases) {
        let (output, end) = shim.run(&spec(number, [&program]));
        assert_eq!((never_started(&end), end.tree_gone), (why, true), "{program}");
        assert_eq!(output, crate::support::Output::default());
    }
    for (number, cwd) in [(20, "/no/such/folder"), (21, "/etc/passwd")] {
        let mut bad = spec(number, ["true"]);
        bad.cwd = cwd.into();
        assert_eq!(never_started(&shim.run(&bad).1), NotStarted::BadCwd);
    }
    let mut nul = spec(30, ["true", "a\0b"]);
    assert_eq!(never_started(&shim.run(&nul).1), NotStarted::Other);
    nul = spec(31, Vec::<&str>::new());
    assert_eq!(never_started(&shim.run(&nul).1), NotStarted::NotFound);
}

#[test]
fn a_program_gets_exactly_what_was_given() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::write(&own, "#!/bin/sh\necho \"$0 $#\"\n/usr/bin/env\n").unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let mut given = spec(1, ["own", "a b", ""]);
    given.env = vec![
        ("PATH".into(), format!("/nowhere:{}", folder.path().display()).into()),
        ("TWICE".into(), "1".into()),
        ("TWICE".into(), "2".into()),
    ];
    let (output, end) = shim.run(&given);
    exited(0, &end);
    let text = output.text();
    assert!(text.starts_with(&format!("{} 2\n", own.display())), "{text}");
    assert!(text.contains("TWICE=2\n") && !text.contains("TWICE=1"), "{text}");
    assert!(!text.contains("CARGO") && !text.contains("HOME"), "{text}");
}

#[test]
fn a_program_finds_no_trace_of_the_shim_around_it() {
    let mut shim = Shim::new();
    // The runner of the tests may leave open pipes of its own, but no socket.
    let script = "for fd in /proc/$$/fd/*; do readlink $fd; done; sleep 30 & kill -13 $!; wait $!; echo $?";
    let (output, end) = shim.run(&shell(1, script));
    exited(0, &end);
    let text = output.text();
    assert!(text.contains("pipe:") && !text.contains("socket:") && !text.contains("anon_inode:"), "{text}");
    assert!(text.ends_with("141\n"), "SIGPIPE ends a program as anywhere else: {text}");
    let (output, end) = shim.run(&spec(2, ["grep", "SigBlk", "/proc/self/status"]));
    exited(0, &end);
    assert_eq!(output.text(), "SigBlk:\t0000000000000000\n");
}
