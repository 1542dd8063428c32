//! Pairing, as a program does it: make a code and wait, or enter one.

use std::sync::Arc;

use super::config::DEFAULT_RELAY;
use super::core::{Agent, Shared, within};
use super::engine::{PeerKey, Stage};
use super::error::{Error, Result};
use super::meeting::{self, Meeting, Wishes};
use super::peer::Peer;
use super::relay_api::RelayApi;
use super::views::PeerInfo;
use crate::entropy::os_rng;
use crate::mailbox::{Allocate, Claim, ClientToken, Rendezvous, Right, Slot};
use crate::pairing::{Code, Context, Initiator, PairingSecret, SecretWords};

/// What a pairing should be like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairOptions {
    /// What to call the peer here; otherwise its own name suggests one.
    pub name: Option<String>,
    /// Words of the code, 3 to 8: 3 are 33 bits, 5 are 55 for a relay that is not trusted to be slow.
    pub words: usize,
    /// The pairing waits until [`Pending::confirm`] says that the five words are the same on both
    /// sides: for codes that crossed a channel that others can read.
    pub verify: bool,
}

impl Default for PairOptions {
    fn default() -> Self {
        Self { name: None, words: SecretWords::MIN, verify: false }
    }
}

impl PairOptions {
    /// Calls the peer `name` here.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes a code of so many words.
    #[must_use]
    pub fn words(mut self, words: usize) -> Self {
        self.words = words;
        self
    }

    /// Waits for the owner to compare the five words.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// What cannot be had is refused before a code or a link is made or spent.
    pub(super) async fn check(&self, shared: &Shared) -> Result<()> {
        if !(SecretWords::MIN..=SecretWords::MAX).contains(&self.words) {
            return Err(Error::usage("a code has 3 to 8 words"));
        }
        let name = self.name.clone();
        shared.worker.read(move |b| b.check_wish(name.as_deref())).await
    }

    fn wishes(&self) -> Wishes {
        Wishes { name: self.name.clone(), verify: self.verify }
    }
}

/// A code that waits to be entered on the other side. It can be claimed for ten minutes, once.
#[derive(Debug)]
pub struct Offer {
    shared: Agent,
    code: Code,
    meeting: Meeting,
    initiator: Initiator,
    options: PairOptions,
}

/// A pairing that was confirmed by code and not yet by the peer's first record.
#[derive(Clone, Debug)]
pub struct Pending {
    agent: Agent,
    key: PeerKey,
    verify: bool,
}

impl Agent {
    /// Makes a code. The relay learns its number, never its words.
    pub async fn offer(&self) -> Result<Offer> {
        self.offer_with(PairOptions::default()).await
    }

    /// [`Agent::offer`] with options.
    pub async fn offer_with(&self, options: PairOptions) -> Result<Offer> {
        let shared = &self.shared;
        options.check(shared).await?;
        let (url, reach) = shared.contact(shared.config.relay().as_str(), true)?;
        let api = shared.api(url, reach);
        let relay = shared.identify(&api).await?;
        let token = ClientToken::random(&mut os_rng());
        let call = Allocate { token: token.hash(), invite: None, right: Right::None };
        let allocated = api.allocate(&call).await?;
        let Rendezvous::Nameplate(digits) = allocated.place else {
            return Err(Error::NotARelay { url: api.url.as_str().to_owned() });
        };
        let mut code = Code::generate(digits, options.words, &mut os_rng())?;
        if api.url.as_str() != DEFAULT_RELAY {
            let plain = !api.url.is_https() && !api.url.is_loopback();
            code.relay = Some(if plain { api.url.as_str() } else { api.url.host() }.to_owned());
        }
        let at = Rendezvous::from(code.nameplate.clone());
        let context = Context { relay: relay.id, rendezvous: at.clone() };
        let secret = PairingSecret::from(code.words.clone());
        let (initiator, m1) = Initiator::start(&secret, context, &mut os_rng());
        let meeting = Meeting { api, relay, at, token, until: allocated.until };
        meeting.put(Slot::A1, &m1).await?;
        Ok(Offer { shared: self.clone(), code, meeting, initiator, options })
    }

    /// Enters a code, `4821-canyon-velvet-oyster` or with `@HOST` behind it, and completes the pairing.
    ///
    /// # Errors
    /// [`Error::BadCode`] before anything is sent; [`Error::CodeExpired`], [`Error::CodeUsed`],
    /// [`Error::WrongCode`] after which the code is used up.
    pub async fn join(&self, code: &str) -> Result<Peer> {
        self.join_with(code, PairOptions::default()).await?.paired().await
    }

    /// [`Agent::join`] with options, up to the point where the five words can be compared.
    pub async fn join_with(&self, code: &str, options: PairOptions) -> Result<Pending> {
        let code = Code::parse(code)?;
        let shared = &self.shared;
        options.check(shared).await?;
        let (at, secret) =
            (Rendezvous::from(code.nameplate.clone()), PairingSecret::from(code.words.clone()));
        // The relay forgets a code that has served, and would call it unknown.
        let used = {
            let at = at.clone();
            shared.worker.read(move |b| b.is_consumed(&at, &secret))
        };
        if used.await? {
            return Err(Error::CodeUsed);
        }
        let api = self.api_of(&code)?;
        let relay = shared.identify(&api).await?;
        let token = ClientToken::random(&mut os_rng());
        let claim = Claim { place: at.clone(), token: token.hash() };
        let claimed = api.claim(&claim).await.map_err(Error::at_rendezvous)?;
        let meeting = Meeting { api, relay, at, token, until: claimed.until };
        let key = meeting::join(shared, &meeting, code.words.into(), options.wishes()).await?;
        Ok(Pending { agent: self.clone(), key, verify: options.verify })
    }

    fn api_of(&self, code: &Code) -> Result<RelayApi> {
        let url = match code.origin() {
            Some(origin) => origin.as_str().to_owned(),
            None => self.shared.config.relay().as_str().to_owned(),
        };
        let (url, reach) = self.shared.contact(&url, true)?;
        Ok(self.shared.api(url, reach))
    }
}

impl Offer {
    /// The code in full, to be read to the other side.
    pub fn code(&self) -> String {
        self.code.reveal().to_string()
    }

    /// Milliseconds since 1970 (the relay's clock) until which the code can be claimed.
    pub fn expires(&self) -> crate::time::Timestamp {
        self.meeting.until
    }

    /// Waits for the other side and completes the pairing.
    pub async fn paired(self) -> Result<Peer> {
        self.met().await?.paired().await
    }

    /// Waits for the other side, up to the point where the five words can be compared.
    pub async fn met(self) -> Result<Pending> {
        let secret = PairingSecret::from(self.code.words.clone());
        let wishes = self.options.wishes();
        let key = meeting::host(&self.shared.shared, &self.meeting, self.initiator, secret, wishes).await?;
        Ok(Pending { agent: self.shared, key, verify: self.options.verify })
    }

    /// [`Offer::met`], unless `stop` comes first: then the code is taken back, and there is nobody.
    pub async fn met_unless(self, stop: impl Future<Output = ()>) -> Result<Option<Pending>> {
        let meeting = self.meeting.clone();
        tokio::select! {
            pending = self.met() => pending.map(Some),
            () = stop => {
                meeting.close().await;
                Ok(None)
            }
        }
    }

    /// Takes the code back: whoever enters it afterwards is told that there is none.
    pub async fn cancel(self) {
        self.meeting.close().await;
    }
}

impl Pending {
    /// The five words that are the same on both sides exactly when nobody stands in between.
    pub async fn sas(&self) -> Result<String> {
        let key = self.key;
        self.agent.shared.worker.read(move |b| Ok(b.view_peer(key)?.sas)).await
    }

    /// The peer, as far as it is known before it has proved itself.
    pub async fn info(&self) -> Result<PeerInfo> {
        let key = self.key;
        self.agent.shared.worker.read(move |b| b.view_peer(key)).await.map(PeerInfo::from)
    }

    /// The owner has compared the words, and they are the same.
    pub async fn confirm(&self) -> Result<()> {
        let key = self.key;
        self.agent.shared.worker.write(move |b| b.confirm_sas(key)).await
    }

    /// The words differ: the pairing is given up.
    pub async fn reject(self) -> Result<()> {
        let key = self.key;
        self.agent.shared.worker.write(move |b| b.retire(key, Stage::Abandoned)).await
    }

    /// Waits for the peer's first record, which completes the pairing.
    ///
    /// # Errors
    /// [`Error::PairingIncomplete`] after a minute; the pairing may still complete by itself, or expires.
    pub async fn paired(self) -> Result<Peer> {
        let limit = (!self.verify).then_some(meeting::COMPLETION);
        let done = complete(&self.agent.shared, self.key);
        let outcome = within(limit, done).await;
        match outcome {
            Ok(()) => Ok(Peer::new(self.agent, self.key)),
            Err(Error::WaitOver) => Err(Error::PairingIncomplete),
            Err(error) => Err(error),
        }
    }
}

pub(crate) async fn complete(shared: &Arc<Shared>, key: PeerKey) -> Result<()> {
    shared
        .wait_for(move |b| {
            Ok(match b.view_peer(key)?.stage {
                Stage::Pending => None,
                Stage::Paired | Stage::Ended | Stage::Frozen | Stage::Lost => Some(Ok(())),
                Stage::Revoked | Stage::Replaced | Stage::Abandoned => Some(Err(Error::PairingIncomplete)),
            })
        })
        .await?
}
