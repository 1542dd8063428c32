//! Files in and out of containers that do not run.
//!
//! The engine follows symbolic links that a container's programs make, and its handling of archives has raced
//! with them. So this serves only what was never started, or has ended; while programs run, their files go
//! through the shim.

use hyper::Method;
use tokio::io::AsyncRead;

use super::super::error::EngineError;
use super::super::ids::ContainerId;
use super::super::runtime::State;
use super::client::Client;
use super::http::{Body, Call};
use super::target::Target;

/// An archive as it comes, not looked at: what it holds is the container's to choose.
#[derive(Debug)]
pub struct Archive(Body);

impl Archive {
    /// The next bytes, `None` at the end. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, EngineError> {
        self.0.next().await
    }
}

impl Client {
    /// Unpacks an uncompressed archive into a folder. Its owners and modes are kept, and a folder never takes the
    /// place of a file, nor a file that of a folder.
    pub async fn archive_put(
        &self,
        id: &ContainerId,
        folder: &str,
        archive: impl AsyncRead + Send + 'static,
    ) -> Result<(), EngineError> {
        let target = self.at_rest(id, folder).await?.flag("noOverwriteDirNonDir", true);
        self.carry_out(self.change(Method::PUT, "archive put", target).tar(archive)).await.map(drop)
    }

    /// Packs what lies at a path. [`EngineError::NotFound`]: nothing does, or the path is on a tmpfs.
    pub async fn archive_get(&self, id: &ContainerId, path: &str) -> Result<Archive, EngineError> {
        let target = self.at_rest(id, path).await?;
        let call = Call::new(Method::GET, "archive get", target, self.timeouts().query);
        Ok(Archive(self.send(call).await?.body(Some(self.timeouts().idle))))
    }

    /// The request's target, if the container does not run.
    async fn at_rest(&self, id: &ContainerId, path: &str) -> Result<Target, EngineError> {
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(EngineError::BadRequest(
                "a path in a container is absolute and without ..".to_owned(),
            ));
        }
        match self.inspect(id).await?.state {
            State::Created | State::Exited => {
                Ok(Target::new("containers").name(id).word("archive").query("path", path))
            }
            State::Running
            | State::Paused
            | State::Restarting
            | State::Removing
            | State::Dead
            | State::Unknown => Err(EngineError::Conflict("the container is not at rest".to_owned())),
        }
    }
}
