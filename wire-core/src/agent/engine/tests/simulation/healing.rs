//! The end: the relay is honest, time goes on, and everything arrives.

use super::agent::Agent;
use super::invariants;
use super::world::{DAY_MS, Wanted, World, close_late, fails};
use crate::agent::engine::Handed;
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::agent::store::Sync;

impl World {
    /// The relay is honest from now on, and so everything arrives, however long that takes.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.profile.heal();
        if self.dice.chance(30) {
            // The last that it does: what waits is gone, and nobody has anything to say but what time brings.
            for who in 0..2 {
                self.apply_all(who)?;
                self.post(who)?;
            }
            self.relay.forget_all();
        }
        self.relay.heal(&mut self.dice);
        self.note("healed", || "the relay heals".to_owned());
        let days = self.carry_until_received()?;
        let most = self.counts.entry("days until all is received, at most".to_owned()).or_default();
        *most = (*most).max(days);
        // The last word on what was processed comes with the next that is said.
        for _ in 0..2 {
            for who in 0..2 {
                let draft = Wanted { text: format!("{} {who} last", self.drafts), exp: None, keyed: false };
                self.drafts += 1;
                let drafts = std::mem::take(&mut self.again[who]).into_iter().chain([draft]).collect();
                self.send_all(who, drafts)?;
            }
            self.carry_until_received()?;
        }
        self.check()
    }

    /// Carries everything both ways, and lets time pass where nothing moves.
    fn carry_until_received(&mut self) -> Result<u64, String> {
        let since = self.now;
        for round in 0..60u32 {
            self.carry()?;
            let waits =
                |agent: &Agent| agent.value::<bool>("SELECT own_last > peer_recv OR state = 0 FROM peer");
            if !self.agents.iter().any(waits) {
                let how = if round == 0 { "received at once" } else { "received in time" };
                *self.counts.entry(how.to_owned()).or_default() += 1;
                return Ok((self.now - since).div_ceil(DAY_MS as u64));
            }
            self.wait(match round {
                0..3 => 1_100,
                3..8 => 61_000 << (round - 3),
                _ => DAY_MS as u64,
            })?;
        }
        Err("not everything is received, however long the relay is honest".to_owned())
    }

    fn carry(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            let mut moved = false;
            for who in 0..2 {
                self.post(who)?;
                while self.read_page(1 - who, 128, &[])? {
                    moved = true;
                }
                moved |= self.apply_all(1 - who)?;
            }
            if !moved {
                return Ok(());
            }
        }
        Err("they never stop talking".to_owned())
    }

    /// The application does all that there is to do, in one transaction. Gives whether there was anything.
    fn apply_all(&mut self, who: usize) -> Result<bool, String> {
        let claims = std::mem::take(&mut self.agents[who].claims);
        if claims.is_empty() && !self.agents[who].read(|b| b.has_ready()) {
            return Ok(false);
        }
        let process = self.agents[who].process();
        let mut handed = Vec::new();
        let done = self.write(who, Sync::Now, |b| {
            let mut closed = Vec::new();
            let mut next = claims.into_iter();
            loop {
                let item = match next.next() {
                    Some(item) => item,
                    None => match b.step(|b| b.claim_next(&process, |other| other == process))? {
                        Handed::Nothing => return Ok(closed),
                        Handed::Spent(n) => {
                            let item = b.waiting_row(n)?.ok_or(Error::UnknownMessage)?;
                            b.step(|b| b.close(n, Inward::Poison))?;
                            closed.push((item, Inward::Poison));
                            continue;
                        }
                        Handed::Item(item) => {
                            handed.push((*item).clone());
                            *item
                        }
                    },
                };
                if fails(&item) {
                    if !b.step(|b| b.give_back(&item))? {
                        closed.push((item, Inward::Poison));
                    }
                } else {
                    let state = close_late(b, &item, Inward::Processed)?;
                    closed.push((item, state));
                }
            }
        })?;
        for item in &handed {
            self.models[1 - who].hand(item)?;
        }
        let closed = done.happened().unwrap_or_default();
        self.note("applied", || format!("{who} is done with {} of {}", closed.len(), handed.len()));
        for (item, state) in &closed {
            self.models[1 - who].close(item, *state)?;
        }
        Ok(true)
    }

    /// What has to be so at the end.
    pub(super) fn check_end(&mut self) -> Result<(), String> {
        self.check()?;
        for from in 0..2 {
            let ends = self.models[from].check_end(&self.agents[from], &self.agents[1 - from])?;
            for (state, count) in ends {
                *self.counts.entry(state.to_string()).or_default() += count;
            }
            *self.counts.entry("envelopes".to_owned()).or_default() += self.models[from].sealed() as u64;
        }
        // It costs as much as all the rest.
        if self.dice.chance(25) {
            self.note("logs", || "the logs are verified".to_owned());
            invariants::check_logs(&self.agents, &self.models)?;
        }
        Ok(())
    }
}
