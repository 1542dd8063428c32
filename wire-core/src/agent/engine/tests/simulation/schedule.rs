//! All that a run leaves to chance, drawn from its seed: how hostile the relay is and in which ways, how
//! often an agent dies, how much is said, and what comes next.

use rand_core::Rng as _;

use crate::testing::SeededRng;

/// What a relay can do to the mailboxes that it keeps and to the calls that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mischief {
    Drop,
    Delay,
    Reorder,
    Duplicate,
    Truncate,
    Flip,
    /// Anything that was ever posted there, also long after it was acknowledged.
    Replay,
    /// One that was posted to the other mailbox.
    Swap,
    /// Bytes that nobody sealed.
    Junk,
    /// The mailbox is empty and has another incarnation.
    LoseDisk,
    /// As it was some time ago, with its numbers of then.
    RestoreCopy,
    /// Another incarnation, which holds what the one before did.
    Reincarnate,
    /// No answer to a post, whatever was done with it.
    Silence,
    /// It says that it stored what it did not.
    Forget,
    /// It says of what it did not store that it was acknowledged before.
    SayAcknowledged,
    Quota,
    Unavailable,
    Full,
    /// Fewer verdicts than envelopes.
    FewVerdicts,
    /// A post is answered with an incarnation that there is not.
    InventIncarnation,
    /// A poll is answered with nothing.
    HoldBack,
    /// One direction is closed for a while.
    Close,
}

impl Mischief {
    pub(super) const ALL: [Self; 22] = [
        Self::Drop,
        Self::Delay,
        Self::Reorder,
        Self::Duplicate,
        Self::Truncate,
        Self::Flip,
        Self::Replay,
        Self::Swap,
        Self::Junk,
        Self::LoseDisk,
        Self::RestoreCopy,
        Self::Reincarnate,
        Self::Silence,
        Self::Forget,
        Self::SayAcknowledged,
        Self::Quota,
        Self::Unavailable,
        Self::Full,
        Self::FewVerdicts,
        Self::InventIncarnation,
        Self::HoldBack,
        Self::Close,
    ];
}

/// Repeatable choices.
pub(super) struct Dice(SeededRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    /// A number below `n`, which is not 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn among<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// What kind of day it is.
pub(super) struct Profile {
    /// Each way of the relay that this run has, and how often in a hundred calls.
    mischief: Vec<(Mischief, u64)>,
    /// An agent dies in so many of a hundred transactions.
    pub(super) crashes: u64,
    /// Of a hundred claimed records so many are given back.
    pub(super) clumsy: u64,
    /// Of a hundred messages so many have a time after which nobody wants them.
    pub(super) expiring: u64,
    /// Of a hundred messages so many are long.
    pub(super) long: u64,
    /// Messages that are sent at once, at most.
    pub(super) burst: u64,
    pub(super) steps: u64,
    /// The pairing is not complete when it begins: both HELLO are under way.
    pub(super) pending: bool,
}

impl Profile {
    /// Few faults at a time, but each of them in many runs: where everything fails at once little is
    /// reached.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let among = dice.among(&[0, 1, 3, 8]);
        let mut mischief = Vec::new();
        for _ in 0..among {
            let one = dice.among(&Mischief::ALL);
            mischief.push((one, dice.among(&[3, 10, 30, 60])));
        }
        // Big ones are rare: they cost a hundred times as much.
        let burst = match dice.below(400) {
            0 => 300,
            1..10 => 40,
            10..60 => 12,
            _ => 4,
        };
        Self {
            mischief,
            crashes: dice.among(&[0, 0, 2, 10]),
            clumsy: dice.among(&[0, 0, 10, 60]),
            expiring: dice.among(&[0, 0, 20]),
            long: dice.among(&[0, 0, 0, 4]),
            burst,
            steps: 30 + dice.below(40),
            pending: dice.chance(25),
        }
    }

    /// The relay keeps its word and nobody dies any more.
    pub(super) fn heal(&mut self) {
        self.mischief.clear();
        self.crashes = 0;
        self.clumsy = 0;
    }

    /// Whether it comes to this now.
    pub(super) fn does(&self, what: Mischief, dice: &mut Dice) -> bool {
        self.mischief.iter().any(|(which, percent)| *which == what && dice.chance(*percent))
    }
}

/// What happens next, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Send,
    Post,
    Receive,
    Apply,
    Wait,
    JumpClock,
    Die,
    PowerCut,
    Prune,
    Rotate,
    AskAgain,
}

impl Move {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..16 => Self::Send,
            16..38 => Self::Post,
            38..62 => Self::Receive,
            62..80 => Self::Apply,
            80..91 => Self::Wait,
            91..92 => Self::Rotate,
            92..94 => Self::JumpClock,
            94..95 => Self::Die,
            95..97 => Self::PowerCut,
            97..99 => Self::Prune,
            _ => Self::AskAgain,
        }
    }
}

/// How long it takes, in milliseconds: moments mostly, and weeks now and then.
pub(super) fn pause(dice: &mut Dice) -> u64 {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    match dice.below(20) {
        0..6 => dice.below(3_000),
        6..12 => MINUTE + dice.below(MINUTE),
        12..15 => dice.below(60 * MINUTE),
        15..18 => dice.below(DAY),
        18 => dice.below(8 * DAY),
        _ => dice.below(35 * DAY),
    }
}
