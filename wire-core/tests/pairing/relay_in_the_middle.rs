//! Attack 13: a relay with another key stands in front of the real one and passes everything on.

use crate::support::{CODE, Party, SeededRng, context, invite, words};
use wire_core::mailbox::RelayId;
use wire_core::pairing::{Context, Initiator, InviteId, Nameplate, PairingError, Responder};

fn pair(at_a: Context, at_b: Context) -> Result<(), PairingError> {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let secret = match at_a.rendezvous {
        wire_core::pairing::Rendezvous::Invite(_) => invite().0,
        wire_core::pairing::Rendezvous::Nameplate(_) => words(CODE),
    };
    let (a, m1) = Initiator::start(&secret, at_a, rng);
    let (b, m2) = Responder::respond(&secret, at_b, &m1, rng)?;
    let (a, m3) = a.receive_m2(&m2)?.offer(alice.offer(), rng)?;
    let (_, m4) = b.receive_m3(&m3, bob.identity.root())?.confirm(bob.offer(), rng)?;
    a.receive_m4(&m4, rng).map(|_| ())
}

#[test]
fn the_two_sides_see_different_relays() {
    let through = Context { relay: RelayId::from_bytes([8; 32]), ..context() };
    assert_eq!(pair(context(), context()), Ok(()));
    assert_eq!(pair(context(), through.clone()), Err(PairingError::Failed));
    assert_eq!(pair(through, context()), Err(PairingError::Failed));

    let (_, honest) = invite();
    let through = Context { relay: RelayId::from_bytes([8; 32]), ..honest.clone() };
    assert_eq!(pair(honest.clone(), honest.clone()), Ok(()));
    assert_eq!(pair(honest, through), Err(PairingError::Failed));
}

#[test]
fn the_two_sides_see_different_meeting_places() {
    let other: Nameplate = "4822".parse().unwrap();
    let elsewhere = Context { rendezvous: other.into(), ..context() };
    assert_eq!(pair(context(), elsewhere), Err(PairingError::Failed));
    let (_, honest) = invite();
    let elsewhere = Context { rendezvous: InviteId::from_bytes([1; 16]).into(), ..honest.clone() };
    assert_eq!(pair(honest, elsewhere), Err(PairingError::Failed));
}
