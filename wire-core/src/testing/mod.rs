//! For tests only: repeatable randomness, paired sessions without a pairing, a dishonest peer.
//! Nothing here is a stable interface.

mod rng;
mod session;

pub use rng::SeededRng;
pub use session::{Forged, NOW, chain_steps, copy, deliver, forge, sessions};

pub(crate) use session::count_chain_step;
