//! What holds over breaks, and what a refusal leaves as it was.

use super::*;

impl Rig {
    /// The connection breaks without a word; the session dials, and is greeted.
    async fn breaks(&mut self) {
        let (io, mut next) = pipe();
        self.dials.send(Ok(io)).unwrap();
        drop(std::mem::replace(&mut self.shim.pipe, duplex(1).0));
        next.welcome().await;
        self.shim = next;
    }

    /// Everything that was said before has been heard: the next word is the answer to this.
    async fn nothing_more(&mut self) {
        let session = self.session.clone();
        let asked = tokio::spawn(async move { session.request(Request::List).await });
        let ToShim::List { req } = self.shim.heard().await else { panic!("something else came first") };
        self.shim.say(FromShim::Done { req }).await;
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_reading_that_is_over_is_given_back_and_its_record_too_if_nobody_wants_it() {
    for forgotten in [false, true] {
        let mut rig = rig().await;
        let (mut events, _stdin) = rig.exec();
        if forgotten {
            rig.session.ask(Ask::Forget { exec: EXEC });
        }
        rig.started().await;
        rig.shim.ended(2).await;
        rig.nothing_more().await;
        rig.shim.out(0, b"ab").await;
        assert_eq!(rig.shim.heard().await, ToShim::Detach { sub: 0 });
        if forgotten {
            assert!(matches!(rig.shim.heard().await, ToShim::Forget { exec: EXEC, .. }));
        }
        while events.recv().await.is_some() {}
        rig.nothing_more().await;
        rig.breaks().await;
        rig.nothing_more().await;
    }
}

#[tokio::test]
async fn a_program_that_was_dropped_on_a_connection_that_was_dead_is_ended_on_the_next() {
    for answered in [false, true] {
        let mut rig = rig().await;
        let (mut events, _stdin) = rig.exec();
        if answered {
            rig.started().await;
            events.recv().await;
        } else {
            assert!(matches!(rig.shim.heard().await, ToShim::Exec(_)));
            assert!(matches!(rig.shim.heard().await, ToShim::Attach { .. }));
        }
        rig.session.ask(Ask::Kill { exec: EXEC, grace: Duration::from_secs(1) });
        rig.session.ask(Ask::Leave { reading: Reading(0) });
        let kill = ToShim::Kill { exec: EXEC, grace_ms: 1000 };
        // What was written was never read.
        assert_eq!(rig.shim.heard().await, kill);
        assert_eq!(rig.shim.heard().await, ToShim::Detach { sub: 0 });
        for _ in 0..2 {
            rig.breaks().await;
            assert_eq!(rig.shim.heard().await, kill);
            rig.nothing_more().await;
        }
        if answered {
            rig.shim.ended(0).await;
        } else {
            rig.shim.say(FromShim::NoExec { exec: EXEC, req: None }).await;
        }
        rig.nothing_more().await;
        rig.breaks().await;
        rig.nothing_more().await;
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_granted_no_more_by_a_break() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    rig.started().await;
    let piece = vec![0; 64 << 10];
    for number in 0..8 {
        rig.shim.out(number << 16, &piece).await;
    }
    rig.nothing_more().await;
    for _ in 0..3 {
        rig.breaks().await;
        assert_eq!(rig.shim.heard().await, attach(WINDOW, WINDOW));
    }
    // 4096 bytes are kept of it, so half of that is told.
    rig.session.ask(Ask::Took { reading: Reading(0), stream: Stream::Stdout, to: 3000 });
    assert_eq!(rig.shim.heard().await, ToShim::Ack { sub: 0, stream: Stream::Stdout, to: 3000 });
    rig.breaks().await;
    assert_eq!(rig.shim.heard().await, attach(WINDOW, WINDOW - 3000));
    assert!(matches!(events.recv().await, Some(ExecEvent::Started { .. })));
}

#[tokio::test]
async fn a_question_that_is_declined_is_an_error_and_all_else_goes_on() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    rig.started().await;
    events.recv().await;
    let session = rig.session.clone();
    let asked = tokio::spawn(async move { session.request(Request::Attest([1; 16])).await });
    let ToShim::Attest { req, .. } = rig.shim.heard().await else { panic!() };
    rig.shim.say(FromShim::Declined { req, why: Refusal::Busy }).await;
    let error = asked.await.unwrap().unwrap_err();
    assert!(matches!(&error, ExecError::Shim(why) if why.contains("too many")), "{error}");
    rig.shim.out(0, b"still here").await;
    assert!(matches!(events.recv().await, Some(ExecEvent::Out { offset: 0, .. })));
}

#[tokio::test]
async fn a_program_that_the_shim_lets_nobody_read_is_lost_and_ended() {
    let mut rig = rig().await;
    let (mut events, _stdin) = rig.exec();
    rig.started().await;
    events.recv().await;
    rig.shim.say(FromShim::Unread { sub: 0, why: Refusal::Busy }).await;
    assert!(matches!(events.recv().await, Some(ExecEvent::Ended { outcome: Outcome::Lost { .. }, .. })));
    assert_eq!(rig.shim.heard().await, ToShim::Kill { exec: EXEC, grace_ms: 0 });
    rig.nothing_more().await;
}

#[tokio::test(start_paused = true)]
async fn a_shim_that_never_answers_is_not_waited_for_for_ever() {
    let (io, mut shim) = pipe();
    let dial = Ready(Mutex::new(mpsc::unbounded_channel().1));
    let (begun, hello) =
        tokio::join!(Session::begin(io, Begin::Join(token()), dial, token(), None), shim.heard());
    assert!(matches!(hello, ToShim::Hello { .. }));
    assert!(matches!(begun, Err(ExecError::Shim(_))));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_at_once_again_and_again_is_dialled_less_and_less_often() {
    let mut rig = rig().await;
    let begun = tokio::time::Instant::now();
    for _ in 0..8 {
        rig.breaks().await;
    }
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
}
