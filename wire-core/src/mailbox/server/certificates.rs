//! Certificates that verified once, so that a post costs one signature check and not two.

use std::collections::BTreeMap;

use crate::mailbox::Certificate;

/// Two generations: when the young one is full it becomes the old one, and the old one is
/// forgotten. What is in use moves back to the young one, so at most `2 · half` are held.
#[derive(Debug)]
pub(super) struct Certificates {
    young: BTreeMap<[u8; 32], Certificate>,
    old: BTreeMap<[u8; 32], Certificate>,
    half: usize,
}

impl Certificates {
    pub(super) fn new(max: u32) -> Self {
        let half = usize::try_from(max / 2).unwrap_or(usize::MAX).max(1);
        Self { young: BTreeMap::new(), old: BTreeMap::new(), half }
    }

    pub(super) fn get(&mut self, hash: &[u8; 32]) -> Option<Certificate> {
        if let Some(known) = self.young.get(hash) {
            return Some(known.clone());
        }
        let known = self.old.remove(hash)?;
        self.insert(*hash, known.clone());
        Some(known)
    }

    pub(super) fn insert(&mut self, hash: [u8; 32], certificate: Certificate) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, certificate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{MailboxKeyPair, Quota, SenderKeyPair};
    use crate::tests_rng::rng;

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let owner = MailboxKeyPair::generate(&mut rng());
        let sender = SenderKeyPair::generate(&mut rng()).public();
        let of = |epoch| Certificate::issue(&owner, sender, epoch, Quota::default());
        let mut cache = Certificates::new(4);
        let kept = of(0);
        cache.insert(kept.hash(), kept.clone());
        for epoch in 1..20 {
            let certificate = of(epoch);
            cache.insert(certificate.hash(), certificate);
            assert_eq!(cache.get(&kept.hash()), Some(kept.clone()), "epoch {epoch}");
            assert!(cache.young.len() + cache.old.len() <= 4);
        }
        assert_eq!(cache.get(&of(1).hash()), None);
    }
}
