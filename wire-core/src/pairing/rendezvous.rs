//! Where two sides meet: the public half of a code or of an invite, and the relay it is valid at.

use crate::encoding::lv;
use crate::mailbox::RelayId;
pub use crate::mailbox::{InviteId, Nameplate, ParseNameplateError, Rendezvous};

const CI_LABEL: &[u8] = b"wire/pair/1";
const CI_ROLES: &[u8] = b"A=alloc;B=join";

/// What both sides must agree on before the first message. Sides that differ in it, because someone
/// put another relay between them, end with different keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The proven key of the relay that carries the pairing.
    pub relay: RelayId,
    /// The meeting place at that relay.
    pub rendezvous: Rendezvous,
}

impl Context {
    /// The channel identifier CI of the PAKE:
    /// `lv("wire/pair/1") lv(relay) lv(rendezvous) lv("A=alloc;B=join")`.
    pub(super) fn channel_id(&self) -> Vec<u8> {
        let mut ci = Vec::with_capacity(80);
        for field in [CI_LABEL, self.relay.as_bytes(), self.rendezvous.as_bytes(), CI_ROLES] {
            lv(&mut ci, field);
        }
        ci
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameplate_is_4_to_9_ascii_digits() {
        for good in ["0000", "4821", "123456789"] {
            assert_eq!(good.parse::<Nameplate>().unwrap().to_string(), good);
        }
        for bad in ["", "482", "1234567890", "48a1", "+4821", "４８２１", "48 21", "4821\n"] {
            assert_eq!(bad.parse::<Nameplate>(), Err(ParseNameplateError), "{bad:?}");
        }
    }

    #[test]
    fn the_channel_id_is_four_length_prefixed_fields() {
        let context = Context {
            relay: RelayId::from_bytes([7; 32]),
            rendezvous: "4821".parse::<Nameplate>().unwrap().into(),
        };
        let expected = [b"\x0bwire/pair/1\x20".as_slice(), &[7; 32], b"\x044821\x0eA=alloc;B=join"].concat();
        assert_eq!(context.channel_id(), expected);

        let invite = Context { rendezvous: InviteId::from_bytes([9; 16]).into(), ..context };
        let expected =
            [b"\x0bwire/pair/1\x20".as_slice(), &[7; 32], &[16], &[9; 16], b"\x0eA=alloc;B=join"].concat();
        assert_eq!(invite.channel_id(), expected);
    }
}
