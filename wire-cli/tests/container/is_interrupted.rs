//! Ctrl-C ends the command and leaves no container; what it said before is there.

use crate::rig::Rig;

#[test]
fn it_is_asked_first() {
    let rig = Rig::new();
    let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut running = rig.start(&["run", "IMAGE", "--", "sh", "-c", script]);
        assert_eq!(running.line(), "ready");
        running.signal(signal);
        let done = running.end();
        assert_eq!((done.code, done.stdout.as_str()), (code, "asked\n"), "{done:?}");
        rig.has_nothing();
    }
}

#[test]
fn what_is_being_made_is_removed_too() {
    let rig = Rig::new();
    for args in [&["run", "IMAGE", "--", "sleep", "1000"][..], &["spawn", "IMAGE"]] {
        let running = rig.start(args);
        // The engine knows of it before it has been started and proved.
        while rig.containers().is_empty() {
            std::thread::yield_now();
        }
        running.signal("INT");
        let done = running.end();
        if args[0] == "run" || done.code != 0 {
            assert_eq!(done.code, 130, "{done:?}");
            rig.has_nothing();
        }
    }
}

#[test]
fn a_second_time_kills_it() {
    let rig = Rig::new();
    let script = "trap 'echo refused' TERM; echo ready; while :; do sleep 0.1; done";
    let mut running = rig.start(&["run", "--grace", "1000s", "IMAGE", "--", "sh", "-c", script]);
    assert_eq!(running.line(), "ready");
    running.signal("INT");
    assert_eq!(running.line(), "refused");
    running.signal("INT");
    running.end().failed(130);
    rig.has_nothing();
}

#[test]
fn a_reader_who_takes_nothing_does_not_keep_it() {
    use std::process::Stdio;
    let rig = Rig::new();
    let mut command = rig.command(&["run", "--grace", "0s", "IMAGE", "--", "yes"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut one = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut one).unwrap();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    // Nobody reads on, and the pipe stays open.
    assert_eq!(child.wait().unwrap().code(), Some(130));
    rig.has_nothing();
}

#[test]
fn with_json_what_there_was_is_shown() {
    let rig = Rig::new();
    let mut running = rig.start(&["--json", "run", "IMAGE", "--", "sh", "-c", "echo before; sleep 1000"]);
    // Its output is not shown while it runs: the engine says when it does.
    let name = loop {
        let (doc, _) = rig.json(&["ps"]);
        let container = doc["containers"][0].clone();
        if let Some(name) = container["name"].as_str() {
            let (one, _) = rig.json(&["ps", name]);
            if one["programs"][0]["stdout"] == 7 {
                break name.to_owned();
            }
        }
        std::thread::yield_now();
    };
    running.signal("INT");
    let doc = running.json();
    assert_eq!((doc["name"].as_str(), &doc["interrupted"]), (Some(name.as_str()), &true.into()));
    assert_eq!(
        (doc["outcome"].as_str(), doc["stdout"]["text"].as_str()),
        (Some("signaled"), Some("before\n"))
    );
    assert_eq!(running.end().code, 130);
    rig.has_nothing();
}

/// Whom the engine starts nobody can end alone, and it is not said to have ended.
#[test]
fn a_program_of_another_user_runs_on() {
    let rig = Rig::new();
    for more in [&[][..], &["--no-shim"]] {
        rig.run(&[&["spawn", "--name", "NAME"], more, &["IMAGE", "--", "sleep", "1000"]].concat()).ok();
        let script = "echo ready; exec sleep 1000";
        let mut running = rig.start(&["exec", "--user", "7:7", "NAME", "--", "sh", "-c", script]);
        assert_eq!(running.line(), "ready");
        running.signal("INT");
        let done = running.end();
        assert_eq!(done.code, 130, "{done:?}");
        assert!(done.stderr.contains("it runs on"), "{done:?}");
        rig.run(&["stop", "NAME"]).ok();
        rig.has_nothing();
    }
}
