//! What is under way in one container: programs, who reads them, what waits for an answer. No I/O: it
//! takes what handles ask and what the shim says, and gives frames to send.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use wire_shim::frame::encode;
use wire_shim::protocol::{End, ExecId, ExecSpec, FromShim, RING_MIN, ToShim};

use super::input::Input;
use super::meaning::refusal;
use super::place::Place;
use super::{Answer, Ask, Reading, Request};
use crate::spawn::error::{EngineError, ExecError};
use crate::spawn::limits::millis;
use crate::spawn::outcome::{ExecEvent, Exit, Outcome};

/// The shim broke its own protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misbehaved(pub(super) &'static str);

/// Everything under way.
#[derive(Default)]
pub(super) struct Book {
    programs: BTreeMap<ExecId, Program>,
    readings: BTreeMap<u32, Place>,
    requests: BTreeMap<u32, oneshot::Sender<Result<Answer, ExecError>>>,
    next_request: u32,
    stop: Option<Duration>,
    out: Vec<u8>,
}

/// A program that somebody here started or reads.
#[derive(Default)]
struct Program {
    /// Until the shim has said that it has it.
    unanswered: Option<Box<ExecSpec>>,
    input: Option<Input>,
    /// To be ended, until the shim has said that it is.
    kill: Option<Duration>,
    /// Its record is of no use to anybody when it has ended.
    forget: bool,
    ended: bool,
}

impl Program {
    /// It is not known to have begun, its input is not all taken, or it is not known to have ended as it should.
    fn is_busy(&self) -> bool {
        self.unanswered.is_some()
            || self.input.as_ref().is_some_and(|input| !input.is_over())
            || self.kill.is_some()
            || (self.forget && !self.ended)
    }

    /// Nothing of it runs any more.
    fn end(&mut self) {
        (self.unanswered, self.kill) = (None, None);
        self.input.iter_mut().for_each(Input::close);
    }
}

impl Book {
    /// Frames to send; taken by the task.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Bytes that wait to be sent.
    pub(super) fn backlog(&self) -> usize {
        self.out.len()
    }

    pub(super) fn say(&mut self, message: &ToShim) {
        match encode(message) {
            Ok(frame) => self.out.extend_from_slice(&frame),
            // Only a spec over the frame's limit, and validation holds that far below.
            Err(error) => tracing::error!(%error, "a message to the shim does not encode"),
        }
    }

    /// What a handle asks.
    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Exec { spec, reader, stdin } => {
                let exec = spec.id;
                let ring = spec.ring;
                self.say(&ToShim::Exec(spec.clone()));
                let program = self.programs.entry(exec).or_default();
                program.unanswered = Some(spec);
                program.input = stdin.map(Input::new);
                self.read(Place::new(exec, [0, 0], ring, reader, true));
            }
            Ask::Attach { exec, from, reader, stdin } => {
                let program = self.programs.entry(exec).or_default();
                if let Some(credit) = stdin {
                    program.input = Some(Input::new(credit));
                }
                // Whoever started it knows how large its buffer is.
                self.read(Place::new(exec, from, RING_MIN, reader, false));
            }
            Ask::Input { exec, credit } => {
                self.programs.entry(exec).or_default().input = Some(Input::new(credit));
            }
            Ask::Took { reading: Reading(sub), stream, to } => {
                if self.readings.get_mut(&sub).is_some_and(|place| place.took(stream, to)) {
                    self.say(&ToShim::Ack { sub, stream, to });
                }
            }
            Ask::Leave { reading: Reading(sub) } => self.leave(sub),
            Ask::Stdin { exec, bytes } => {
                let said = self.input(exec).map(|input| input.push(exec, bytes));
                said.iter().for_each(|message| self.say(message));
            }
            Ask::StdinEnd { exec } => {
                let said = self.input(exec).map(|input| input.end(exec));
                said.iter().for_each(|message| self.say(message));
            }
            Ask::Resize { exec, size } => self.say(&ToShim::Resize { exec, size }),
            Ask::Kill { exec, grace } => {
                if let Some(program) = self.programs.get_mut(&exec) {
                    program.kill = Some(grace);
                }
                self.say(&ToShim::Kill { exec, grace_ms: millis(grace) });
            }
            Ask::Forget { exec } => match self.programs.get_mut(&exec) {
                Some(program) => program.forget = true,
                None => self.forget(exec),
            },
            Ask::Request { request, answer } => self.request(request, answer),
            Ask::Stop { grace } => {
                self.stop = Some(grace);
                self.say(&ToShim::Stop { grace_ms: millis(grace) });
            }
        }
    }

    /// What the shim says.
    pub(super) fn hear(&mut self, message: FromShim) -> Result<(), Misbehaved> {
        match message {
            FromShim::Started { exec, pid } => {
                self.answered(exec);
                for place in self.readings.values().filter(|place| place.exec == exec) {
                    place.tell(ExecEvent::Started { pid: Some(pid) });
                }
            }
            FromShim::Out { sub, stream, offset, bytes } => {
                self.place(sub, |place| place.output(stream, offset, bytes))?;
            }
            FromShim::Gap { sub, stream, from, to } => {
                self.place(sub, |place| place.gap(stream, from, to))?;
            }
            FromShim::Eof { sub, stream, at } => self.place(sub, |place| place.eof(stream, at))?,
            FromShim::Unread { sub, why } => self.unread(sub, refusal(why)),
            FromShim::StdinTaken { exec, to } => {
                self.input(exec).map_or(Ok(()), |input| input.took(to))?;
                self.forget_idle(exec);
            }
            FromShim::StdinClosed { exec } => {
                self.input(exec).into_iter().for_each(Input::close);
                self.forget_idle(exec);
            }
            FromShim::Ended { exec, end } => self.ended(exec, &end),
            FromShim::Listed { req, execs, .. } => self.answer(req, Ok(Answer::Listed(execs))),
            FromShim::Declined { req, why } => {
                self.answer(req, Err(ExecError::Shim(refusal(why).to_owned())));
            }
            FromShim::Done { req } => self.answer(req, Ok(Answer::Done)),
            FromShim::Evidence { req, evidence } => self.answer(req, Ok(Answer::Evidence(evidence))),
            FromShim::NoExec { exec, req } => match req {
                Some(req) => self.answer(req, Err(ExecError::NoExec)),
                None => self.finish(exec, &Outcome::Lost { why: "the shim has no record of it".into() }),
            },
            FromShim::Refused { why } => return Err(Misbehaved(refusal(why))),
            FromShim::Welcome { .. } | FromShim::Configured { .. } => {
                return Err(Misbehaved("it greets twice"));
            }
            _ => return Err(Misbehaved("it says what this version does not know")),
        }
        Ok(())
    }

    /// On a new connection: everything that the old one may have lost, said again. All of it is
    /// idempotent; what is not (a signal) is answered as not known.
    pub(super) fn resume(&mut self) {
        self.out.clear();
        let mut again = Vec::new();
        for (&exec, program) in &self.programs {
            // Nothing is started only to be ended.
            let wanted = program.kill.is_none() || self.is_read(exec);
            if let Some(spec) = program.unanswered.as_ref().filter(|_| wanted) {
                again.push(ToShim::Exec(spec.clone()));
            }
            again.extend(program.input.iter().flat_map(|input| input.again(exec)));
            if let Some(grace) = program.kill {
                again.push(ToShim::Kill { exec, grace_ms: millis(grace) });
            }
        }
        again.extend(self.readings.iter().map(|(&sub, place)| place.attach(sub)));
        again.extend(self.stop.map(|grace| ToShim::Stop { grace_ms: millis(grace) }));
        again.iter().for_each(|message| self.say(message));
    }

    /// The connection broke: nobody knows whether these were carried out.
    pub(super) fn drop_requests(&mut self) {
        for (_, answer) in std::mem::take(&mut self.requests) {
            drop(
                answer.send(Err(EngineError::Unreachable("the connection to the shim broke".into()).into())),
            );
        }
    }

    /// The container has ended: so has everything in it.
    pub(super) fn gone(&mut self, exit: &Exit) {
        self.all(&Outcome::ContainerGone(exit.clone()));
    }

    /// The container cannot be reached any more.
    pub(super) fn lost(&mut self, why: &str) {
        self.all(&Outcome::Lost { why: why.to_owned() });
    }

    fn all(&mut self, outcome: &Outcome) {
        let execs: Vec<_> = self.programs.keys().copied().collect();
        execs.into_iter().for_each(|exec| self.finish(exec, outcome));
        self.drop_requests();
    }

    fn read(&mut self, place: Place) {
        let sub = place.reader.reading.0;
        self.say(&place.attach(sub));
        self.readings.insert(sub, place);
    }

    fn is_read(&self, exec: ExecId) -> bool {
        self.readings.values().any(|place| place.exec == exec)
    }

    fn input(&mut self, exec: ExecId) -> Option<&mut Input> {
        self.programs.get_mut(&exec).and_then(|program| program.input.as_mut())
    }

    /// Something comes for a reading; one that is over wants nothing.
    fn place(
        &mut self,
        sub: u32,
        hear: impl FnOnce(&mut Place) -> Result<(), Misbehaved>,
    ) -> Result<(), Misbehaved> {
        self.readings.get_mut(&sub).map_or(Ok(()), hear)?;
        self.complete(sub);
        Ok(())
    }

    /// The shim has no place for a reading. A program that was started for it would wait for its reader for ever.
    fn unread(&mut self, sub: u32, why: &str) {
        let Some(place) = self.readings.remove(&sub) else { return };
        place.tell(ExecEvent::Ended { outcome: Outcome::Lost { why: why.to_owned() }, oom_seen: false });
        if place.starter {
            self.ask(Ask::Kill { exec: place.exec, grace: Duration::ZERO });
        }
        self.forget_idle(place.exec);
    }

    /// Nobody has this reading any more: the shim keeps no place for it either.
    fn leave(&mut self, sub: u32) {
        if let Some(place) = self.readings.remove(&sub) {
            self.say(&ToShim::Detach { sub });
            self.forget_idle(place.exec);
        }
    }

    fn ended(&mut self, exec: ExecId, end: &End) {
        if let Some(program) = self.programs.get_mut(&exec) {
            program.end();
            program.ended = true;
        }
        let subs: Vec<u32> =
            self.readings.iter().filter(|(_, place)| place.exec == exec).map(|(&sub, _)| sub).collect();
        for sub in subs {
            if let Some(place) = self.readings.get_mut(&sub) {
                place.ends(end);
            }
            self.complete(sub);
        }
        self.forget_idle(exec);
    }

    /// Tells a reader of the end when it has everything before it.
    fn complete(&mut self, sub: u32) {
        if self.readings.get(&sub).is_some_and(Place::complete) {
            self.leave(sub);
        }
    }

    fn finish(&mut self, exec: ExecId, outcome: &Outcome) {
        self.readings.retain(|_, place| {
            if place.exec == exec {
                place.tell(ExecEvent::Ended { outcome: outcome.clone(), oom_seen: false });
            }
            place.exec != exec
        });
        if let Some(program) = self.programs.get_mut(&exec) {
            program.end();
            program.forget = false;
        }
        self.forget_idle(exec);
    }

    /// Nobody reads it any more and nothing is under way: no reason to keep it.
    fn forget_idle(&mut self, exec: ExecId) {
        let busy = self.is_read(exec) || self.programs.get(&exec).is_some_and(Program::is_busy);
        if !busy && let Some(program) = self.programs.remove(&exec) {
            program.input.iter().for_each(Input::leave);
            if program.forget {
                self.forget(exec);
            }
        }
    }

    fn answered(&mut self, exec: ExecId) {
        if let Some(program) = self.programs.get_mut(&exec) {
            program.unanswered = None;
        }
        self.forget_idle(exec);
    }

    /// Nobody waits for the answer.
    fn forget(&mut self, exec: ExecId) {
        let req = self.number();
        self.say(&ToShim::Forget { req, exec });
    }

    const fn number(&mut self) -> u32 {
        let number = self.next_request;
        self.next_request = number.wrapping_add(1);
        number
    }

    fn request(&mut self, request: Request, answer: oneshot::Sender<Result<Answer, ExecError>>) {
        let req = self.number();
        self.requests.insert(req, answer);
        self.say(&match request {
            Request::Signal { exec, signal, tree } => ToShim::Signal { req, exec, signal, tree },
            Request::List => ToShim::List { req },
            Request::Extend(life) => ToShim::Extend { req, life },
            Request::Forget(exec) => ToShim::Forget { req, exec },
            Request::Attest(nonce) => ToShim::Attest { req, nonce },
        });
    }

    fn answer(&mut self, req: u32, answer: Result<Answer, ExecError>) {
        if let Some(waiting) = self.requests.remove(&req) {
            drop(waiting.send(answer));
        }
    }
}
