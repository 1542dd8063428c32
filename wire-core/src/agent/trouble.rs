//! Why something waits, in the words of the error that it would be if it were one.

use super::core::Agent;
use super::engine::Stage;
use super::error::Error;
use super::views::{PeerInfo, PeerState, RelayState};
use crate::mailbox::Refusal;

/// Why something waits, or what is wrong with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// The stable word for programs, as [`Error::code`] has it.
    pub code: &'static str,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub hint: Option<&'static str>,
    /// It may pass without anybody changing anything.
    pub retryable: bool,
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        match error {
            Error::Relay(refusal) => Self::refused(refusal),
            other => Self {
                code: other.code(),
                message: other.to_string(),
                hint: other.hint(),
                retryable: other.is_transient(),
            },
        }
    }
}

impl Trouble {
    fn refused(refusal: &Refusal) -> Self {
        let error = Error::Relay(*refusal);
        let hint = match refusal {
            Refusal::OldEpoch => error.hint(),
            Refusal::NotFound => {
                Some("the peer's mailbox is not there; ask the peer, and pair again if it stays so")
            }
            Refusal::Full => Some("its operator has to make room; what is queued then goes out by itself"),
            refusal if refusal.is_transient() => Some("what is queued goes out by itself when that is over"),
            _ => Some("what is queued is tried again; its operator knows what it takes"),
        };
        Self { code: error.code(), message: error.to_string(), hint, retryable: refusal.is_transient() }
    }

    /// What the store remembers of a refusal.
    fn noted(code: &str) -> Option<Self> {
        let refusals = [
            Refusal::NotFound,
            Refusal::Malformed,
            Refusal::RightWanted,
            Refusal::OldEpoch,
            Refusal::Skew,
            Refusal::Taken,
            Refusal::TooLarge,
            Refusal::Quota { retry_after: 0 },
            Refusal::Rate { retry_after: 0 },
            Refusal::Unavailable { retry_after: 0 },
            Refusal::Full,
        ];
        refusals.iter().find(|refusal| refusal.code() == code).map(Self::refused)
    }
}

impl RelayState {
    /// What is wrong with the relay at `url`, if this is its state.
    pub fn trouble(&self, url: &str) -> Option<Trouble> {
        match self {
            Self::Unknown | Self::Reachable => None,
            Self::Mismatch => Some(Trouble::from(&Error::RelayMismatch { url: url.to_owned() })),
            Self::Refuses(refusal) => Some(Trouble::refused(refusal)),
            Self::ClockSkew(message) => {
                let error = Error::ClockSkew { url: url.to_owned(), offset_ms: 0 };
                Some(Trouble { message: message.clone(), ..Trouble::from(&error) })
            }
            Self::Unreachable(message) => {
                let error = Error::NotARelay { url: url.to_owned() };
                Some(Trouble { message: message.clone(), retryable: true, ..Trouble::from(&error) })
            }
        }
    }
}

impl PeerInfo {
    /// The alarm of a session that is frozen, or is not there.
    pub fn alarm(&self) -> Option<Trouble> {
        self.end().filter(|_| matches!(self.state, PeerState::Frozen | PeerState::Lost))
    }

    /// Why nothing more is sent to it, if so.
    pub fn end(&self) -> Option<Trouble> {
        Stage::from(self.state).end(&self.name).as_ref().map(Trouble::from)
    }
}

impl Agent {
    /// Why messages do not come in, as far as this process knows: its own store does not take them, or its
    /// own relay is not to be had.
    pub fn trouble(&self) -> Option<Trouble> {
        let relay = self.shared.config.relay().as_str();
        self.store_trouble().or_else(|| self.relay_state(relay).trouble(relay))
    }

    /// Why what came in is not stored here, if so. Its relay keeps it, and it is tried again and again.
    pub fn store_trouble(&self) -> Option<Trouble> {
        self.shared.unstored.failure().as_ref().map(Trouble::from)
    }

    /// Why what is queued for a peer does not go out, as far as this process or the store knows.
    pub fn trouble_with(&self, peer: &PeerInfo) -> Option<Trouble> {
        let relay = || self.relay_state(&peer.relay).trouble(&peer.relay);
        let noted = || peer.refused.as_deref().and_then(Trouble::noted);
        let unheard = || {
            let error = Error::NewKeyUnheard { peer: peer.name.clone() };
            peer.awaits_new_key.then(|| Trouble::from(&error))
        };
        peer.end().or_else(relay).or_else(|| self.store_trouble()).or_else(noted).or_else(unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_holds_something_up_says_what_to_do() {
        let url = "http://127.0.0.1:1";
        for (state, code, retryable) in [
            (RelayState::Mismatch, "relay_mismatch", false),
            (RelayState::ClockSkew("off".to_owned()), "clock_skew", false),
            (RelayState::Unreachable("gone".to_owned()), "relay_unreachable", true),
            (RelayState::Refuses(Refusal::Full), "relay_unreachable", true),
            (RelayState::Refuses(Refusal::Taken), "refused", false),
        ] {
            let trouble = state.trouble(url).unwrap();
            assert_eq!((trouble.code, trouble.retryable), (code, retryable), "{state:?}");
            assert!(trouble.hint.is_some(), "{state:?}");
        }
        assert_eq!(RelayState::Reachable.trouble(url), None);
    }

    #[test]
    fn what_is_noted_is_found_again() {
        for refusal in [Refusal::NotFound, Refusal::Full, Refusal::Quota { retry_after: 7 }] {
            assert_eq!(Trouble::noted(refusal.code()), Some(Trouble::refused(&refusal)));
        }
        assert_eq!(Trouble::noted("of a later version"), None);
    }
}
