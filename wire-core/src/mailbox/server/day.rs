//! Bytes that each mailbox took in its current day. In memory only: a restart forgets them.

use std::collections::BTreeMap;

use crate::mailbox::MailboxId;
use crate::time::Timestamp;

const DAY: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug)]
pub(super) struct BytesOfDay {
    mailboxes: BTreeMap<MailboxId, Used>,
    max: usize,
}

#[derive(Debug)]
struct Used {
    since: Timestamp,
    bytes: u64,
}

impl BytesOfDay {
    pub(super) fn new(max: u32) -> Self {
        Self { mailboxes: BTreeMap::new(), max: usize::try_from(max).unwrap_or(usize::MAX).max(1) }
    }

    /// Takes `bytes` out of `allowed`, or says how many seconds are left of the day.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        mailbox: MailboxId,
        bytes: u64,
        allowed: u64,
    ) -> Result<(), u32> {
        if self.mailboxes.len() >= self.max && !self.mailboxes.contains_key(&mailbox) {
            self.mailboxes.retain(|_, used| now.since(used.since) < DAY);
            if self.mailboxes.len() >= self.max {
                self.mailboxes.pop_first();
            }
        }
        let used = self.mailboxes.entry(mailbox).or_insert(Used { since: now, bytes: 0 });
        if now.since(used.since) >= DAY {
            *used = Used { since: now, bytes: 0 };
        }
        match used.bytes.checked_add(bytes) {
            Some(sum) if sum <= allowed => {
                used.bytes = sum;
                Ok(())
            }
            _ => {
                let left = DAY.saturating_sub(now.since(used.since)).div_ceil(1000);
                Err(u32::try_from(left).unwrap_or(u32::MAX).max(1))
            }
        }
    }

    /// Gives back what was not stored after all.
    pub(super) fn give_back(&mut self, mailbox: &MailboxId, bytes: u64) {
        if let Some(used) = self.mailboxes.get_mut(mailbox) {
            used.bytes = used.bytes.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_so_many_bytes_and_then_the_next_day() {
        let id = MailboxId::from_bytes([1; 32]);
        let now = Timestamp::from_millis(1000);
        let mut day = BytesOfDay::new(2);
        assert_eq!(day.take(now, id, 6, 10), Ok(()));
        assert_eq!(day.take(now, id, 5, 10), Err(86_400));
        assert_eq!(day.take(now, id, 4, 10), Ok(()));
        day.give_back(&id, 1);
        assert_eq!(day.take(now, id, 1, 10), Ok(()));
        assert_eq!(day.take(now.plus_millis(DAY), id, 10, 10), Ok(()));
        for n in 2..100 {
            assert_eq!(day.take(now, MailboxId::from_bytes([n; 32]), 1, 1), Ok(()));
            assert!(day.mailboxes.len() <= 2);
        }
    }
}
