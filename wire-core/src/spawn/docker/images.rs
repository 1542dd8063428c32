//! Images on the engine's machine.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::super::error::EngineError;
use super::super::ids::{ImageId, ImageName};
use super::client::Client;
use super::containers::{Removed, label_filter};
use super::described::odd;
use super::fault;
use super::http::Answer;
use super::target::{Segment, Target};

/// The longest line of the engine's progress.
const LINE: usize = 1 << 20;

/// An image.
#[derive(Clone, PartialEq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its names with tags.
    pub tags: Vec<String>,
    /// `amd64`, ...
    pub arch: String,
    /// `linux`, ...
    pub os: String,
    /// Bytes on disk, shared layers counted in.
    pub size: u64,
    /// What it sets for its containers: a stranger's words.
    pub config: Value,
}

/// An image in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedImage {
    /// Its id.
    pub id: ImageId,
    /// Its names with tags.
    pub tags: Vec<String>,
    /// Bytes on disk.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Client {
    /// Looks at an image, by id or name. [`EngineError::NotFound`]: it is not on the engine's machine.
    pub async fn image_inspect(&self, image: &(impl Segment + ?Sized)) -> Result<Image, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            id: String,
            repo_tags: Option<Vec<String>>,
            architecture: String,
            os: String,
            #[serde(default)]
            size: u64,
            #[serde(default)]
            config: Value,
        }
        let target = Target::new("images").name(image).word("json");
        let raw: Raw = self.query("image inspect", target).await?;
        Ok(Image {
            id: image_id(&raw.id)?,
            tags: raw.repo_tags.unwrap_or_default(),
            arch: raw.architecture,
            os: raw.os,
            size: raw.size,
            config: raw.config,
        })
    }

    /// All that have a name, or with one of these labels. An empty value means any.
    pub async fn image_list(&self, labels: &[(&str, &str)]) -> Result<Vec<ListedImage>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            id: String,
            repo_tags: Option<Vec<String>>,
            #[serde(default)]
            size: u64,
            labels: Option<BTreeMap<String, String>>,
        }
        let filters = serde_json::json!({ "label": label_filter(labels) }).to_string();
        let raw: Vec<Raw> =
            self.query("image list", Target::new("images").word("json").query("filters", &filters)).await?;
        let parse = |raw: Raw| {
            Ok(ListedImage {
                id: image_id(&raw.id)?,
                tags: raw.repo_tags.unwrap_or_default(),
                size: raw.size,
                labels: raw.labels.unwrap_or_default(),
            })
        };
        raw.into_iter().map(parse).collect()
    }

    /// Makes an image of one layer, out of an uncompressed archive of a root file system, which has at least a
    /// byte ([`EngineError::NoArchive`]). `changes` are lines of a Dockerfile, such as `USER 65532:65532`.
    pub async fn image_import(
        &self,
        archive: impl AsyncRead + Send + 'static,
        name: Option<&ImageName>,
        changes: &[&str],
    ) -> Result<ImageId, EngineError> {
        let mut archive = Box::pin(archive);
        let mut first = [0];
        // An engine makes an empty image out of nothing.
        match archive.read(&mut first).await {
            Ok(0) => return Err(EngineError::NoArchive),
            Ok(_) => {}
            Err(error) => return Err(EngineError::Source(fault::plain(&error.to_string()))),
        }
        let mut target = Target::new("images").word("create").query("fromSrc", "-");
        if let Some(name) = name {
            let (repository, tag) = repository(name);
            target = target.query("repo", repository).query("tag", tag);
        }
        for change in changes {
            target = target.query("changes", change);
        }
        let call = self.change(Method::POST, "image import", target).tar(Cursor::new(first).chain(archive));
        let last = last_status(self.send(call).await?).await?;
        image_id(last.trim())
    }

    /// Fetches an image from its registry, without credentials.
    pub async fn image_pull(&self, name: &ImageName) -> Result<Image, EngineError> {
        let (repository, tag) = repository(name);
        let target = Target::new("images").word("create").query("fromImage", repository).query("tag", tag);
        last_status(self.send(self.change(Method::POST, "image pull", target)).await?).await?;
        self.image_inspect(name).await
    }

    /// Gives it a name.
    pub async fn image_tag(&self, id: &ImageId, name: &ImageName) -> Result<(), EngineError> {
        let (repository, tag) = repository(name);
        let target = Target::new("images").name(id).word("tag").query("repo", repository).query("tag", tag);
        self.carry_out(self.change(Method::POST, "image tag", target)).await.map(drop)
    }

    /// Takes a name from an image, or with its id the image itself. [`EngineError::Conflict`]: a container
    /// is made of it.
    pub async fn image_remove(&self, image: &(impl Segment + ?Sized)) -> Result<Removed, EngineError> {
        let call = self.change(Method::DELETE, "image remove", Target::new("images").name(image));
        match self.carry_out(call).await {
            Ok(_) => Ok(Removed::Now),
            Err(EngineError::NotFound(_)) => Ok(Removed::Gone),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Image {
    /// Without its environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("id", &self.id).field("tags", &self.tags).finish_non_exhaustive()
    }
}

/// The name without its tag, and the tag. A digest stays with the name, where the engine wants it as a tag.
fn repository(name: &ImageName) -> (&str, &str) {
    let text = name.as_str();
    if let Some((repository, digest)) = text.split_once('@') {
        return (repository, digest);
    }
    let last = text.rfind('/').map_or(0, |at| at + 1);
    match text.get(last..).and_then(|last| last.rfind(':')) {
        Some(at) => {
            let (repository, tag) = text.split_at(last + at);
            (repository, tag.trim_start_matches(':'))
        }
        None => (text, "latest"),
    }
}

/// Reads the engine's progress, a line of JSON for each step, of which some report a failure after the 200.
async fn last_status(answer: Answer) -> Result<String, EngineError> {
    #[derive(Deserialize)]
    struct Step {
        #[serde(default)]
        status: Option<String>,
        #[serde(default)]
        error: Option<String>,
    }
    let mut body = answer.body(None);
    let mut lines = Lines::default();
    let mut last = String::new();
    while let Some(bytes) = body.next().await? {
        lines.feed(&bytes);
        while let Some(line) = lines.next()? {
            let step: Step = serde_json::from_slice(&line)
                .map_err(|_| EngineError::Protocol("progress that is no JSON".to_owned()))?;
            if let Some(message) = step.error {
                return Err(EngineError::Server { code: 500, message: fault::plain(&message) });
            }
            last = step.status.unwrap_or(last);
        }
    }
    Ok(last)
}

/// Lines as they come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    searched: usize,
}

impl Lines {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                if self.searched > LINE {
                    return Err(EngineError::Protocol("a line without an end".to_owned()));
                }
                return Ok(None);
            };
            let end = self.searched + at;
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.searched = 0;
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Ok(Some(Bytes::copy_from_slice(line)));
            }
        }
    }
}

fn image_id(text: &str) -> Result<ImageId, EngineError> {
    ImageId::parse(text).map_err(|_| odd("an image's id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_apart_as_the_engine_means_it() {
        let digest = format!("sha256:{:064}", 0);
        for (text, want) in [
            ("debian", ("debian", "latest")),
            ("debian:12", ("debian", "12")),
            ("box.example:5000/a/b", ("box.example:5000/a/b", "latest")),
            ("box.example:5000/a/b:c", ("box.example:5000/a/b", "c")),
            (&format!("a/b@{digest}"), ("a/b", digest.as_str())),
        ] {
            assert_eq!(repository(&ImageName::parse(text).unwrap()), want, "{text}");
        }
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let text = b"\r\n{\"a\":1}\r\n\n{}\nrest";
        for size in 1..=text.len() {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.feed(piece);
                while let Some(line) = lines.next().unwrap() {
                    got.push(line);
                }
            }
            assert_eq!(got, ["{\"a\":1}", "{}"], "in pieces of {size}");
        }
        let mut lines = Lines::default();
        lines.feed(&vec![b'x'; LINE + 1]);
        assert!(matches!(lines.next(), Err(EngineError::Protocol(_))));
    }
}
