//! What may be known of a secret: the only places where our own code branches on something that was made from one.
//! In a build without `test-support` this is nothing at all; in one with it, a checker of constant time is told.

/// An outcome that the other side, or whoever watches, learns anyway.
#[inline]
pub(crate) fn outcome(outcome: bool) -> bool {
    #[cfg(feature = "test-support")]
    let outcome = crate::testing::constant_time::told(outcome);
    outcome
}

/// Bytes that are opened now, and judged like any others.
#[inline]
#[cfg_attr(not(feature = "test-support"), expect(unused_variables, reason = "nobody checks"))]
pub(crate) fn bytes(bytes: &[u8]) {
    #[cfg(feature = "test-support")]
    crate::testing::constant_time::tell(bytes);
}
