use super::harness::Side;
use crate::agent::error::Error;
use crate::pairing::{Code, PairingSecret, Rendezvous};

#[test]
fn the_second_time_is_refused_until_it_is_forgotten() {
    let side = Side::new("alice");
    let burn = |text: &str| {
        let code = Code::parse(text).unwrap();
        let (at, secret): (Rendezvous, PairingSecret) = (code.nameplate.into(), code.words.into());
        side.write(|b| b.consume(&at, &secret))
    };
    burn("4821-canyon-velvet-oyster").unwrap();
    assert!(matches!(burn("4821-canyon-velvet-oyster"), Err(Error::CodeUsed)));
    burn("4822-canyon-velvet-oyster").unwrap();
    burn("4821-canyon-velvet-zoo").unwrap();
    let tags: Vec<u8> = side.value("SELECT tag FROM consumed LIMIT 1");
    assert!(!tags.windows(6).any(|w| w == b"canyon"));
    side.wait(24 * 3_600_000 + 10 * 60_000 + 1);
    burn("4821-canyon-velvet-oyster").unwrap();
    assert_eq!(side.value::<u64>("SELECT count(*) FROM consumed"), 1);
}
