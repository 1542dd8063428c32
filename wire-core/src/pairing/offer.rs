//! What each side tells the other inside the sealed messages: who it is, the first key of its
//! ratchet, and how to post to it.
//!
//! The body is deterministic CBOR: `{1: statements, 2: dr_pub, 3: [url, relay_id, mb_pub,
//! certificate, sender_seed], 4: display}`. The statements are one byte string, one after the other;
//! 4 is absent when the name is empty.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::origin::is_relay_url;
use super::sealed::{MAX_BODY, Sealing};
use super::{DisplayName, PairingError};
use crate::crypto::dh::DhPublic;
use crate::encoding::cbor;
use crate::identity::{Identity, Root, StatementChain};
use crate::mailbox::{Certificate, MailboxId, RelayId, SenderKeyPair};

/// What this side offers. Make it, and keep seed and mailbox key, before the message that carries it.
#[derive(Clone, Copy, Debug)]
pub struct LocalOffer<'a> {
    /// Who we are. Signs the offer.
    pub identity: &'a Identity,
    /// Where the mailbox is: `http(s)://HOST[:PORT]`, perhaps with a path; at most 255 bytes.
    pub url: &'a str,
    /// The key of the relay there.
    pub relay: RelayId,
    /// The right to post to the mailbox made for this peer.
    pub certificate: &'a Certificate,
    /// The key pair that the certificate names; the peer will post with it.
    pub sender: &'a SenderKeyPair,
    /// What we call ourselves; see [`DisplayName::is_plain`].
    pub display: &'a str,
}

/// What the other side offered, verified.
#[derive(Clone, Debug)]
pub struct PeerOffer {
    /// The proof of who it is.
    pub statements: StatementChain,
    pub(crate) dr_pub: DhPublic,
    /// Where its mailbox is: well formed, but not yet allowed. The peer chose it.
    pub url: String,
    /// The key of the relay there.
    pub relay: RelayId,
    /// Our right to post to it.
    pub certificate: Certificate,
    /// The key pair to post with.
    pub sender: SenderKeyPair,
    /// What it calls itself.
    pub display: DisplayName,
}

impl LocalOffer<'_> {
    /// What sealing checks again: address, name and certificate. Call it before the pairing starts,
    /// because a failure in the middle costs the code.
    pub fn check(&self) -> Result<(), PairingError> {
        if !is_relay_url(self.url) {
            Err(PairingError::OwnUrl)
        } else if !DisplayName::is_plain(self.display) {
            Err(PairingError::OwnDisplay)
        } else if self.certificate.sender() != self.sender.public() {
            Err(PairingError::OwnCertificate)
        } else {
            Ok(())
        }
    }

    pub(super) fn seal(
        &self,
        sealing: &Sealing<'_>,
        dr_pub: DhPublic,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, PairingError> {
        self.check()?;
        let seed = self.sender.seed();
        let body = Zeroizing::new(cbor::to_vec(&Body {
            statements: self.identity.statements().to_bytes(),
            dr_pub,
            route: Route {
                url: self.url,
                relay: self.relay,
                mailbox: self.certificate.mailbox(),
                certificate: self.certificate.as_bytes(),
                sender_seed: seed.as_ref(),
            },
            display: Some(self.display).filter(|d| !d.is_empty()),
        }));
        Ok(sealing.seal(&body, self.identity, rng))
    }
}

impl PeerOffer {
    /// Opens `message` and checks, in this order: tag, box, signature, statements, certificate,
    /// sender key, ratchet key, and that the other side is not `own`.
    pub(super) fn open(sealing: &Sealing<'_>, message: &[u8], own: Root) -> Result<Self, PairingError> {
        let opened = sealing.open(message)?;
        let body: Body<'_> = cbor::from_slice(opened.body())?;
        let route = body.route;
        let signer = StatementChain::claimed_key(body.statements).ok_or(PairingError::Malformed)?;
        sealing.verify(&opened, &signer)?;
        let statements = StatementChain::verify(body.statements).map_err(|_| PairingError::Failed)?;
        let (certificate, sender) = route.verify()?;
        check_contributory(&body.dr_pub)?;
        if statements.root() == own {
            return Err(PairingError::SelfPairing);
        }
        let display = body.display.unwrap_or_default();
        let present_and_empty = body.display.is_some_and(str::is_empty);
        if !route.is_address() || display.len() > DisplayName::MAX_LEN || present_and_empty {
            return Err(PairingError::Malformed);
        }
        Ok(Self {
            statements,
            dr_pub: body.dr_pub,
            url: route.url.to_owned(),
            relay: route.relay,
            certificate,
            sender,
            display: DisplayName::sanitised(display),
        })
    }

    /// The body that says the same under this name, for tests.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn to_body(&self, display: Option<&str>) -> Vec<u8> {
        let seed = self.sender.seed();
        cbor::to_vec(&Body {
            statements: self.statements.to_bytes(),
            dr_pub: self.dr_pub,
            route: Route {
                url: &self.url,
                relay: self.relay,
                mailbox: self.certificate.mailbox(),
                certificate: self.certificate.as_bytes(),
                sender_seed: seed.as_ref(),
            },
            display,
        })
    }

    /// The stable name of the other side.
    pub fn root(&self) -> Root {
        self.statements.root()
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body<'b> {
    #[cbor(b(1), with = "minicbor::bytes")]
    statements: &'b [u8],
    #[n(2)]
    dr_pub: DhPublic,
    #[b(3)]
    route: Route<'b>,
    #[b(4)]
    display: Option<&'b str>,
}

/// How to post to a mailbox, as an offer and a MOVE record say it.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Route<'b> {
    #[b(0)]
    pub(crate) url: &'b str,
    #[n(1)]
    pub(crate) relay: RelayId,
    #[n(2)]
    pub(crate) mailbox: MailboxId,
    #[cbor(b(3), with = "minicbor::bytes")]
    pub(crate) certificate: &'b [u8],
    #[cbor(b(4), with = "minicbor::bytes")]
    pub(crate) sender_seed: &'b [u8],
}

impl Route<'_> {
    /// The right to post and its key, if the mailbox has signed the one for the other.
    pub(crate) fn verify(&self) -> Result<(Certificate, SenderKeyPair), PairingError> {
        let certificate = Certificate::verify(self.certificate).map_err(|_| PairingError::Failed)?;
        let seed = self.sender_seed.try_into().map_err(|_| PairingError::Malformed)?;
        let sender = SenderKeyPair::from_seed(seed);
        if certificate.mailbox() != self.mailbox || certificate.sender() != sender.public() {
            return Err(PairingError::Failed);
        }
        Ok((certificate, sender))
    }

    /// Whether the address is well formed; nothing is said of whether it may be used.
    pub(crate) fn is_address(&self) -> bool {
        is_relay_url(self.url)
    }
}

// The longest chain, address and name fit the longer offer, so sealing never runs out of room.
const _: () = {
    use super::origin::MAX_URL;
    use crate::{identity, mailbox};
    let heads = 64;
    let fields = identity::MAX_STATEMENTS * identity::STATEMENT_LEN
        + mailbox::CERTIFICATE_LEN
        + 4 * 32
        + MAX_URL
        + DisplayName::MAX_LEN;
    assert!(fields + heads <= MAX_BODY);
};

/// Refuses the points of low order: with those, any scalar at all gives zero.
pub(super) fn check_contributory(public: &DhPublic) -> Result<(), PairingError> {
    Ok(public.check_contributory()?)
}
