//! Looking, without changing anything.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Batch, PeerKey, Stage};
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};
use crate::identity::{Root, STATEMENT_LEN};
use crate::record::RecordId;
use crate::time::Timestamp;

/// A pairing as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct PeerView {
    pub(crate) key: PeerKey,
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) root: Root,
    pub(crate) stage: Stage,
    pub(crate) since: Timestamp,
    pub(crate) sas: String,
    pub(crate) hello: bool,
    pub(crate) verified: bool,
    pub(crate) relay: String,
    pub(crate) queued: u64,
    pub(crate) unacked: u64,
    pub(crate) unread: u64,
    pub(crate) poison: u64,
    pub(crate) rejected: u64,
    pub(crate) refused: Option<String>,
    pub(crate) rotations: u64,
    /// It has not acknowledged our new key.
    pub(crate) awaits_key: bool,
    pub(crate) rotated: Option<Timestamp>,
    pub(crate) rotation_refused: Option<Timestamp>,
    /// The relay of our mailbox for it.
    pub(crate) own_relay: String,
    pub(crate) moving: bool,
    pub(crate) move_refused: Option<Timestamp>,
    pub(crate) reset: Option<ResetView>,
    /// When words were typed that were not those of a reset.
    pub(crate) words_differed: Option<Timestamp>,
    /// Records of ours that the peer had received, and had lost when the session was reset.
    pub(crate) lost: Option<(u64, u64)>,
}

/// A reset that is under way.
#[derive(Clone, Debug)]
pub(crate) struct ResetView {
    /// The peer asks for it, since then.
    pub(crate) theirs: Option<Timestamp>,
    /// We ask for it, since then.
    pub(crate) asked: Option<Timestamp>,
    /// Both have agreed: whether our owner has confirmed it, and the words to be read out.
    pub(crate) agreed: Option<(bool, String)>,
}

/// A record that we sent, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryRow {
    pub(crate) peer: PeerKey,
    pub(crate) peer_name: String,
    /// How far the pairing is that it was sent under.
    pub(crate) stage: Stage,
    pub(crate) id: RecordId,
    pub(crate) kind: String,
    pub(crate) state: Delivery,
    pub(crate) created: Timestamp,
}

const PEER: &str =
    "SELECT p.id, p.name, p.display, p.root,
    iif(p.state = 3 AND NOT EXISTS (SELECT 1 FROM session s WHERE s.peer = p.id), 7, p.state), p.since, p.sas, p.hello, p.verified, p.to_url,
    (SELECT count(*) FROM outbox o WHERE o.peer = p.id AND o.state = 0),
    p.own_last - p.peer_recv,
    (SELECT count(*) FROM inbox i WHERE i.state IN (1, 2) AND i.peer IN
        (SELECT q.id FROM peer q WHERE coalesce(q.origin, q.id) = coalesce(p.origin, p.id))),
    (SELECT count(*) FROM quarantine q WHERE q.peer = p.id), p.to_refused,
    (SELECT count(*) FROM inbox i WHERE i.state = 6 AND i.peer IN
        (SELECT q.id FROM peer q WHERE coalesce(q.origin, q.id) = coalesce(p.origin, p.id))),
    length(p.statements), p.rotated, p.rotation_refused,
    p.rotate_seq IS NOT NULL AND p.state <= 1,
    r.theirs_at * (r.theirs IS NOT NULL), r.asked_at, n.hello, r.own_words, r.refused_at, p.lost_from, p.lost_to,
    p.box_url, p.moved_by IS NOT NULL, p.move_refused
    FROM peer p LEFT JOIN reset r ON r.peer = p.id LEFT JOIN peer n ON n.resets = p.id AND n.state = 0";
/// Not those that wait to replace another session, nor those that a reset has replaced.
const SHOWN: &str = "p.resets IS NULL AND NOT (p.state = 5 AND EXISTS (SELECT 1 FROM peer q
    WHERE q.resets IS NULL AND q.id > p.id AND coalesce(q.origin, q.id) = coalesce(p.origin, p.id)))";

/// Records that are not final, newest first. The peers come first, for what is final is much more.
pub(super) const OPEN_DELIVERIES: &str = "SELECT o.peer, p.name, o.id, o.kind, o.state, o.created, p.state
    FROM peer p CROSS JOIN outbox o ON o.peer = p.id
    WHERE o.state < 3 AND p.state <= 3 AND o.kind <> 'hello' ORDER BY o.created DESC LIMIT ?";

impl PeerView {
    fn read(r: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let view = Self {
            key: PeerKey(r.get(0)?),
            name: r.get(1)?,
            display: r.get(2)?,
            root: Root::from_bytes(r.get(3)?),
            stage: Stage::Pending,
            since: Timestamp::from_millis(r.get(5)?),
            sas: r.get(6)?,
            hello: r.get(7)?,
            verified: r.get(8)?,
            relay: r.get(9)?,
            queued: r.get(10)?,
            unacked: r.get(11)?,
            unread: r.get(12)?,
            rejected: r.get(13)?,
            refused: r.get(14)?,
            poison: r.get(15)?,
            rotations: (r.get::<_, u64>(16)? / STATEMENT_LEN as u64).saturating_sub(1),
            awaits_key: r.get(19)?,
            rotated: r.get::<_, Option<u64>>(17)?.map(Timestamp::from_millis),
            rotation_refused: r.get::<_, Option<u64>>(18)?.map(Timestamp::from_millis),
            reset: ResetView::read(r)?,
            words_differed: r.get::<_, Option<u64>>(24)?.map(Timestamp::from_millis),
            lost: r.get::<_, Option<u64>>(25)?.zip(r.get(26)?),
            own_relay: r.get(27)?,
            moving: r.get(28)?,
            move_refused: r.get::<_, Option<u64>>(29)?.map(Timestamp::from_millis),
        };
        Ok((view, r.get(4)?))
    }

    fn staged((view, stage): (Self, i64)) -> Result<Self, Error> {
        Ok(Self { stage: Stage::from_store(stage)?, ..view })
    }
}

impl ResetView {
    fn read(r: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let view = Self {
            theirs: r.get::<_, Option<u64>>(20)?.filter(|at| *at > 0).map(Timestamp::from_millis),
            asked: r.get::<_, Option<u64>>(21)?.map(Timestamp::from_millis),
            agreed: r.get::<_, Option<bool>>(22)?.zip(r.get(23)?),
        };
        let is_any = view.theirs.is_some() || view.asked.is_some() || view.agreed.is_some();
        Ok(is_any.then_some(view))
    }
}

impl Batch<'_> {
    /// All pairings, the live ones by name first.
    pub(crate) fn list_peers(&self) -> Result<Vec<PeerView>, Error> {
        let mut statement =
            self.tx.prepare_cached(&format!("{PEER} WHERE {SHOWN} ORDER BY p.state > 3, p.name, p.id"))?;
        let rows = statement.query_map([], PeerView::read)?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(PeerView::staged).collect()
    }

    /// One pairing, as its present session has it.
    pub(crate) fn view_peer(&self, key: PeerKey) -> Result<PeerView, Error> {
        self.tx
            .prepare_cached(&format!("{PEER} WHERE p.id = ?"))?
            .query_row([self.successor(key)?.0], PeerView::read)
            .optional()?
            .map(PeerView::staged)
            .ok_or(Error::UnknownPeer)?
    }

    /// The pairing with a local name, or with a root in its text form. A revoked one is found only
    /// where no live one has the name.
    pub(crate) fn find_peer(&self, who: &str) -> Result<PeerView, Error> {
        let root = who.parse::<Root>().ok();
        self.tx
            .prepare_cached(&format!(
                "{PEER} WHERE (p.name = ?1 OR p.root = ?2) AND {SHOWN} ORDER BY p.state > 3, p.state = 0, p.id DESC LIMIT 1"
            ))?
            .query_row(params![who, root.as_ref().map(|r| r.as_bytes().as_slice())], PeerView::read)
            .optional()?
            .map(PeerView::staged)
            .ok_or(Error::UnknownPeer)?
    }

    /// How far a record of ours got.
    pub(crate) fn delivery(&self, id: &RecordId) -> Result<Option<DeliveryRow>, Error> {
        self.tx
            .prepare_cached(
                "SELECT o.peer, p.name, o.id, o.kind, o.state, o.created, p.state
                 FROM outbox o JOIN peer p ON p.id = o.peer WHERE o.id = ? ORDER BY o.peer DESC LIMIT 1",
            )?
            .query_row([id.as_bytes()], delivery_row)
            .optional()?
            .map(delivery_of)
            .transpose()?
            .map(|row| self.as_of_now(row))
            .transpose()
    }

    /// A record of a session that was reset goes by the one that took its place: a reply may still come.
    fn as_of_now(&self, row: DeliveryRow) -> Result<DeliveryRow, Error> {
        if row.stage != Stage::Replaced {
            return Ok(row);
        }
        let now = self.view_peer(row.peer)?;
        Ok(DeliveryRow { peer: now.key, stage: now.stage, ..row })
    }

    /// Records of ours that are not final yet, newest first.
    pub(crate) fn open_deliveries(&self, max: u32) -> Result<Vec<DeliveryRow>, Error> {
        let mut statement = self.tx.prepare_cached(OPEN_DELIVERIES)?;
        let rows = statement.query_map([max], delivery_row)?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(delivery_of).collect()
    }
}

impl Batch<'_> {
    /// What is said of a record that is settled already has to be what its sender was told of it. Where the
    /// pairing is over nobody was told anything, and `poison` is no word of an application.
    pub(super) fn settled_as(&self, n: i64, said: Inward) -> Result<(), Error> {
        let (state, stage): (i64, i64) = self
            .tx
            .prepare_cached(
                "SELECT i.state, p.state FROM inbox i JOIN peer p ON p.id = i.peer WHERE i.n = ?",
            )?
            .query_row([n], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?
            .ok_or(Error::UnknownMessage)?;
        if state == said as i64 || said == Inward::Poison || !Stage::from_store(stage)?.is_live() {
            return Ok(());
        }
        // Both sides count what is settled alike.
        Err(Error::Settled { state: Delivery::from_store(state)? })
    }
}

impl DeliveryRow {
    /// Why nothing more will happen to it, where that is how its pairing ended. What a relay took before
    /// the peer ended the pairing may have been acknowledged before that too, and to a session that froze
    /// a post may still be on its way.
    pub(crate) fn end(&self) -> Option<Error> {
        let is_cut_off = !self.state.is_final() && !self.stage.is_live();
        if is_cut_off || self.state == Delivery::Revoked { self.stage.end(&self.peer_name) } else { None }
    }
}

type RawDelivery = (i64, String, [u8; 16], String, i64, u64, i64);

fn delivery_row(r: &Row<'_>) -> rusqlite::Result<RawDelivery> {
    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?))
}

fn delivery_of(
    (peer, peer_name, id, kind, state, created, stage): RawDelivery,
) -> Result<DeliveryRow, Error> {
    Ok(DeliveryRow {
        peer: PeerKey(peer),
        peer_name,
        stage: Stage::from_store(stage)?,
        id: RecordId::from_bytes(id),
        kind,
        state: Delivery::from_store(state)?,
        created: Timestamp::from_millis(created),
    })
}
