//! An input as choices and bytes, and an honest message with a few changes.

/// Most changes to one message.
const MAX_EDITS: usize = 32;

/// Takes choices off the front; behind the end everything is 0 or empty, so each input means something.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n.min(self.0.len()));
        self.0 = tail;
        head
    }

    /// What is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Exactly `N` bytes, zeros where there are none.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let taken = self.take(N);
        out[..taken.len()].copy_from_slice(taken);
        out
    }

    pub(super) fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// One of `n` choices, by one byte.
    pub(super) fn choice(&mut self, n: usize) -> usize {
        usize::from(self.u8()) % n.max(1)
    }

    /// One byte of length, and so many bytes.
    pub(super) fn short(&mut self) -> &'a [u8] {
        let n = usize::from(self.u8());
        self.take(n)
    }

    /// `honest` with the changes that the rest asks for: none, and it is `honest`.
    pub(super) fn edited(&mut self, honest: &[u8]) -> Vec<u8> {
        let mut bytes = honest.to_vec();
        self.edit(&mut bytes);
        bytes
    }

    /// Applies the changes that the rest asks for: `kind1 ‖ position2 ‖ value`.
    pub(super) fn edit(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..MAX_EDITS {
            if self.is_empty() {
                return;
            }
            let kind = self.u8();
            let at = usize::from(self.u16()).min(bytes.len());
            match kind % 4 {
                0 => {
                    let value = self.u8();
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= value;
                    }
                }
                1 => bytes.truncate(at),
                2 => {
                    let inserted = self.short();
                    drop(bytes.splice(at..at, inserted.iter().copied()));
                }
                _ => {
                    let over = self.short();
                    let end = bytes.len().min(at + over.len());
                    drop(bytes.splice(at..end, over.iter().copied()));
                }
            }
        }
    }
}
