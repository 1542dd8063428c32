//! The agent: the protocol given a clock, randomness, a store and a network.

#![allow(clippy::wildcard_enum_match_arm, reason = "an error that a step does not know passes through it")]

mod arrivals;
mod core;
mod driver;
mod engine;
mod error;
mod identity;
mod inbox;
mod invites;
mod log;
mod meeting;
mod moving;
mod nextkey;
mod offer;
mod peer;
mod recovery;
mod recovery_file;
mod relay_api;
mod schema;
mod state;
mod sync;
mod trouble;
mod unstored;
mod views;
mod worker;

pub mod config;
pub mod effects;
pub mod http;
pub mod relay_url;
pub mod transport;

pub(crate) mod clock;
pub(crate) mod reach;
pub(crate) mod store;

pub use arrivals::Arrivals;
pub use config::{Config, ConfigError};
pub use core::Agent;
pub use error::{Error, Result};
pub use identity::{BackupInfo, IdentityInfo};
pub use inbox::{Inbox, Message};
pub use invites::{FollowedInvite, Invite, InviteInfo, InviteState};
pub use log::LogReader;
pub use offer::{Offer, PairOptions, Pending};
pub use peer::{Ask, AskMessage, Body, Peer, SendMessage};
pub use recovery::Restored;
pub use state::Delivery;
pub use store::{Fault, StoreError};
pub use trouble::Trouble;
pub use views::{AgentInfo, PeerInfo, PeerState, RelayState, ResetInfo, ResetState, Sent};
