//! Statements of an identity and certificates of a mailbox: whoever does not have the key makes none, and who
//! has it makes none that breaks the rules.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use crate::crypto::kdf::sha256;
use crate::identity::{
    IdentityKeyPair, IdentityPublic, MAX_STATEMENTS, Root, STATEMENT_LEN, Statement, StatementChain,
};
use crate::mailbox::{CERTIFICATE_LEN, Certificate, MailboxId, MailboxKeyPair, Quota, SenderId};

const STATEMENTS: usize = 4;
const STATEMENT_BODY: usize = STATEMENT_LEN - 64;
const CERTIFICATE_BODY: usize = CERTIFICATE_LEN - 64;

/// The key of each statement.
static KEYS: LazyLock<Vec<IdentityKeyPair>> =
    LazyLock::new(|| (0..STATEMENTS as u8).map(|n| IdentityKeyPair::from_seed(&[n + 1; 32])).collect());
/// The key that signs each: of the first its own; the last is only committed to.
static SIGNERS: LazyLock<Vec<IdentityKeyPair>> = LazyLock::new(|| {
    let committed = (1..=STATEMENTS as u8).map(|n| IdentityKeyPair::from_seed(&[n + 101; 32]));
    KEYS.first().cloned().into_iter().chain(committed).collect()
});
static OWNER: LazyLock<MailboxKeyPair> = LazyLock::new(|| MailboxKeyPair::from_seed(&[21; 32]));

/// A chain verifies exactly if an independent reading of section 2 of PROTOCOL.md takes it.
pub fn identity(data: &[u8]) {
    let mut input = Input::new(data);
    let bytes = match input.choice(3) {
        0 => input.rest().to_vec(),
        1 => {
            let honest = honest_chain(1 + input.choice(STATEMENTS));
            input.edited(&honest)
        }
        _ => signed_chain(&mut input),
    };
    let chain = StatementChain::verify(&bytes);
    assert_eq!(chain.is_ok(), follows_the_rules(&bytes), "{chain:?}");
    let Ok(chain) = chain else { return };
    accept();
    assert_eq!(chain.to_bytes(), bytes);
    assert_eq!(chain.serial() as usize + 1, bytes.len() / STATEMENT_LEN);
    assert_eq!(chain.keys().last(), Some(chain.current()));
    let next_digest: &[u8; 32] = bytes[65..97].try_into().expect("32 bytes");
    assert_eq!(chain.keys().next().map(|first| Root::of(&first, next_digest)), Some(chain.root()));
    assert_eq!(StatementChain::claimed_key(&bytes), Some(chain.current()));
}

/// The first `count` statements of one identity.
pub(super) fn honest_chain(count: usize) -> Vec<u8> {
    let seeds = vec![0; count];
    let mut input = Input::new(&seeds);
    chain_of(count, &mut input)
}

/// Statements in which any field is another than it should be, each signed by a key of that identity.
fn signed_chain(input: &mut Input<'_>) -> Vec<u8> {
    let count = 1 + input.choice(STATEMENTS);
    chain_of(count, input)
}

/// For each statement: how many changes, 0 to 3, then `position1 ‖ value1` each, and after a change the signer.
fn chain_of(count: usize, input: &mut Input<'_>) -> Vec<u8> {
    let digest = |n: usize| sha256(&[SIGNERS[n].public().as_bytes()]);
    let root = Root::of(&KEYS[0].public(), &digest(1));
    let mut chain: Vec<u8> = Vec::new();
    for (serial, key) in KEYS.iter().take(count).enumerate() {
        let prev = chain.last_chunk::<STATEMENT_LEN>().map_or([0; 32], |s| sha256(&[s]));
        let mut body = [
            &[1][..],
            root.as_bytes(),
            key.public().as_bytes(),
            &digest(serial + 1),
            &(serial as u32).to_be_bytes(),
            &prev,
            SIGNERS[serial].public().as_bytes(),
        ]
        .concat();
        let changes = input.choice(4);
        for _ in 0..changes {
            let at = input.choice(STATEMENT_BODY);
            body[at] ^= input.u8();
        }
        let signer =
            if changes == 0 { serial } else { (serial + input.choice(SIGNERS.len())) % SIGNERS.len() };
        chain.extend_from_slice(&body);
        chain.extend_from_slice(&SIGNERS[signer].sign(Statement::LABEL, &[&body]));
    }
    chain
}

fn follows_the_rules(bytes: &[u8]) -> bool {
    let (statements, rest) = bytes.as_chunks::<STATEMENT_LEN>();
    if statements.is_empty() || statements.len() > MAX_STATEMENTS || !rest.is_empty() {
        return false;
    }
    statements.iter().enumerate().all(|(serial, s)| {
        let (body, signature) = s.split_last_chunk().expect("a statement is longer than a signature");
        let by: [u8; 32] = body[133..165].try_into().expect("32 bytes");
        let follows = match serial.checked_sub(1).map(|before| &statements[before]) {
            None => {
                body[1..33] == sha256(&[b"wire/id/1", &body[33..65], &body[65..97]])
                    && body[101..133] == [0; 32]
                    && body[33..65] == by
            }
            Some(before) => {
                body[1..33] == before[1..33]
                    && body[101..133] == sha256(&[before])
                    && before[65..97] == sha256(&[&by])
            }
        };
        let signed = IdentityPublic::from_bytes(by).verify(Statement::LABEL, &[body], signature).is_ok();
        follows && signed && body[0] == 1 && body[97..101] == (serial as u32).to_be_bytes()
    })
}

/// A certificate verifies exactly if its mailbox signed it, and says what was signed.
pub fn certificate(data: &[u8]) {
    let mut input = Input::new(data);
    let (bytes, signed) = match input.choice(3) {
        0 => (input.rest().to_vec(), false),
        1 => (input.edited(CERTIFICATE.as_bytes()), false),
        _ => (signed_certificate(&mut input), true),
    };
    let certificate = Certificate::verify(&bytes);
    let body = bytes.get(..CERTIFICATE_BODY).unwrap_or_default();
    let by_owner = body.get(1..33) == Some(OWNER.public().as_bytes());
    let honest = bytes == CERTIFICATE.as_bytes();
    let expected = if signed { by_owner && body.first() == Some(&1) } else { honest };
    assert_eq!(certificate.is_ok(), expected, "{certificate:?}");
    let Ok(certificate) = certificate else { return };
    accept();
    assert_eq!(certificate.as_bytes().as_slice(), bytes);
    let quota = certificate.quota();
    let fields = [
        &[1][..],
        certificate.mailbox().as_bytes(),
        certificate.sender().as_bytes(),
        &certificate.epoch().to_be_bytes(),
        &quota.max_envelope.to_be_bytes(),
        &quota.max_pending.to_be_bytes(),
        &quota.bytes_per_day.to_be_bytes(),
    ]
    .concat();
    assert_eq!(fields, body);
}

pub(super) static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::issue(&OWNER, SenderId::from_bytes([22; 32]), 3, Quota::default()));

/// Any version, sender, epoch and quota, and mostly the right mailbox, signed by its owner.
fn signed_certificate(input: &mut Input<'_>) -> Vec<u8> {
    let version = 1 ^ input.u8();
    let mut mailbox = *OWNER.public().as_bytes();
    let at = input.choice(MailboxId::LEN);
    mailbox[at] ^= input.u8();
    let fields: [u8; CERTIFICATE_BODY - 33] = input.array();
    let body = [&[version], mailbox.as_slice(), &fields].concat();
    let signature = OWNER.sign(Certificate::LABEL, &[&body]);
    [body.as_slice(), &signature].concat()
}
