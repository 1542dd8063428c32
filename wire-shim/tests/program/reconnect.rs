//! Further connections: with the token, and then as good as the first.

use std::process::{Command, Stdio};

use crate::support::{Client, SHIM, Shim, TOKEN, exited, id, setup, shell};
use wire_shim::protocol::{FromShim, Refusal, Stream, ToShim, VERSION, WINDOW};

#[test]
fn output_is_there_from_the_beginning_after_the_program_and_its_client_are_gone() {
    let mut shim = Shim::bare();
    let mut setup = setup();
    setup.life.lease_ms = None;
    shim.configure(setup);
    shim.exec(&shell(1, "echo one; echo two >&2; sleep 0.05; echo three; exit 4"));
    shim.started(id(1));
    shim.hang_up();

    let mut again = shim.connect();
    assert_eq!(again.hello(Some(TOKEN)), FromShim::Welcome { version: VERSION, configured: true });
    again.attach(id(1), 1);
    exited(4, &again.ended(id(1)));
    again.attach(id(1), 2);
    let (output, end) = again.collect(id(1), 2);
    exited(4, &end);
    assert_eq!((output.text().as_str(), output.stderr.as_slice()), ("one\nthree\n", &b"two\n"[..]));
    again.send(&ToShim::Attach {
        exec: id(1),
        sub: 3,
        stdout: 4,
        stderr: 4,
        hold: false,
        stdout_unread: 0,
        stderr_unread: 0,
    });
    assert_eq!(again.piece(3), (4, b"three\n".to_vec()));
    again.attach(id(9), 4);
    again.find(|message| (*message == FromShim::NoExec { exec: id(9), req: None }).then_some(()));
}

#[test]
fn without_the_token_nobody_gets_in() {
    let mut shim = Shim::new();
    for token in [None, Some([0; 32])] {
        let mut stranger = shim.connect();
        assert_eq!(stranger.hello(token), FromShim::Refused { why: Refusal::Token });
        assert!(stranger.read().is_none(), "and that is the last thing it hears");
    }
    let mut hasty = shim.connect();
    hasty.send(&ToShim::List { req: 1 });
    assert_eq!(hasty.refused(), Some(Refusal::Malformed));
    let mut old = shim.connect();
    old.send(&ToShim::Hello { version: VERSION + 1, token: None });
    assert_eq!(old.refused(), Some(Refusal::Version));
    // One who says nothing is closed after a while, and the shim is none the worse.
    let mut silent = shim.connect();
    assert_eq!(silent.refused(), None);
    exited(0, &shim.run(&shell(1, "true")).1);
}

#[test]
fn strangers_in_any_number_shut_nobody_out() {
    let mut shim = Shim::new();
    let strangers: Vec<_> = (0..40).map(|_| shim.connect()).collect();
    let mut owners: Vec<_> = (0..16)
        .map(|_| {
            let mut owner = shim.connect();
            assert!(matches!(owner.hello(Some(TOKEN)), FromShim::Welcome { .. }));
            owner
        })
        .collect();
    let mut late = shim.connect();
    assert_eq!(late.hello(Some(TOKEN)), FromShim::Refused { why: Refusal::Busy });
    owners.pop();
    // Its place is free as soon as the shim has seen that it went.
    while !matches!(shim.connect().hello(Some(TOKEN)), FromShim::Welcome { .. }) {}
    drop(strangers);
    exited(0, &shim.run(&shell(1, "true")).1);
}

#[test]
fn the_connecting_program_carries_a_connection_and_only_to_the_right_process() {
    let shim = Shim::new();
    let start = |peer: u32| {
        let mut command = Command::new(SHIM);
        command.args(["connect", "--socket", &shim.socket, "--peer", &peer.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = start(shim.pid());
    let mut client = Client::new(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    assert_eq!(client.hello(Some(TOKEN)), FromShim::Welcome { version: VERSION, configured: true });
    let (output, end) = client.run(&shell(1, "echo hello"));
    exited(0, &end);
    assert_eq!(output.text(), "hello\n");
    client.hang_up();
    assert!(client.read().is_none());
    assert!(child.wait().unwrap().success());

    let mut child = start(std::process::id());
    let mut client = Client::new(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    client.send(&ToShim::Hello { version: VERSION, token: None });
    assert!(client.read().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn what_a_reader_has_not_taken_yet_counts_in_its_window_on_a_new_connection_too() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "head -c 1000000 /dev/zero"));
    exited(0, &shim.ended(id(1)));
    let mut again = shim.connect();
    again.hello(Some(TOKEN));
    again.send(&ToShim::Attach {
        exec: id(1),
        sub: 1,
        stdout: WINDOW,
        stderr: 0,
        hold: true,
        stdout_unread: WINDOW,
        stderr_unread: 0,
    });
    again.send(&ToShim::Ack { sub: 1, stream: Stream::Stdout, to: 1000 });
    assert_eq!(again.piece(1), (WINDOW, vec![0; 1000]));
    again.send(&ToShim::Ack { sub: 1, stream: Stream::Stdout, to: 1007 });
    assert_eq!(again.piece(1), (WINDOW + 1000, vec![0; 7]));
}
