//! The right to post to a mailbox, signed by its owner.
//!
//! Layout, 149 bytes: `01 ‖ mailbox32 ‖ sender32 ‖ epoch4 ‖ max_envelope4 ‖ max_pending4 ‖
//! bytes_per_day8 ‖ sig64`, signed by the mailbox key over "wire/cert/1" and everything before the
//! signature. It has no dates and no serial: it holds while its epoch is at least the mailbox's
//! `min_epoch`, so the owner revokes by raising that.

use super::{MailboxId, MailboxKeyPair, SenderId};
use crate::encoding::Reader;

const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 32 + 32 + 4 + 4 + 4 + 8;

/// Length of a certificate in bytes.
pub const CERTIFICATE_LEN: usize = BODY_LEN + 64;

/// A certificate that is not one, or that its mailbox did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Wrong length or unknown version.
    #[error("malformed certificate")]
    Malformed,
    /// The signature is not the mailbox's.
    #[error("certificate does not verify")]
    Invalid,
}

/// How much a sender may put into the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Largest envelope in bytes.
    pub max_envelope: u32,
    /// Most envelopes that wait at one time.
    pub max_pending: u32,
    /// Most bytes accepted in 24 hours.
    pub bytes_per_day: u64,
}

impl Default for Quota {
    /// 64 KiB an envelope, 4,096 pending, 4 GiB a day.
    fn default() -> Self {
        Self { max_envelope: 64 << 10, max_pending: 4096, bytes_per_day: 4 << 30 }
    }
}

/// A verified certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    bytes: [u8; CERTIFICATE_LEN],
    mailbox: MailboxId,
    sender: SenderId,
    epoch: u32,
    quota: Quota,
}

impl Certificate {
    pub(crate) const LABEL: &[u8] = b"wire/cert/1";

    /// The owner of `mailbox` lets `sender` post in `epoch` under `quota`.
    pub fn issue(mailbox: &MailboxKeyPair, sender: SenderId, epoch: u32, quota: Quota) -> Self {
        let id = mailbox.public();
        let mut bytes = [0u8; CERTIFICATE_LEN];
        let (body, sig) = bytes.split_at_mut(BODY_LEN);
        let fields: [&[u8]; 7] = [
            &[VERSION],
            id.as_bytes(),
            sender.as_bytes(),
            &epoch.to_be_bytes(),
            &quota.max_envelope.to_be_bytes(),
            &quota.max_pending.to_be_bytes(),
            &quota.bytes_per_day.to_be_bytes(),
        ];
        body.copy_from_slice(&fields.concat());
        sig.copy_from_slice(&mailbox.sign(Self::LABEL, &[body]));
        Self { bytes, mailbox: id, sender, epoch, quota }
    }

    /// Parses and verifies under the mailbox key that the certificate names.
    pub fn verify(bytes: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Self::parse(bytes)?;
        let (body, signature) = certificate.bytes.split_last_chunk().ok_or(CertificateError::Malformed)?;
        certificate.mailbox.verify(Self::LABEL, &[body], signature).map_err(|_| CertificateError::Invalid)?;
        Ok(certificate)
    }

    /// One that was verified before it went into our own store.
    #[cfg(feature = "client")]
    pub(crate) fn from_stored(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::parse(bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let bytes: [u8; CERTIFICATE_LEN] = bytes.try_into().map_err(|_| CertificateError::Malformed)?;
        let malformed = |_| CertificateError::Malformed;
        let mut r = Reader::new(&bytes);
        if r.u8().map_err(malformed)? != VERSION {
            return Err(CertificateError::Malformed);
        }
        let mailbox = MailboxId::from_bytes(r.array().map_err(malformed)?);
        let sender = SenderId::from_bytes(r.array().map_err(malformed)?);
        let epoch = r.u32().map_err(malformed)?;
        let quota = Quota {
            max_envelope: r.u32().map_err(malformed)?,
            max_pending: r.u32().map_err(malformed)?,
            bytes_per_day: r.u64().map_err(malformed)?,
        };
        Ok(Self { bytes, mailbox, sender, epoch, quota })
    }

    /// The signed bytes.
    pub fn as_bytes(&self) -> &[u8; CERTIFICATE_LEN] {
        &self.bytes
    }

    /// H(certificate), as a signed request names it.
    pub fn hash(&self) -> [u8; 32] {
        crate::crypto::kdf::sha256(&[&self.bytes])
    }

    /// The mailbox that may be posted to.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Who may post.
    pub fn sender(&self) -> SenderId {
        self.sender
    }

    /// The epoch that the certificate was issued in.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What the sender may put in.
    pub fn quota(&self) -> Quota {
        self.quota
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("mailbox", &self.mailbox)
            .field("epoch", &self.epoch)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::SenderKeyPair;
    use crate::tests_rng::rng;

    #[test]
    fn a_certificate_verifies_and_no_changed_byte_of_it_does() {
        let mailbox = MailboxKeyPair::generate(&mut rng());
        let sender = SenderKeyPair::generate(&mut rng()).public();
        let cert = Certificate::issue(&mailbox, sender, 3, Quota::default());
        assert_eq!(Certificate::verify(cert.as_bytes()), Ok(cert.clone()));
        for i in 0..CERTIFICATE_LEN {
            let mut bad = *cert.as_bytes();
            bad[i] ^= 1;
            assert!(Certificate::verify(&bad).is_err(), "byte {i}");
        }
        assert_eq!(Certificate::verify(&cert.as_bytes()[1..]), Err(CertificateError::Malformed));
    }
}
