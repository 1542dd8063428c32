//! Moving the mailbox that a peer posts to: [`Peer::move_mailbox`].

use super::engine::NewBox;
use super::error::Result;
use super::peer::Peer;
use super::relay_url::{Reach, RelayUrl};
use crate::entropy::os_rng;
use crate::mailbox::{Certificate, MailboxKeyPair, Operation, Quota, Right, SenderKeyPair, SignedRequest};

impl Peer {
    /// Moves the mailbox that this peer posts to, to another relay. The session goes on, and nothing is lost: both
    /// mailboxes are read until the peer has heard of the new one, or for 30 days.
    ///
    /// When this returns the new mailbox is there and the peer's notice is queued. A peer whose policy forbids that
    /// relay refuses it; then the old mailbox stays and the new one is deleted, which `PeerInfo::move_refused` tells.
    /// This agent's own relay, for pairings to come, is that of its configuration.
    ///
    /// # Errors
    /// [`Error::MoveUnderWay`](super::Error::MoveUnderWay) while the peer has not heard of the last one; those of a
    /// pairing that is not complete or over; those of a relay that cannot be reached or gives no mailbox.
    pub async fn move_mailbox(&self, relay: &RelayUrl) -> Result<()> {
        let (shared, key, url) = (&self.agent().shared, self.key(), relay.as_str().to_owned());
        let at = url.clone();
        let epoch = shared.worker.write(move |b| b.may_move(key, &at)).await?;
        let api = shared.api(relay.clone(), Reach::Anywhere);
        let known = shared.identify(&api).await?;
        let (mailbox, sender) =
            (MailboxKeyPair::generate(&mut os_rng()), SenderKeyPair::generate(&mut os_rng()));
        let certificate = Certificate::issue(&mailbox, sender.public(), epoch, Quota::default());
        let (ours, at, owner) = (mailbox.clone(), url.clone(), shared.process.token().to_owned());
        shared.worker.write(move |b| b.expect_orphan(&ours, &at, &owner)).await?;
        let now = shared.time.clock.now().offset_millis(known.offset_ms);
        let create = Operation::Create { min_epoch: epoch, right: Right::None };
        api.mailbox(&SignedRequest::by_owner(&mailbox, &known.id, now, &create)).await?;
        let new = NewBox { mailbox, url, relay: known.id, certificate, sender };
        shared.worker.write(move |b| b.move_box(key, &new)).await
    }
}
