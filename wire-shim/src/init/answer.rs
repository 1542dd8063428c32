//! What clients say, and what is done about it.

use rustix::process::{Pid, Signal};
use wire_shim::protocol::{
    Cause, End, ExecId, ExecSpec, FromShim, How, NotStarted, Refusal, SIGNALS, Setup, TAG_MAX, ToShim, Token,
    VERSION,
};

use super::conn::{Broken, Watch};
use super::program::{Both, Program};
use super::{Init, State, oom, secrets, start};
use crate::sys::Millis;

impl Init {
    /// Takes in what a connection has sent.
    pub(super) fn listen(&mut self, id: u64, now: Millis) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        match conn.receive(&mut self.buffer) {
            Ok(()) => self.hear(id, now),
            Err(_) => self.close(id),
        }
    }

    /// Answers what a connection has said so far, as long as there is place for answers.
    pub(super) fn hear(&mut self, id: u64, now: Millis) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            if !conn.listens() || matches!(self.state, State::Attesting(_)) {
                conn.stalled = true;
                return;
            }
            conn.stalled = false;
            let answer = match conn.message(now) {
                Ok(Some(message)) => self.answer(id, message, now),
                Ok(None) => return,
                Err(Broken::Gone) => return self.close(id),
                Err(Broken::Nonsense) => Err(Refusal::Malformed),
            };
            if let (Err(why), Some(conn)) = (answer, self.conns.get_mut(&id)) {
                conn.refuse(why);
            }
        }
    }

    fn say(&mut self, id: u64, message: &FromShim) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.say(message);
        }
    }

    fn watch(&mut self, id: u64, exec: ExecId) -> Option<&mut Watch> {
        self.conns.get_mut(&id).map(|conn| conn.watches.entry(exec).or_default())
    }

    fn answer(&mut self, id: u64, message: ToShim, now: Millis) -> Result<(), Refusal> {
        let (first, known) = self.conns.get(&id).map_or((false, false), |conn| (conn.first, conn.known));
        if !known {
            let ToShim::Hello { version, token } = message else { return Err(Refusal::Malformed) };
            return self.greet(id, first, version, token, now);
        }
        self.life.hear(now);
        if let ToShim::Configure(setup) = message {
            return if first { self.configure(*setup, now) } else { Err(Refusal::Configured) };
        }
        if matches!(self.state, State::Configured { .. }) {
            return self.answer_configured(id, message, now);
        }
        if message == ToShim::Beat { Ok(()) } else { Err(Refusal::NotConfigured) }
    }

    fn greet(
        &mut self,
        id: u64,
        first: bool,
        version: u32,
        proof: Option<Token>,
        now: Millis,
    ) -> Result<(), Refusal> {
        if version != VERSION {
            return Err(Refusal::Version);
        }
        match &self.state {
            _ if first => {}
            State::Configured { token, .. } if proof.is_some_and(|proof| token.is(&proof)) => {}
            State::Configured { .. } => return Err(Refusal::Token),
            State::Bare | State::Attesting(_) => return Err(Refusal::NotConfigured),
        }
        if !first && !self.has_place() {
            return Err(Refusal::Busy);
        }
        let configured = matches!(self.state, State::Configured { .. });
        if let Some(conn) = self.conns.get_mut(&id) {
            (conn.known, conn.heard) = (true, now);
            conn.say(&FromShim::Welcome { version: VERSION, configured });
        }
        self.life.hear(now);
        Ok(())
    }

    fn answer_configured(&mut self, id: u64, message: ToShim, now: Millis) -> Result<(), Refusal> {
        match message {
            ToShim::Beat => {}
            ToShim::Exec(spec) => self.exec(id, &spec, now),
            ToShim::Attach { exec, sub, stdout, stderr, hold, stdout_unread, stderr_unread } => {
                if self.table.get(exec).is_none() {
                    self.say(id, &FromShim::NoExec { exec, req: None });
                } else if let Some(conn) = self.conns.get_mut(&id) {
                    let unread = Both { stdout: stdout_unread, stderr: stderr_unread };
                    conn.attach(exec, sub, Both { stdout, stderr }, &unread, hold)?;
                }
            }
            ToShim::Detach { sub } => {
                let read = self.conns.get_mut(&id).and_then(|conn| conn.detach(sub, &self.table));
                if let Some(program) = read.and_then(|exec| self.table.get_mut(exec)) {
                    program.read = true;
                }
            }
            ToShim::Ack { sub, stream, to } => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.ack(sub, stream, to)?;
                }
            }
            ToShim::Stdin { exec, offset, bytes } => {
                self.input(id, exec, |program| program.input.put(offset, &bytes).is_ok())?;
            }
            ToShim::StdinEnd { exec, offset } => {
                self.input(id, exec, |program| program.input.finish(offset).is_ok())?;
            }
            ToShim::Resize { exec, size } => match self.table.get(exec) {
                Some(program) => program.resize(size),
                None => self.say(id, &FromShim::NoExec { exec, req: None }),
            },
            ToShim::Signal { req, exec, signal, tree } => {
                match Signal::from_named_raw(signal).filter(|_| SIGNALS.contains(&signal)) {
                    Some(signal) => {
                        let sent = self.table.get(exec).is_some_and(|program| program.signal(signal, tree));
                        self.done(id, req, exec, sent);
                    }
                    None => self.say(id, &FromShim::Declined { req, why: Refusal::Malformed }),
                }
            }
            ToShim::Kill { exec, grace_ms } => match self.table.get_mut(exec) {
                Some(program) => {
                    if program.lives() {
                        program.ask(Cause::Kill, grace_ms, now);
                    }
                    // Who asked for it says so again after a break, until it hears of the end.
                    if let Some(watch) = self.watch(id, exec) {
                        watch.ended = true;
                    }
                }
                None => self.say(id, &FromShim::NoExec { exec, req: None }),
            },
            ToShim::List { req } => {
                let execs = self.table.all().map(|program| program.info(now)).collect();
                self.say(id, &FromShim::Listed { req, execs, life: self.life.left(now) });
            }
            ToShim::Extend { req, life } => {
                // Whoever holds it goes on holding it.
                let lease_ms = life.lease_ms.or(self.life.left(now).lease_ms);
                self.live(wire_shim::protocol::Life { lease_ms, ..life }, now);
                self.say(id, &FromShim::Done { req });
            }
            ToShim::Stop { grace_ms } => self.end_all(Cause::Stop, grace_ms, now),
            ToShim::Forget { req, exec } => {
                let gone = self.table.remove(exec);
                if gone {
                    self.forget(&[exec]);
                }
                self.done(id, req, exec, gone);
            }
            ToShim::Attest { req, nonce } => {
                if let Err(why) = self.attest(Some((id, req)), nonce, now) {
                    self.say(id, &FromShim::Declined { req, why });
                }
            }
            ToShim::Hello { .. } | _ => return Err(Refusal::Malformed),
        }
        Ok(())
    }

    fn done(&mut self, id: u64, req: u32, exec: ExecId, done: bool) {
        let answer = if done { FromShim::Done { req } } else { FromShim::NoExec { exec, req: Some(req) } };
        self.say(id, &answer);
    }

    fn input(
        &mut self,
        id: u64,
        exec: ExecId,
        put: impl FnOnce(&mut Program) -> bool,
    ) -> Result<(), Refusal> {
        let Some(program) = self.table.get_mut(exec) else {
            self.say(id, &FromShim::NoExec { exec, req: None });
            return Ok(());
        };
        let taken = program.input.taken();
        if !put(program) {
            return Err(Refusal::Malformed);
        }
        // From here on it is told what is taken, beginning with now: what it sent may have come before.
        let again = program.input.taken() == taken;
        if again && taken > 0 {
            self.say(id, &FromShim::StdinTaken { exec, to: taken });
        }
        if let Some(watch) = self.watch(id, exec) {
            watch.input = watch.input.or(Some(taken));
        }
        Ok(())
    }

    /// Carries out the configuration, after attesting if that is asked for.
    fn configure(&mut self, setup: Setup, now: Millis) -> Result<(), Refusal> {
        if !matches!(self.state, State::Bare) {
            return Err(Refusal::Configured);
        }
        // They came through here.
        self.buffer.fill(0);
        secrets::deliver(&self.options.run_dir, &setup.files).map_err(|_| Refusal::Setup)?;
        match setup.nonce {
            Some(nonce) => {
                // Without an attestor it stays bare, and ends as one whose configuration failed.
                self.attest(None, nonce, now).map_err(|_| Refusal::Setup)?;
                self.state = State::Attesting(Box::new(setup));
                Ok(())
            }
            None => {
                self.begin(setup, Vec::new(), now);
                Ok(())
            }
        }
    }

    /// From here on programs run.
    pub(super) fn begin(&mut self, setup: Setup, evidence: Vec<u8>, now: Millis) {
        let Setup { token, life, grace_ms, main, ends_with_main, .. } = setup;
        self.state = State::Configured { token, grace: grace_ms, ends_with_main };
        self.live(life, now);
        self.say(0, &FromShim::Configured { evidence });
        if let Some(main) = main {
            self.exec(0, &ExecSpec { id: ExecId::MAIN, ..main }, now);
        }
    }

    fn exec(&mut self, id: u64, spec: &ExecSpec, now: Millis) {
        let refusal = if self.table.get(spec.id).is_some() { None } else { self.start(spec, now).err() };
        if let Some((why, detail)) = refusal {
            let end = never(why, detail);
            // A container that ends with its command ends with one that cannot be started too.
            if spec.id == ExecId::MAIN {
                self.main_ended(&end.how, now);
            }
            return self.say(id, &FromShim::Ended { exec: spec.id, end });
        }
        if let Some(watch) = self.watch(id, spec.id) {
            (watch.started, watch.ended) = (true, true);
        }
    }

    fn start(&mut self, spec: &ExecSpec, now: Millis) -> Result<(), (NotStarted, String)> {
        if self.ending.is_some() {
            return Err((NotStarted::Busy, "everything is being ended".to_owned()));
        }
        if spec.tag.len() > TAG_MAX {
            return Err((NotStarted::Other, format!("the tag is over {TAG_MAX} bytes")));
        }
        let ring = self.table.ring_size(spec.id, spec.ring);
        let streams = if spec.tty.is_some() { 1 } else { 2 };
        let Some(dropped) = self.table.make_room(spec.id, ring, streams) else {
            return Err((NotStarted::Busy, "too many programs run, or too much output is kept".to_owned()));
        };
        self.forget(&dropped);
        let started = start::start(spec, ring).map_err(|error| (NotStarted::Other, error.to_string()))?;
        let mut program = Program::new(spec, now, oom::count(), started);
        for other in self.table.all_mut().filter(|other| other.lives()) {
            (other.shared, program.shared) = (true, true);
        }
        self.table.insert(program, ring, streams);
        Ok(())
    }

    /// Their records are gone.
    fn forget(&mut self, execs: &[ExecId]) {
        for exec in execs {
            self.conns.values_mut().for_each(|conn| conn.forget(*exec));
        }
    }
}

impl Program {
    /// A signal to its first process or to all of its tree. False if that does not run.
    fn signal(&self, signal: Signal, tree: bool) -> bool {
        let pid = self.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if tree && self.lives() {
            self.signal_tree(signal);
            return true;
        }
        self.runs() && pid.is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
    }
}

fn never(why: NotStarted, detail: String) -> End {
    End {
        how: How::NotStarted { why, detail },
        cause: Cause::Itself,
        stdout: 0,
        stderr: 0,
        oom: false,
        shared: false,
        tree_gone: true,
    }
}
