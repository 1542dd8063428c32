//! The engine's images and events, as far as containers are made of them.

use tokio::io::AsyncRead;

use super::engine::Docker;
use super::events::Events;
use super::images::ListedImage;
use crate::spawn::error::EngineError;
use crate::spawn::ids::{ImageId, ImageName};

impl Docker {
    /// The images that have a name.
    pub async fn images(&self) -> Result<Vec<ListedImage>, EngineError> {
        self.client().image_list(&[]).await
    }

    /// Makes an image of one layer out of a root file system, as an uncompressed tar archive.
    pub async fn import_image(
        &self,
        name: &ImageName,
        root: impl AsyncRead + Send + 'static,
    ) -> Result<ImageId, EngineError> {
        self.client().image_import(root, Some(name), &[]).await
    }

    /// What happens to this installation's containers from now on. An image may claim our label, so what
    /// is told of a container counts only after a look at it.
    pub async fn events(&self) -> Result<Events, EngineError> {
        let owner = self.owner().to_hex();
        self.client().events(&[("wire.owner", &owner)]).await
    }
}
