//! The shapes of documents, and of the lines that people see. Keys are the fields of the library's
//! types; times are milliseconds since 1970.

mod reset;

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::{Delivery, InviteInfo, Message, PeerInfo, PeerState, Sent, Trouble};
use wire_core::identity::Root;
use wire_core::time::Timestamp;

use crate::output::escape;
pub(crate) use reset::{PeerEvent, ResetDoc};

/// A message is shown in one line of at most so many characters; documents have all of it.
const MAX_LINE: usize = 2_048;

/// Why something waits, in the keys of an error.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct WhyDoc {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    hint: Option<String>,
    retryable: bool,
}

impl WhyDoc {
    /// A relay of which nothing is heard.
    pub(crate) fn slow() -> Self {
        Self {
            code: "relay_unreachable",
            message: "the relay is slow".to_owned(),
            hint: Some("what is queued goes out by itself; check the network if this lasts".to_owned()),
            retryable: true,
        }
    }

    /// What to do, as a line of its own.
    pub(crate) fn hint_line(&self) -> Option<String> {
        self.hint.as_ref().map(|hint| format!("  next: {}", escape(hint)))
    }
}

impl From<Trouble> for WhyDoc {
    fn from(trouble: Trouble) -> Self {
        Self {
            code: trouble.code,
            message: trouble.message,
            hint: trouble.hint.map(str::to_owned),
            retryable: trouble.retryable,
        }
    }
}

/// A peer to which nothing more goes.
#[derive(Serialize)]
pub(crate) struct EndDoc {
    peer: String,
    fingerprint: String,
    #[serde(flatten)]
    why: WhyDoc,
}

impl EndDoc {
    /// Peers whose session has stopped for good.
    pub(crate) fn alarms(peers: &[PeerInfo]) -> Vec<Self> {
        Self::of(peers, PeerInfo::alarm)
    }

    /// Peers that have ended the pairing.
    pub(crate) fn ended(peers: &[PeerInfo]) -> Vec<Self> {
        Self::of(peers, |peer| peer.end().filter(|_| peer.state == PeerState::Ended))
    }

    /// Peers of which the pairing is here, and no session.
    pub(crate) fn lost(peers: &[PeerInfo]) -> Vec<Self> {
        Self::of(peers, |peer| peer.end().filter(|_| peer.state == PeerState::Lost))
    }

    fn of(peers: &[PeerInfo], why: impl Fn(&PeerInfo) -> Option<Trouble>) -> Vec<Self> {
        let of = |peer: &PeerInfo| {
            let why = why(peer)?.into();
            Some(Self { peer: peer.name.clone(), fingerprint: peer.root.fingerprint(), why })
        };
        peers.iter().filter_map(of).collect()
    }

    pub(crate) fn alarm(&self) -> String {
        format!("ALARM: {}", self.lines())
    }

    pub(crate) fn lines(&self) -> String {
        let line = escape(&self.why.message);
        [line].into_iter().chain(self.why.hint_line()).collect::<Vec<_>>().join("\n")
    }
}

/// A pairing by link that is not completed.
#[derive(Serialize)]
pub(crate) struct InviteDoc {
    state: &'static str,
    name: Option<String>,
    until: u64,
    why: Option<WhyDoc>,
}

impl From<InviteInfo> for InviteDoc {
    fn from(info: InviteInfo) -> Self {
        Self {
            state: info.state.as_str(),
            name: info.name,
            until: info.until.as_millis(),
            why: info.why.map(WhyDoc::from),
        }
    }
}

impl InviteDoc {
    pub(crate) fn lines(&self) -> String {
        let whose = self.name.as_deref().map(|name| format!(" for {}", escape(name))).unwrap_or_default();
        match &self.why {
            None => format!("invite{whose}  {}, {} left", self.state, left(self.until)),
            Some(why) => {
                let mut lines = format!("invite{whose}  {}: {}", self.state, escape(&why.message));
                lines.extend(why.hint_line().map(|hint| format!("\n{hint}")));
                lines
            }
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PeerDoc {
    pub(crate) name: String,
    display: String,
    root: String,
    pub(crate) fingerprint: String,
    pub(crate) state: &'static str,
    since: u64,
    pub(crate) sas: String,
    verified: bool,
    awaits_verification: bool,
    relay: String,
    queued: u64,
    unacked: u64,
    unread: u64,
    /// Messages of it on which the application failed too often.
    poison: u64,
    /// Envelopes in which there was no word of it.
    rejected: u64,
    refused: Option<String>,
    /// How often it has replaced its key, and when that was last heard.
    rotations: u64,
    rotated: Option<u64>,
    /// When it was last tried with a key that it had not committed to.
    rotation_refused: Option<u64>,
    /// The relay of the mailbox that it posts to, whether the old one is still read, and when it refused a move.
    own_relay: String,
    moving: bool,
    move_refused: Option<u64>,
    /// The reset of its session that is under way.
    pub(crate) reset: Option<ResetDoc>,
    /// When other words than those of a reset were typed, since the last one that was asked for.
    words_differed: Option<u64>,
    /// Messages of ours, from and to, that it had received and had lost when its session was reset.
    lost: Option<(u64, u64)>,
    /// Why nothing goes out to it.
    why: Option<WhyDoc>,
    pub(crate) next: Option<String>,
}

impl PeerDoc {
    /// With what the agent knows of the way to it.
    pub(crate) fn of(agent: &Agent, info: PeerInfo, next: Option<String>) -> Self {
        let why = agent.trouble_with(&info).map(WhyDoc::from);
        Self { why, ..Self::new(info, next) }
    }

    pub(crate) fn new(info: PeerInfo, next: Option<String>) -> Self {
        Self {
            reset: ResetDoc::of(&info),
            words_differed: info.words_differed.map(Timestamp::as_millis),
            lost: info.lost,
            why: None,
            root: info.root.to_string(),
            fingerprint: info.root.fingerprint(),
            state: info.state.as_str(),
            since: info.since.as_millis(),
            name: info.name,
            display: info.display,
            sas: info.sas,
            verified: info.verified,
            awaits_verification: info.awaits_verification,
            relay: info.relay,
            queued: info.queued,
            unacked: info.unacked,
            unread: info.unread,
            poison: info.poison,
            rejected: info.rejected,
            refused: info.refused,
            rotations: info.rotations,
            rotated: info.rotated.map(Timestamp::as_millis),
            rotation_refused: info.rotation_refused.map(Timestamp::as_millis),
            own_relay: info.own_relay,
            moving: info.moving,
            move_refused: info.move_refused.map(Timestamp::as_millis),
            next,
        }
    }

    /// `bob  7F3A-91C2-0B5D  paired  2 unread`.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{}  {}  {}", escape(&self.name), self.fingerprint, self.state);
        let counts = [
            (self.unread, "unread"),
            (self.queued, "queued"),
            (self.poison, "poison"),
            (self.rejected, "envelopes rejected"),
        ];
        for (n, what) in counts.iter().filter(|(n, _)| *n > 0) {
            line.push_str(&format!("  {n} {what}"));
        }
        if self.rotation_refused.is_some() {
            line.push_str("  somebody tried to replace its key by one that it had not committed to");
        }
        if self.awaits_verification {
            line.push_str(&format!("  compare the words: wire peers show {} --verify", self.name));
        }
        if let Some(reset) = &self.reset {
            line.push_str(&format!("  {}: wire peers reset {}", reset.what(), escape(&self.name)));
        }
        if self.words_differed.is_some() {
            line.push_str("  the words of a reset differed");
        }
        let is_told = self.queued > 0 || matches!(self.state, "ended" | "frozen" | "lost");
        if let Some(why) = self.why.as_ref().filter(|_| is_told) {
            line.push_str(&format!("  ({})", escape(&why.message)));
        }
        line
    }

    fn move_state(&self) -> &'static str {
        match (self.moving, self.move_refused) {
            (true, _) => "  (moved; it has not heard of that yet)",
            (false, Some(_)) => "  (it refused the last move)",
            (false, None) => "",
        }
    }

    /// A line for each thing that is known.
    pub(crate) fn lines(&self) -> String {
        let verified = if self.verified { "compared" } else { "not compared" };
        [
            self.line(),
            format!("calls itself  {}", escape(&self.display)),
            format!("root          {}", self.root),
            format!("relay         {}", escape(&self.relay)),
            format!("our mailbox   {}{}", escape(&self.own_relay), self.move_state()),
            format!("paired        {}", ago(self.since)),
            format!("words         {}  ({verified})", self.sas),
            format!("unconfirmed   {}", self.unacked),
        ]
        .into_iter()
        .chain(
            self.rotated
                .map(|at| format!("new key       {} before it, the last {}", self.rotations, ago(at))),
        )
        .chain(
            self.lost.map(|(from, to)| format!("has lost      messages {from} to {to} that it had received")),
        )
        .chain(self.reset.iter().flat_map(ResetDoc::lines))
        .chain(self.why.as_ref().and_then(WhyDoc::hint_line))
        .collect::<Vec<_>>()
        .join("\n")
    }
}

#[derive(Serialize)]
pub(crate) struct SentDoc {
    pub(crate) id: String,
    pub(crate) peer: String,
    kind: String,
    pub(crate) state: &'static str,
    overdue: bool,
    created: u64,
    /// Why it is still queued, or why nothing more will happen to it.
    pub(crate) why: Option<WhyDoc>,
    pub(crate) next: Option<String>,
}

impl SentDoc {
    pub(crate) fn new(sent: Sent, why: Option<WhyDoc>, next: Option<String>) -> Self {
        Self {
            why: sent.end.map(WhyDoc::from).or(why.filter(|_| sent.state == Delivery::Queued)),
            id: sent.id.to_string(),
            peer: sent.peer,
            kind: sent.kind,
            state: sent.state.as_str(),
            overdue: sent.overdue,
            created: sent.created.as_millis(),
            next,
        }
    }

    /// `01K9..  bob  relayed  3 min ago`.
    pub(crate) fn line(&self) -> String {
        let overdue = if self.overdue { "  overdue" } else { "" };
        let why = self.why.as_ref().map(|why| format!(" ({})", escape(&why.message))).unwrap_or_default();
        format!("{}  {}  {}{why}{overdue}  {}", self.id, escape(&self.peer), self.state, ago(self.created))
    }
}

#[derive(Serialize)]
pub(crate) struct MessageDoc {
    pub(crate) id: String,
    pub(crate) sender: String,
    sender_root: String,
    fingerprint: String,
    kind: String,
    pub(crate) re: Option<String>,
    ts: u64,
    arrived: u64,
    content_type: String,
    /// The body, if it is text.
    pub(crate) text: Option<String>,
    /// The body in base64, if it is not.
    body: Option<String>,
}

impl MessageDoc {
    pub(crate) fn new(message: &Message) -> Self {
        let root: Root = message.sender_root();
        let text = message.text().ok().map(str::to_owned);
        Self {
            id: message.id().to_string(),
            sender: message.sender().to_owned(),
            sender_root: root.to_string(),
            fingerprint: root.fingerprint(),
            kind: message.kind().to_owned(),
            re: message.re().map(|re| re.to_string()),
            ts: message.ts().as_millis(),
            arrived: message.arrived().as_millis(),
            content_type: message.content_type().to_owned(),
            body: text.is_none().then(|| BASE64.encode(message.body())),
            text,
        }
    }

    /// `01K9..  bob  now  tests are green`.
    pub(crate) fn line(&self) -> String {
        let asks = if self.kind == "ask" { " asks" } else { "" };
        format!("{}  {}{asks}  {}  {}", self.id, escape(&self.sender), ago(self.arrived), self.body_line())
    }

    /// One line that says whose words they are, for a host that hands it to a model.
    pub(crate) fn fenced_line(&self) -> String {
        format!(
            "UNTRUSTED peer message · from {} (key {}) · reply: wire send --re {} TEXT · {}",
            escape(&self.sender),
            self.fingerprint,
            self.id,
            self.body_line()
        )
    }

    fn body_line(&self) -> String {
        let Some(text) = &self.text else { return format!("({})", escape(&self.content_type)) };
        let shown = escape(text.trim_end_matches(['\n', '\r']));
        match shown.char_indices().nth(MAX_LINE) {
            Some((end, _)) => format!("{}… (all of it: --json)", shown.get(..end).unwrap_or_default()),
            None => shown,
        }
    }
}

/// How long ago, roughly.
pub(crate) fn ago(millis: u64) -> String {
    let seconds = now().saturating_sub(millis) / 1_000;
    match seconds {
        0..60 => "now".to_owned(),
        60..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// How long until then, roughly: `10 min`.
pub(crate) fn left(until: u64) -> String {
    let left = until.saturating_sub(now());
    if left < 60_000 {
        return format!("{} s", left.div_ceil(1_000));
    }
    // A minute that has just begun is a whole one.
    let minutes = left.saturating_add(59_000) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
