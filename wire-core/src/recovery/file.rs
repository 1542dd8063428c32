//! The file: a header that says how its key is derived, and a sealed box.
//!
//! ```text
//! header = "wire/recovery/1" ‖ m4 ‖ t4 ‖ p4 ‖ salt16 ‖ nonce24
//! key    = Argon2id v1.3 (passphrase, salt, m KiB, t passes, p lanes, 32 bytes)
//! file   = header ‖ XChaCha20-Poly1305 (key, nonce, len4(body) ‖ body ‖ zeros, aad header)
//! ```
//!
//! What is sealed is a multiple of 4,096 bytes long, so that a file does not tell how many peers there are.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Contents, Passphrase, PassphraseError};
use crate::crypto::aead;
use crate::encoding::{Reader, secret_bytes};

const FORMAT: &[u8] = b"wire/recovery/";
const VERSION: &[u8] = b"1";
const SALT_LEN: usize = 16;
/// Length of the header in bytes.
pub(super) const HEADER_LEN: usize = FORMAT.len() + VERSION.len() + 3 * 4 + SALT_LEN + aead::NONCE_LEN;
/// What is sealed has a multiple of this length.
const STEP: usize = 4096;
/// Most bytes that are sealed: peers by the thousand.
const MAX_PLAIN: usize = 8 << 20;

/// Most bytes of a recovery file.
pub const MAX_FILE: usize = HEADER_LEN + MAX_PLAIN + aead::TAG_LEN;

/// Why a recovery file was not made, or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The passphrase cannot be one.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// Not a recovery file, or not all of one.
    #[error("this is no recovery file, or not the whole of one")]
    NotOne,
    /// Made by a later version of this program.
    #[error("the recovery file is of a later version")]
    Version,
    /// Its header asks for less work than is safe, or for more than is bearable.
    #[error("the recovery file asks for work outside of what this program does")]
    Cost,
    /// The key does not open it.
    #[error("wrong passphrase, or the recovery file was changed")]
    Locked,
    /// It opens, and what is in it contradicts itself.
    #[error("the contents of the recovery file contradict themselves")]
    Contents,
    /// There is more to save than a file holds.
    #[error("there are too many peers for a recovery file")]
    TooLarge,
}

secret_bytes!(
    /// The key of one file.
    FileKey,
    32
);

/// How much work a key costs: memory in KiB, passes, lanes (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) memory: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106, section 4.
    pub(crate) const NEW: Self = Self { memory: 64 << 10, passes: 3, lanes: 4 };
    /// Four times the memory and three times the passes: some seconds on a small machine.
    const MOST: Self = Self { memory: 256 << 10, passes: 10, lanes: 16 };

    fn is_bearable(self) -> bool {
        (Self::NEW.memory..=Self::MOST.memory).contains(&self.memory)
            && (Self::NEW.passes..=Self::MOST.passes).contains(&self.passes)
            && (Self::NEW.lanes..=Self::MOST.lanes).contains(&self.lanes)
    }
}

/// The header of a file, read and found bearable. Nothing of it is proved before the file opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    cost: Cost,
    salt: [u8; SALT_LEN],
    nonce: [u8; aead::NONCE_LEN],
}

impl Header {
    /// Derives the key: some hundred milliseconds and 64 MiB, at most some seconds and 256 MiB.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<RecoveryFile, RecoveryError> {
        let Cost { memory, passes, lanes } = self.cost;
        let params = argon2::Params::new(memory, passes, lanes, Some(FileKey::LEN))
            .map_err(|_| RecoveryError::Cost)?;
        let mut key = Zeroizing::new([0; FileKey::LEN]);
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &self.salt, key.as_mut())
            .map_err(|_| RecoveryError::Cost)?;
        Ok(RecoveryFile { cost: self.cost, salt: self.salt, key: FileKey::from_bytes(*key) })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let Cost { memory, passes, lanes } = self.cost;
        let numbers = [memory, passes, lanes].map(u32::to_be_bytes);
        let [memory, passes, lanes] = &numbers;
        [FORMAT, VERSION, memory, passes, lanes, &self.salt, &self.nonce].concat()
    }
}

/// The key of a recovery file, with what it was derived by.
#[derive(Clone, Debug)]
pub struct RecoveryFile {
    cost: Cost,
    salt: [u8; SALT_LEN],
    pub(super) key: FileKey,
}

impl RecoveryFile {
    /// Derives the key of a new file, with a fresh salt.
    ///
    /// # Errors
    /// [`RecoveryError::Passphrase`] for one that [`Passphrase::check_strength`] refuses.
    pub fn lock(passphrase: &Passphrase, rng: &mut impl CryptoRng) -> Result<Self, RecoveryError> {
        passphrase.check_strength()?;
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        Header { cost: Cost::NEW, salt, nonce: [0; aead::NONCE_LEN] }.unlock(passphrase)
    }

    /// With a key that nothing was derived for, for tests.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) const fn of_key(key: FileKey) -> Self {
        Self { cost: Cost::NEW, salt: [0; SALT_LEN], key }
    }

    /// The bytes of a file with these contents.
    ///
    /// # Errors
    /// [`RecoveryError::Contents`] for contents that would not be taken back, [`RecoveryError::TooLarge`].
    pub fn seal(&self, contents: &Contents, rng: &mut impl CryptoRng) -> Result<Vec<u8>, RecoveryError> {
        let body = contents.to_body();
        // What cannot be read again is no backup.
        Contents::from_body(&body)?;
        self.seal_body(&body, rng)
    }

    pub(crate) fn seal_body(&self, body: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, RecoveryError> {
        let len = u32::try_from(body.len()).map_err(|_| RecoveryError::TooLarge)?;
        let padded = (body.len() + 4).next_multiple_of(STEP);
        if padded > MAX_PLAIN {
            return Err(RecoveryError::TooLarge);
        }
        let mut plain = Zeroizing::new(vec![0; padded]);
        for (to, from) in plain.iter_mut().zip(len.to_be_bytes().iter().chain(body)) {
            *to = *from;
        }
        Ok(self.seal_plain(&plain, rng))
    }

    /// Seals what is framed and padded already.
    pub(crate) fn seal_plain(&self, plain: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; aead::NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let header = Header { cost: self.cost, salt: self.salt, nonce }.to_bytes();
        let sealed = aead::seal(self.key.expose(), &nonce, &header, plain);
        [header, sealed].concat()
    }

    /// Reads the header of a file. No memory and no time is spent on what it asks for.
    ///
    /// # Errors
    /// [`RecoveryError::NotOne`], [`RecoveryError::Version`], [`RecoveryError::Cost`].
    pub fn parse(file: &[u8]) -> Result<Header, RecoveryError> {
        let rest = file.strip_prefix(FORMAT).ok_or(RecoveryError::NotOne)?;
        let rest = rest.strip_prefix(VERSION).ok_or(RecoveryError::Version)?;
        let header = read_header(rest).map_err(|_| RecoveryError::NotOne)?;
        let sealed = file.len().saturating_sub(HEADER_LEN + aead::TAG_LEN);
        if sealed == 0 || sealed > MAX_PLAIN || !sealed.is_multiple_of(STEP) {
            return Err(RecoveryError::NotOne);
        }
        if header.cost.is_bearable() { Ok(header) } else { Err(RecoveryError::Cost) }
    }

    /// Opens a file and checks everything in it.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse), [`RecoveryError::Locked`], [`RecoveryError::Contents`].
    pub fn open(&self, file: &[u8]) -> Result<Contents, RecoveryError> {
        let header = Self::parse(file)?;
        if (header.cost, header.salt) != (self.cost, self.salt) {
            return Err(RecoveryError::Locked);
        }
        let (aad, sealed) = file.split_at_checked(HEADER_LEN).ok_or(RecoveryError::NotOne)?;
        let plain =
            aead::open(self.key.expose(), &header.nonce, aad, sealed).map_err(|_| RecoveryError::Locked)?;
        let (len, rest) = plain.split_first_chunk().ok_or(RecoveryError::Contents)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| RecoveryError::Contents)?;
        let (body, zeros) = rest.split_at_checked(len).ok_or(RecoveryError::Contents)?;
        if zeros.len() >= STEP || zeros.iter().any(|zero| *zero != 0) {
            return Err(RecoveryError::Contents);
        }
        Contents::from_body(body)
    }
}

fn read_header(rest: &[u8]) -> Result<Header, crate::encoding::Malformed> {
    let mut r = Reader::new(rest);
    let cost = Cost { memory: r.u32()?, passes: r.u32()?, lanes: r.u32()? };
    Ok(Header { cost, salt: r.array()?, nonce: r.array()? })
}
