//! For tests only: repeatable randomness, paired sessions without a pairing, a dishonest peer, what
//! a relay gets to see, and what holds for every input.
//! Nothing here is a stable interface.

pub mod constant_time;
pub mod fuzz;
mod leaks;
mod received;
mod rng;
mod session;

pub use leaks::Needles;
pub use received::{Class, Field, Received};
pub use rng::SeededRng;
pub use session::{Forged, NOW, chain_steps, copy, deliver, forge, sessions};

pub(crate) use session::count_chain_step;
