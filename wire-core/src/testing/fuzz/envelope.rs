//! Layout and padding of an envelope, without keys.

use super::accept;
use super::input::Input;
use crate::crypto::CryptoError;
use crate::envelope::{self, EnvelopeError, HARD_MAX, MIN_LEN, OVERHEAD, Payload, SUITE, VERSION};

/// Largest body that is tried.
const MAX_BODY: usize = 1 << 14;

/// An envelope passes exactly if its length is one of the classes within the limit and its first two bytes are
/// known. A body opens exactly if its length fits, the rest is zeros, and no smaller class would have done.
pub fn envelope(data: &[u8]) {
    let mut input = Input::new(data);
    match input.choice(3) {
        0 => layout(&mut input),
        1 => sizes(input.u32() as usize, input.u32() as usize),
        _ => padding(&mut input),
    }
}

fn layout(input: &mut Input<'_>) {
    let max = input.u32() as usize;
    let length = if input.u8() & 1 == 0 { 1 << input.choice(20) } else { usize::from(input.u16()) };
    let mut bytes = vec![0; length];
    input.edit(&mut bytes);
    let result = envelope::check(&bytes, max);
    let class = bytes.len().is_power_of_two() && (MIN_LEN..=max.min(HARD_MAX)).contains(&bytes.len());
    let known = bytes.starts_with(&[VERSION, SUITE]);
    assert_eq!(result.is_ok(), class && known, "{result:?}");
    assert_eq!(envelope::Parts::parse(&bytes).is_ok(), envelope::check(&bytes, HARD_MAX).is_ok());
    match result {
        Ok(()) => accept(),
        Err(EnvelopeError::TooLarge { len, max: at_most }) => {
            assert!(len == bytes.len() && len > at_most && at_most == max.min(HARD_MAX));
        }
        Err(EnvelopeError::Length { len }) => assert!(len == bytes.len() && !class),
        Err(EnvelopeError::Version(version)) => {
            assert!(bytes.first() == Some(&version) && version != VERSION)
        }
        Err(EnvelopeError::Suite(suite)) => assert!(bytes.get(1) == Some(&suite) && suite != SUITE),
    }
}

/// The class of a payload holds it, the class below does not; [`envelope::max_payload`] is the other way.
fn sizes(payload: usize, max: usize) {
    match envelope::sealed_len(payload) {
        Some(len) => {
            accept();
            assert!(len.is_power_of_two() && (MIN_LEN..=HARD_MAX).contains(&len));
            assert!(payload + OVERHEAD <= len && (len == MIN_LEN || payload + OVERHEAD > len / 2));
            assert!(envelope::max_payload(len) >= payload);
        }
        None => assert!(payload + OVERHEAD > HARD_MAX),
    }
    let most = envelope::max_payload(max);
    assert!(max < MIN_LEN || envelope::sealed_len(most).is_some_and(|len| len <= max));
    assert!(envelope::sealed_len(most + 1).is_none_or(|len| len > max) || max < MIN_LEN);
}

fn padding(input: &mut Input<'_>) {
    let plain = if input.u8() & 1 == 0 {
        (MIN_LEN << input.choice(6)) - OVERHEAD
    } else {
        usize::from(input.u16()) % MAX_BODY
    };
    let len = input.u32();
    let mut body = vec![0; 4 + plain];
    body[..4].copy_from_slice(&len.to_be_bytes());
    input.edit(&mut body);

    let opened = Payload::open(&body, |_| Ok(()));
    let expected = body.split_first_chunk::<4>().and_then(|(len, rest)| {
        let (payload, zeros) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        let whole = rest.len() + OVERHEAD;
        let smallest = whole == MIN_LEN || payload.len() + OVERHEAD > whole / 2;
        let class = whole.is_power_of_two() && (MIN_LEN..=HARD_MAX).contains(&whole);
        (class && smallest && zeros.iter().all(|b| *b == 0)).then_some(payload)
    });
    assert_eq!(opened.as_deref().ok(), expected);
    assert!(Payload::open(&body, |_| Err(CryptoError)).is_err());
    if expected.is_some() {
        accept();
    }
}
