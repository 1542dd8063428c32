//! Docker Engine, over its HTTP API.
//!
//! 1. [`client`] finds the engine, refuses one that is not supported, and agrees on a version.
//! 2. `http` makes one request on one connection, with a limit of time for the answer to begin and for each
//!    part of its body; `target` is the only maker of paths, and takes only parsed names; `fault` is the only
//!    place where a broken connection or a refusal becomes an [`EngineError`](super::EngineError).
//! 3. [`containers`] (read by [`described`]), [`execs`], [`images`], [`volumes`], [`archive`] and [`events`] are the engine's objects.
//! 4. [`hijack`] carries the streams of attach and exec on a connection of their own, [`demux`] takes them
//!    apart.
//!
//! A client of its own and not a crate's, because six of the engine's pitfalls lie in what such a crate does
//! unasked: requests without a version, guessed terminals, names pasted into paths, answers refused for
//! a word that is not known, environments in debug logs, time limits in whole seconds.
//!
//! The modules below are reachable for the tests of this workspace; they are not part of the interface.

#[doc(hidden)]
pub mod archive;
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
#[doc(hidden)]
pub mod containers;
#[doc(hidden)]
pub mod demux;
#[doc(hidden)]
pub mod described;
#[doc(hidden)]
pub mod events;
#[doc(hidden)]
pub mod execs;
#[doc(hidden)]
pub mod hijack;
#[doc(hidden)]
pub mod images;
#[doc(hidden)]
pub mod volumes;

mod added_group;
mod dial;
mod elf;
mod ending;
mod endpoint;
mod engine;
mod engine_exec;
mod engine_stdin;
mod exec;
mod facts;
mod fault;
mod files;
mod host_view;
mod http;
mod image_store;
mod installation;
mod leftover;
mod local_files;
mod making;
mod named_volumes;
mod networks;
mod pulse;
mod pump;
mod reaper;
mod runtime;
mod sandbox;
mod seen;
mod session;
mod sessions;
mod shim_volume;
mod spool;
mod stdin;
mod target;
mod turn;
mod turns;

pub use client::{EngineConfig, Timeouts};
pub use containers::Removed;
pub use endpoint::Endpoint;
pub use engine::{Docker, DockerConfig};
pub use events::{Action, Event, Events, Told};
pub use exec::Exec;
pub use files::{Caps, FileError, FileStream, Tunnel};
pub use images::ListedImage;
pub use installation::InstallationError;
pub use local_files::pack;
pub use reaper::{Swept, SweptKind};
pub use sandbox::Sandbox;
pub use stdin::ExecStdin;
pub use wire_shim::entry::{Entry, Kind as EntryKind};
