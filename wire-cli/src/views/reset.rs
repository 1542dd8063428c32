//! What is shown of the reset of a session, and what is told of a peer when it comes to be.

use serde::Serialize;
use wire_core::agent::{PeerInfo, PeerState, ResetState};
use wire_core::time::Timestamp;

use super::WhyDoc;
use crate::output::escape;

/// A reset that is under way.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct ResetDoc {
    state: &'static str,
    /// What this side's owner reads out.
    words: Option<String>,
    next: String,
}

impl ResetDoc {
    pub(crate) fn of(peer: &PeerInfo) -> Option<Self> {
        let info = peer.reset.clone()?;
        let name = escape(&peer.name);
        let next = match info.state {
            ResetState::Requested => format!(
                "ask the owner of {name}, not by these messages, whether they want it; if so: wire peers reset {name}"
            ),
            ResetState::Asked => format!("the owner of {name} has to answer it: wire peers reset"),
            ResetState::AwaitsWords => format!(
                "read your words to the owner of {name}, and type theirs: wire peers reset {name} --words \"..\""
            ),
            ResetState::Confirmed => format!("the owner of {name} has to type your words"),
            _ => format!("wire peers show {name}"),
        };
        Some(Self { state: info.state.as_str(), words: info.words, next })
    }

    /// What is the case.
    pub(crate) fn what(&self) -> &'static str {
        match self.state {
            "requested" => "it, or who has stolen its store, asks for a new session",
            "asked" => "a new session was asked for",
            "awaits_words" => "a new session waits for the words to be compared",
            "confirmed" => "a new session waits for the other owner",
            _ => "a new session is under way",
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("reset         {}", self.what())];
        lines.extend(self.words.iter().map(|words| format!("read out      {words}")));
        lines.push(format!("  next: {}", self.next));
        lines
    }
}

/// What is under way with a peer, or came of it.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct PeerEvent {
    event: &'static str,
    peer: String,
    reset: Option<ResetDoc>,
    /// Why nothing more goes to it.
    why: Option<WhyDoc>,
    /// Messages of ours that the peer had received and lost, the first and the last by number.
    from: Option<u64>,
    to: Option<u64>,
    /// When it was, of what stays so.
    at: Option<u64>,
}

impl PeerEvent {
    fn new(event: &'static str, peer: &PeerInfo) -> Self {
        Self { event, peer: peer.name.clone(), reset: None, why: None, from: None, to: None, at: None }
    }

    /// What became of its keys and of the pairing.
    pub(crate) fn of_pairing(peer: &PeerInfo) -> Vec<Self> {
        let event = |event, at: Option<Timestamp>| {
            at.map(|at| Self { at: Some(at.as_millis()), ..Self::new(event, peer) })
        };
        let ended = (peer.state == PeerState::Ended)
            .then(|| Self { why: peer.end().map(WhyDoc::from), ..Self::new("ended", peer) });
        let rotated = event("rotated", peer.rotated);
        [rotated, event("rotation_refused", peer.rotation_refused), ended].into_iter().flatten().collect()
    }

    /// That its session has stopped.
    pub(crate) fn of_freeze(peer: &PeerInfo) -> Option<Self> {
        let why = peer.alarm().filter(|_| peer.state == PeerState::Frozen)?;
        Some(Self { why: Some(why.into()), ..Self::new("frozen", peer) })
    }

    /// What is under way with its session, or came of that.
    pub(crate) fn of_session(peer: &PeerInfo) -> Vec<Self> {
        let event = |event| Self::new(event, peer);
        let reset = ResetDoc::of(peer).map(|reset| Self { reset: Some(reset), ..event("reset") });
        let differed = peer.words_differed.map(|_| event("words_differed"));
        let lost = peer.lost.map(|(from, to)| Self { from: Some(from), to: Some(to), ..event("peer_lost") });
        [reset, differed, lost].into_iter().flatten().collect()
    }

    pub(crate) fn lines(&self) -> String {
        let name = escape(&self.peer);
        if let Some(why) = &self.why {
            let alarm = if self.event == "frozen" { "ALARM: " } else { "" };
            let hint = why.hint_line().map(|hint| format!("\n{hint}"));
            return format!("{alarm}{}{}", escape(&why.message), hint.unwrap_or_default());
        }
        match (&self.reset, self.from, self.to) {
            _ if self.event == "rotated" => {
                format!("{name} has another key, by the one that it had committed to")
            }
            _ if self.event == "rotation_refused" => {
                format!("ALARM: {name}, or who has its key, tried to replace the key by another one: refused")
            }
            (Some(reset), ..) => {
                let words = reset.words.as_ref().map(|words| format!("\n  your words: {words}"));
                format!("{name}: {}{}\n  next: {}", reset.what(), words.unwrap_or_default(), reset.next)
            }
            (None, Some(from), Some(to)) => {
                format!("{name} has lost what it had received of this side: messages {from} to {to}")
            }
            _ => format!(
                "ALARM: {name}: the words of a reset differed, someone may stand in between; the old session stands"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_says_what_to_do_or_what_is_lost() {
        let event = |event, reset, from| PeerEvent {
            event,
            peer: "bob".to_owned(),
            reset,
            why: None,
            from,
            to: from.map(|n: u64| n + 2),
            at: None,
        };
        let doc = |state, words: Option<&str>| ResetDoc {
            state,
            words: words.map(str::to_owned),
            next: "wire peers reset bob".to_owned(),
        };
        let asked = event("reset", Some(doc("requested", None)), None).lines();
        assert_eq!(
            asked,
            "bob: it, or who has stolen its store, asks for a new session\n  next: wire peers reset bob"
        );
        let words = event("reset", Some(doc("awaits_words", Some("oyster velvet"))), None).lines();
        assert!(words.contains("\n  your words: oyster velvet\n"), "{words}");
        assert!(event("words_differed", None, None).lines().starts_with("ALARM: bob: the words"));
        assert!(event("rotated", None, None).lines().starts_with("bob has another key"));
        assert!(event("rotation_refused", None, None).lines().starts_with("ALARM: bob"));
        assert!(event("peer_lost", None, Some(3)).lines().ends_with("messages 3 to 5"));
    }
}
