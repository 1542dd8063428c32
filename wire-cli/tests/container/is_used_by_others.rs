//! A container that stays is found by other processes: exec, logs, ps, stop.

use std::process::Stdio;

use crate::rig::Rig;

#[test]
fn it_is_made_once_and_used_from_elsewhere() {
    let rig = Rig::new();
    let spawn =
        ["spawn", "--name", "NAME", "--label", "a=b", "IMAGE", "--", "sh", "-c", "echo out; echo err >&2"];
    let (first, code) = rig.json(&spawn);
    assert_eq!((code, &first["new"], &first["attested"]), (0, &true.into(), &true.into()), "{first}");
    let (again, code) = rig.json(&spawn);
    assert_eq!((code, &again["new"], &again["id"]), (0, &false.into(), &first["id"]), "{again}");
    let (other, code) = rig.json(&["spawn", "--name", "NAME", "--memory", "64m", "IMAGE"]);
    assert_eq!((code, other["error"]["code"].as_str()), (1, Some("spec_mismatch")), "{other}");
    assert_eq!(rig.containers(), [rig.name.as_str()]);

    // Its command has ended, and what it said is there.
    let logs = rig.run(&["logs", "-f", "NAME"]).ok();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(rig.run(&["logs", "NAME", "--stderr"]).ok().stderr, "err\n");
    assert_eq!(rig.run(&["logs", "NAME", "--stdout", "--since", "2"]).ok().stdout, "t\n");
    let past = rig.run(&["logs", "NAME", "--since", "99"]).ok();
    let said = "--since 99 is past the end: stdout has 4 bytes, stderr 4\n";
    assert_eq!((past.stdout.as_str(), past.stderr.as_str()), ("", said));

    let id = first["id"].as_str().unwrap();
    for who in ["NAME", id, &id[..12]] {
        assert_eq!(rig.run(&["exec", who, "--", "sh", "-c", "exit 9"]).code, 9, "{who}");
    }
    let table = rig.run(&["ps"]).ok().stdout;
    assert!(table.contains(&rig.name) && table.contains(&id[..12]) && table.contains("running"), "{table}");
    let attested = rig.run(&["ps", "NAME", "--attest"]).ok().stdout;
    assert!(attested.contains("no_new_privs") && !attested.contains("broken"), "{attested}");

    assert!(rig.run(&["stop", "NAME"]).ok().stdout.contains("and removed"));
    rig.has_nothing();
    assert!(rig.run(&["stop", "NAME"]).failed(1).contains("there is no container"));
}

#[test]
fn a_program_runs_on_and_is_read_again() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    let script = "echo first; cat /tmp/fifo; exit 4";
    rig.run(&["exec", "NAME", "--", "mkfifo", "/tmp/fifo"]).ok();
    let (started, code) = rig.json(&["exec", "NAME", "--detach", "--", "sh", "-c", script]);
    assert_eq!(code, 0, "{started}");
    let exec = started["exec"].as_str().unwrap();
    let mut following = rig.start(&["logs", "-f", "NAME", "--exec", exec]);
    assert_eq!(following.line(), "first");
    let mut attached = rig.start(&["exec", "NAME", "--attach", exec]);
    assert_eq!(attached.line(), "first");
    // Who reads it and leaves does not end it.
    attached.signal("INT");
    attached.end().failed(130);
    rig.run(&["exec", "NAME", "--", "sh", "-c", "echo second > /tmp/fifo"]).ok();
    assert_eq!(following.line(), "second");
    following.end().ok();
    let attached = rig.run(&["exec", "NAME", "--attach", exec, "--since", "6"]);
    assert_eq!((attached.code, attached.stdout.as_str()), (4, "second\n"));
    let (one, _) = rig.json(&["ps", "NAME"]);
    assert_eq!(one["programs"].as_array().unwrap().len(), 1, "others are forgotten: {one}");
    assert_eq!(one["programs"][0]["end"]["exit_code"], 4);
    let none = rig.json(&["exec", "NAME", "--attach", &"0a".repeat(16)]);
    assert_eq!((none.0["error"]["code"].as_str(), none.1), (Some("not_found"), 125));
}

#[test]
fn what_is_gone_of_the_output_is_said() {
    let rig = Rig::new();
    let flood = "head -c 9000000 /dev/zero; echo end";
    rig.run(&["spawn", "--name", "NAME", "IMAGE", "--", "sh", "-c", flood]).ok();
    let followed = rig.bytes(&["logs", "-f", "NAME"], b"");
    assert!(followed.stdout.ends_with(b"\0end\n"));
    let again = rig.bytes(&["logs", "NAME"], b"");
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("bytes of stdout are gone, from 0 to"), "{said}");
    assert!(again.stdout.len() < 9_000_000 && again.stdout.ends_with(b"end\n"), "{}", again.stdout.len());
}

/// Who comes to a run that is at work is told everything of it too, however late: the first one, which removes the
/// container, leaves it the moment that this takes.
#[test]
fn every_live_run_of_a_key_gets_the_output_and_the_code() {
    let rig = Rig::new();
    let script = "mkfifo /tmp/fifo; echo up; cat /tmp/fifo; exit 5";
    let run = ["run", "--name", "NAME", "IMAGE", "--", "sh", "-c", script];
    for round in 0..3 {
        let mut first = rig.start(&run);
        assert_eq!(first.line(), "up");
        let mut others = [rig.start(&run), rig.start(&run)];
        for other in &mut others {
            assert_eq!(other.line(), "up", "round {round}");
        }
        others[0].signal("STOP");
        rig.run(&["exec", "NAME", "--", "sh", "-c", "echo end > /tmp/fifo"]);
        assert_eq!(first.line(), "end");
        for _ in 0..4 {
            assert_eq!(rig.containers(), [rig.name.as_str()], "one has not read it yet; round {round}");
        }
        others[0].signal("CONT");
        for other in &mut others {
            assert_eq!(other.line(), "end", "round {round}");
        }
        assert_eq!(first.end().code, 5, "round {round}");
        for other in others {
            assert_eq!(other.end().code, 5, "round {round}");
        }
        rig.has_nothing();
    }
}

/// One whose own reader takes nothing keeps neither the container from another nor its output from itself.
#[test]
fn a_run_whose_reader_is_slow_loses_nothing_and_keeps_nobody_out() {
    let rig = Rig::new();
    // More than a pipe holds, and less than makes the command wait.
    let run = ["run", "--name", "NAME", "IMAGE", "--", "sh", "-c", "seq 15000; exit 7"];
    let first = rig.command(&run).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    loop {
        let (doc, code) = rig.json(&["ps", "NAME"]);
        // It is not there yet, or has not begun.
        if code == 0 && !doc["programs"][0]["end"].is_null() {
            break;
        }
    }
    let second = rig.run(&run);
    assert_eq!((second.code, second.stdout.lines().count()), (7, 15_000), "{}", second.stderr);
    let first = first.wait_with_output().unwrap();
    assert_eq!((first.status.code(), first.stdout.split(|c| *c == b'\n').count()), (Some(7), 15_001));
    rig.has_nothing();
}
