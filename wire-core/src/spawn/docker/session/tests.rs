//! The session against a scripted shim, over pipes in memory.

#![expect(clippy::disallowed_methods, reason = "two ends run at once")]

use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use wire_shim::frame::{Decoder, encode};
use wire_shim::protocol::{
    Cause, End, ExecId, ExecSpec, FromShim, How, Overflow, Refusal, Setup, Stream, ToShim, Token, VERSION,
    WINDOW,
};

use super::*;
use crate::spawn::outcome::{ExitReason, Outcome};

mod breaks;

const EXEC: ExecId = ExecId::MAIN;

/// The other end of a connection.
struct Shim {
    pipe: DuplexStream,
    decoder: Decoder,
}

impl Shim {
    async fn heard(&mut self) -> ToShim {
        loop {
            if let Some(message) = self.decoder.message().unwrap() {
                return message;
            }
            let mut buffer = [0; 4096];
            let n = self.pipe.read(&mut buffer).await.unwrap();
            assert_ne!(n, 0, "the session has ended");
            self.decoder.feed(&buffer[..n]);
        }
    }

    async fn say(&mut self, message: FromShim) {
        self.pipe.write_all(&encode(&message).unwrap()).await.unwrap();
    }

    async fn out(&mut self, offset: u64, bytes: &[u8]) {
        self.say(FromShim::Out { sub: 0, stream: Stream::Stdout, offset, bytes: bytes.to_vec() }).await;
    }

    async fn ended(&mut self, stdout: u64) {
        self.say(FromShim::Ended { exec: EXEC, end: end(How::Exited(0), Cause::Itself, stdout) }).await;
    }

    /// Takes a greeting as a configured shim does.
    async fn welcome(&mut self) {
        assert_eq!(self.heard().await, ToShim::Hello { version: VERSION, token: Some(token()) });
        self.say(FromShim::Welcome { version: VERSION, configured: true }).await;
    }
}

/// Dials what the test has laid ready.
struct Ready(Mutex<mpsc::UnboundedReceiver<Result<Io, DialError>>>);

impl Dial for Ready {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Io, DialError>> + Send + '_>> {
        let next = self.0.lock().unwrap().try_recv();
        Box::pin(async move {
            next.unwrap_or_else(|_| Err(DialError::Engine(EngineError::Refused { path: "/nowhere".into() })))
        })
    }
}

struct Rig {
    shim: Shim,
    session: Session,
    dials: mpsc::UnboundedSender<Result<Io, DialError>>,
}

fn token() -> Token {
    Token::from_bytes([7; 32])
}

fn pipe() -> (Io, Shim) {
    let (ours, theirs) = duplex(1 << 20);
    let (read, write) = tokio::io::split(ours);
    (Io { read: Box::new(read), write: Box::new(write) }, Shim { pipe: theirs, decoder: Decoder::new() })
}

async fn rig() -> Rig {
    let (io, mut shim) = pipe();
    let (dials, ready) = mpsc::unbounded_channel();
    let dial = Ready(Mutex::new(ready));
    let (begun, ()) =
        tokio::join!(Session::begin(io, Begin::Join(token()), dial, token(), None), shim.welcome());
    Rig { shim, session: begun.unwrap().0, dials }
}

fn spec() -> Box<ExecSpec> {
    Box::new(ExecSpec {
        id: EXEC,
        argv: vec!["/bin/true".into()],
        env: Vec::new(),
        cwd: "/".into(),
        tty: None,
        stdin: true,
        timeout_ms: None,
        grace_ms: 0,
        ring: 4096,
        overflow: Overflow::Block,
        tag: String::new(),
        tied: false,
    })
}

/// The first reading, at these offsets, of which so much is not taken yet.
fn attach(stdout: u64, stdout_unread: u64) -> ToShim {
    ToShim::Attach { exec: EXEC, sub: 0, stdout, stderr: 0, hold: true, stdout_unread, stderr_unread: 0 }
}

fn end(how: How, cause: Cause, stdout: u64) -> End {
    End { how, cause, stdout, stderr: 0, oom: false, shared: false, tree_gone: true }
}

impl Rig {
    fn exec(&self) -> (mpsc::UnboundedReceiver<ExecEvent>, StdinWriter) {
        let (events, heard) = mpsc::unbounded_channel();
        let (reading, credit) = (self.session.reading(), Credit::new());
        let reader = Reader { reading, hold: true, events };
        self.session.ask(Ask::Exec { spec: spec(), reader, stdin: Some(credit.clone()) });
        (heard, StdinWriter::new(self.session.clone(), EXEC, credit))
    }

    async fn started(&mut self) {
        assert!(matches!(self.shim.heard().await, ToShim::Exec(_)));
        assert!(matches!(self.shim.heard().await, ToShim::Attach { stdout: 0, stderr: 0, .. }));
        self.shim.say(FromShim::Started { exec: EXEC, pid: 5 }).await;
    }
}

#[tokio::test]
async fn the_end_comes_after_the_last_byte_in_whatever_order_they_arrive() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    rig.started().await;
    rig.shim.ended(4).await;
    rig.shim.out(0, b"ab").await;
    rig.shim.out(2, b"cd").await;
    assert_eq!(events.recv().await, Some(ExecEvent::Started { pid: Some(5) }));
    for (offset, bytes) in [(0, b"ab"), (2, b"cd")] {
        let bytes = bytes.to_vec();
        assert_eq!(events.recv().await, Some(ExecEvent::Out { stream: Stream::Stdout, offset, bytes }));
    }
    assert_eq!(events.recv().await, Some(ExecEvent::Ended { outcome: Outcome::Exited(0), oom_seen: false }));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn a_broken_connection_starts_nothing_twice_and_repeats_no_byte() {
    let mut rig = rig().await;
    let (mut events, mut stdin) = rig.exec();
    rig.started().await;
    rig.shim.out(0, b"abc").await;
    events.recv().await;
    events.recv().await;
    stdin.write_all(b"0123456789").await.unwrap();
    assert!(matches!(rig.shim.heard().await, ToShim::Stdin { offset: 0, .. }));
    rig.shim.say(FromShim::StdinTaken { exec: EXEC, to: 4 }).await;
    rig.shim.out(3, b"d").await;
    assert!(
        matches!(events.recv().await, Some(ExecEvent::Out { offset: 3, .. })),
        "so all before it was heard"
    );

    let (io, mut next) = pipe();
    rig.dials.send(Ok(io)).unwrap();
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    next.welcome().await;
    // It has answered, so it is not asked to start again; input goes on where it was taken.
    assert_eq!(next.heard().await, ToShim::Stdin { exec: EXEC, offset: 4, bytes: b"456789".to_vec() });
    assert_eq!(next.heard().await, attach(4, 4));
    rig.shim = next;
    rig.shim.out(4, b"e").await;
    rig.shim.ended(5).await;
    assert!(matches!(events.recv().await, Some(ExecEvent::Out { offset: 4, .. })));
    assert!(matches!(events.recv().await, Some(ExecEvent::Ended { outcome: Outcome::Exited(0), .. })));
}

#[tokio::test]
async fn a_start_that_nobody_answered_is_asked_again_under_the_same_id() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    assert!(matches!(rig.shim.heard().await, ToShim::Exec(_)));
    let (io, mut next) = pipe();
    rig.dials.send(Ok(io)).unwrap();
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    next.welcome().await;
    assert_eq!(next.heard().await, ToShim::Exec(spec()));
    next.say(FromShim::Ended { exec: EXEC, end: end(How::Signaled(9), Cause::Timeout, 0) }).await;
    let ended = ExecEvent::Ended { outcome: Outcome::TimedOut { killed: true }, oom_seen: false };
    assert_eq!(events.recv().await, Some(ended));
}

#[tokio::test]
async fn a_container_that_is_gone_is_said_so_and_no_code_is_made_up() {
    let mut rig = rig().await;
    let (mut events, mut stdin) = rig.exec();
    rig.started().await;
    events.recv().await;
    let exit = Exit { code: Some(137), signal: None, oom_seen: false, reason: ExitReason::Unknown, at: None };
    rig.dials.send(Err(DialError::Gone(exit.clone()))).unwrap();
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    let ended = ExecEvent::Ended { outcome: Outcome::ContainerGone(exit), oom_seen: false };
    assert_eq!(events.recv().await, Some(ended));
    assert!(matches!(stdin.write_all(&vec![0; 1 << 20]).await, Err(ExecError::StdinClosed)));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stays_away_means_lost_not_exited() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    rig.started().await;
    events.recv().await;
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    let Some(ExecEvent::Ended { outcome: Outcome::Lost { why }, .. }) = events.recv().await else { panic!() };
    assert!(why.contains("/nowhere"), "{why}");
}

/// Also what is asked while nobody can answer is answered, and not with an end that nobody has seen.
#[tokio::test(start_paused = true)]
async fn what_is_asked_of_an_engine_that_stays_away_is_told_so() {
    let mut rig = rig().await;
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    // What was said before the break showed is refused for the break; the next waits with the dials.
    loop {
        let asked = rig.session.request(Request::List).await;
        let Err(ExecError::Engine(EngineError::Unreachable(why))) = asked else { panic!("{asked:?}") };
        if why.to_string() != "the connection to the shim broke" {
            assert!(why.to_string().contains("/nowhere"), "{why}");
            break;
        }
    }
}

#[tokio::test]
async fn input_goes_no_further_ahead_than_the_window() {
    let mut rig = rig().await;
    let (_events, mut stdin) = rig.exec();
    rig.started().await;
    let all = vec![9; usize::try_from(WINDOW).unwrap() + 1];
    let write = tokio::spawn(async move { stdin.write_all(&all).await.map(|()| stdin) });
    let mut sent = 0;
    while sent < WINDOW {
        let ToShim::Stdin { offset, bytes, .. } = rig.shim.heard().await else { panic!() };
        assert_eq!(offset, sent);
        sent += bytes.len() as u64;
    }
    assert_eq!(sent, WINDOW);
    assert!(!write.is_finished(), "it waits for the program");
    rig.shim.say(FromShim::StdinTaken { exec: EXEC, to: 1 }).await;
    assert!(matches!(rig.shim.heard().await, ToShim::Stdin { offset: WINDOW, .. }));
    drop(write.await.unwrap().unwrap());
    assert_eq!(rig.shim.heard().await, ToShim::StdinEnd { exec: EXEC, offset: WINDOW + 1 });
}

#[tokio::test]
async fn a_shim_that_breaks_its_window_or_order_is_not_believed() {
    for hostile in [
        FromShim::Out { sub: 0, stream: Stream::Stdout, offset: 1, bytes: vec![1] },
        FromShim::Gap { sub: 0, stream: Stream::Stderr, from: 3, to: 4 },
        FromShim::StdinTaken { exec: EXEC, to: 1 },
        FromShim::Refused { why: Refusal::Malformed },
        FromShim::Welcome { version: VERSION, configured: true },
    ] {
        let mut rig = rig().await;
        let (mut events, _stdin) = rig.exec();
        rig.started().await;
        events.recv().await;
        let (io, mut next) = pipe();
        rig.dials.send(Ok(io)).unwrap();
        rig.shim.say(hostile.clone()).await;
        next.welcome().await;
        drop(rig.session);
        assert!(events.try_recv().is_err(), "{hostile:?}");
    }
}

#[tokio::test]
async fn a_request_is_answered_once_and_not_sent_again() {
    let mut rig = rig().await;
    let session = rig.session.clone();
    let asked =
        tokio::spawn(
            async move { session.request(Request::Signal { exec: EXEC, signal: 1, tree: true }).await },
        );
    let ToShim::Signal { req, .. } = rig.shim.heard().await else { panic!() };
    rig.shim.say(FromShim::Done { req }).await;
    assert!(matches!(asked.await.unwrap(), Ok(Answer::Done)));

    let session = rig.session.clone();
    let asked =
        tokio::spawn(
            async move { session.request(Request::Signal { exec: EXEC, signal: 1, tree: true }).await },
        );
    rig.shim.heard().await;
    drop(std::mem::replace(&mut rig.shim.pipe, duplex(1).0));
    let error = asked.await.unwrap().unwrap_err();
    assert!(matches!(error, ExecError::Engine(EngineError::Unreachable(_))), "nobody knows: {error}");
}

#[tokio::test]
async fn the_configuration_is_answered_with_its_evidence_or_refused() {
    let setup = || {
        Box::new(Setup {
            token: token(),
            life: Life::default(),
            grace_ms: 0,
            files: Vec::new(),
            main: None,
            ends_with_main: false,
            nonce: Some([3; 16]),
        })
    };
    for refused in [false, true] {
        let (io, mut shim) = pipe();
        let dial = Ready(Mutex::new(mpsc::unbounded_channel().1));
        let begun = tokio::spawn(Session::begin(
            io,
            Begin::Configure(setup()),
            dial,
            token(),
            Some(Duration::from_secs(1)),
        ));
        assert_eq!(shim.heard().await, ToShim::Hello { version: VERSION, token: None });
        assert_eq!(shim.heard().await, ToShim::Configure(setup()));
        shim.say(FromShim::Welcome { version: VERSION, configured: false }).await;
        if refused {
            shim.say(FromShim::Refused { why: Refusal::Setup }).await;
            assert!(matches!(begun.await.unwrap(), Err(ExecError::Shim(_))));
        } else {
            shim.say(FromShim::Configured { evidence: b"seen".to_vec() }).await;
            let (_session, evidence) = begun.await.unwrap().unwrap();
            assert_eq!(evidence, b"seen");
            assert_eq!(shim.heard().await, ToShim::Beat, "the lease begins to be kept");
        }
    }
}
