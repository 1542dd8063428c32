//! The shim's program, if it was built in.

/// The shim for Linux on the processor that this was built for, with the feature `embed-shim`; `None`
/// without it, and then a path has to be given at run time.
pub const fn shim_bytes() -> Option<&'static [u8]> {
    if EMBEDDED.is_empty() { None } else { Some(EMBEDDED) }
}

#[cfg(feature = "embed-shim")]
const EMBEDDED: &[u8] = include_bytes!(env!("WIRE_SHIM_EMBEDDED"));

#[cfg(not(feature = "embed-shim"))]
const EMBEDDED: &[u8] = &[];

#[cfg(all(test, feature = "embed-shim"))]
mod tests {
    #[test]
    fn it_is_a_static_program_for_linux() {
        let bytes = super::shim_bytes().unwrap();
        assert!(bytes.starts_with(b"\x7fELF"));
        // A program that is loaded with libraries has a header of type 3, which names its loader.
        let number = |at: usize, size: usize| {
            bytes[at..at + size].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
        };
        let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        assert!(count > 0);
        assert!((0..count).all(|header| number(table + header * size, 4) != 3));
    }
}
