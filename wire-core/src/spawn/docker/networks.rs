//! Networks of the engine.

use serde::Deserialize;

use super::client::Client;
use super::target::Target;
use crate::spawn::error::EngineError;
use crate::spawn::ids::SpawnName;

impl Client {
    /// The driver of the network of that very name. (The engine would also take the beginning of an id.)
    pub(super) async fn network_driver(&self, name: &SpawnName) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            name: String,
            driver: String,
        }
        let raw: Raw = self.query("network inspect", Target::new("networks").name(name)).await?;
        if raw.name != name.as_str() {
            return Err(EngineError::NotFound(format!("network {name}")));
        }
        Ok(raw.driver)
    }
}
