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
