//! The key schedule: what both sides hold once M1 and M2 have crossed.
//!
//! 1. ISK comes from the PAKE, ss from the KEM.
//! 2. TH = SHA-512(lv(CI) lv(sid) lv(M1) lv(M2)).
//! 3. PRK = HKDF-SHA512-Extract(salt TH, ISK ‖ ss), expanded under "wire/pair/1 " ‖ name.
//!
//! One run has one schedule, and each of its keys has one use.

use zeroize::Zeroizing;

use super::message::Sid;
use super::{Context, ResetKey, ResetKeys, Role, Sas};
use crate::crypto::cpace::Isk;
use crate::crypto::kdf::{Prk512, sha256, sha512};
use crate::encoding::{Malformed, Reader, lv};
use crate::identity::Root;
use crate::session::{SessionId, SessionKeys};

const LABEL: &[u8] = b"wire/pair/1 ";
const SESSION_LABEL: &[u8] = b"wire/session/1";

type Key = Zeroizing<[u8; 32]>;
type ConfirmationKey = Zeroizing<[u8; 64]>;

/// The transcript hash and every key under it.
pub(super) struct Schedule {
    pub(super) th: [u8; 64],
    pub(super) conf_a: ConfirmationKey,
    pub(super) conf_b: ConfirmationKey,
    pub(super) box_a: Key,
    pub(super) box_b: Key,
    rk0: Key,
    hk_a: Key,
    hk_b: Key,
    rst_a: Key,
    rst_b: Key,
    sas: Zeroizing<[u8; 8]>,
}

impl Schedule {
    pub(super) const STORED_LEN: usize = 64 + 2 * 64 + 7 * 32 + 8;

    pub(super) fn derive(
        context: &Context,
        sid: &Sid,
        m1: &[u8],
        m2: &[u8],
        isk: &Isk,
        ss: &[u8; 32],
    ) -> Self {
        let mut transcript = Vec::with_capacity(m1.len() + m2.len() + 128);
        for field in [context.channel_id().as_slice(), sid, m1, m2] {
            lv(&mut transcript, field);
        }
        let th = sha512(&[&transcript]);

        let mut ikm = Zeroizing::new([0u8; 96]);
        let (front, back) = ikm.split_at_mut(64);
        front.copy_from_slice(isk.as_ref());
        back.copy_from_slice(ss);
        let prk = Prk512::extract(&th, ikm.as_ref());
        Self {
            th,
            conf_a: prk.expand(LABEL, b"confA"),
            conf_b: prk.expand(LABEL, b"confB"),
            box_a: prk.expand(LABEL, b"boxA"),
            box_b: prk.expand(LABEL, b"boxB"),
            rk0: prk.expand(LABEL, b"rk0"),
            hk_a: prk.expand(LABEL, b"hkA"),
            hk_b: prk.expand(LABEL, b"hkB"),
            rst_a: prk.expand(LABEL, b"rstA"),
            rst_b: prk.expand(LABEL, b"rstB"),
            sas: prk.expand(LABEL, b"sas"),
        }
    }

    pub(super) fn session_keys(&self) -> SessionKeys {
        SessionKeys::new(*self.rk0, *self.hk_a, *self.hk_b)
    }

    pub(super) fn sas(&self) -> Sas {
        Sas::new(&self.sas)
    }

    pub(super) fn reset_keys(&self, role: Role) -> ResetKeys {
        let (a, b) = (ResetKey::from_bytes(*self.rst_a), ResetKey::from_bytes(*self.rst_b));
        match role {
            Role::Initiator => ResetKeys { own: a, peer: b },
            Role::Responder => ResetKeys { own: b, peer: a },
        }
    }

    /// H("wire/session/1" ‖ TH ‖ root_A ‖ root_B ‖ H(M3) ‖ H(M4)).
    pub(super) fn session_id(&self, a: Root, b: Root, m3_hash: &[u8; 32], m4: &[u8]) -> SessionId {
        let parts: [&[u8]; 6] =
            [SESSION_LABEL, &self.th, a.as_bytes(), b.as_bytes(), m3_hash, &sha256(&[m4])];
        SessionId::from_bytes(sha256(&parts))
    }

    /// For the store of an invite: TH and the keys in the order of the fields.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.th);
        out.extend_from_slice(self.conf_a.as_ref());
        out.extend_from_slice(self.conf_b.as_ref());
        for key in [&self.box_a, &self.box_b, &self.rk0, &self.hk_a, &self.hk_b, &self.rst_a, &self.rst_b] {
            out.extend_from_slice(key.as_ref());
        }
        out.extend_from_slice(self.sas.as_ref());
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            th: r.array()?,
            conf_a: Zeroizing::new(r.array()?),
            conf_b: Zeroizing::new(r.array()?),
            box_a: Zeroizing::new(r.array()?),
            box_b: Zeroizing::new(r.array()?),
            rk0: Zeroizing::new(r.array()?),
            hk_a: Zeroizing::new(r.array()?),
            hk_b: Zeroizing::new(r.array()?),
            rst_a: Zeroizing::new(r.array()?),
            rst_b: Zeroizing::new(r.array()?),
            sas: Zeroizing::new(r.array()?),
        })
    }
}
