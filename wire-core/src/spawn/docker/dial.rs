//! Connections to a container's shim: the one that its first process has from the start, and further ones,
//! each a program that the engine starts in the container.

use std::future::Future;
use std::pin::Pin;

use futures_util::stream::unfold;
use tokio_util::io::StreamReader;
use wire_shim::protocol::Stream;

use super::client::Client;
use super::ending::Known;
use super::hijack::{ExecStart, Hijacked, Output};
use super::session::{Dial, DialError, Io};
use crate::spawn::command::{Command, Stdin};
use crate::spawn::docker_request::exec_body;
use crate::spawn::error::EngineError;
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::ExitReason;
use crate::spawn::spec::User;

/// Dials by `shim connect`.
#[derive(Clone, Debug)]
pub(super) struct ShimDial {
    pub(super) client: Client,
    pub(super) container: ContainerId,
    pub(super) user: User,
    pub(super) known: Known,
}

impl Dial for ShimDial {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Io, DialError>> + Send + '_>> {
        Box::pin(async move {
            match self.connect().await {
                Ok(io) => Ok(io),
                Err(error) => {
                    let exit = super::ending::of(&self.client, &self.container, ExitReason::Unknown).await;
                    Err(match exit {
                        Ok(Some(exit)) => DialError::Gone(self.known.explain(exit)),
                        _ => DialError::Engine(error),
                    })
                }
            }
        })
    }
}

impl ShimDial {
    async fn connect(&self) -> Result<Io, EngineError> {
        let command = Command::new([wire_shim::PATH, "connect"]).stdin(Stdin::Piped);
        let exec = self.client.exec_create(&self.container, &exec_body(self.user, "/", &command)).await?;
        io(self.client.exec_start(&exec, ExecStart { stdin: true, tty: false }).await?)
    }
}

/// The streams of the shim as a connection. What it writes to its standard error is for the log.
pub(super) fn io(streams: Hijacked) -> Result<Io, EngineError> {
    let input = streams.input.ok_or(EngineError::ProxyBlocksHijack)?;
    let bytes = unfold(streams.output, |mut output: Output| async move {
        loop {
            match output.next().await? {
                Ok((Stream::Stdout, bytes)) => return Some((Ok(bytes), output)),
                Ok((Stream::Stderr, bytes)) => {
                    tracing::warn!(words = %String::from_utf8_lossy(&bytes).escape_debug(), "the shim complains");
                }
                Err(error) => return Some((Err(std::io::Error::other(error)), output)),
            }
        }
    });
    Ok(Io { read: Box::new(StreamReader::new(Box::pin(bytes))), write: Box::new(input) })
}
