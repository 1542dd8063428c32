use data_encoding::HEXLOWER;

use super::file::HEADER_LEN;
use super::{
    Contents, FileKey, KnownRelay, MAX_FILE, Passphrase, PassphraseError, PeerMailbox, RecoveryError,
    RecoveryFile, SavedChains, SavedPeer,
};
use crate::crypto::kdf::sha256;
use crate::encoding::cbor;
use crate::identity::{Identity, NextKey};
use crate::mailbox::{Certificate, MailboxKeyPair, Quota, RelayId, SenderKeyPair};
use crate::pairing::{DisplayName, ResetKey, ResetKeys};
use crate::record::RecordHash;
use crate::session::SessionId;
use crate::testing::SeededRng;
use crate::time::Timestamp;

type Edit = fn(&mut Contents);

const PASSPHRASE: &str = "correct horse battery staple";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

/// The contents of the test values in PROTOCOL.md.
fn contents(rng: &mut SeededRng) -> Contents {
    let (identity, next) = Identity::generate(rng);
    let peers = ["bob", "carol"].map(|name| {
        let (peer, _) = Identity::generate(rng);
        let (mailbox, theirs) = (MailboxKeyPair::generate(rng), MailboxKeyPair::generate(rng));
        let sender = SenderKeyPair::generate(rng);
        let bob = name == "bob";
        SavedPeer {
            name: name.to_owned(),
            display: DisplayName::sanitised(if bob { "Bob" } else { "" }),
            statements: peer.statements().clone(),
            since: Timestamp::from_millis(1_700_000_000_000),
            verified: bob,
            mailbox,
            mailbox_url: "https://relay.example.org".to_owned(),
            epoch: 0,
            to: PeerMailbox {
                url: "https://relay.example.org".to_owned(),
                relay: RelayId::from_bytes([7; 32]),
                certificate: Certificate::issue(&theirs, sender.public(), 0, Quota::default()),
                sender,
            },
            reset_keys: ResetKeys { own: ResetKey::random(rng), peer: ResetKey::random(rng) },
            chains: SavedChains {
                session: SessionId::from_bytes([3; 32]),
                own_last: 5,
                own_head: RecordHash::from_bytes([4; 32]),
                recv: 7,
                recv_head: RecordHash::from_bytes([5; 32]),
                proc: 6,
            },
        }
    });
    Contents {
        saved: Timestamp::from_millis(1_700_000_100_000),
        name: "alice".to_owned(),
        identity,
        next,
        relays: vec![KnownRelay {
            url: "https://relay.example.org".to_owned(),
            id: RelayId::from_bytes([7; 32]),
        }],
        peers: peers.into(),
    }
}

fn keyed() -> RecoveryFile {
    RecoveryFile::of_key(FileKey::from_bytes([9; 32]))
}

#[test]
fn what_was_locked_opens_by_its_passphrase_alone_and_is_what_it_was() {
    let rng = &mut SeededRng::new(90);
    let saved = contents(rng);
    let file = RecoveryFile::lock(&passphrase(PASSPHRASE), rng).unwrap().seal(&saved, rng).unwrap();
    // The test values of PROTOCOL.md.
    assert_eq!(saved.to_body().len(), 1_869);
    assert_eq!(
        HEXLOWER.encode(&sha256(&[&saved.to_body()])),
        "e6cf906fd4386520fe9e0ac802fa7dbacf33ace0001d6d07db2aaaf82e45360b"
    );
    assert_eq!(file.len(), HEADER_LEN + 4096 + 16);
    assert_eq!(
        HEXLOWER.encode(&file[..HEADER_LEN]),
        "776972652f7265636f766572792f3100010000000000030000000437e6c30af6372ae174a98990abe016cd6c7c443f85c4dbc24d4a0e3f31f299a30f7c93af7315a26c"
    );
    assert_eq!(
        HEXLOWER.encode(&sha256(&[&file])),
        "7cc195eb57f276a73b22b8a0927513ed32bcf77fe83302e04d1bfb7565997876"
    );

    let header = RecoveryFile::parse(&file).unwrap();
    let opened = header.unlock(&passphrase(PASSPHRASE)).unwrap().open(&file).unwrap();
    assert_eq!(*opened.to_body(), *saved.to_body());
    assert_eq!(opened.peers[0].display.as_str(), "Bob");
    let other = header.unlock(&passphrase("correct horse battery stapl")).unwrap();
    assert_eq!(other.open(&file).unwrap_err(), RecoveryError::Locked);
    // A key is one file's: with another salt it is not even tried.
    assert_eq!(keyed().open(&file).unwrap_err(), RecoveryError::Locked);
}

#[test]
fn every_flipped_bit_and_every_other_length_is_refused() {
    let rng = &mut SeededRng::new(91);
    let file = keyed().seal(&contents(rng), rng).unwrap();
    assert!(keyed().open(&file).is_ok());
    for bit in 0..file.len() * 8 {
        let mut bad = file.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(keyed().open(&bad).is_err(), "bit {bit}");
    }
    for len in 0..file.len() {
        assert_eq!(RecoveryFile::parse(&file[..len]).is_err(), len != file.len(), "length {len}");
    }
    assert_eq!(keyed().open(&[&file[..], &[0]].concat()).unwrap_err(), RecoveryError::NotOne);
    assert_eq!(keyed().open(&[&file[..], &[0; 4096]].concat()).unwrap_err(), RecoveryError::Locked);
}

#[test]
fn a_header_that_asks_for_too_little_or_too_much_costs_nothing() {
    let rng = &mut SeededRng::new(92);
    let file = keyed().seal(&contents(rng), rng).unwrap();
    let asks = |at: usize, n: u32| {
        let mut file = file.clone();
        file[15 + 4 * at..19 + 4 * at].copy_from_slice(&n.to_be_bytes());
        RecoveryFile::parse(&file).map(|_| ())
    };
    for (at, least, most) in [(0, 65_536, 262_144), (1, 3, 10), (2, 4, 16)] {
        assert_eq!((asks(at, least), asks(at, most)), (Ok(()), Ok(())));
        for n in [0, least - 1, most + 1, u32::MAX] {
            assert_eq!(asks(at, n), Err(RecoveryError::Cost), "{at}: {n}");
        }
    }
    let later = [b"wire/recovery/2", &file[15..]].concat();
    assert_eq!(RecoveryFile::parse(&later), Err(RecoveryError::Version));
    let mut long = file;
    long.resize(MAX_FILE + 4096, 0);
    assert_eq!(RecoveryFile::parse(&long), Err(RecoveryError::NotOne));
}

#[test]
fn padding_and_length_are_checked() {
    let rng = &mut SeededRng::new(93);
    let body = contents(rng).to_body();
    let framed = |len: usize, total: usize| {
        let mut plain = [&(len as u32).to_be_bytes()[..], &body].concat();
        plain.resize(total, 0);
        plain
    };
    let mut opens = |plain: &[u8]| keyed().open(&keyed().seal_plain(plain, rng)).map(|_| ());
    assert_eq!(opens(&framed(body.len(), 4096)), Ok(()));
    assert_eq!(opens(&framed(body.len(), 8192)), Err(RecoveryError::Contents), "more than it needs");
    assert_eq!(opens(&framed(body.len() - 1, 4096)), Err(RecoveryError::Contents));
    assert_eq!(opens(&framed(body.len() + 1, 4096)), Err(RecoveryError::Contents));
    assert_eq!(opens(&framed(5_000, 4096)), Err(RecoveryError::Contents));
    let mut unclean = framed(body.len(), 4096);
    unclean[4095] = 1;
    assert_eq!(opens(&unclean), Err(RecoveryError::Contents));
}

#[test]
fn contents_that_contradict_themselves_are_neither_written_nor_read() {
    let rng = &mut SeededRng::new(94);
    let edits: [(&str, Edit); 13] = [
        ("another next key", |c| c.next = NextKey::from_seed(&[1; 32])),
        ("peers out of order", |c| c.peers.reverse()),
        ("a name twice", |c| c.peers[1].name = "bob".to_owned()),
        ("a root twice", |c| c.peers[1].statements = c.peers[0].statements.clone()),
        ("oneself", |c| c.peers[0].statements = c.identity.statements().clone()),
        ("a mailbox twice", |c| c.peers[1].mailbox = c.peers[0].mailbox.clone()),
        ("a name that is none", |c| c.peers[0].name = "../b".to_owned()),
        ("an address that is none", |c| c.peers[0].to.url = "file:///etc".to_owned()),
        ("an own address that is none", |c| c.peers[0].mailbox_url = "x".to_owned()),
        ("a relay that is none", |c| c.relays[0].url = "x".to_owned()),
        ("another sender", |c| c.peers[0].to.sender = SenderKeyPair::from_seed(&[1; 32])),
        ("settled beyond what came", |c| c.peers[0].chains.proc = 8),
        ("a number that no store has", |c| c.peers[0].chains.own_last = 1 << 63),
    ];
    for (what, edit) in edits {
        let mut contents = contents(rng);
        edit(&mut contents);
        assert_eq!(keyed().seal(&contents, rng).unwrap_err(), RecoveryError::Contents, "{what}");
        let sealed = keyed().seal_body(&contents.to_body(), rng).unwrap();
        assert_eq!(keyed().open(&sealed).unwrap_err(), RecoveryError::Contents, "{what}");
    }
}

#[test]
fn another_encoding_of_the_same_is_refused() {
    let rng = &mut SeededRng::new(95);
    let body = contents(rng).to_body();
    assert_eq!(cbor::to_vec(&(1u8, 1u8))[0], 0x82);
    // The map without end, and the first key in two bytes.
    let endless = [&[0xbf], &body[1..], &[0xff]].concat();
    let wide = [&body[..1], &[0x18, 1], &body[2..]].concat();
    for other in [endless, wide, [&body[..], &[0]].concat(), body[..body.len() - 1].to_vec(), Vec::new()] {
        assert_eq!(Contents::from_body(&other).unwrap_err(), RecoveryError::Contents);
    }
    assert!(Contents::from_body(&body).is_ok());
}

#[test]
fn a_new_passphrase_is_long_and_not_plain() {
    for (text, expected) in [
        ("", Err(PassphraseError::Short)),
        ("elevenchars", Err(PassphraseError::Short)),
        ("abcabcabcabcabcabc", Err(PassphraseError::Plain)),
        ("            ", Err(PassphraseError::Plain)),
        ("twelve chars", Ok(())),
        ("Бородинский хлеб", Ok(())),
    ] {
        assert_eq!(passphrase(text).check_strength(), expected, "{text:?}");
        let locked = expected.is_err().then(|| RecoveryFile::lock(&passphrase(text), &mut SeededRng::new(1)));
        assert!(locked.is_none_or(|locked| matches!(locked, Err(RecoveryError::Passphrase(_)))));
    }
    assert_eq!(Passphrase::new("two\nlines of words".to_owned()).unwrap_err(), PassphraseError::Control);
    assert_eq!(Passphrase::new("x".repeat(1_025)).unwrap_err(), PassphraseError::Long);
    assert_eq!(format!("{:?}", passphrase("twelve chars")), "Passphrase(..)");
}

/// The vectors of RFC 9106 have a secret and associated data, which a file has not. This value is that of the
/// reference implementation in C.
#[test]
fn the_key_is_that_of_the_reference_implementation() {
    let mut file = keyed().seal_plain(&[0; 4096], &mut SeededRng::new(1));
    file[27..43].copy_from_slice(b"somesaltsomesalt");
    let key = RecoveryFile::parse(&file).unwrap().unlock(&passphrase("password password")).unwrap();
    assert_eq!(
        HEXLOWER.encode(key.key.expose()),
        "634235f201b0205999fc595de7825ad7257c58c2ed701c7077427acd4fdea78d"
    );
}
