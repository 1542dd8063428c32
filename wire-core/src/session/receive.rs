//! Opening an envelope, and applying what that does to the session once the payload is accepted.
//!
//! 1. The header is tried under the current chain's header key, then under the one that starts the
//!    peer's next chain, then under those of closed chains, the newest first. What none opens may be a
//!    [reset](crate::reset), which is outside of every session.
//! 2. The number finds a message key: derived ahead in the current or the next chain, or kept from
//!    a skipped place.
//! 3. The body authenticates. A new ratchet key of the peer now gives this side its own next chain.
//! 4. All of that is in the [`Step`]; [`Session::commit`] applies it.

use rand_core::CryptoRng;

use super::chain::{Chain, Place, Skipped, Tags, skip};
use super::keys::{ChainKey, RootKey};
use super::{
    Closed, MAX_OLD, MAX_STORED, MAX_USED, OpenError, Receiving, Sending, Session, SessionError, SessionId,
};
use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::envelope::{EnvelopeHash, Header, HeaderKey, Parts, Payload};
use crate::time::Timestamp;

/// An envelope that opened. Nothing has changed yet.
#[derive(Debug)]
pub struct Opened {
    /// What the peer sealed; still unverified content.
    pub payload: Payload,
    /// What opening it does to the session: give it to [`Session::commit`], or drop it.
    pub step: Step,
}

/// The change that one opened envelope makes to the session that opened it.
#[must_use = "the session moves only when the step is committed"]
pub struct Step {
    session: SessionId,
    generation: u64,
    n: u32,
    tags: Tags,
    change: Change,
}

enum Change {
    /// A kept key of the closed chain at this index is used up.
    Closed(usize),
    /// A kept key of the current chain is used up.
    Kept,
    /// The current chain moves past `n`.
    Ahead { ck: ChainKey, run: Vec<Skipped> },
    /// The peer started a new chain, and so does this side.
    Turn(Box<Turn>),
}

struct Turn {
    now: Timestamp,
    /// The rest of the chain that ends: its length, and the keys of what has not come.
    pn: u32,
    rest: Vec<Skipped>,
    /// The peer's new chain.
    peer: DhPublic,
    recv_ck: ChainKey,
    recv_next: HeaderKey,
    run: Vec<Skipped>,
    /// This side's new chain.
    root: RootKey,
    dh: DhKeyPair,
    send_ck: ChainKey,
    send_next: HeaderKey,
}

impl Step {
    /// Whether this envelope answers what was sent: the sending chain starts anew, with all of its
    /// room.
    pub fn turns(&self) -> bool {
        matches!(self.change, Change::Turn(_))
    }

    /// Place of the envelope in its sender's chain, from 0: a high one says that the sender has had no
    /// answer for long.
    pub fn number(&self) -> u32 {
        self.n
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens `envelope` and changes nothing. `now` dates the keys that it skips; `rng` gives this
    /// side's next ratchet key if the envelope starts a new chain.
    ///
    /// # Errors
    /// See [`OpenError`]; only [`OpenError::CloneDetected`] is an alarm.
    pub fn open(
        &self,
        envelope: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Opened, OpenError> {
        self.open_hashed(envelope, &EnvelopeHash::of(envelope), now, rng)
    }

    /// [`open`](Self::open) for a caller that has hashed the envelope already.
    pub fn open_hashed(
        &self,
        envelope: &[u8],
        hash: &EnvelopeHash,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Opened, OpenError> {
        let parts = Parts::parse(envelope).map_err(|_| OpenError::Malformed)?;
        let opening = Opening { session: self, tags: Tags::of(&parts, hash), parts, now };
        if let Some(recv) = &self.recv
            && let Some(header) = opening.parts.open_header(&recv.chain.hk)
        {
            return opening.current(recv, &header);
        }
        if let Some(header) = opening.parts.open_header(&self.recv_next) {
            return opening.next(&header, rng);
        }
        for (i, closed) in self.old.iter().enumerate().rev() {
            if let Some(header) = opening.parts.open_header(&closed.chain.hk) {
                return opening.closed(i, &closed.chain, &header);
            }
        }
        Err(OpenError::Unopenable)
    }

    /// Applies a step to the very state that it was made from.
    ///
    /// # Errors
    /// [`SessionError::StaleStep`] if the session sealed, committed or expired anything since the
    /// envelope was opened, or is another one; nothing has changed then.
    pub fn commit(&mut self, step: Step) -> Result<(), SessionError> {
        if step.session != self.id || step.generation != self.generation {
            return Err(SessionError::StaleStep);
        }
        let (n, tags) = (step.n, step.tags);
        match step.change {
            Change::Closed(i) => {
                if let Some(closed) = self.old.get_mut(i) {
                    closed.chain.mark_used(n, tags);
                }
            }
            Change::Kept => {
                if let Some(recv) = &mut self.recv {
                    recv.chain.mark_used(n, tags);
                }
            }
            Change::Ahead { ck, run } => {
                if let Some(recv) = &mut self.recv {
                    recv.ck = ck;
                    recv.chain.advance(run, n.saturating_add(1));
                    recv.chain.mark_used(n, tags);
                }
            }
            Change::Turn(turn) => self.turn(*turn, n, tags),
        }
        self.evict();
        self.changed();
        Ok(())
    }

    fn turn(&mut self, turn: Turn, n: u32, tags: Tags) {
        if let Some(mut ended) = self.recv.take() {
            ended.chain.advance(turn.rest, turn.pn);
            self.old.push_back(Closed { at: turn.now, chain: ended.chain });
        }
        let hk = std::mem::replace(&mut self.recv_next, turn.recv_next);
        let mut chain = Chain::new(hk);
        chain.advance(turn.run, n.saturating_add(1));
        chain.mark_used(n, tags);
        self.recv = Some(Receiving { dh: turn.peer, ck: turn.recv_ck, chain });
        self.send = Sending {
            hk: self.send.next_hk.clone(),
            next_hk: turn.send_next,
            ck: turn.send_ck,
            n: 0,
            pn: self.send.n,
        };
        self.root = turn.root;
        self.dh = turn.dh;
    }

    /// Keeps the state within its bounds: what is over goes, the oldest first.
    fn evict(&mut self) {
        while self.old.len() > MAX_OLD {
            self.old.pop_front();
        }
        let mut over = self.chains().map(|c| c.skipped.len()).sum::<usize>().saturating_sub(MAX_STORED);
        for chain in self.chains_mut() {
            let here = over.min(chain.skipped.len());
            chain.skipped.drain(..here);
            over -= here;
        }
        let mut over = self.chains().map(|c| c.used.len()).sum::<usize>().saturating_sub(MAX_USED);
        for chain in self.chains_mut() {
            let here = over.min(chain.used.len());
            chain.used.drain(..here);
            over -= here;
        }
    }
}

/// One envelope on its way through [`Session::open`].
struct Opening<'a> {
    session: &'a Session,
    parts: Parts<'a>,
    tags: Tags,
    now: Timestamp,
}

impl Opening<'_> {
    fn current(&self, recv: &Receiving, header: &Header) -> Result<Opened, OpenError> {
        if header.dh != recv.dh {
            return Err(OpenError::Crypto);
        }
        match recv.chain.place(header.n, &self.tags)? {
            Place::Skipped(mk) => {
                let payload = self.parts.open_body(mk, self.session.id.as_bytes())?;
                Ok(self.opened(payload, header.n, Change::Kept))
            }
            Place::Ahead => {
                let (ck, run) = skip(&recv.ck, recv.chain.end, header.n, self.now)?;
                let (ck, mk) = ck.step();
                let payload = self.parts.open_body(&mk, self.session.id.as_bytes())?;
                Ok(self.opened(payload, header.n, Change::Ahead { ck, run }))
            }
        }
    }

    fn next(&self, header: &Header, rng: &mut impl CryptoRng) -> Result<Opened, OpenError> {
        let rest = match &self.session.recv {
            // The peer has sent more than it now says it has.
            Some(recv) if header.pn < recv.chain.end => return Err(OpenError::CloneDetected),
            Some(recv) => skip(&recv.ck, recv.chain.end, header.pn, self.now)?.1,
            None => Vec::new(),
        };
        let (root, ck, recv_next) = self.session.root.turn(&*self.session.dh.agree(&header.dh)?);
        let (ck, run) = skip(&ck, 0, header.n, self.now)?;
        let (recv_ck, mk) = ck.step();
        let payload = self.parts.open_body(&mk, self.session.id.as_bytes())?;

        let dh = DhKeyPair::generate(rng);
        let (root, send_ck, send_next) = root.turn(&*dh.agree(&header.dh)?);
        let turn = Turn {
            now: self.now,
            pn: header.pn,
            rest,
            peer: header.dh,
            recv_ck,
            recv_next,
            run,
            root,
            dh,
            send_ck,
            send_next,
        };
        Ok(self.opened(payload, header.n, Change::Turn(Box::new(turn))))
    }

    fn closed(&self, index: usize, chain: &Chain, header: &Header) -> Result<Opened, OpenError> {
        match chain.place(header.n, &self.tags)? {
            Place::Skipped(mk) => {
                let payload = self.parts.open_body(mk, self.session.id.as_bytes())?;
                Ok(self.opened(payload, header.n, Change::Closed(index)))
            }
            // The peer goes on in a chain of which it has said that it had ended before this.
            Place::Ahead => Err(OpenError::CloneDetected),
        }
    }

    fn opened(&self, payload: Payload, n: u32, change: Change) -> Opened {
        let Session { id, generation, .. } = *self.session;
        Opened { payload, step: Step { session: id, generation, n, tags: self.tags, change } }
    }
}
