//! The four steps of a pairing, each with anything for a message.

use super::accept;
use super::input::Input;
use super::world::{ALICE, BOB, RUN, invite, step_rng};
use crate::pairing::{AwaitingConfirmation, Initiator, PairingError, Responder};

/// A run ends well exactly if the message that came is the honest one. What answers another M1 or M2 is worth
/// nothing: the other honest side refuses it.
pub fn pairing(data: &[u8]) {
    let mut input = Input::new(data);
    let step = input.choice(4);
    let honest = &RUN.messages[step];
    let message = if input.u8() & 1 == 0 { input.rest().to_vec() } else { input.edited(honest) };
    let result = match step {
        0 => after_m1(&message),
        1 => after_m2(&message),
        2 => after_m3(&message),
        _ => after_m4(&message),
    };
    assert_eq!(result.is_ok(), message == *honest, "M{}: {result:?}", step + 1);
    if result.is_ok() {
        accept();
    }
}

/// B answers; A, who wrote the honest M1, goes on; B hears from A.
fn after_m1(m1: &[u8]) -> Result<(), PairingError> {
    let (secret, context) = invite();
    let (b, m2) = Responder::respond(&secret, context, m1, &mut step_rng(2))?;
    let (_, m3) = initiator().receive_m2(&m2)?.offer(ALICE.offer(), &mut step_rng(3))?;
    b.receive_m3(&m3, BOB.identity.root()).map(drop)
}

/// A answers; B, who wrote the honest M2, refuses M3 where that was not the M2 that came. So does A with M4.
fn after_m2(m2: &[u8]) -> Result<(), PairingError> {
    let (a, m3) = initiator().receive_m2(m2)?.offer(ALICE.offer(), &mut step_rng(3))?;
    let m4 = a.receive_m4(&RUN.messages[3], &mut step_rng(5)).map(drop);
    let m3 = responder().receive_m3(&m3, BOB.identity.root()).map(drop);
    assert_eq!(m3.is_ok(), m4.is_ok());
    m3
}

fn after_m3(m3: &[u8]) -> Result<(), PairingError> {
    let b = responder().receive_m3(m3, BOB.identity.root())?;
    let (established, m4) = b.confirm(BOB.offer(), &mut step_rng(4))?;
    assert_eq!(established.peer.root(), ALICE.identity.root());
    assert_eq!(m4, RUN.messages[3]);
    Ok(())
}

fn after_m4(m4: &[u8]) -> Result<(), PairingError> {
    let a = AwaitingConfirmation::from_bytes(RUN.stored()[2])?;
    let established = a.receive_m4(m4, &mut step_rng(5))?;
    assert_eq!(established.peer.root(), BOB.identity.root());
    Ok(())
}

fn initiator() -> Initiator {
    Initiator::from_bytes(RUN.stored()[0]).expect("what was stored")
}

pub(super) fn responder() -> Responder {
    Responder::from_bytes(RUN.stored()[1]).expect("what was stored")
}
