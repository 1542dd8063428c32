//! A relay that does what it likes. It knows of envelopes what every relay does: their bytes.

use std::sync::Arc;

use super::schedule::{Dice, Mischief, Profile};
use crate::mailbox::{Cursor, Incarnation, Refusal, Verdict};

type Bytes = Arc<[u8]>;

/// It knows for so long what was acknowledged.
const REMEMBERS_MS: u64 = 300_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// What a post is answered with.
pub(super) enum Answer {
    /// Nothing, whatever was done.
    Silence,
    Refused(Refusal),
    Taken {
        incarnation: Incarnation,
        verdicts: Vec<Verdict>,
        kept_ms: u64,
    },
}

/// Two mailboxes, one for each agent.
pub(super) struct Relay {
    boxes: [Mailbox; 2],
    /// What was ever posted to each.
    history: [Vec<Bytes>; 2],
    copies: [Option<Mailbox>; 2],
    /// Until when a mailbox gives nothing out.
    closed: [u64; 2],
    /// Numbers of an incarnation were given a second time.
    is_stale: [bool; 2],
}

#[derive(Clone)]
struct Mailbox {
    incarnation: Incarnation,
    next: u64,
    waiting: Vec<(u64, Bytes)>,
    late: Vec<Bytes>,
    acknowledged: Vec<(u64, Bytes)>,
}

impl Mailbox {
    fn put(&mut self, envelope: Bytes) {
        self.waiting.push((self.next, envelope));
        self.next += 1;
    }
}

impl Relay {
    /// Empty mailboxes, read up to where their owners are.
    pub(super) fn new(read: [Option<Cursor>; 2], fresh: Incarnation) -> Self {
        let boxes = read.map(|read| Mailbox {
            incarnation: read.map_or(fresh, |at| at.incarnation),
            next: read.map_or(1, |at| at.seq + 1),
            waiting: Vec::new(),
            late: Vec::new(),
            acknowledged: Vec::new(),
        });
        Self {
            boxes,
            history: Default::default(),
            copies: Default::default(),
            closed: [0; 2],
            is_stale: [false; 2],
        }
    }

    /// From now on it is honest, and so says of numbers that it might give twice that they are of another
    /// life.
    pub(super) fn heal(&mut self, dice: &mut Dice) {
        self.closed = [0; 2];
        for (mailbox, is_stale) in self.boxes.iter_mut().zip(&mut self.is_stale) {
            for envelope in std::mem::take(&mut mailbox.late) {
                mailbox.put(envelope);
            }
            if std::mem::take(is_stale) {
                mailbox.incarnation = Incarnation::from_bytes(dice.bytes());
            }
        }
    }

    /// It loses what waits, and nobody hears of it.
    pub(super) fn forget_all(&mut self) {
        for mailbox in &mut self.boxes {
            mailbox.waiting.clear();
            mailbox.late.clear();
        }
    }

    /// Takes what is posted to the mailbox of `to`.
    pub(super) fn post(
        &mut self,
        to: usize,
        envelopes: &[Vec<u8>],
        now: u64,
        (profile, dice): (&Profile, &mut Dice),
        did: &mut impl FnMut(Mischief),
    ) -> Answer {
        let mut does = |what, dice: &mut Dice| {
            let does = profile.does(what, dice);
            if does {
                did(what);
            }
            does
        };
        let seconds = dice.below(100) as u32;
        if does(Mischief::Unavailable, dice) {
            return Answer::Refused(Refusal::Unavailable { retry_after: seconds });
        }
        if does(Mischief::Full, dice) {
            return Answer::Refused(Refusal::Full);
        }
        if self.closed[to] > now {
            return Answer::Silence;
        }
        let mut verdicts = Vec::new();
        for envelope in envelopes {
            let envelope: Bytes = Arc::from(envelope.as_slice());
            self.history[to].push(envelope.clone());
            if does(Mischief::Forget, dice) {
                verdicts.push(Verdict::Stored);
            } else if does(Mischief::SayAcknowledged, dice) {
                verdicts.push(Verdict::AckedBefore);
            } else if does(Mischief::Quota, dice) {
                // Nothing new behind it is stored.
                verdicts.resize(envelopes.len(), Verdict::Quota);
                break;
            } else {
                verdicts.push(self.store(to, envelope, now));
            }
        }
        if does(Mischief::FewVerdicts, dice) {
            verdicts.truncate(dice.index(verdicts.len()));
        }
        if does(Mischief::Silence, dice) {
            return Answer::Silence;
        }
        let mut incarnation = self.boxes[to].incarnation;
        if does(Mischief::InventIncarnation, dice) {
            incarnation = Incarnation::from_bytes(dice.bytes());
        }
        Answer::Taken { incarnation, verdicts, kept_ms: dice.below(90 * DAY_MS) }
    }

    fn store(&mut self, to: usize, envelope: Bytes, now: u64) -> Verdict {
        let mailbox = &mut self.boxes[to];
        mailbox.acknowledged.retain(|(at, _)| now.saturating_sub(*at) <= REMEMBERS_MS);
        if mailbox.acknowledged.iter().any(|(_, known)| *known == envelope) {
            return Verdict::AckedBefore;
        }
        if mailbox.waiting.iter().any(|(_, known)| *known == envelope) {
            return Verdict::Same;
        }
        mailbox.put(envelope);
        Verdict::Stored
    }

    /// Gives out what waits for `owner` behind `after`.
    pub(super) fn poll(
        &self,
        owner: usize,
        after: Option<Cursor>,
        max: usize,
        now: u64,
    ) -> Vec<(Cursor, Vec<u8>)> {
        let mailbox = &self.boxes[owner];
        if self.closed[owner] > now {
            return Vec::new();
        }
        let after = after.filter(|at| at.incarnation == mailbox.incarnation).map_or(0, |at| at.seq);
        let behind = mailbox.waiting.iter().filter(|(seq, _)| *seq > after).take(max);
        behind
            .map(|(seq, envelope)| {
                (Cursor { incarnation: mailbox.incarnation, seq: *seq }, envelope.to_vec())
            })
            .collect()
    }

    /// Frees what its owner has.
    pub(super) fn acknowledge(&mut self, owner: usize, at: Cursor, envelope: &[u8], now: u64) {
        let mailbox = &mut self.boxes[owner];
        let fits = mailbox.waiting.iter().any(|(seq, known)| *seq == at.seq && **known == *envelope);
        if mailbox.incarnation != at.incarnation || !fits {
            return;
        }
        let freed = mailbox.waiting.extract_if(.., |(seq, _)| *seq <= at.seq);
        mailbox.acknowledged.extend(freed.map(|(_, envelope)| (now, envelope)));
    }

    /// Does to the mailbox of `owner` what this relay does.
    pub(super) fn tamper(
        &mut self,
        owner: usize,
        now: u64,
        (profile, dice): (&Profile, &mut Dice),
        did: &mut impl FnMut(Mischief),
    ) {
        for what in Mischief::ALL {
            if profile.does(what, dice) && self.tamper_so(what, owner, now, dice) {
                did(what);
            }
        }
    }

    /// Whether there was something to do it to.
    fn tamper_so(&mut self, what: Mischief, owner: usize, now: u64, dice: &mut Dice) -> bool {
        let history = &self.history[if what == Mischief::Swap { 1 - owner } else { owner }];
        let mailbox = &mut self.boxes[owner];
        let any = (!mailbox.waiting.is_empty()).then(|| dice.index(mailbox.waiting.len().max(1)));
        match (what, any) {
            (Mischief::Drop, Some(at)) => drop(mailbox.waiting.remove(at)),
            (Mischief::Delay, at) => {
                // What was late before comes now.
                for envelope in std::mem::take(&mut mailbox.late) {
                    mailbox.put(envelope);
                }
                if let Some(at) = at {
                    mailbox.late.push(mailbox.waiting.remove(at).1);
                }
            }
            (Mischief::Reorder, Some(_)) => {
                for at in (1..mailbox.waiting.len()).rev() {
                    let other = dice.index(at + 1);
                    let envelope = mailbox.waiting[at].1.clone();
                    mailbox.waiting[at].1 = std::mem::replace(&mut mailbox.waiting[other].1, envelope);
                }
            }
            (Mischief::Duplicate, Some(at)) => mailbox.put(mailbox.waiting[at].1.clone()),
            (Mischief::Truncate, Some(at)) => {
                let envelope = &mut mailbox.waiting[at].1;
                *envelope = Arc::from(&envelope[..dice.index(envelope.len().max(1))]);
            }
            (Mischief::Flip, Some(at)) => {
                let mut bytes = mailbox.waiting[at].1.to_vec();
                // The clear part, the header and the body are told apart by their place.
                let within = dice.among(&[2, 26, 82, 512]).min(bytes.len());
                if within > 0 {
                    bytes[dice.index(within)] ^= 1 << dice.below(8);
                }
                // Now and then the true one comes as well.
                let flipped: Bytes = bytes.into();
                if dice.chance(50) {
                    mailbox.put(flipped);
                } else {
                    mailbox.waiting[at].1 = flipped;
                }
            }
            (Mischief::Replay | Mischief::Swap, _) if !history.is_empty() => {
                for _ in 0..=dice.below(4) {
                    mailbox.put(history[dice.index(history.len())].clone());
                }
            }
            (Mischief::Junk, _) => {
                let mut junk = vec![1; dice.among(&[0, 1, 511, 512, 1_024])];
                let len = junk.len().min(32);
                junk[..len].copy_from_slice(&dice.bytes::<32>()[..len]);
                mailbox.put(junk.into());
            }
            (Mischief::LoseDisk, _) => {
                mailbox.incarnation = Incarnation::from_bytes(dice.bytes());
                mailbox.next = 1;
                mailbox.waiting.clear();
                mailbox.acknowledged.clear();
                self.is_stale[owner] = false;
            }
            (Mischief::RestoreCopy, _) => {
                let now = mailbox.clone();
                if let Some(then) = self.copies[owner].replace(now) {
                    *mailbox = then;
                    self.is_stale[owner] = true;
                }
            }
            (Mischief::Reincarnate, _) => mailbox.incarnation = Incarnation::from_bytes(dice.bytes()),
            (Mischief::HoldBack, _) => self.closed[owner] = now + 1,
            (Mischief::Close, _) => self.closed[owner] = now + dice.below(10 * DAY_MS),
            _ => return false,
        }
        true
    }
}
