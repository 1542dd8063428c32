//! The two open messages of a run.
//!
//! - M1 = `01 ‖ pairing suite1 ‖ sid32 ‖ Ya32 ‖ count1 ‖ envelope suites ‖ ek1184`; everything from
//!   `count` on is ADa, the initiator's associated data in the PAKE.
//! - M2 = `01 ‖ Yb32 ‖ envelope suite1 ‖ ct1088`; everything from the suite on is ADb.

use super::PairingError;
use crate::crypto::cpace::Share;
use crate::crypto::kem::{CT_LEN, EK_LEN};
use crate::encoding::Reader;

const VERSION: u8 = 1;
/// CPace on ristretto255 with ML-KEM-768 beside it.
const PAIRING_SUITE: u8 = 1;
/// The envelope suites that this side knows, in rising order.
const ENVELOPE_SUITES: &[u8] = &[1];

/// What a run is named by, from its initiator.
pub(super) type Sid = [u8; 32];

/// M1, taken apart.
pub(super) struct M1<'a> {
    pub(super) sid: Sid,
    pub(super) share: Share,
    pub(super) suites: &'a [u8],
    pub(super) ek: &'a [u8; EK_LEN],
    pub(super) ad: &'a [u8],
}

impl<'a> M1<'a> {
    pub(super) fn encode(sid: &Sid, share: &Share, ek: &[u8; EK_LEN]) -> Vec<u8> {
        let count = [ENVELOPE_SUITES.len() as u8];
        [&[VERSION, PAIRING_SUITE], sid.as_slice(), share, &count, ENVELOPE_SUITES, ek].concat()
    }

    /// Suites that are not known here are put up with; a list that is empty or does not rise is not.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, PairingError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(PairingError::Version);
        }
        if r.u8()? != PAIRING_SUITE {
            return Err(PairingError::Suite);
        }
        let (sid, share) = (r.array()?, r.array()?);
        let ad = r.clone().rest();
        let count = r.u8()?;
        let suites = r.take(usize::from(count))?;
        if suites.is_empty() || !suites.is_sorted_by(|a, b| a < b) {
            return Err(PairingError::Malformed);
        }
        let ek = r.take(EK_LEN)?.try_into().map_err(|_| PairingError::Malformed)?;
        r.finish()?;
        Ok(Self { sid, share, suites, ek, ad })
    }

    /// The highest envelope suite that both sides know.
    pub(super) fn choose_suite(&self) -> Result<u8, PairingError> {
        let common = |s: &&u8| self.suites.contains(s);
        ENVELOPE_SUITES.iter().rev().find(common).copied().ok_or(PairingError::Suite)
    }
}

/// M2, taken apart.
pub(super) struct M2<'a> {
    pub(super) share: Share,
    pub(super) suite: u8,
    pub(super) ct: &'a [u8; CT_LEN],
    pub(super) ad: &'a [u8],
}

impl<'a> M2<'a> {
    pub(super) fn encode(share: &Share, suite: u8, ct: &[u8; CT_LEN]) -> Vec<u8> {
        [&[VERSION], share.as_slice(), &[suite], ct].concat()
    }

    /// ADb, as it will stand in M2: needed before Yb exists.
    pub(super) fn ad(suite: u8, ct: &[u8; CT_LEN]) -> Vec<u8> {
        [&[suite], ct.as_slice()].concat()
    }

    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, PairingError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(PairingError::Version);
        }
        let share = r.array()?;
        let ad = r.clone().rest();
        let suite = r.u8()?;
        let ct = r.take(CT_LEN)?.try_into().map_err(|_| PairingError::Malformed)?;
        r.finish()?;
        Ok(Self { share, suite, ct, ad })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m1(suites: &[u8]) -> Vec<u8> {
        [&[1, 1], [2; 64].as_slice(), &[suites.len() as u8], suites, &[3; EK_LEN]].concat()
    }

    #[test]
    fn lengths_and_fields_are_fixed() {
        let bytes = M1::encode(&[2; 32], &[2; 32], &[3; EK_LEN]);
        assert_eq!(bytes, m1(&[1]));
        assert_eq!(bytes.len(), 1252);
        let parsed = M1::parse(&bytes).unwrap();
        assert_eq!(parsed.ad.len(), 1 + 1 + EK_LEN);
        let bytes = M2::encode(&[4; 32], 1, &[5; CT_LEN]);
        assert_eq!(bytes.len(), 1122);
        let parsed = M2::parse(&bytes).unwrap();
        assert_eq!((parsed.suite, parsed.share), (1, [4; 32]));
        assert_eq!(parsed.ad, M2::ad(1, &[5; CT_LEN]));
    }

    #[test]
    fn suites_are_chosen_from_what_both_know() {
        let choose = |suites: &[u8]| M1::parse(&m1(suites)).and_then(|m| m.choose_suite());
        assert_eq!(choose(&[1]), Ok(1));
        assert_eq!(choose(&[0, 1, 7]), Ok(1));
        assert_eq!(choose(&[2, 3]), Err(PairingError::Suite));
        assert_eq!(choose(&[]), Err(PairingError::Malformed));
        assert_eq!(choose(&[1, 1]), Err(PairingError::Malformed));
        assert_eq!(choose(&[2, 1]), Err(PairingError::Malformed));
    }

    #[test]
    fn every_other_length_and_version_is_refused() {
        let (a, b) = (m1(&[1]), M2::encode(&[4; 32], 1, &[5; CT_LEN]));
        for n in 0..a.len() {
            assert!(M1::parse(&a[..n]).is_err());
        }
        for n in 0..b.len() {
            assert!(M2::parse(&b[..n]).is_err());
        }
        assert!(M1::parse(&[a.as_slice(), &[0]].concat()).is_err());
        assert!(M2::parse(&[b.as_slice(), &[0]].concat()).is_err());
        for (at, error) in [(0, PairingError::Version), (1, PairingError::Suite)] {
            let mut bad = a.clone();
            bad[at] = 2;
            assert_eq!(M1::parse(&bad).err(), Some(error));
        }
        let mut bad = b;
        bad[0] = 0;
        assert_eq!(M2::parse(&bad).err(), Some(PairingError::Version));
    }
}
