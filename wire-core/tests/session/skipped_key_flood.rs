//! Attack test 20: a malicious peer skips message after message, so that the receiver keeps key
//! after key. At 2,000 the oldest go; nothing new is ever refused for it.

use wire_core::session::{OpenError, Session};
use wire_core::testing::{Forged, NOW, SeededRng, deliver, forge, sessions};

/// 2,000 skipped keys of 44 bytes, 2,000 used messages of 20, five closed chains, and the rest.
const MOST: usize = 2000 * 44 + 2000 * 20 + 5 * 48 + 512;

fn opens(receiver: &Session, envelope: &[u8]) -> Result<(), OpenError> {
    receiver.open(envelope, NOW, &mut SeededRng::new(0)).map(|_| ())
}

#[test]
fn within_a_chain_the_oldest_keys_go() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(20);
    let mut withheld = Vec::new();
    for _ in 0..5 {
        for _ in 0..1000 {
            withheld.push(forge(&mut alice, Forged::default(), b"withheld", &mut rng));
        }
        let shown = forge(&mut alice, Forged::default(), b"shown", &mut rng);
        deliver(&mut bob, &shown, &mut rng).unwrap();
        assert!(bob.to_bytes().len() <= MOST);
    }
    let (gone, kept) = withheld.split_at(3000);
    for envelope in gone {
        assert_eq!(opens(&bob, envelope), Err(OpenError::Unopenable));
    }
    for envelope in kept {
        deliver(&mut bob, envelope, &mut rng).unwrap();
    }
}

#[test]
fn across_chains_the_oldest_keys_go() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(20);
    let mut withheld = Vec::new();
    for _ in 0..8 {
        let shown = forge(&mut alice, Forged::default(), b"shown", &mut rng);
        deliver(&mut bob, &shown, &mut rng).unwrap();
        // known to be skipped only by the length that the next chain gives
        for _ in 0..700 {
            withheld.push(forge(&mut alice, Forged::default(), b"withheld", &mut rng));
        }
        let answer = forge(&mut bob, Forged::default(), b"answer", &mut rng);
        deliver(&mut alice, &answer, &mut rng).unwrap();
        assert!(bob.to_bytes().len() <= MOST);
    }
    let shown = forge(&mut alice, Forged::default(), b"shown", &mut rng);
    deliver(&mut bob, &shown, &mut rng).unwrap();
    let (gone, kept) = withheld.split_at(8 * 700 - 2000);
    for envelope in gone {
        assert_eq!(opens(&bob, envelope), Err(OpenError::Unopenable));
    }
    for envelope in kept {
        deliver(&mut bob, envelope, &mut rng).unwrap();
    }
}
