//! Engines to test against: the machine's own, one that is scripted, one that may be killed, a connection
//! that breaks; and what is put on them: images, the shim, hardened containers.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "each test uses the part that it needs, and ends at a surprise"
)]

pub mod caller;
pub mod cutting_proxy;
pub mod fake_daemon;
#[cfg(feature = "docker")]
pub mod ground;
pub mod hardened;
#[cfg(feature = "docker")]
pub mod home;
pub mod images;
#[cfg(feature = "docker")]
pub mod log;
pub mod private_dockerd;
#[cfg(feature = "docker")]
pub mod product;
pub mod shim;
pub mod step_proxy;
pub mod tiny_image;
