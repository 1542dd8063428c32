//! What a relay takes at most: what the protocol fixes as constants, what an operator may set as a
//! struct.

/// The most envelopes of one post or page.
pub const MAX_BATCH: usize = 128;
/// The most bytes of the envelopes of one post or page: 4 MiB.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// The largest envelope that any certificate may allow: 256 KiB.
pub const MAX_ENVELOPE: usize = 256 << 10;
/// The longest that a relay lets a call wait: 50 s.
pub const MAX_WAIT_MS: u32 = 50_000;
/// How far the time of a request may be from the relay's, either way: 120 s.
pub const MAX_SKEW_MS: u64 = 120_000;
/// The most polls of one streaming read.
pub const MAX_STREAMS: usize = 4096;
/// The most envelopes of one mailbox that a stream has sent and the owner has not acknowledged.
pub const STREAM_WINDOW: usize = 64;
/// The most bytes of these: 1 MiB.
pub const STREAM_WINDOW_BYTES: usize = 1 << 20;
/// A stream that has nothing to say says so this often: 20 s.
pub const KEEP_ALIVE_MS: u64 = 20_000;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What the operator of a relay may set. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest envelope, whatever a certificate says; at most [`MAX_ENVELOPE`].
    pub max_envelope: u32,
    /// Most envelopes that wait in one mailbox.
    pub max_pending: u32,
    /// Most bytes that wait in one mailbox.
    pub max_pending_bytes: u64,
    /// Most bytes that one mailbox takes in 24 hours. Counted in memory, so a restart forgets it.
    pub bytes_per_day: u64,
    /// How long an envelope is kept if nobody fetches it.
    pub envelope_life: u64,
    /// How long the relay knows an acknowledged envelope or a deleted mailbox again; at least 300 s,
    /// which is more than the window in which a request can be replayed.
    pub tombstone: u64,

    /// How long a typed code can be claimed.
    pub code_life: u64,
    /// How long the slots of a typed code live after b1 was written.
    pub code_linger: u64,
    /// How long an invite lives, claimed or not.
    pub invite_life: u64,
    /// A claim without b1 lapses after this.
    pub claim_lapse: u64,
    /// How long the digits of a code are not given out again.
    pub quarantine: u64,
    /// Most places that are open at one time.
    pub open_places: u32,

    /// Open codes of one address prefix, then the relay wants work.
    pub open_codes_per_origin: u32,
    /// Open invites of one address prefix, then the relay wants work.
    pub open_invites_per_origin: u32,
    /// Claims of places that are not there, for each address prefix and minute; then none is taken.
    pub missed_claims_per_minute: u32,
    /// New mailboxes for each address prefix and minute, then the relay wants work.
    pub creates_per_minute: u32,
    /// Zero bits of a proof of work: 2^bits hashes.
    pub work_bits: u8,

    /// Address prefixes whose rates are kept; those beyond share one.
    pub tracked_origins: u32,
    /// Mailboxes whose bytes of the day are kept.
    pub tracked_quotas: u32,
    /// Certificates that need not be verified again.
    pub cached_certificates: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_envelope: MAX_ENVELOPE as u32,
            max_pending: 4096,
            max_pending_bytes: 256 << 20,
            bytes_per_day: 4 << 30,
            envelope_life: 30 * DAY,
            tombstone: 5 * MINUTE,
            code_life: 10 * MINUTE,
            code_linger: 10 * MINUTE,
            invite_life: 7 * DAY,
            claim_lapse: MINUTE,
            quarantine: DAY,
            open_places: 100_000,
            open_codes_per_origin: 10,
            open_invites_per_origin: 100,
            missed_claims_per_minute: 5,
            creates_per_minute: 600,
            work_bits: 20,
            tracked_origins: 65_536,
            tracked_quotas: 65_536,
            cached_certificates: 16_384,
        }
    }
}
