//! Volumes with a name.

use std::collections::BTreeMap;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::EngineError;
use super::super::ids::VolumeName;
use super::client::Client;
use super::containers::{Removed, label_filter};
use super::described::odd;
use super::target::Target;

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: VolumeName,
    /// Which plugin keeps it.
    pub driver: String,
    /// How.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Volume {
    /// It is a folder of the engine's machine under another name.
    pub(super) fn is_bind(&self) -> bool {
        let how = self.options.get("o").map(String::as_str).unwrap_or_default();
        how.split(',').any(|word| word == "bind" || word == "rbind")
    }
}

impl Client {
    /// Makes a volume, or gives the one of that name as it is: compare its labels and options with what
    /// you asked for.
    pub async fn volume_create(
        &self,
        name: &VolumeName,
        labels: &BTreeMap<String, String>,
        options: &BTreeMap<String, String>,
    ) -> Result<Volume, EngineError> {
        let body =
            json!({ "Name": name.as_str(), "Driver": "local", "Labels": labels, "DriverOpts": options });
        let target = Target::new("volumes").word("create");
        let call = self.change(Method::POST, "volume create", target).json(&body);
        let raw: Raw = self.send(call).await?.json(Some(self.timeouts().idle)).await?;
        raw.parse()
    }

    /// Looks at it.
    pub async fn volume_inspect(&self, name: &VolumeName) -> Result<Volume, EngineError> {
        let raw: Raw = self.query("volume inspect", Target::new("volumes").name(name)).await?;
        raw.parse()
    }

    /// Those with all of these labels. An empty value means any. One with a name that nobody here
    /// gave is left out.
    pub async fn volume_list(&self, labels: &[(&str, &str)]) -> Result<Vec<Volume>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            volumes: Option<Vec<Raw>>,
        }
        let filters = json!({ "label": label_filter(labels) }).to_string();
        let target = Target::new("volumes").query("filters", &filters);
        let answer: Answer = self.query("volume list", target).await?;
        Ok(answer.volumes.into_iter().flatten().filter_map(|raw| raw.parse().ok()).collect())
    }

    /// Removes it. [`EngineError::Conflict`]: a container, running or not, has it.
    pub async fn volume_remove(&self, name: &VolumeName) -> Result<Removed, EngineError> {
        let call = self.change(Method::DELETE, "volume remove", Target::new("volumes").name(name));
        match self.carry_out(call).await {
            Ok(_) => Ok(Removed::Now),
            Err(EngineError::NotFound(_)) => Ok(Removed::Gone),
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    name: String,
    driver: String,
    #[serde(default)]
    options: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Raw {
    fn parse(self) -> Result<Volume, EngineError> {
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        Ok(Volume {
            name: VolumeName::parse(&self.name).map_err(|_| odd("a volume's name"))?,
            driver: self.driver,
            options: self.options.into_iter().flatten().filter_map(text).collect(),
            labels: self.labels.unwrap_or_default(),
        })
    }
}
