//! Keys that are replaced, saved and forged.

use super::{Side, draft};
use crate::agent::engine::Batch;
use crate::agent::error::Error;
use crate::identity::{Identity, NextKey};
use crate::record::Draft;
use crate::record::Kind;
use crate::recovery::Contents;
use crate::tests_rng::rng;

impl Side {
    /// Puts the next key in the place of the present one.
    pub(in super::super) fn rotate(&mut self) -> Result<usize, Error> {
        let (rotated, after) = self.engine.identity.rotate(&self.next, &mut rng()).unwrap();
        let told = self.write(|b| b.rotate(&rotated))?;
        self.next = after;
        self.refresh();
        Ok(told)
    }

    /// The key that may replace the present one.
    pub(in super::super) fn next_key(&self) -> NextKey {
        self.next.clone()
    }

    /// Tells the peer of another new key than the one that it knows.
    pub(in super::super) fn forge_rotation(&self, fork: &Identity) -> Vec<u8> {
        let mut chain = self.chain();
        let body = fork.statements().last_statement().to_vec();
        let record = Draft { body, ..draft(Kind::Rotate, self.now(), "") };
        self.forge(&self.sign_draft(&mut chain, None, record).to_payload())
    }

    /// What a recovery file would hold now, which is noted as written.
    pub(in super::super) fn saved(&self) -> Contents {
        let mut saved = None;
        let keep = |contents: &Contents| {
            saved = Some(contents.clone());
            Ok(())
        };
        self.write(|b| b.back_up(self.name, &self.next, "file", keep)).unwrap();
        saved.unwrap()
    }

    /// Puts the next key in the place of the present one, and does more with it in the same transaction.
    pub(in super::super) fn rotate_and(
        &mut self,
        f: impl FnOnce(&mut Batch<'_>, &Identity, &NextKey) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (rotated, after) = self.engine.identity.rotate(&self.next, &mut rng()).unwrap();
        self.write(|b| {
            b.rotate(&rotated)?;
            f(b, &rotated, &self.next)
        })?;
        self.next = after;
        self.refresh();
        Ok(())
    }

    /// Goes on with an identity of before, as a thief of it would.
    pub(in super::super) fn pose_as(&mut self, identity: Identity) {
        self.engine.identity = identity;
    }
}
