//! Pre-rotation statements: each names the key of today and commits to the one that may sign the statement after.
//!
//! Layout, 229 bytes: `01 ‖ root32 ‖ id32 ‖ next_digest32 ‖ serial4 ‖ prev_hash32 ‖ by32 ‖ sig64`, signed by `by`
//! over "wire/stmt/1" and everything before the signature. In the first statement `by` is `id`, and the root
//! covers both `id` and `next_digest`; in each further one H(`by`) is the `next_digest` of the one before.
//! `prev_hash` = H(previous statement), zero in the first.
//!
//! So the key that signs records never signs a statement after the first, and there is no other first one under
//! its root: who has it can make no second history of the identity, not even for a peer that knows an older one.

use super::{IdentityKeyPair, IdentityPublic, Root};
use crate::crypto::kdf::sha256;
use crate::encoding::Reader;

const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 32 + 32 + 32 + 4 + 32 + 32;

/// Length of one statement in bytes.
pub const STATEMENT_LEN: usize = BODY_LEN + 64;
/// The most statements that a chain may have.
pub const MAX_STATEMENTS: usize = 32;

/// A chain of statements that does not prove a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not a whole number of statements between 1 and [`MAX_STATEMENTS`], or an unknown version.
    #[error("malformed identity statement")]
    Malformed,
    /// A root, serial, hash, commitment or signature does not hold.
    #[error("identity statement does not verify")]
    Invalid,
    /// The chain has [`MAX_STATEMENTS`] already: this identity cannot be rotated any more.
    #[error("an identity has at most 32 statements, and this one has them")]
    Full,
}

/// One statement, as it was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    bytes: [u8; STATEMENT_LEN],
    root: Root,
    id: IdentityPublic,
    next_digest: [u8; 32],
    serial: u32,
    prev_hash: [u8; 32],
    by: IdentityPublic,
}

/// What a statement says, before it is signed.
struct Draft {
    root: Root,
    id: IdentityPublic,
    next_digest: [u8; 32],
    serial: u32,
    prev_hash: [u8; 32],
}

impl Draft {
    fn sign(self, by: &IdentityKeyPair) -> Statement {
        let Self { root, id, next_digest, serial, prev_hash } = self;
        let signer = by.public();
        let mut bytes = [0u8; STATEMENT_LEN];
        let (body, sig) = bytes.split_at_mut(BODY_LEN);
        let fields: [&[u8]; 7] = [
            &[VERSION],
            root.as_bytes(),
            id.as_bytes(),
            &next_digest,
            &serial.to_be_bytes(),
            &prev_hash,
            signer.as_bytes(),
        ];
        body.copy_from_slice(&fields.concat());
        sig.copy_from_slice(&by.sign(Statement::LABEL, &[body]));
        Statement { bytes, root, id, next_digest, serial, prev_hash, by: signer }
    }
}

impl Statement {
    pub(crate) const LABEL: &[u8] = b"wire/stmt/1";

    /// The first statement of a new identity.
    pub(crate) fn first(key: &IdentityKeyPair, next_digest: [u8; 32]) -> Self {
        let id = key.public();
        let root = Root::of(&id, &next_digest);
        Draft { root, id, next_digest, serial: 0, prev_hash: [0; 32] }.sign(key)
    }

    fn verify(bytes: &[u8; STATEMENT_LEN]) -> Result<Self, StatementError> {
        let statement = Self::parse(bytes)?;
        let (body, signature) = bytes.split_last_chunk().ok_or(StatementError::Malformed)?;
        statement.by.verify(Self::LABEL, &[body], signature).map_err(|_| StatementError::Invalid)?;
        Ok(statement)
    }

    fn parse(bytes: &[u8; STATEMENT_LEN]) -> Result<Self, StatementError> {
        let mut r = Reader::new(bytes);
        let malformed = |_| StatementError::Malformed;
        if r.u8().map_err(malformed)? != VERSION {
            return Err(StatementError::Malformed);
        }
        Ok(Self {
            bytes: *bytes,
            root: Root::from_bytes(r.array().map_err(malformed)?),
            id: IdentityPublic::from_bytes(r.array().map_err(malformed)?),
            next_digest: r.array().map_err(malformed)?,
            serial: r.u32().map_err(malformed)?,
            prev_hash: r.array().map_err(malformed)?,
            by: IdentityPublic::from_bytes(r.array().map_err(malformed)?),
        })
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&[&self.bytes])
    }
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("root", &self.root)
            .field("id", &self.id)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

/// A verified chain: it proves that [`current`](Self::current) speaks for [`root`](Self::root).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementChain {
    bytes: Vec<u8>,
    root: Root,
    last: Statement,
}

impl StatementChain {
    pub(crate) fn of_first(first: Statement) -> Self {
        Self { bytes: first.bytes.to_vec(), root: first.root, last: first }
    }

    /// Verifies the concatenation of 1 to [`MAX_STATEMENTS`] statements.
    pub fn verify(bytes: &[u8]) -> Result<Self, StatementError> {
        let (statements, rest) = bytes.as_chunks::<STATEMENT_LEN>();
        if !rest.is_empty() || statements.len() > MAX_STATEMENTS {
            return Err(StatementError::Malformed);
        }
        let mut chain: Option<Self> = None;
        for raw in statements {
            let s = Statement::verify(raw)?;
            chain = Some(match chain {
                None => {
                    let is_first = s.root == Root::of(&s.id, &s.next_digest)
                        && s.serial == 0
                        && s.prev_hash == [0; 32]
                        && s.by == s.id;
                    if !is_first {
                        return Err(StatementError::Invalid);
                    }
                    Self::of_first(s)
                }
                Some(c) => c.followed_by(s)?,
            });
        }
        chain.ok_or(StatementError::Malformed)
    }

    /// The chain and one more statement, as it came.
    ///
    /// # Errors
    /// [`StatementError::Invalid`] for one that does not continue the chain: another key than the one that was
    /// committed to be next.
    pub fn extended(&self, statement: &[u8]) -> Result<Self, StatementError> {
        if self.bytes.len() >= MAX_STATEMENTS * STATEMENT_LEN {
            return Err(StatementError::Full);
        }
        let raw = statement.try_into().map_err(|_| StatementError::Malformed)?;
        self.clone().followed_by(Statement::verify(raw)?)
    }

    /// The newest statement, as it was signed.
    pub fn last_statement(&self) -> &[u8; STATEMENT_LEN] {
        &self.last.bytes
    }

    /// The chain and the statement after it, for the key `id`, signed by the key that was committed to.
    pub(crate) fn rotated(
        &self,
        id: IdentityPublic,
        by: &IdentityKeyPair,
        next_digest: [u8; 32],
    ) -> Result<Self, StatementError> {
        if self.bytes.len() >= MAX_STATEMENTS * STATEMENT_LEN {
            return Err(StatementError::Full);
        }
        let serial = self.last.serial.saturating_add(1);
        let draft = Draft { root: self.root, id, next_digest, serial, prev_hash: self.last.hash() };
        self.clone().followed_by(draft.sign(by))
    }

    fn followed_by(mut self, s: Statement) -> Result<Self, StatementError> {
        let follows = s.root == self.root
            && Some(s.serial) == self.last.serial.checked_add(1)
            && s.prev_hash == self.last.hash()
            && sha256(&[s.by.as_bytes()]) == self.last.next_digest;
        if !follows {
            return Err(StatementError::Invalid);
        }
        self.bytes.extend_from_slice(&s.bytes);
        self.last = s;
        Ok(self)
    }

    /// A chain that was verified before it went into our own store.
    #[cfg(feature = "client")]
    pub(crate) fn from_stored(bytes: &[u8]) -> Result<Self, StatementError> {
        let (statements, _) = bytes.as_chunks::<STATEMENT_LEN>();
        let last = Statement::parse(statements.last().ok_or(StatementError::Malformed)?)?;
        Ok(Self { bytes: bytes.to_vec(), root: last.root, last })
    }

    /// The key that an unverified chain says speaks for its root today. What it signed proves
    /// nothing until the chain verifies too.
    pub(crate) fn claimed_key(bytes: &[u8]) -> Option<IdentityPublic> {
        let (_, last) = bytes.split_last_chunk::<STATEMENT_LEN>()?;
        let mut r = Reader::new(last);
        r.take(1 + Root::LEN).ok()?;
        r.array().ok().map(IdentityPublic::from_bytes)
    }

    /// The key that signed the newest statement: after the first one, the one that was committed to.
    pub(crate) fn rotated_by(&self) -> IdentityPublic {
        self.last.by
    }

    /// The concatenated statements.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stable name that the chain begins with.
    pub fn root(&self) -> Root {
        self.root
    }

    /// The key that speaks for the root today.
    pub fn current(&self) -> IdentityPublic {
        self.last.id
    }

    /// Every key that has ever spoken for the root, the first one first.
    pub fn keys(&self) -> impl Iterator<Item = IdentityPublic> + '_ {
        let (statements, _) = self.bytes.as_chunks::<STATEMENT_LEN>();
        statements.iter().filter_map(|raw| Self::claimed_key(raw))
    }

    /// What the key that signs the next statement must hash to.
    pub fn next_digest(&self) -> [u8; 32] {
        self.last.next_digest
    }

    /// How often the key was rotated.
    pub fn serial(&self) -> u32 {
        self.last.serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, NextKey};
    use crate::tests_rng::rng;

    fn rotated() -> Vec<u8> {
        let mut rng = rng();
        let (first, next) = Identity::generate(&mut rng);
        first.rotate(&next, &mut rng).unwrap().0.statements().to_bytes().to_vec()
    }

    #[test]
    fn a_rotation_by_the_committed_key_verifies_and_keeps_the_root() {
        let bytes = rotated();
        let first = StatementChain::verify(&bytes[..STATEMENT_LEN]).unwrap();
        let both = StatementChain::verify(&bytes).unwrap();
        assert_eq!(both.root(), first.root());
        assert_ne!(both.current(), first.current());
        assert_eq!(both.serial(), 1);
    }

    #[test]
    fn an_identity_rotates_by_its_next_key_alone_and_thirty_one_times() {
        let (first, mut next) = Identity::generate(&mut rng());
        let (_, strange) = Identity::generate(&mut rng());
        assert_eq!(first.rotate(&strange, &mut rng()).unwrap_err(), StatementError::Invalid);
        let mut now = first.clone();
        for serial in 1..MAX_STATEMENTS as u32 {
            let (rotated, after) = now.rotate(&NextKey::from_seed(&next.seed()), &mut rng()).unwrap();
            assert_eq!(now.rotate(&after, &mut rng()).unwrap_err(), StatementError::Invalid);
            (now, next) = (rotated, after);
            let chain = StatementChain::verify(now.statements().to_bytes()).unwrap();
            assert_eq!((chain.root(), chain.serial()), (first.root(), serial));
            assert_eq!(chain.current(), now.key().public());
            assert_eq!(chain.keys().count() as u32, serial + 1);
        }
        assert_eq!(now.rotate(&next, &mut rng()).unwrap_err(), StatementError::Full);
    }

    #[test]
    fn a_rotation_by_any_other_key_is_refused() {
        let mut rng = rng();
        let bytes = rotated();
        let first = StatementChain::verify(&bytes[..STATEMENT_LEN]).unwrap().last;
        let thief = IdentityKeyPair::generate(&mut rng);
        let draft = |root, id: &IdentityKeyPair, serial, prev_hash| Draft {
            root,
            id: id.public(),
            next_digest: [1; 32],
            serial,
            prev_hash,
        };
        let forged = draft(first.root, &thief, 1, first.hash()).sign(&thief);
        assert_eq!(
            StatementChain::verify(&[first.bytes, forged.bytes].concat()),
            Err(StatementError::Invalid)
        );
    }

    /// A thief of the key that signs messages wants a history that goes on with a key of its own: for a peer that
    /// has not heard of the last rotation, or for one that knows only the name.
    #[test]
    fn the_key_of_today_makes_no_other_history() {
        let mut rng = rng();
        let (first, next) = Identity::generate(&mut rng);
        let own = NextKey::generate(&mut rng);
        let (second, _) = first.rotate(&next, &mut rng).unwrap();
        let known = first.statements();
        // The statement that made the stolen key the present one, once more, but committing to the thief's key.
        let last = &second.statements().last;
        let draft = |by: &IdentityKeyPair| {
            let statement = Draft {
                root: first.root(),
                id: last.id,
                next_digest: own.digest(),
                serial: last.serial,
                prev_hash: last.prev_hash,
            };
            statement.sign(by)
        };
        for by in [second.key(), first.key()] {
            assert_eq!(known.extended(&draft(by).bytes), Err(StatementError::Invalid));
        }
        // Another beginning under the same name.
        let other = Statement::first(first.key(), own.digest());
        assert_ne!(other.root, first.root());
        let renamed = Draft {
            root: first.root(),
            id: first.key().public(),
            next_digest: own.digest(),
            serial: 0,
            prev_hash: [0; 32],
        };
        assert_eq!(StatementChain::verify(&renamed.sign(first.key()).bytes), Err(StatementError::Invalid));
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_refused() {
        let bytes = rotated();
        for i in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[i / 8] ^= 1 << (i % 8);
            assert!(StatementChain::verify(&bad).is_err(), "bit {i}");
        }
        for n in (0..bytes.len()).filter(|n| *n != STATEMENT_LEN) {
            assert!(StatementChain::verify(&bytes[..n]).is_err(), "length {n}");
        }
    }

    #[test]
    fn root_text_round_trips_and_is_strict() {
        let (id, _) = Identity::generate(&mut rng());
        let text = id.root().to_string();
        assert_eq!(text.parse::<Root>(), Ok(id.root()));
        assert!(text.to_ascii_uppercase().parse::<Root>().is_err());
        assert!(text[4..].parse::<Root>().is_err());
        assert!(format!("{text}a").parse::<Root>().is_err());
    }
}
