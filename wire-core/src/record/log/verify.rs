//! What a log proves, line by line.

use std::collections::BTreeSet;

use super::{LogError, LogFault, LogLine, Side};
use crate::identity::{PinnedKey, Root, StatementChain};
use crate::record::message::payload;
use crate::record::{Ack, Inbound, Link, RecordError, RecordHash, VerifiedRecord, open};
use crate::session::SessionId;

/// What a log proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The session.
    pub session: SessionId,
    /// Who exported it.
    pub own: SideReport,
    /// The other side.
    pub peer: SideReport,
}

/// What a log proves of what one side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideReport {
    /// Its stable name.
    pub root: Root,
    /// Its records, all signed by it, in this order, without a hole.
    pub records: u64,
    /// Hash of the last one; the session id if there is none.
    pub head: RecordHash,
    /// Of so many the body is not here: pruned, or withdrawn before it arrived.
    pub pruned: u64,
    /// Up to here the other side has signed that it has them.
    pub received: u64,
    /// Up to here the other side has signed that it is done with them.
    pub processed: u64,
    /// Of those, so many it did not take.
    pub excepted: u64,
    /// It says itself that it has signed so many; more than `records` means that the newest are not here.
    pub signed: u64,
    /// It signed two histories.
    pub conflict: bool,
}

/// Verifies a log, one line at a time.
#[derive(Debug, Default)]
pub struct LogVerifier {
    line: u64,
    parties: Option<Parties>,
    part: Part,
}

/// What has come so far; no line goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    #[default]
    Records,
    Controls,
    Conflicts,
    End,
}

#[derive(Debug)]
struct Parties {
    session: SessionId,
    own: Party,
    peer: Party,
}

#[derive(Debug)]
struct Party {
    root: Root,
    /// Every key that has ever spoken for it.
    keys: Vec<PinnedKey>,
    /// The key of its newest record: it does not go back from there.
    key: usize,
    /// Hash of each record, by seq - 1.
    hashes: Vec<RecordHash>,
    pruned: u64,
    /// What it said of the other side, in its newest record.
    said: (u64, u64),
    /// The most that it said.
    most: (u64, u64),
    /// Ranges that it excepted.
    excepted: BTreeSet<(u64, u64)>,
    signed: u64,
    has_control: bool,
    conflict: bool,
    /// Acknowledgements of records that had not come yet.
    open: Vec<(u64, Claim)>,
}

/// What a signature says of a chain: the record at `seq` has this hash.
#[derive(Clone, Copy, Debug)]
struct Claim {
    by: Side,
    seq: u64,
    head: RecordHash,
}

impl LogVerifier {
    /// Takes the next line, with its end.
    ///
    /// # Errors
    /// The first fault ends it: the log proves nothing.
    pub fn take(&mut self, line: &[u8]) -> Result<(), LogError> {
        self.line += 1;
        let at = self.line;
        LogLine::parse(line).and_then(|line| self.judge(line)).map_err(|fault| LogError { line: at, fault })
    }

    /// Behind the last line.
    ///
    /// # Errors
    /// [`LogFault::Cut`] if that was not the end, [`LogFault::Ack`] for what was acknowledged and is not there.
    pub fn finish(self) -> Result<LogReport, LogError> {
        let cut = LogError { line: self.line.saturating_add(1), fault: LogFault::Cut };
        let (Some(parties), Part::End) = (self.parties, self.part) else { return Err(cut) };
        for party in [&parties.own, &parties.peer] {
            for (line, claim) in &party.open {
                parties.check(*claim).map_err(|fault| LogError { line: *line, fault })?;
            }
        }
        Ok(parties.report())
    }

    fn judge(&mut self, line: LogLine) -> Result<(), LogFault> {
        let at = self.line;
        let Some(parties) = &mut self.parties else {
            let LogLine::Head { session, own, peer } = line else { return Err(LogFault::OutOfPlace) };
            self.parties = Some(Parties::of(session, &own, &peer)?);
            return Ok(());
        };
        let part = match &line {
            LogLine::Head { .. } => return Err(LogFault::OutOfPlace),
            LogLine::Record { .. } => Part::Records,
            LogLine::Control { .. } => Part::Controls,
            LogLine::Conflict { .. } => Part::Conflicts,
            LogLine::End { .. } => Part::End,
        };
        if self.part == Part::End {
            return Err(LogFault::Cut);
        }
        if part < self.part {
            return Err(LogFault::OutOfPlace);
        }
        self.part = part;
        match line {
            LogLine::Head { .. } => Err(LogFault::OutOfPlace),
            LogLine::Record { by, cose, body } => parties.record(at, by, &cose, body),
            LogLine::Control { by, cose } => parties.control(at, by, &cose),
            LogLine::Conflict { by, coses } => parties.conflict(by, &coses),
            LogLine::End { own, peer } => {
                let whole = own == parties.own.count() && peer == parties.peer.count();
                if whole { Ok(()) } else { Err(LogFault::Cut) }
            }
        }
    }
}

impl Parties {
    fn of(session: SessionId, own: &[u8], peer: &[u8]) -> Result<Self, LogFault> {
        let party = |statements: &[u8]| {
            StatementChain::verify(statements).map(Party::new).map_err(|_| LogFault::Identity)
        };
        let parties = Self { session, own: party(own)?, peer: party(peer)? };
        if parties.own.root == parties.peer.root { Err(LogFault::Identity) } else { Ok(parties) }
    }

    fn party(&self, side: Side) -> &Party {
        match side {
            Side::Own => &self.own,
            Side::Peer => &self.peer,
        }
    }

    fn party_mut(&mut self, side: Side) -> &mut Party {
        match side {
            Side::Own => &mut self.own,
            Side::Peer => &mut self.peer,
        }
    }

    /// As the receiver of that side's records sees it.
    fn link(&self, by: Side) -> Link {
        Link { session: self.session, own: self.party(by.other()).root, peer: self.party(by).root }
    }

    /// Opens what a side signed, with the key at `from` or a later one; gives also which one it was.
    fn open(&self, by: Side, payload: &[u8], from: usize) -> Result<(Inbound, usize), LogFault> {
        let link = self.link(by);
        for (n, key) in self.party(by).keys.iter().enumerate().skip(from) {
            match open(payload, &link, key) {
                Err(RecordError::Signature) => {}
                other => return Ok((other?, n)),
            }
        }
        Err(RecordError::Signature.into())
    }

    fn record(
        &mut self,
        line: u64,
        by: Side,
        cose: &[u8],
        body: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), LogFault> {
        let (salt, body) = body.unwrap_or_default();
        let (inbound, key) = self.open(by, &payload(cose, &salt, &body), self.party(by).key)?;
        let Inbound::Record(record) = inbound else { return Err(LogFault::Chain) };
        let header = record.header();
        let party = self.party(by);
        let prev = party.hash_at(party.count(), &self.session);
        if header.seq != party.count() + 1 || Some(header.prev) != prev {
            return Err(LogFault::Chain);
        }
        if header.ack.recv < party.said.0 || header.ack.proc < party.said.1 {
            return Err(LogFault::Ack);
        }
        let party = self.party_mut(by);
        party.key = key;
        party.hashes.push(record.hash());
        party.signed = party.signed.max(header.seq);
        party.pruned += u64::from(record.body().is_none());
        party.said = (header.ack.recv, header.ack.proc);
        self.ack(line, by, &header.ack)
    }

    fn control(&mut self, line: u64, by: Side, cose: &[u8]) -> Result<(), LogFault> {
        let (inbound, _) = self.open(by, &payload(cose, &[], &[]), 0)?;
        let Inbound::Control(control) = inbound else { return Err(LogFault::Chain) };
        let control = control.get();
        let party = self.party_mut(by);
        if std::mem::replace(&mut party.has_control, true) {
            return Err(LogFault::OutOfPlace);
        }
        party.signed = party.signed.max(control.last);
        let count = party.count();
        if control.last <= count {
            self.check(Claim { by, seq: control.last, head: control.head })?;
        } else if by == Side::Own {
            return Err(LogFault::Chain);
        }
        self.ack(line, by, &control.ack)
    }

    /// What `by` says of the other side's chain.
    fn ack(&mut self, line: u64, by: Side, ack: &Ack) -> Result<(), LogFault> {
        if ack.proc > ack.recv || ack.seen > self.party(by).count() {
            return Err(LogFault::Ack);
        }
        let claim = Claim { by: by.other(), seq: ack.recv, head: ack.head };
        let is_open = ack.recv > self.party(by.other()).count();
        if !is_open {
            self.check(claim)?;
        }
        let party = self.party_mut(by);
        if is_open {
            party.open.push((line, claim));
        }
        party.most = (party.most.0.max(ack.recv), party.most.1.max(ack.proc));
        let excepted = ack.except.iter().map(|e| (e.range.from, e.range.to.min(ack.proc)));
        party.excepted.extend(excepted.filter(|(from, to)| from <= to));
        Ok(())
    }

    fn conflict(&mut self, by: Side, coses: &[Vec<u8>]) -> Result<(), LogFault> {
        if std::mem::replace(&mut self.party_mut(by).conflict, true) {
            return Err(LogFault::OutOfPlace);
        }
        let records: Vec<VerifiedRecord> = coses
            .iter()
            .map(|cose| match self.open(by, &payload(cose, &[], &[]), 0)? {
                (Inbound::Record(record), _) => Ok(*record),
                _ => Err(LogFault::NoConflict),
            })
            .collect::<Result<_, _>>()?;
        let is_conflict = match records.as_slice() {
            [one] => one.header().seq == 1 && one.header().prev.as_bytes() != self.session.as_bytes(),
            [one, other] => {
                let (a, b) = (one.header(), other.header());
                (a.seq == b.seq && one.cose() != other.cose())
                    || (Some(b.seq) == a.seq.checked_add(1) && b.prev != one.hash())
            }
            _ => return Err(LogFault::Malformed),
        };
        if is_conflict { Ok(()) } else { Err(LogFault::NoConflict) }
    }

    fn check(&self, claim: Claim) -> Result<(), LogFault> {
        let is = self.party(claim.by).hash_at(claim.seq, &self.session);
        if is == Some(claim.head) { Ok(()) } else { Err(LogFault::Ack) }
    }

    fn report(self) -> LogReport {
        let session = self.session;
        let side = |party: &Party, other: &Party| SideReport {
            root: party.root,
            records: party.count(),
            head: *party.hashes.last().unwrap_or(&RecordHash::from_bytes(*session.as_bytes())),
            pruned: party.pruned,
            received: other.most.0,
            processed: other.most.1,
            excepted: other.count_excepted(),
            signed: party.signed,
            conflict: party.conflict,
        };
        LogReport { session, own: side(&self.own, &self.peer), peer: side(&self.peer, &self.own) }
    }
}

impl Party {
    fn new(chain: StatementChain) -> Self {
        Self {
            root: chain.root(),
            keys: chain.keys().map(PinnedKey::from).collect(),
            key: 0,
            hashes: Vec::new(),
            pruned: 0,
            said: (0, 0),
            most: (0, 0),
            excepted: BTreeSet::new(),
            signed: 0,
            has_control: false,
            conflict: false,
            open: Vec::new(),
        }
    }

    fn count(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// How many records lie in any of the ranges.
    fn count_excepted(&self) -> u64 {
        let (mut count, mut top) = (0, 0);
        for (from, to) in &self.excepted {
            count += (to + 1).saturating_sub(*from.max(&(top + 1)));
            top = top.max(*to);
        }
        count
    }

    /// The hash of a record, the session id at 0.
    fn hash_at(&self, seq: u64, session: &SessionId) -> Option<RecordHash> {
        match seq.checked_sub(1) {
            None => Some(RecordHash::from_bytes(*session.as_bytes())),
            Some(n) => usize::try_from(n).ok().and_then(|n| self.hashes.get(n)).copied(),
        }
    }
}
