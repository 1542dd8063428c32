//! An image as its engine describes it, read strictly: whoever made the image wrote most of it.
//!
//! A container inherits what its image says unless the request says otherwise. So everything that the
//! image can say is read here, and then refused, overridden or let through by an own decision:
//!
//! | Said by the image | What becomes of it |
//! |---|---|
//! | entry point, command, user, working folder | never used; a caller may read them and ask for them |
//! | variables | only [`KEPT_ENV`] and those that the caller names; the others are taken out |
//! | volumes | refused, unless a tmpfs of the spec covers each exactly |
//! | labels `wire.*` | ours are set anew, all of them; any other is refused |
//! | health check, signal to stop | replaced |
//! | `ONBUILD`, ports, shell | have no effect on a container |
//!
//! ```
//! use serde_json::json;
//! use wire_core::spawn::ImageConfig;
//! let image = ImageConfig::parse(&json!({
//!     "Id": format!("sha256:{}", "ab".repeat(32)),
//!     "Os": "linux", "Architecture": "amd64",
//!     "Config": { "Env": ["PATH=/bin", "LD_PRELOAD=/x.so"], "Cmd": ["sh"], "WorkingDir": "/work" },
//! }))?;
//! assert_eq!(image.default_command(), ["sh"]);
//! assert_eq!(image.env_names().collect::<Vec<_>>(), ["LD_PRELOAD", "PATH"]);
//! # Ok::<_, wire_core::spawn::ImageError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::ids::ImageId;

/// Variables of an image that containers get without being asked for; see [`is_kept`].
pub const KEPT_ENV: &[&str] = &["PATH", "LANG", "LANGUAGE", "LC_*", "TZ"];

/// What an engine says of an image.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageConfig {
    /// Its content.
    pub id: ImageId,
    /// `linux`.
    pub os: String,
    /// The processor: `amd64`, `arm64`, ...
    pub arch: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) volumes: Vec<String>,
    pub(super) labels: Vec<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    workdir: String,
    user: String,
}

/// The description is not one of an image that a container may be made from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A part is not what the API promises.
    #[error("the engine's description of the image is not understood: {part}")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// There is more of something than any honest image has.
    #[error("the image has too many or too large {part}")]
    TooMuch {
        /// Of what.
        part: &'static str,
    },
}

/// Entries of one list, and bytes of one text.
const MAX_ENTRIES: usize = 512;
const MAX_TEXT: usize = 32 << 10;
/// Bytes of all variables together.
const MAX_ENV: usize = 128 << 10;

impl ImageConfig {
    /// Reads the answer to `GET /images/{id}/json`.
    pub fn parse(inspect: &Value) -> Result<Self, ImageError> {
        let id = text(inspect.get("Id"), "Id")?;
        let config = match inspect.get("Config") {
            None | Some(Value::Null) => &Value::Null,
            Some(config @ Value::Object(_)) => config,
            Some(_) => return Err(ImageError::Malformed { part: "Config" }),
        };
        Ok(Self {
            id: ImageId::parse(&id).map_err(|_| ImageError::Malformed { part: "Id" })?,
            os: text(inspect.get("Os"), "Os")?,
            arch: text(inspect.get("Architecture"), "Architecture")?,
            env: env(config.get("Env"))?,
            volumes: keys(config.get("Volumes"), "Volumes")?,
            labels: labels(config.get("Labels"))?,
            entrypoint: texts(config.get("Entrypoint"), "Entrypoint")?,
            cmd: texts(config.get("Cmd"), "Cmd")?,
            workdir: text(config.get("WorkingDir"), "WorkingDir")?,
            user: text(config.get("User"), "User")?,
        })
    }

    /// The command that the image proposes: its entry point and then its command. Never used by itself.
    pub fn default_command(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.cmd).cloned().collect()
    }

    /// The working folder that the image proposes, or nothing. Never used by itself.
    pub fn default_workdir(&self) -> &str {
        &self.workdir
    }

    /// The user that the image proposes, or nothing. Never used: users are numbers here.
    pub fn default_user(&self) -> &str {
        &self.user
    }

    /// The names of its variables.
    pub fn env_names(&self) -> impl Iterator<Item = &str> {
        self.env.keys().map(String::as_str)
    }

    /// The paths at which it declares volumes.
    pub fn volumes(&self) -> &[String] {
        &self.volumes
    }
}

impl fmt::Debug for ImageConfig {
    /// Without the command and the values of variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageConfig")
            .field("id", &self.id)
            .field("os", &self.os)
            .field("arch", &self.arch)
            .field("volumes", &self.volumes)
            .finish_non_exhaustive()
    }
}

/// Whether containers get this variable of an image without being asked for.
///
/// The list is short because a variable of an image is an instruction of a stranger: to the loader
/// (`LD_*`), to hooks of the engine's runtimes (`NVIDIA_VISIBLE_DEVICES` asks one for devices), to tools.
pub fn is_kept(name: &str) -> bool {
    KEPT_ENV.iter().any(|kept| match kept.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix) && name.len() > prefix.len(),
        None => name == *kept,
    })
}

/// `[a-zA-Z_]` and then also digits, `.` and `-`: what no tool reads as anything but a name.
pub(super) fn is_env_name(name: &str) -> bool {
    name.len() <= 256
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn bounded(text: &str, part: &'static str) -> Result<String, ImageError> {
    if text.len() > MAX_TEXT {
        return Err(ImageError::TooMuch { part });
    }
    Ok(text.to_owned())
}

/// Text that may be missing.
fn text(value: Option<&Value>, part: &'static str) -> Result<String, ImageError> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => bounded(text, part),
        Some(_) => Err(ImageError::Malformed { part }),
    }
}

fn texts(value: Option<&Value>, part: &'static str) -> Result<Vec<String>, ImageError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() > MAX_ENTRIES => Err(ImageError::TooMuch { part }),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| bounded(item.as_str().ok_or(ImageError::Malformed { part })?, part))
            .collect(),
        Some(_) => Err(ImageError::Malformed { part }),
    }
}

fn keys(value: Option<&Value>, part: &'static str) -> Result<Vec<String>, ImageError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(map)) if map.len() > MAX_ENTRIES => Err(ImageError::TooMuch { part }),
        Some(Value::Object(map)) => map.keys().map(|key| bounded(key, part)).collect(),
        Some(_) => Err(ImageError::Malformed { part }),
    }
}

/// The names alone: nothing is done with a label's text.
fn labels(value: Option<&Value>) -> Result<Vec<String>, ImageError> {
    let part = "Labels";
    let all = keys(value, part)?;
    let texts = value.and_then(Value::as_object).into_iter().flatten().all(|(_, text)| text.is_string());
    if texts { Ok(all) } else { Err(ImageError::Malformed { part }) }
}

/// A name that is no name could not be taken out again, so it is refused. Of two of one name the last
/// counts, as it does for the kernel's callers.
fn env(value: Option<&Value>) -> Result<BTreeMap<String, String>, ImageError> {
    let part = "Env";
    let entries = texts(value, part)?;
    if entries.iter().map(String::len).sum::<usize>() > MAX_ENV {
        return Err(ImageError::TooMuch { part });
    }
    entries
        .iter()
        .map(|entry| {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            let good = is_env_name(name) && !value.contains('\0');
            good.then(|| (name.to_owned(), value.to_owned())).ok_or(ImageError::Malformed { part })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(change: impl FnOnce(&mut Value)) -> Result<ImageConfig, ImageError> {
        let mut image = json!({
            "Id": format!("sha256:{}", "ab".repeat(32)),
            "Os": "linux", "Architecture": "amd64",
            "Config": { "Env": ["A=1", "A=2", "B"], "Entrypoint": ["/a"], "Cmd": ["b"] },
        });
        change(&mut image);
        ImageConfig::parse(&image)
    }

    #[test]
    fn what_engines_leave_out_is_empty() {
        for config in [json!({}), Value::Null, json!({ "Env": null, "Volumes": null, "Labels": null })] {
            let image = parse(|image| image["Config"] = config.clone()).unwrap();
            assert!(image.default_command().is_empty() && image.volumes().is_empty(), "{config}");
        }
        assert!(parse(|image| drop(image.as_object_mut().unwrap().remove("Config"))).is_ok());
        assert_eq!(parse(|_| ()).unwrap().env["A"], "2");
    }

    #[test]
    fn what_is_not_as_promised_is_refused() {
        for (field, value, part) in [
            ("Env", json!("A=1"), "Env"),
            ("Env", json!([1]), "Env"),
            ("Env", json!(["=x"]), "Env"),
            ("Env", json!([""]), "Env"),
            ("Env", json!(["A B=x"]), "Env"),
            ("Env", json!(["A\n=x"]), "Env"),
            ("Env", json!(["A=\u{0}"]), "Env"),
            ("Volumes", json!(["/data"]), "Volumes"),
            ("Labels", json!({ "a": 1 }), "Labels"),
            ("Labels", json!(["a"]), "Labels"),
            ("Entrypoint", json!("sh"), "Entrypoint"),
            ("Cmd", json!({}), "Cmd"),
            ("WorkingDir", json!(1), "WorkingDir"),
            ("User", json!(0), "User"),
        ] {
            let found = parse(|image| image["Config"][field] = value.clone());
            assert_eq!(found, Err(ImageError::Malformed { part }), "{field} {value}");
        }
        for id in [json!("ab"), json!(""), Value::Null, json!("sha256:..")] {
            assert_eq!(parse(|image| image["Id"] = id), Err(ImageError::Malformed { part: "Id" }));
        }
        assert_eq!(parse(|image| *image = json!([])), Err(ImageError::Malformed { part: "Id" }));
        assert_eq!(parse(|i| i["Config"] = json!([])), Err(ImageError::Malformed { part: "Config" }));
    }

    #[test]
    fn more_than_any_honest_image_has_is_refused() {
        let many: Vec<_> = (0..=MAX_ENTRIES).map(|i| format!("A{i}=")).collect();
        let long = "x".repeat(MAX_TEXT + 1);
        let fat: Vec<_> = (0..8).map(|i| format!("A{i}={}", "x".repeat(MAX_TEXT - 3))).collect();
        for env in [json!(many), json!([format!("A={long}")]), json!(fat)] {
            let found = parse(|image| image["Config"]["Env"] = env);
            assert_eq!(found, Err(ImageError::TooMuch { part: "Env" }));
        }
    }

    #[test]
    fn only_a_few_variables_come_through() {
        for kept in ["PATH", "LANG", "LANGUAGE", "LC_ALL", "TZ"] {
            assert!(is_kept(kept), "{kept}");
        }
        for not in ["LD_PRELOAD", "LC_", "PATHS", "path", "HOME", "WIRE_X", "NVIDIA_VISIBLE_DEVICES", ""] {
            assert!(!is_kept(not), "{not}");
        }
    }
}
