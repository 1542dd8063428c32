//! What ends everything: the lease, the deadline, the order to stop, the end of the command. And with which code.

use crate::support::{Shim, TOKEN, below, exited, id, runs, setup, shell, spec};
use wire_shim::protocol::{Cause, ExecId, FromShim, Life, Refusal, ToShim, exit};

const STUBBORN: &str = "trap '' TERM; echo up; while :; do sleep 1000; done";

#[test]
fn a_lease_ends_with_its_first_connection_if_nobody_else_is_there() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.lease_ms = Some(600_000);
    shim.configure(setup);
    shim.exec(&shell(1, STUBBORN));
    shim.attach(id(1), 1);
    let pid = shim.started(id(1));
    shim.until(1, "up");
    shim.hang_up();
    assert_eq!(shim.wait().code(), Some(i32::from(exit::LEASE)));
    assert!(!runs(pid));
}

#[test]
fn a_lease_is_taken_up_again_by_whoever_lost_its_connection() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.lease_ms = Some(600_000);
    shim.configure(setup);
    // Longer than anybody is waited for.
    shim.exec(&shell(1, "sleep 6; exit 3"));
    shim.hang_up();
    assert!(shim.read().is_none());
    let mut again = shim.connect();
    again.hello(Some(TOKEN));
    again.attach(id(1), 1);
    exited(3, &again.ended(id(1)));
}

#[test]
fn a_lease_goes_on_with_another_connection_and_ends_when_that_is_silent() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.lease_ms = Some(600_000);
    shim.configure(setup);
    let mut other = shim.connect();
    other.hello(Some(TOKEN));
    shim.hang_up();
    assert!(shim.read().is_none());
    other.exec(&shell(1, STUBBORN));
    other.attach(id(1), 1);
    other.until(1, "up");
    other.send(&ToShim::Extend { req: 1, life: Life { deadline_ms: None, lease_ms: Some(100) } });
    let end = other.ended(id(1));
    assert_eq!((end.cause, end.tree_gone), (Cause::Lease, true));
    assert_eq!(shim.wait().code(), Some(i32::from(exit::LEASE)));
}

#[test]
fn a_client_that_beats_keeps_the_lease() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.lease_ms = Some(1_000);
    shim.configure(setup);
    shim.exec(&shell(1, "sleep 2"));
    let end = loop {
        shim.send(&ToShim::Beat);
        let end = shim.listed()[0].end.clone();
        if let Some(end) = end {
            break end;
        }
    };
    exited(0, &end);
}

#[test]
fn the_deadline_holds_whoever_is_there() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.deadline_ms = Some(400);
    shim.configure(setup);
    shim.exec(&shell(1, STUBBORN));
    let end = shim.ended(id(1));
    assert_eq!((end.cause, end.tree_gone), (Cause::Deadline, true));
    // Nothing new is started now.
    assert_eq!(shim.wait().code(), Some(i32::from(exit::DEADLINE)));
}

#[test]
fn stop_ends_every_tree_and_then_the_container() {
    let mut shim = Shim::new();
    for number in 1..=5 {
        shim.exec(&shell(number, STUBBORN));
        shim.attach(id(number), u32::from(number));
        shim.until(u32::from(number), "up");
    }
    shim.send(&ToShim::Stop { grace_ms: 50 });
    for number in 1..=5 {
        let end = shim.ended(id(number));
        assert_eq!((end.cause, end.tree_gone), (Cause::Stop, true));
    }
    assert_eq!(shim.wait().code(), Some(i32::from(exit::STOPPED)));
}

#[test]
fn nothing_starts_while_everything_ends() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, STUBBORN));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    shim.send(&ToShim::Stop { grace_ms: 300 });
    shim.exec(&shell(2, "true"));
    assert_eq!(crate::support::never_started(&shim.ended(id(2))), wire_shim::protocol::NotStarted::Busy);
    assert_eq!(shim.wait().code(), Some(143));
}

#[test]
fn a_container_that_ends_with_its_command_has_its_code_and_its_output_is_read() {
    for (script, code) in [("seq 200000; exit 5", 5), ("exit 0", 0), ("kill -9 $$", 137)] {
        let mut shim = Shim::bare();
        let mut setup = setup();
        (setup.main, setup.ends_with_main) = (Some(shell(0, script)), true);
        shim.configure(setup);
        shim.attach(ExecId::MAIN, 1);
        let (output, end) = shim.collect(ExecId::MAIN, 1);
        assert_eq!(output.stdout.len() as u64, end.stdout);
        shim.send(&ToShim::Detach { sub: 1 });
        assert_eq!(shim.wait().code(), Some(code));
    }
    for (program, code) in [("no-such-program", 127), ("/etc/passwd", 126)] {
        let mut shim = Shim::bare();
        let mut setup = setup();
        (setup.main, setup.ends_with_main) = (Some(spec(0, [program])), true);
        shim.configure(setup);
        assert_eq!(shim.wait().code(), Some(code));
    }
}

/// One that ends with its command, which ends with its input.
fn until_its_input_ends() -> Shim {
    let mut shim = Shim::bare();
    let mut setup = setup();
    let mut main = spec(0, ["cat"]);
    main.stdin = true;
    (setup.main, setup.ends_with_main) = (Some(main), true);
    shim.configure(setup);
    shim
}

/// What was written to one that reads through another process of the container is not there yet.
#[test]
fn the_container_stays_until_everybody_has_taken_the_end_of_its_command() {
    let mut shim = until_its_input_ends();
    shim.attach(ExecId::MAIN, 1);
    let mut reader = shim.connect();
    reader.hello(Some(TOKEN));
    reader.attach(ExecId::MAIN, 2);
    let mut late = shim.connect();
    late.hello(Some(TOKEN));
    shim.send(&ToShim::StdinEnd { exec: ExecId::MAIN, offset: 0 });
    exited(0, &shim.ended(ExecId::MAIN));
    exited(0, &reader.ended(ExecId::MAIN));
    // Its last word, and an answer after it: it was taken in.
    shim.send(&ToShim::Detach { sub: 1 });
    shim.listed();
    assert_eq!(reader.listed().len(), 1);
    reader.send(&ToShim::Detach { sub: 2 });
    reader.listed();
    // Who came just now may ask for it still.
    late.attach(ExecId::MAIN, 3);
    exited(0, &late.ended(ExecId::MAIN));
    late.send(&ToShim::Detach { sub: 3 });
    assert_eq!(shim.wait().code(), Some(0));
}

/// Others may have read it all before who made the container comes to it.
#[test]
fn who_made_the_container_may_be_the_last_to_read_its_command() {
    let mut shim = until_its_input_ends();
    let mut quick = shim.connect();
    quick.hello(Some(TOKEN));
    quick.attach(ExecId::MAIN, 1);
    quick.send(&ToShim::StdinEnd { exec: ExecId::MAIN, offset: 0 });
    exited(0, &quick.ended(ExecId::MAIN));
    quick.send(&ToShim::Detach { sub: 1 });
    quick.listed();
    shim.attach(ExecId::MAIN, 2);
    exited(0, &shim.ended(ExecId::MAIN));
    shim.send(&ToShim::Detach { sub: 2 });
    assert_eq!(shim.wait().code(), Some(0));
}

/// Longer than anybody is waited for whom nobody asked for patience; until somebody wants the end.
#[test]
fn a_reader_takes_the_time_that_it_takes_until_somebody_wants_the_end() {
    for ends in [false, true] {
        let mut shim = Shim::bare();
        let mut setup = setup();
        (setup.main, setup.ends_with_main) = (Some(shell(0, "seq 60000; exit 5")), true);
        shim.configure(setup);
        shim.attach(ExecId::MAIN, 1);
        while shim.listed()[0].end.is_none() {}
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        if ends {
            shim.send(&ToShim::Stop { grace_ms: 0 });
        } else {
            let (output, end) = shim.collect(ExecId::MAIN, 1);
            assert_eq!(output.stdout.len() as u64, end.stdout);
            shim.send(&ToShim::Detach { sub: 1 });
        }
        assert_eq!(shim.wait().code(), Some(5));
    }
}

#[test]
fn what_else_runs_ends_with_the_command() {
    let mut shim = until_its_input_ends();
    shim.exec(&shell(1, STUBBORN));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    shim.attach(ExecId::MAIN, 2);
    shim.send(&ToShim::StdinEnd { exec: ExecId::MAIN, offset: 0 });
    exited(0, &shim.ended(ExecId::MAIN));
    assert_eq!(shim.ended(id(1)).cause, Cause::Stop);
    [1, 2].into_iter().for_each(|sub| shim.send(&ToShim::Detach { sub }));
    assert_eq!(shim.wait().code(), Some(0));
}

#[test]
fn a_container_that_stays_keeps_its_command_s_record() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.main = Some(shell(0, "echo done; exit 3"));
    shim.configure(setup);
    exited(3, &shim.ended(ExecId::MAIN));
    shim.attach(ExecId::MAIN, 5);
    assert_eq!(shim.collect(ExecId::MAIN, 5).0.text(), "done\n");
    assert_eq!(below(shim.pid()), []);
    exited(0, &shim.run(&shell(1, "true")).1);
}

#[test]
fn without_a_configuration_nothing_runs_and_it_ends() {
    let mut shim = Shim::bare();
    shim.exec(&shell(1, "true"));
    assert_eq!(shim.refused(), Some(Refusal::NotConfigured));
    assert_eq!(shim.wait().code(), Some(i32::from(exit::SETUP)));

    let mut shim = Shim::bare();
    shim.hang_up();
    assert_eq!(shim.wait().code(), Some(i32::from(exit::SETUP)));

    let shim = Shim::bare();
    assert_eq!(shim.wait().code(), Some(i32::from(exit::SETUP)), "it was silent for 10 s");
}

#[test]
fn it_is_configured_once_and_over_its_own_streams_only() {
    let mut shim = Shim::bare();
    let mut plain = setup();
    plain.life = Life::default();
    shim.configure(plain);
    let mut other = shim.connect();
    other.hello(Some(TOKEN));
    other.send(&ToShim::Configure(Box::new(setup())));
    assert_eq!(other.refused(), Some(Refusal::Configured));
    shim.send(&ToShim::Configure(Box::new(setup())));
    assert_eq!(shim.refused(), Some(Refusal::Configured));
    let mut again = shim.connect();
    assert!(matches!(again.hello(Some(TOKEN)), FromShim::Welcome { configured: true, .. }));
    exited(0, &again.run(&shell(1, "true")).1);
}
