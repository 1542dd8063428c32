//! The tables of an agent's store.
//!
//! One row of `peer` is one session: identity pinned, ratchet, both chains, both mailboxes. Where a session takes
//! the place of another one, by a later pairing or by a reset, it has a row of its own. What we
//! say stands in `outbox`, what the peer says in `inbox`, each by the sender's seq. States change often
//! and long bytes do not, so they lie in tables of their own: SQLite writes a changed row as a whole.

use super::store::Migration;

/// Applied in order; the version of a store is how many were applied.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { sql: FIRST },
    Migration { sql: SIGNED },
    Migration { sql: ROTATION },
    Migration { sql: RECOVERY },
    Migration { sql: MOVING },
    Migration { sql: RESET },
];

const FIRST: &str = "
CREATE TABLE agent (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    seed        BLOB NOT NULL,              -- current identity key
    statements  BLOB NOT NULL,
    store_key   BLOB NOT NULL,              -- keys the list of used codes
    created     INTEGER NOT NULL
) STRICT;

CREATE TABLE relay (
    url         TEXT PRIMARY KEY,
    relay_id    BLOB NOT NULL,              -- pinned on first sight
    offset_ms   INTEGER NOT NULL,           -- its clock minus ours
    doubted     INTEGER NOT NULL            -- it answered as another: it has to prove its key first
) STRICT;

CREATE TABLE peer (
    id          INTEGER PRIMARY KEY,
    root        BLOB NOT NULL,
    name        TEXT NOT NULL,              -- chosen here, unique among the live ones
    display     TEXT NOT NULL,              -- what the peer calls itself, never used as a name
    statements  BLOB NOT NULL,
    state       INTEGER NOT NULL,           -- Stage
    since       INTEGER NOT NULL,
    deadline    INTEGER,                    -- when a pending pairing is given up
    sas         TEXT NOT NULL,
    hello       INTEGER NOT NULL,           -- 0 held back until the SAS is confirmed, 1 signed
    verified    INTEGER NOT NULL,           -- the SAS was compared
    reset_own   BLOB NOT NULL,
    reset_peer  BLOB NOT NULL,
    session_id  BLOB NOT NULL,
    own_last    INTEGER NOT NULL,
    own_head    BLOB NOT NULL,
    recv        INTEGER NOT NULL,
    recv_head   BLOB NOT NULL,
    proc        INTEGER NOT NULL,
    peer_recv   INTEGER NOT NULL,           -- what the peer acknowledged of ours
    peer_proc   INTEGER NOT NULL,
    peer_seen   INTEGER NOT NULL,
    unacked     INTEGER NOT NULL,           -- bytes of ours that the peer has not acknowledged
    cseq_own    INTEGER NOT NULL,
    cseq_peer   INTEGER NOT NULL,
    peer_last   INTEGER NOT NULL,           -- last record that the peer says it signed
    acked_at    INTEGER NOT NULL,
    ack_owed    INTEGER NOT NULL,
    said_recv   INTEGER NOT NULL,           -- what the peer's newest record acknowledged
    said_proc   INTEGER NOT NULL,
    control     BLOB,                       -- newest sealed control message
    control_due INTEGER NOT NULL,           -- it is to be posted
    control_says BLOB,                      -- what it says; null once the ratchet has turned
    status_at   INTEGER,                    -- when to ask for an acknowledgement
    status_k    INTEGER NOT NULL,
    box_seed    BLOB NOT NULL,              -- the mailbox that the peer posts to
    box_id      BLOB NOT NULL UNIQUE,
    box_url     TEXT NOT NULL,
    box_epoch   INTEGER NOT NULL,
    box_inc     BLOB,
    box_seq     INTEGER NOT NULL,
    box_gone    INTEGER NOT NULL,           -- the right to post is to be taken back
    to_seed     BLOB NOT NULL,              -- the mailbox that we post to
    to_cert     BLOB NOT NULL,
    to_url      TEXT NOT NULL,
    to_relay    BLOB NOT NULL,
    to_inc      BLOB,
    to_refused  TEXT                        -- why the relay did not take the last post
) STRICT;
CREATE UNIQUE INDEX peer_name ON peer (name) WHERE state < 4;
CREATE UNIQUE INDEX peer_root ON peer (root) WHERE state = 1;

CREATE TABLE session (
    peer        INTEGER PRIMARY KEY REFERENCES peer (id),
    ratchet     BLOB NOT NULL
) STRICT;

CREATE TABLE outbox (
    peer        INTEGER NOT NULL REFERENCES peer (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    key         TEXT,                       -- the application's own name for it
    kind        TEXT NOT NULL,
    created     INTEGER NOT NULL,
    state       INTEGER NOT NULL,           -- Delivery
    hash        BLOB NOT NULL,
    env_hash    BLOB,
    expires     INTEGER,                    -- when the relay will have dropped it
    let_go      INTEGER NOT NULL,           -- the relay says that the peer acknowledged these bytes
    size        INTEGER NOT NULL,           -- of the envelope; 0 when there is none any more
    n           INTEGER NOT NULL,           -- of its record and its envelope
    PRIMARY KEY (peer, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox_record (
    n           INTEGER PRIMARY KEY,
    salt        BLOB NOT NULL,
    cose        BLOB NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE TABLE outbox_envelope (
    n           INTEGER PRIMARY KEY,
    bytes       BLOB NOT NULL               -- exact sealed bytes, until received
) STRICT;
CREATE INDEX outbox_state ON outbox (peer, state, seq);
CREATE INDEX outbox_expires ON outbox (expires) WHERE state = 1;
CREATE UNIQUE INDEX outbox_id ON outbox (id, peer);
CREATE UNIQUE INDEX outbox_key ON outbox (peer, key) WHERE key IS NOT NULL;

CREATE TABLE inbox (
    n           INTEGER PRIMARY KEY,        -- order of joining a chain, over all peers
    peer        INTEGER NOT NULL REFERENCES peer (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    kind        TEXT NOT NULL,
    ctype       TEXT NOT NULL,
    re          BLOB,
    ts          INTEGER NOT NULL,
    arrived     INTEGER NOT NULL,
    state       INTEGER NOT NULL,           -- Stage of an inbound record
    prev        BLOB NOT NULL,
    hash        BLOB NOT NULL,
    attempts    INTEGER NOT NULL,
    claimed_by  TEXT,
    claimed_at  INTEGER
) STRICT;
CREATE TABLE inbox_record (
    n           INTEGER PRIMARY KEY,        -- as in inbox
    salt        BLOB,                       -- null, as the body, where that was withdrawn
    cose        BLOB NOT NULL,
    body        BLOB
) STRICT;
CREATE UNIQUE INDEX inbox_seq ON inbox (peer, seq);
CREATE INDEX inbox_state ON inbox (state, peer, seq);
CREATE INDEX inbox_except ON inbox (peer, seq) WHERE state > 3;
CREATE INDEX inbox_claim ON inbox (peer, seq, claimed_by, claimed_at) WHERE claimed_by IS NOT NULL;
CREATE INDEX inbox_id ON inbox (id);

CREATE TABLE ask (
    peer        INTEGER NOT NULL REFERENCES peer (id),
    id          BLOB NOT NULL,
    reply       INTEGER,                    -- inbox.n of the reply
    PRIMARY KEY (peer, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    n           INTEGER PRIMARY KEY,
    peer        INTEGER NOT NULL REFERENCES peer (id),
    env_hash    BLOB NOT NULL,
    reason      TEXT NOT NULL,
    unopenable  INTEGER NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_peer ON quarantine (peer, n);

CREATE TABLE evidence (
    n           INTEGER PRIMARY KEY,
    peer        INTEGER NOT NULL REFERENCES peer (id),
    seq         INTEGER NOT NULL,
    what        TEXT NOT NULL,
    one         BLOB NOT NULL,
    other       BLOB NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE TABLE consumed (
    tag         BLOB PRIMARY KEY,
    until       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orphan (
    box_seed    BLOB PRIMARY KEY,           -- made for a pairing that is not committed yet
    url         TEXT NOT NULL,
    owner       TEXT NOT NULL,              -- the process that pairs
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slot (
    url         TEXT NOT NULL,              -- bytes to put at a rendezvous, exactly these
    place       BLOB NOT NULL,
    name        TEXT NOT NULL,
    token       BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    until       INTEGER NOT NULL,
    PRIMARY KEY (place, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE invite (
    id          BLOB PRIMARY KEY,           -- rendezvous id
    step        INTEGER NOT NULL,           -- what `state` is
    url         TEXT NOT NULL,
    relay_id    BLOB NOT NULL,
    token       BLOB NOT NULL,
    state       BLOB NOT NULL,
    box_seed    BLOB,
    name        TEXT,
    verify      INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    peer        INTEGER REFERENCES peer (id),
    failed      TEXT
) STRICT, WITHOUT ROWID;
";

/// The newest control message of each side, signed: with them a log says what the other side has.
const SIGNED: &str = "
ALTER TABLE peer ADD COLUMN own_signed BLOB;
ALTER TABLE peer ADD COLUMN peer_signed BLOB;
";

/// Keys that replace keys.
const ROTATION: &str = "
ALTER TABLE agent ADD COLUMN old_seed BLOB;         -- while a peer has not acknowledged the new one
ALTER TABLE peer ADD COLUMN rotate_seq INTEGER;     -- our ROTATE that the peer has not acknowledged
ALTER TABLE peer ADD COLUMN old_key BLOB;           -- the peer's, until the first word of the new one
ALTER TABLE peer ADD COLUMN rotated INTEGER;        -- when the peer's key was replaced last
ALTER TABLE peer ADD COLUMN rotation_refused INTEGER; -- when that was tried with another key than the next
";

/// The recovery file, and peers that were restored from one.
const RECOVERY: &str = "
ALTER TABLE agent ADD COLUMN backup_at INTEGER;     -- when the file was written that has the next key
ALTER TABLE agent ADD COLUMN backup_file TEXT;      -- where
ALTER TABLE agent ADD COLUMN next_moved INTEGER NOT NULL DEFAULT 0; -- what lies beside the store of it is to be erased
ALTER TABLE peer ADD COLUMN in_file INTEGER NOT NULL DEFAULT 0;     -- the file has it as it is now
";

/// Mailboxes that go to another relay.
const MOVING: &str = "
CREATE TABLE old_box (
    box_id      BLOB PRIMARY KEY,           -- a mailbox that a peer may still post to
    peer        INTEGER NOT NULL REFERENCES peer (id),
    box_seed    BLOB NOT NULL,
    box_url     TEXT NOT NULL,
    box_epoch   INTEGER NOT NULL,
    box_inc     BLOB,
    box_seq     INTEGER NOT NULL,
    until       INTEGER NOT NULL,           -- read no longer than that, or its relay asked to delete it
    gone        INTEGER NOT NULL            -- it is to be deleted
) STRICT, WITHOUT ROWID;
CREATE INDEX old_box_until ON old_box (until);
CREATE INDEX old_box_peer ON old_box (peer);
ALTER TABLE peer ADD COLUMN moved_by INTEGER;       -- our MOVE that is not over
ALTER TABLE peer ADD COLUMN move_last INTEGER;      -- the peer's last record when it first acknowledged that
ALTER TABLE peer ADD COLUMN move_taken INTEGER NOT NULL DEFAULT 0; -- the peer posts to the new one
ALTER TABLE peer ADD COLUMN move_refused INTEGER;   -- when the peer refused one
";

/// Sessions that take the place of others, with the same peer and in the same mailboxes.
///
/// A peer without a session, whose pairing was restored without its ratchet, is a row of `peer` in state 3 with no
/// row of `session`: its mailboxes, statements and reset keys are there, and its chains as the recovery file had them,
/// of which nothing is claimed any more.
const RESET: &str = "
ALTER TABLE peer ADD COLUMN origin INTEGER;         -- first session of this pairing; null in that one
ALTER TABLE peer ADD COLUMN resets INTEGER;         -- the session whose place it is to take, and has not yet
ALTER TABLE peer ADD COLUMN unsealed INTEGER;       -- first record that is signed and not sealed yet
ALTER TABLE peer ADD COLUMN lost_from INTEGER;      -- records of ours that the peer had received, and has lost
ALTER TABLE peer ADD COLUMN lost_to INTEGER;
ALTER TABLE peer ADD COLUMN reset_due INTEGER NOT NULL DEFAULT 0; -- the envelope of the reset is to be posted
ALTER TABLE peer ADD COLUMN reset_at INTEGER;       -- when it is to be posted again
DROP INDEX peer_name;
CREATE UNIQUE INDEX peer_name ON peer (name) WHERE state < 4 AND resets IS NULL;

CREATE TABLE reset (
    peer        INTEGER PRIMARY KEY REFERENCES peer (id), -- whose session is to be replaced
    own_ctr     INTEGER NOT NULL DEFAULT 0, -- of the last RESET that was made here
    peer_ctr    INTEGER NOT NULL DEFAULT 0, -- of the last that was taken from the peer
    made        INTEGER NOT NULL DEFAULT 0, -- how many were made or answered here since made_since
    made_since  INTEGER NOT NULL DEFAULT 0,
    asked       BLOB,                       -- our RESET that is not answered, with its secrets
    asked_at    INTEGER,
    posts       INTEGER NOT NULL DEFAULT 0, -- how often time has brought it to be posted again
    theirs      BLOB,                       -- the peer's RESET that waits for the owner
    theirs_at   INTEGER,
    answered    BLOB,                       -- hash of the RESET that our RESET_OK answers
    envelope    BLOB,                       -- our RESET or RESET_OK, exactly as it is posted
    own_words   TEXT,                       -- to be read out, and to be typed
    peer_words  TEXT,
    refused_at  INTEGER                     -- when other words were typed
) STRICT;
";
