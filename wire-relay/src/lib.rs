//! The relay of Wire: it keeps sealed envelopes until their owner fetches them, and can read none
//! of them. What it decides is decided in [`wire_core::mailbox::MailboxServer`]; this crate gives it
//! a durable store, HTTP, and a clock.
//!
//! An answer to a change goes out only when the change is on disk.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wire_relay::{Relay, RelayConfig, serve};
//!
//! let data = tempfile::tempdir()?;
//! let relay = Relay::open(&RelayConfig::new(data.path()))?;
//! println!("relay {:?}", relay.relay_id());
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let running = tokio::spawn(serve(listener, relay, async { drop(stopped.await) }));
//! // clients come and go here
//! drop(stop);
//! running.await??;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod body;
mod clock;
mod config;
mod key_file;
mod open;
mod server;
mod service;
mod store;
mod store_fjall;
mod stream;
mod watch;

pub use body::RelayBody;
pub use config::RelayConfig;
pub use open::OpenError;
pub use server::serve;
pub use service::{Peer, Relay, RelayService};
pub use store::{Facts, Store, StoreError, WakeKey};
pub use store_fjall::FjallStore;
pub use wire_core::mailbox::{CreatePolicy, Limits, RelayId};
