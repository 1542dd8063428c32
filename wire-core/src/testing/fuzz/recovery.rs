//! The recovery file: what somebody puts in its place, and what somebody who has its key puts into it.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, NOW, SESSION};
use crate::encoding::cbor;
use crate::identity::Identity;
use crate::mailbox::{MailboxKeyPair, RelayId};
use crate::pairing::{DisplayName, ResetKey, ResetKeys};
use crate::record::RecordHash;
use crate::recovery::{
    Contents, FileKey, KnownRelay, MAX_FILE, PeerMailbox, RecoveryError, RecoveryFile, SavedChains, SavedPeer,
};
use crate::testing::SeededRng;

const RELAY: &str = "https://relay.example.org";

/// The body of an honest file, with one peer.
pub(super) static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (identity, next) = Identity::generate(&mut SeededRng::new(45));
    assert_ne!(identity.root(), ALICE.identity.root());
    let peer = SavedPeer {
        name: "bob".to_owned(),
        display: DisplayName::sanitised("Bob"),
        statements: BOB.identity.statements().clone(),
        since: NOW,
        verified: true,
        mailbox: MailboxKeyPair::from_seed(&[11; 32]),
        mailbox_url: RELAY.to_owned(),
        epoch: 1,
        to: PeerMailbox {
            url: RELAY.to_owned(),
            relay: RelayId::from_bytes([7; 32]),
            certificate: BOB.certificate.clone(),
            sender: BOB.sender.clone(),
        },
        reset_keys: ResetKeys { own: ResetKey::from_bytes([12; 32]), peer: ResetKey::from_bytes([13; 32]) },
        chains: SavedChains {
            session: SESSION,
            own_last: 5,
            own_head: RecordHash::from_bytes([4; 32]),
            recv: 7,
            recv_head: RecordHash::from_bytes([5; 32]),
            proc: 6,
        },
    };
    let relays = vec![KnownRelay { url: RELAY.to_owned(), id: RelayId::from_bytes([7; 32]) }];
    Contents { saved: NOW, name: "alice".to_owned(), identity, next, relays, peers: vec![peer] }
        .to_body()
        .to_vec()
});

/// The honest file, under a key that nothing was derived for.
pub(super) static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| keyed().seal_body(&BODY, &mut SeededRng::new(46)).expect("an honest body"));

fn keyed() -> RecoveryFile {
    RecoveryFile::of_key(FileKey::from_bytes([14; 32]))
}

/// Only the honest bytes open; a header asks for bearable work or is refused; and of what is under the right key,
/// contents are taken in their one encoding alone, and hold together.
pub fn recovery(data: &[u8]) {
    let mut input = Input::new(data);
    match input.choice(4) {
        0 => file(input.rest()),
        1 => file(&input.edited(&FILE)),
        2 => body(&input.edited(&BODY)),
        _ => framed(&mut input),
    }
}

fn file(bytes: &[u8]) {
    let parsed = RecoveryFile::parse(bytes);
    let number =
        |at: usize| bytes.get(at..at + 4).map(|n| u32::from_be_bytes(n.try_into().expect("four bytes")));
    if parsed.is_ok() {
        accept();
        assert!(bytes.starts_with(b"wire/recovery/1") && bytes.len() <= MAX_FILE);
        assert!((65_536..=262_144).contains(&number(15).expect("memory")));
        assert!(
            (3..=10).contains(&number(19).expect("passes")) && (4..=16).contains(&number(23).expect("lanes"))
        );
        assert_eq!((bytes.len() - 67 - 16) % 4096, 0);
    }
    match keyed().open(bytes) {
        Ok(contents) => assert!(bytes == *FILE && *contents.to_body() == **BODY),
        Err(error) => assert!(bytes != *FILE && error != RecoveryError::Contents, "{error}"),
    }
}

fn body(bytes: &[u8]) {
    let Ok(contents) = Contents::from_body(bytes) else { return };
    accept();
    assert_eq!(*contents.to_body(), *bytes);
    assert_eq!(contents.next.digest(), contents.identity.statements().next_digest());
    assert_eq!(contents.identity.key().public(), contents.identity.statements().current());
    for peer in &contents.peers {
        assert_eq!(peer.to.certificate.sender(), peer.to.sender.public());
        assert!(DisplayName::is_plain(peer.display.as_str()), "{:?}", peer.display);
        assert_ne!(peer.root(), contents.identity.root());
        assert!(peer.chains.proc <= peer.chains.recv);
    }
    // What is taken is written again, and taken again.
    let file = keyed().seal(&contents, &mut SeededRng::new(47)).expect("it was read");
    assert_eq!(*keyed().open(&file).expect("it was written").to_body(), *bytes);
}

/// Length and padding as they come, sealed by the right key.
fn framed(input: &mut Input<'_>) {
    let mut plain = [&u32::try_from(BODY.len()).expect("a short body").to_be_bytes()[..], &BODY].concat();
    plain.resize(4096 * (1 + input.choice(3)), 0);
    let honest = plain.len() == 4096;
    let before = plain.clone();
    input.edit(&mut plain);
    plain.resize(plain.len().next_multiple_of(4096).max(4096), 0);
    let opened = keyed().open(&keyed().seal_plain(&plain, &mut SeededRng::new(48)));
    if plain == before {
        assert_eq!(opened.is_ok(), honest);
    }
    let Ok(contents) = opened else { return };
    accept();
    let body = contents.to_body();
    assert_eq!(plain[4..4 + body.len()], *body);
    assert!(plain[4 + body.len()..].iter().all(|zero| *zero == 0));
    assert!(cbor::from_slice::<u8>(&body).is_err(), "a map");
}
