//! From a short code to a session: two agents that share three words end with each other's identity,
//! mailbox and keys, and the relay between them learns none of it.
//!
//! The steps, for A who made the code and B who was given it:
//!
//! 1. A gets a [`Nameplate`] from the relay and draws the words of a [`Code`].
//!    [`Initiator::start`] gives **M1**: A's share of the PAKE and a KEM key.
//! 2. B reads the code. [`Responder::respond`] gives **M2**: B's share and a KEM ciphertext. Both now
//!    have a key schedule, equal exactly if words, number, relay and every byte of M1 and M2 are.
//! 3. [`Initiator::receive_m2`], then [`InitiatorKeyed::offer`] gives **M3**: a proof that A holds the
//!    keys, and A's offer under them.
//! 4. [`Responder::receive_m3`] checks it; [`ResponderVerified::confirm`] gives **M4**, the same from B,
//!    and B's [`Established`].
//! 5. [`AwaitingConfirmation::receive_m4`] gives A's.
//!
//! Each step takes the state by value and a failed step leaves none, so a second guess at the same
//! code, a repeated message and a wrong order are not errors but programs that do not compile:
//!
//! ```compile_fail,E0382
//! # fn f(a: wire_core::pairing::Initiator, m2: &[u8]) {
//! let first = a.receive_m2(m2);
//! let second = a.receive_m2(m2);
//! # }
//! ```
//!
//! The PAKE is CPace (draft-irtf-cfrg-cpace-21) on ristretto255 in initiator/responder mode; the KEM
//! is ML-KEM-768 (FIPS 203); its key and ciphertext, and the suites, are associated data of the PAKE.
//! Either side gives a stranger one guess per code, and nothing to test a guess against afterwards.
//!
//! An invite ([`InviteLink`]) is the same run with a 128-bit secret and a life of days: its states can
//! be stored between the steps. Those of a typed code cannot.
//!
//! # Example
//!
//! ```
//! use wire_core::identity::Identity;
//! use wire_core::mailbox::{Certificate, MailboxKeyPair, Quota, RelayKeyPair, SenderKeyPair};
//! use wire_core::pairing::{Code, Context, Initiator, LocalOffer, Responder};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
//! let (alice, _) = Identity::generate(&mut rng);
//! let (bob, _) = Identity::generate(&mut rng);
//! let relay = RelayKeyPair::generate(&mut rng).public();
//! // Each makes a mailbox for the other, and the right to post to it.
//! let mailboxes = [MailboxKeyPair::generate(&mut rng), MailboxKeyPair::generate(&mut rng)];
//! let senders = [SenderKeyPair::generate(&mut rng), SenderKeyPair::generate(&mut rng)];
//! let certificates: Vec<_> = (mailboxes.iter().zip(&senders))
//!     .map(|(m, s)| Certificate::issue(m, s.public(), 0, Quota::default()))
//!     .collect();
//! let offer = |i: usize, identity, display| LocalOffer {
//!     identity,
//!     url: "https://relay.example.org",
//!     relay,
//!     certificate: &certificates[i],
//!     sender: &senders[i],
//!     display,
//! };
//!
//! let code = Code::generate("4821".parse()?, 3, &mut rng)?;
//! let typed = Code::parse(&code.reveal())?;
//! let context = Context { relay, rendezvous: code.nameplate.into() };
//!
//! let (a, m1) = Initiator::start(&code.words.into(), context.clone(), &mut rng);
//! let (b, m2) = Responder::respond(&typed.words.into(), context, &m1, &mut rng)?;
//! let (a, m3) = a.receive_m2(&m2)?.offer(offer(0, &alice, "alice"), &mut rng)?;
//! let (b, m4) = b.receive_m3(&m3, bob.root())?.confirm(offer(1, &bob, "bob"), &mut rng)?;
//! let a = a.receive_m4(&m4, &mut rng)?;
//!
//! assert_eq!(a.peer.root(), bob.root());
//! assert_eq!(b.peer.root(), alice.root());
//! assert_eq!(a.sas.to_string(), b.sas.to_string());
//! assert_eq!(b.peer.display.as_str(), "alice");
//! # Ok(())
//! # }
//! ```

mod code;
mod display;
mod error;
mod established;
#[cfg(any(test, feature = "test-support"))]
mod forge;
mod initiator;
mod invite;
mod message;
mod offer;
mod origin;
mod rendezvous;
mod responder;
mod sealed;
mod secret;
mod stored;
mod transcript;
mod words;

pub use code::Code;
pub use display::DisplayName;
pub(crate) use display::{is_hidden, is_petname};
pub use error::{CodeError, LinkError, PairingError};
pub use established::{Established, ResetKey, ResetKeys, Role, Sas};
pub use initiator::{AwaitingConfirmation, Initiator, InitiatorKeyed};
pub use invite::{InviteLink, InviteSecret};
#[cfg(feature = "client")]
pub(crate) use offer::Route;
pub use offer::{LocalOffer, PeerOffer};
pub(crate) use origin::is_relay_url;
pub use origin::{Origin, ParseOriginError};
pub use rendezvous::{Context, InviteId, Nameplate, ParseNameplateError, Rendezvous};
pub use responder::{Responder, ResponderVerified};
pub use secret::{PairingSecret, consumed_tag};
pub use words::{SecretWords, complete};

#[cfg(test)]
mod tests;
