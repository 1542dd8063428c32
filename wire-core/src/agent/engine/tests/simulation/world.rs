//! Two agents, the relay between them, and time.

use std::collections::BTreeMap;

use super::agent::{Agent, Fate, Outcome, images};
use super::invariants;
use super::model::Model;
use super::relay::{Answer, Relay};
use super::schedule::{Dice, Mischief, Move, Profile, pause};
use crate::agent::engine::{Batch, Handed, InboxItem, Outgoing};
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};
use crate::agent::store::Sync;
use crate::mailbox::Incarnation;
use crate::record::Kind;
use crate::session::Lane;
use crate::time::Timestamp;

/// When the agents paired.
const BEGIN_MS: u64 = 1_800_000_000_000;
/// A clock is off by a day at most, either way.
pub(super) const DAY_MS: i64 = 24 * 3_600_000;

/// How often something happened, by its name.
pub(super) type Counts = BTreeMap<String, u64>;

/// A message that the application sends again when it does not know whether it was sent.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) text: String,
    pub(super) exp: Option<Timestamp>,
    pub(super) keyed: bool,
}

pub(super) struct World {
    pub(super) agents: [Agent; 2],
    /// What each of them has said.
    pub(super) models: [Model; 2],
    pub(super) relay: Relay,
    pub(super) dice: Dice,
    pub(super) profile: Profile,
    pub(super) now: u64,
    pub(super) drafts: u64,
    /// Sent by a program that died, under a key.
    pub(super) again: [Vec<Wanted>; 2],
    pub(super) counts: Counts,
    /// What was decided and what came of it.
    pub(super) trace: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let profile = Profile::draw(&mut dice);
        let [a, b] = images(profile.pending);
        let begin = Timestamp::from_millis(BEGIN_MS);
        let agents = [Agent::new("alice", a, begin), Agent::new("bob", b, begin)];
        let fresh = Incarnation::from_bytes(dice.bytes());
        let relay = Relay::new([agents[0].cursor(), agents[1].cursor()], fresh);
        Self {
            agents,
            models: Default::default(),
            relay,
            dice,
            profile,
            now: BEGIN_MS,
            drafts: 0,
            again: Default::default(),
            counts: Counts::new(),
            trace: Vec::new(),
        }
    }

    /// The hostile part.
    pub(super) fn suffer(&mut self) -> Result<(), String> {
        for _ in 0..self.profile.steps {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let next = Move::draw(&mut self.dice);
        let who = self.dice.index(2);
        match next {
            Move::Send => self.send(who)?,
            Move::Post => self.post(who)?,
            Move::Receive => self.receive(who)?,
            Move::Apply => self.apply(who)?,
            Move::Wait => {
                let millis = pause(&mut self.dice);
                self.wait(millis)?;
            }
            Move::JumpClock => {
                self.agents[who].offset = self.dice.below(2 * DAY_MS as u64) as i64 - DAY_MS;
                self.note("clock jumps", || format!("clock of {who}"));
                self.wait(0)?;
            }
            Move::Die => self.agents[who].restart()?,
            Move::PowerCut => {
                self.note("power cuts", || format!("power cut of {who}"));
                self.agents[who].power_cut()?;
            }
            Move::Prune => {
                let before =
                    Timestamp::from_millis(self.agents[who].now.as_millis() - self.dice.below(3_600_000));
                let key = self.agents[who].key;
                self.write(who, Sync::Now, |b| b.step(|b| b.prune_bodies(key, before)))?;
            }
            Move::Rotate => self.rotate(who)?,
            Move::AskAgain => {
                self.write(who, Sync::Later, |b| b.step(|b| b.ask_again(super::super::harness::URL)))?;
            }
        }
        self.check()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        invariants::check(&self.agents)
    }

    pub(super) fn note(&mut self, what: &str, how: impl FnOnce() -> String) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
        self.trace.push(format!("{} {}", self.now - BEGIN_MS, how()));
    }

    // Transactions, in which a program may die.

    pub(super) fn write<T>(
        &mut self,
        who: usize,
        sync: Sync,
        f: impl FnOnce(&mut Batch<'_>) -> Result<T, Error>,
    ) -> Result<Outcome<T>, String> {
        let fate = match self.dice.chance(self.profile.crashes) {
            false => Fate::Commit,
            true => self.dice.among(&[Fate::DieBefore, Fate::DieAfter]),
        };
        let outcome = self.agents[who].write(sync, fate, f);
        let outcome = outcome.map_err(|e| format!("{}: {e}", self.agents[who].name))?;
        if fate != Fate::Commit {
            self.note("crashes", || format!("{who} dies: {fate:?}"));
            if self.dice.chance(30) {
                self.agents[who].power_cut()?;
            } else {
                self.agents[who].restart()?;
            }
        }
        Ok(outcome)
    }

    // What agents do.

    fn send(&mut self, who: usize) -> Result<(), String> {
        let count = 1 + self.dice.below(self.profile.burst);
        let drafts = (0..count).map(|_| self.draft(who)).collect();
        let drafts: Vec<Wanted> =
            std::mem::take(&mut self.again[who]).into_iter().chain(Vec::into_iter(drafts)).collect();
        self.send_all(who, drafts)
    }

    fn draft(&mut self, who: usize) -> Wanted {
        self.drafts += 1;
        let mut text = format!("{} {}", self.agents[who].name, self.drafts);
        if self.dice.chance(4) {
            text += " fails";
        }
        if self.dice.chance(self.profile.long) {
            text += &" ".repeat(self.dice.index(30_000));
        }
        let exp = self.dice.chance(self.profile.expiring).then(|| self.dice.below(DAY_MS as u64));
        let exp = exp.map(|after| self.agents[who].now.plus_millis(after));
        Wanted { text, exp, keyed: self.dice.chance(40) }
    }

    /// In one transaction, in which a step may fail that has to leave nothing behind.
    pub(super) fn send_all(&mut self, who: usize, drafts: Vec<Wanted>) -> Result<(), String> {
        let key = self.agents[who].key;
        let fails = self.dice.chance(10).then(|| self.dice.index(drafts.len()));
        let outcome = self.write(who, Sync::Now, |b| {
            let send = |b: &mut Batch<'_>, draft: &Wanted| b.send(key, outgoing(draft));
            let mut results = Vec::new();
            for (i, draft) in drafts.iter().enumerate() {
                if fails == Some(i) {
                    let gone = Wanted { text: format!("{} is taken back", draft.text), ..draft.clone() };
                    let failed: Result<(), Error> = b.step(|b| send(b, &gone).and(Err(Error::Closed)));
                    assert!(failed.is_err());
                }
                results.push(b.step(|b| send(b, draft)));
            }
            Ok(results)
        })?;
        let told = matches!(outcome, Outcome::Told(_));
        if !told {
            self.again[who] = drafts.iter().filter(|draft| draft.keyed).cloned().collect();
        }
        let mut taken = 0;
        for (draft, result) in drafts.iter().zip(outcome.happened().unwrap_or_default()) {
            match result {
                Ok((id, _)) => {
                    self.models[who].say(id, &draft.text, draft.exp)?;
                    taken += 1;
                }
                Err(Error::Backpressure { .. }) if self.is_full(who) => {
                    *self.counts.entry("back-pressure".to_owned()).or_default() += 1;
                }
                Err(Error::NotPaired { .. }) if self.profile.pending => {}
                Err(error) => return Err(format!("{}: sending: {error}", self.agents[who].name)),
            }
        }
        self.note("sends", || format!("{who} sends {taken} of {}", drafts.len()));
        Ok(())
    }

    /// The next key takes the place of the present one, where everybody knows of that.
    fn rotate(&mut self, who: usize) -> Result<(), String> {
        let (rotated, next) = self.agents[who].rotated();
        let outcome = self.write(who, Sync::Now, |b| match b.rotate(&rotated) {
            Err(Error::RotationUnderWay { .. } | Error::PairingUnderWay { .. }) => Ok(false),
            told => told.map(|_| true),
        })?;
        if outcome.happened() == Some(true) {
            self.agents[who].has_rotated(next);
            self.models[who].rotates();
            self.note("rotations", || format!("{who} has a new key"));
        }
        Ok(())
    }

    fn is_full(&self, who: usize) -> bool {
        let mut p = self.agents[who].peer();
        p.own.last - p.peer_recv >= 1_024
            || p.unacked >= 16 << 20
            || p.session().unwrap().room(Lane::Ordinary) == 0
    }

    /// Posts what there is, until the relay does not take it.
    pub(super) fn post(&mut self, who: usize) -> Result<(), String> {
        for _ in 0..8 {
            let key = self.agents[who].key;
            let Some(post) = self.agents[who].read(|b| b.next_post(key)) else { return Ok(()) };
            for envelope in &post.envelopes {
                self.models[who].posts(envelope)?;
            }
            let mut did = Vec::new();
            let answer = self.relay.post(
                1 - who,
                &post.envelopes,
                self.now,
                (&self.profile, &mut self.dice),
                &mut |what| did.push(what),
            );
            self.note("posts", || format!("{who} posts {}: {did:?}", post.envelopes.len()));
            self.count(&did);
            match answer {
                Answer::Silence => return Ok(()),
                Answer::Refused(refusal) => {
                    self.write(who, Sync::Now, |b| b.step(|b| b.post_refused(key, refusal)))?;
                    return Ok(());
                }
                Answer::Taken { incarnation, verdicts, kept_ms } => {
                    let expires = self.agents[who].now.plus_millis(kept_ms);
                    let noted = self.write(who, Sync::Later, |b| {
                        b.step(|b| b.posted(&post, incarnation, &verdicts, expires))
                    })?;
                    if !matches!(noted, Outcome::Told(_)) || !did.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a page, stores it, and then tells the relay.
    fn receive(&mut self, who: usize) -> Result<(), String> {
        let mut did = Vec::new();
        self.relay.tamper(who, self.now, (&self.profile, &mut self.dice), &mut |what| did.push(what));
        self.count(&did);
        let max = self.dice.among(&[1, 3, 20, 128]);
        self.read_page(who, max, &did).map(|_| ())
    }

    /// Whether there was anything.
    pub(super) fn read_page(&mut self, who: usize, max: usize, did: &[Mischief]) -> Result<bool, String> {
        let before = self.agents[who].cursor();
        let page = self.relay.poll(who, before, max, self.now);
        let Some((at, last)) = page.last() else {
            self.note("empty pages", || format!("{who} reads nothing: {did:?}"));
            return Ok(false);
        };
        let mailbox = self.agents[who].mailbox;
        let stored = self.write(who, Sync::Now, |b| b.step(|b| b.receive_page(&mailbox, before, &page)))?;
        self.note("pages", || format!("{who} reads {}: {did:?} {stored:?}", page.len()));
        if let Outcome::Told(arrival) = stored {
            *self.counts.entry("records".to_owned()).or_default() += arrival.records as u64;
            *self.counts.entry("rejected".to_owned()).or_default() += arrival.rejected as u64;
            self.relay.acknowledge(who, *at, last, self.now);
        }
        Ok(true)
    }

    fn count(&mut self, did: &[Mischief]) {
        for what in did {
            *self.counts.entry(format!("{what:?}")).or_default() += 1;
        }
    }

    /// The application takes some records, and is done with some.
    fn apply(&mut self, who: usize) -> Result<(), String> {
        for _ in 0..=self.dice.below(6) {
            let claims = self.agents[who].claims.len();
            if claims > 0 && self.dice.chance(60) {
                let at = self.dice.index(claims);
                self.settle(who, at)?;
            } else if !self.agents[who].read(|b| b.has_ready()) || !self.claim(who)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether there was anything to claim.
    fn claim(&mut self, who: usize) -> Result<bool, String> {
        let process = self.agents[who].process();
        let alive = process.clone();
        let handed =
            self.write(who, Sync::Own, |b| b.step(|b| b.claim_next(&process, |other| other == alive)))?;
        let told = matches!(handed, Outcome::Told(_));
        match handed.happened() {
            None => Ok(true),
            Some(Handed::Nothing) => Ok(false),
            Some(Handed::Spent(n)) => {
                let item = self.agents[who].read(|b| b.waiting_row(n)).ok_or("what is spent is not there")?;
                self.close(who, &item, Inward::Poison)?;
                Ok(true)
            }
            Some(Handed::Item(item)) => {
                self.models[1 - who].hand(&item)?;
                self.note("hand-outs", || format!("{who} takes the record in row {}", item.n));
                if told {
                    // A claim that ran out is another now.
                    self.agents[who].claims.retain(|claim| claim.n != item.n);
                    self.agents[who].claims.push(*item);
                }
                Ok(true)
            }
        }
    }

    fn settle(&mut self, who: usize, at: usize) -> Result<(), String> {
        let item = self.agents[who].claims.remove(at);
        if fails(&item) || self.dice.chance(self.profile.clumsy) {
            let sync = if item.is_last_attempt() { Sync::Now } else { Sync::Later };
            let given = self.write(who, sync, |b| b.step(|b| b.give_back(&item)))?;
            if given.happened() == Some(false) {
                self.models[1 - who].close(&item, Inward::Poison)?;
            }
            self.note("given back", || format!("{who} gives row {} back", item.n));
            return Ok(());
        }
        let state = if self.dice.chance(5) { Inward::Refused } else { Inward::Processed };
        self.close(who, &item, state)
    }

    fn close(&mut self, who: usize, item: &InboxItem, state: Inward) -> Result<(), String> {
        let closed = self.write(who, Sync::Now, |b| close_late(b, item, state))?;
        self.note("closed", || format!("{who} closes row {} as {state:?}", item.n));
        match closed.happened() {
            Some(state) => self.models[1 - who].close(item, state),
            None => Ok(()),
        }
    }

    /// Time passes, and brings what it brings.
    pub(super) fn wait(&mut self, millis: u64) -> Result<(), String> {
        self.now += millis;
        self.note("waits", || format!("after {millis} ms"));
        for who in 0..2 {
            let agent = &mut self.agents[who];
            agent.now = Timestamp::from_millis(self.now).offset_millis(agent.offset);
            let alive = agent.process();
            let is_alive = |other: &str| other == alive;
            if !agent.read(|b| Ok(b.is_time_due()? || b.has_dead_claims(is_alive)?)) {
                continue;
            }
            self.write(who, Sync::Now, |b| {
                b.step(|b| {
                    b.release_dead_claims(is_alive)?;
                    b.requeue_expired()?;
                    b.seal_due_status()?;
                    b.abandon_overdue().map(|_| ())
                })
            })?;
        }
        Ok(())
    }
}

/// Whose claim ran out may find that the record was put aside as poison meanwhile, and is told so. Gives what
/// it is.
pub(super) fn close_late(b: &mut Batch<'_>, item: &InboxItem, state: Inward) -> Result<Inward, Error> {
    match b.step(|b| b.close(item.n, state)) {
        Ok(()) => Ok(state),
        Err(Error::Settled { state: Delivery::Poison }) => Ok(Inward::Poison),
        Err(error) => Err(error),
    }
}

/// Each application fails on such a message, each time.
pub(super) fn fails(item: &InboxItem) -> bool {
    item.body.trim_ascii_end().ends_with(b"fails")
}

fn outgoing(draft: &Wanted) -> Outgoing {
    Outgoing {
        kind: Kind::Msg,
        re: None,
        exp: draft.exp,
        ctype: "text/plain".to_owned(),
        body: draft.text.clone().into_bytes(),
        key: draft.keyed.then(|| draft.text.trim_end().to_owned()),
    }
}
