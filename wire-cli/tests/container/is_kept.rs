//! `wire run --keep`, and containers without the shim.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::rig::{Rig, docker};

#[test]
fn what_is_kept_can_be_read_again() {
    let rig = Rig::new();
    let done = rig.run(&["run", "--keep", "--name", "NAME", "IMAGE", "--", "echo", "here"]).ok();
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        ("here\n", format!("{0} is kept; wire logs {0}\n", rig.name).as_str())
    );
    assert_eq!(rig.run(&["logs", "NAME"]).ok().stdout, "here\n");
    let again = rig.run(&["run", "--keep", "--name", "NAME", "IMAGE", "--", "echo", "here"]).ok();
    assert!(again.stdout == "here\n" && again.stderr.contains("was there already"), "{again:?}");
    rig.run(&["stop", "NAME"]).ok();
    rig.has_nothing();
}

/// It is there, and does not run: nothing is up.
#[test]
fn what_was_stopped_and_kept_is_not_up_again() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    rig.run(&["stop", "--keep", "NAME"]).ok();
    let said = rig.run(&["spawn", "--name", "NAME", "IMAGE"]).failed(1);
    assert!(said.contains("was made before, and is exited") && said.contains("wire stop"), "{said}");
    let (doc, _) = rig.json(&["ps", "NAME"]);
    assert_eq!(doc["exit"]["code"], 143, "{doc}");
    rig.run(&["stop", "NAME"]).ok();
    rig.has_nothing();
}

/// However short the grace is: what has ended by itself was not killed.
#[test]
fn what_ends_when_it_is_asked_to_was_stopped() {
    let rig = Rig::new();
    let willing = "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done";
    for cmd in [&[][..], &["--", "sh", "-c", willing]] {
        rig.run(&[&["spawn", "--name", "NAME", "IMAGE"], cmd].concat()).ok();
        if !cmd.is_empty() {
            while rig.run(&["logs", "NAME"]).ok().stdout != "up\n" {}
        }
        let (doc, code) = rig.json(&["stop", "--grace", "1s", "NAME"]);
        assert_eq!((code, &doc["containers"][0]["exit"]["code"]), (0, &143.into()), "{cmd:?}: {doc}");
    }
    rig.has_nothing();
}

/// It goes on for that, and has its whole grace: more than the engine's own way of ending it would leave it.
#[test]
fn what_is_paused_does_what_it_has_to_before_its_end() {
    let rig = Rig::new();
    let slow = "trap 'sleep 6; echo done > /log/done; exit 5' TERM; echo up; while :; do sleep 0.1; done";
    let log = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(log.path(), Some(1000), Some(1000)).unwrap();
    let mount = format!("{}:/log", log.path().display());
    rig.run(&[
        "spawn",
        "--name",
        "NAME",
        "--user",
        "1000:1000",
        "--mount",
        &mount,
        "IMAGE",
        "--",
        "sh",
        "-c",
        slow,
    ])
    .ok();
    while rig.run(&["logs", "NAME"]).ok().stdout != "up\n" {}
    docker(&["pause", &rig.name]);
    let (doc, code) = rig.json(&["stop", "--grace", "20s", "NAME"]);
    assert_eq!((code, &doc["containers"][0]["exit"]["code"]), (0, &143.into()), "{doc}");
    assert_eq!(std::fs::read_to_string(log.path().join("done")).unwrap(), "done\n");
    rig.has_nothing();
}

/// More than all the buffers hold that lie between the command and who reads it late.
#[test]
fn a_slow_reader_loses_nothing_of_what_is_kept_or_runs_without_the_shim() {
    let rig = Rig::new();
    for how in ["--no-shim", "--keep"] {
        let script = "head -c 12000000 /dev/zero; echo end >&2";
        let mut command = rig.command(&["run", how, "--name", "NAME", "IMAGE", "--", "sh", "-c", script]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It says so only when it has written all, if nobody makes it wait.
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let early = std::thread::spawn(move || said.next());
        while rig.containers().is_empty() {}
        let mut stdout = child.stdout.take().unwrap();
        let mut first = [0; 1];
        stdout.read_exact(&mut first).unwrap();
        for _ in 0..3 {
            rig.json(&["ps"]);
            assert!(!early.is_finished(), "{how}: the command did not wait");
        }
        let rest = std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
        assert_eq!((rest, child.wait().unwrap().code()), (11_999_999, Some(0)), "{how}");
        rig.run(&["stop", "NAME"]);
    }
    rig.has_nothing();
}

#[test]
fn without_the_shim_a_command_runs_and_is_ended_all_the_same() {
    let rig = Rig::new();
    let done = rig.run(&["run", "--no-shim", "IMAGE", "--", "sh", "-c", "echo out; echo err >&2; exit 6"]);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str(), done.code), ("out\n", "err\n", 6));
    let mut running = rig.start(&[
        "run",
        "--no-shim",
        "--grace",
        "0s",
        "IMAGE",
        "--",
        "sh",
        "-c",
        "echo ready; sleep 1000",
    ]);
    assert_eq!(running.line(), "ready");
    running.signal("INT");
    running.end().failed(130);
    let said = rig.run(&["run", "--no-shim", "--timeout", "5s", "IMAGE", "--", "true"]).failed(125);
    assert!(said.contains("needs the shim"), "{said}");
    rig.has_nothing();
}

/// The same command again while the first one is at work: that one has it, and nobody takes it away.
#[test]
fn what_another_run_has_is_left_to_it() {
    let rig = Rig::new();
    let run = ["run", "--no-shim", "--name", "NAME", "IMAGE", "--", "sh", "-c", "echo one; read end; exit 5"];
    let with_input = [&run[..5], &["-i"], &run[5..]].concat();
    let mut first = rig.start(&with_input);
    assert_eq!(first.line(), "one");
    let (again, code) = rig.json(&with_input);
    assert_eq!((code, again["error"]["code"].as_str()), (125, Some("unsupported")), "{again}");
    assert!(again["error"]["hint"].as_str().unwrap().contains("docker logs"), "{again}");
    assert_eq!(rig.containers(), [rig.name.as_str()]);
    first.type_in("end\n");
    assert_eq!(first.end().code, 5);
    rig.has_nothing();
    // And what was kept stays kept, with the output.
    let tail = ["--no-shim", "--name", "NAME", "IMAGE", "--", "echo", "precious"];
    rig.run(&[&["run", "--keep"][..], &tail].concat()).ok();
    rig.run(&[&["run"][..], &tail].concat()).failed(125);
    assert_eq!(rig.containers(), [rig.name.as_str()]);
    rig.run(&["stop", "NAME"]).ok();
    rig.has_nothing();
}
