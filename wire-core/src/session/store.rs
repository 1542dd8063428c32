//! The session as bytes, for the store. They are secret.
//!
//! ```text
//! 01 ‖ id32 ‖ generation8 ‖ root32 ‖ dh_secret32 ‖ dh_public32
//!    ‖ send: hk32 ‖ next_hk32 ‖ ck32 ‖ n4 ‖ pn4
//!    ‖ recv_next32 ‖ 00 | 01 ‖ dh32 ‖ ck32 ‖ chain
//!    ‖ count1 ‖ {closed_at8 ‖ chain}
//! chain = hk32 ‖ end4 ‖ count2 ‖ {n4 ‖ since8 ‖ mk32} ‖ count2 ‖ {n4 ‖ header_tag8 ‖ envelope_tag8}
//! ```
//!
//! At most 379 bytes when fresh, 20 more for each message that was received and not yet forgotten, 44 for
//! each that is missing.

use std::collections::VecDeque;

use super::chain::{Chain, Skipped, Tags, Used};
use super::keys::{ChainKey, RootKey};
use super::{Closed, MAX_OLD, MAX_STORED, MAX_USED, Receiving, Sending, Session, SessionId};
use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::encoding::{Malformed, Reader, Wiped};
use crate::envelope::{HeaderKey, MessageKey};
use crate::time::Timestamp;

const VERSION: u8 = 1;
/// Everything but the chains.
const FIXED_LEN: usize = 340;
const PER_CHAIN: usize = 48;
const PER_SKIPPED: usize = 44;
const PER_USED: usize = 20;

impl Session {
    /// The state, for the store: it is secret, and spent versions of it must be erased there.
    pub fn to_bytes(&self) -> Wiped {
        let lists: usize =
            self.chains().map(|c| PER_CHAIN + PER_SKIPPED * c.skipped.len() + PER_USED * c.used.len()).sum();
        Wiped::with_capacity(FIXED_LEN + lists, |out| self.write(out))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(self.root.expose());
        out.extend_from_slice(self.dh.secret_bytes().as_ref());
        out.extend_from_slice(self.dh.public().as_bytes());
        out.extend_from_slice(self.send.hk.expose());
        out.extend_from_slice(self.send.next_hk.expose());
        out.extend_from_slice(self.send.ck.expose());
        out.extend_from_slice(&self.send.n.to_be_bytes());
        out.extend_from_slice(&self.send.pn.to_be_bytes());
        out.extend_from_slice(self.recv_next.expose());
        out.push(u8::from(self.recv.is_some()));
        if let Some(recv) = &self.recv {
            out.extend_from_slice(recv.dh.as_bytes());
            out.extend_from_slice(recv.ck.expose());
            write_chain(out, &recv.chain);
        }
        out.push(self.old.len() as u8);
        for closed in &self.old {
            out.extend_from_slice(&closed.at.as_millis().to_be_bytes());
            write_chain(out, &closed.chain);
        }
    }

    /// The state of stored bytes. Refuses another version, trailing bytes, and whatever
    /// [`to_bytes`](Self::to_bytes) cannot have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(Malformed);
        }
        let id = SessionId::from_bytes(r.array()?);
        let generation = r.u64()?;
        let root = RootKey::from_bytes(r.array()?);
        let dh_secret = zeroize::Zeroizing::new(r.array()?);
        let dh = DhKeyPair::from_stored(&dh_secret, DhPublic::from_bytes(r.array()?));
        let send = Sending {
            hk: HeaderKey::from_bytes(r.array()?),
            next_hk: HeaderKey::from_bytes(r.array()?),
            ck: ChainKey::from_bytes(r.array()?),
            n: r.u32()?,
            pn: r.u32()?,
        };
        let recv_next = HeaderKey::from_bytes(r.array()?);
        let recv = match r.u8()? {
            0 => None,
            1 => Some(Receiving {
                dh: DhPublic::from_bytes(r.array()?),
                ck: ChainKey::from_bytes(r.array()?),
                chain: read_chain(&mut r)?,
            }),
            _ => return Err(Malformed),
        };
        let count = usize::from(r.u8()?);
        if count > MAX_OLD || (count > 0 && recv.is_none()) {
            return Err(Malformed);
        }
        let mut old = VecDeque::with_capacity(count);
        for _ in 0..count {
            old.push_back(Closed { at: Timestamp::from_millis(r.u64()?), chain: read_chain(&mut r)? });
        }
        r.finish()?;
        let session = Self { id, generation, root, dh, send, recv, recv_next, old };
        let within = session.chains().map(|c| c.skipped.len()).sum::<usize>() <= MAX_STORED
            && session.chains().map(|c| c.used.len()).sum::<usize>() <= MAX_USED;
        if within { Ok(session) } else { Err(Malformed) }
    }
}

fn write_chain(out: &mut Vec<u8>, chain: &Chain) {
    out.extend_from_slice(chain.hk.expose());
    out.extend_from_slice(&chain.end.to_be_bytes());
    // Both lists are bounded by 2,000.
    out.extend_from_slice(&(chain.skipped.len() as u16).to_be_bytes());
    for s in &chain.skipped {
        out.extend_from_slice(&s.n.to_be_bytes());
        out.extend_from_slice(&s.since.as_millis().to_be_bytes());
        out.extend_from_slice(s.mk.expose());
    }
    out.extend_from_slice(&(chain.used.len() as u16).to_be_bytes());
    for u in &chain.used {
        out.extend_from_slice(&u.n.to_be_bytes());
        out.extend_from_slice(&u.tags.header);
        out.extend_from_slice(&u.tags.envelope);
    }
}

fn read_chain(r: &mut Reader<'_>) -> Result<Chain, Malformed> {
    let mut chain = Chain::new(HeaderKey::from_bytes(r.array()?));
    chain.end = r.u32()?;
    for _ in 0..u16::from_be_bytes(r.array()?) {
        let n = r.u32()?;
        let since = Timestamp::from_millis(r.u64()?);
        let mk = Box::new(MessageKey::from_bytes(r.array()?));
        if n >= chain.end || chain.skipped.back().is_some_and(|last| last.n >= n) {
            return Err(Malformed);
        }
        chain.skipped.push_back(Skipped { n, since, mk });
    }
    for _ in 0..u16::from_be_bytes(r.array()?) {
        let n = r.u32()?;
        let tags = Tags { header: r.array()?, envelope: r.array()? };
        let skipped = chain.skipped.binary_search_by_key(&n, |s| s.n).is_ok();
        if skipped || n >= chain.end || chain.used.back().is_some_and(|last| last.n >= n) {
            return Err(Malformed);
        }
        chain.used.push_back(Used { n, tags });
    }
    Ok(chain)
}
