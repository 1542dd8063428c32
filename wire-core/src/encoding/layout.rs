//! Fixed layouts: a reader that never indexes, and `lv(x)` = LEB128 length ‖ x.

use super::Malformed;

/// Appends `lv(x)`: the length of `x` as unsigned LEB128, then `x`.
pub(crate) fn lv(out: &mut Vec<u8>, x: &[u8]) {
    let mut n = x.len();
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out.extend_from_slice(x);
}

/// Takes fields off the front of a byte string.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes `lv(x)`; the length must be minimal and at most `max`.
    pub(crate) fn lv(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let mut n = 0usize;
        for shift in [0u32, 7, 14, 21] {
            let b = self.u8()?;
            n |= usize::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                if n > max || (b == 0 && shift > 0) {
                    return Err(Malformed);
                }
                return self.take(n);
            }
        }
        Err(Malformed)
    }

    /// What has not been taken yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Refuses trailing bytes.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lv_round_trips_at_every_width() {
        for n in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let x = vec![7u8; n];
            let mut out = Vec::new();
            lv(&mut out, &x);
            let mut r = Reader::new(&out);
            assert_eq!(r.lv(1 << 20), Ok(x.as_slice()));
            assert_eq!(r.finish(), Ok(()));
            assert_eq!(Reader::new(&out).lv(n.wrapping_sub(1).min(1 << 20)).is_ok(), n == 0);
        }
    }

    #[test]
    fn lv_refuses_what_is_not_minimal_or_too_long() {
        assert_eq!(Reader::new(&[0x80, 0x00]).lv(10), Err(Malformed));
        assert_eq!(Reader::new(&[0x81, 0x00, 1]).lv(10), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x01]).lv(usize::MAX), Err(Malformed));
        assert_eq!(Reader::new(&[2, 1]).lv(10), Err(Malformed));
        assert_eq!(Reader::new(&[]).lv(10), Err(Malformed));
    }
}
