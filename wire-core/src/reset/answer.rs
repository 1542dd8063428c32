//! RESET_OK, and what both sides have then.

use rand_core::CryptoRng;

use super::message::{ANSWER_LABEL, AnswerBody, Standing, VERSION, signed};
use super::schedule::Schedule;
use super::words::CheckWords;
use super::{Request, ResetError};
use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::crypto::kem::encapsulate;
use crate::encoding::cbor;
use crate::identity::{Identity, StatementChain};
use crate::session::Session;

/// What a reset leaves on one side: not to be used before the owner has compared the words.
#[derive(Debug)]
pub struct Agreed {
    /// The new session.
    pub session: Session,
    /// The words to compare.
    pub words: CheckWords,
    /// The peer's statements, which begin with those that were pinned.
    pub statements: StatementChain,
    /// What the peer says of the old session.
    pub standing: Standing,
}

/// A side with its ratchet key and the other's.
pub(super) enum Role {
    Requester { own: DhKeyPair, peer: DhPublic },
    Answerer { own: DhKeyPair, peer: DhPublic },
}

impl Agreed {
    pub(super) fn derive(
        (request, answer): (&[u8], &[u8]),
        (dh, ss): (&[u8; 32], &[u8; 32]),
        role: Role,
        statements: StatementChain,
        standing: Standing,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ResetError> {
        let schedule = Schedule::derive(request, answer, dh, ss);
        let (id, keys) = (schedule.id, schedule.session_keys());
        let [a, b] = schedule.words();
        let (session, words) = match role {
            Role::Requester { own, peer } => {
                (Session::initiator(id, keys, own, peer, rng), CheckWords::new(&a, &b))
            }
            Role::Answerer { own, peer } => {
                (Session::responder(id, keys, own, peer), CheckWords::new(&b, &a))
            }
        };
        let session = session.map_err(|_| ResetError::Crypto)?;
        Ok(Self { session, words, statements, standing })
    }
}

impl Request {
    /// Answers it: gives the RESET_OK, to be kept and sent as it is, and the session. `standing` is what this side
    /// knows of the old one.
    ///
    /// # Errors
    /// None for what [`Request::verify`] has let pass.
    pub fn answer(
        &self,
        identity: &Identity,
        standing: Standing,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Agreed), ResetError> {
        let own = DhKeyPair::generate(rng);
        let dh = own.agree(&self.dh)?;
        let (ct, ss) = encapsulate(&self.ek, rng)?;
        let body = cbor::to_vec(&AnswerBody {
            version: VERSION,
            from: identity.root(),
            to: self.from,
            answers: self.hash(),
            dh: own.public(),
            ct: &ct,
            last: standing.last,
            head: standing.head,
            recv: standing.recv,
            recv_head: standing.recv_head,
            statements: identity.statements().to_bytes(),
        });
        let answer = signed(identity.key(), ANSWER_LABEL, body);
        let role = Role::Answerer { own, peer: self.dh };
        let statements = self.statements.clone();
        let agreed =
            Agreed::derive((&self.message, &answer), (&dh, &ss), role, statements, self.standing, rng)?;
        Ok((answer, agreed))
    }
}
