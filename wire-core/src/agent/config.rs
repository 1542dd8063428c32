//! What an agent is told: who it is, where its state lies, which relay it uses.
//!
//! Everything lies under one home folder: `WIRE_HOME` if set, else `$XDG_DATA_HOME/wire`
//! (`~/.local/share/wire`, on macOS too). Inside: `config.toml`, and `agents/NAME/` for each agent.
//! A setter beats the environment, the environment beats `config.toml`.

#![expect(clippy::disallowed_methods, reason = "the adapter of the environment and the configuration file")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use etcetera::BaseStrategy as _;

use super::http::ProxySettings;
use super::relay_url::{PlainHttp, RelayUrl, RelayUrlError};

/// The relay of agents that were told of none.
pub const DEFAULT_RELAY: &str = "http://127.0.0.1:8770";

/// The name of the configuration file inside the home folder.
pub const CONFIG_FILE: &str = "config.toml";

const KEYS: [&str; 2] = ["relay", "allow_plain_http"];

/// The configuration of one agent.
#[derive(Clone, Debug)]
pub struct Config {
    home: PathBuf,
    name: AgentName,
    relay: RelayUrl,
    plain: PlainHttp,
    proxy: ProxySettings,
}

impl Config {
    /// Agent `name` under `home`, on the relay of this machine, without looking at environment or files.
    pub fn new(home: impl Into<PathBuf>, name: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            home: home.into(),
            name: AgentName::parse(name)?,
            relay: default_relay()?,
            plain: PlainHttp::default(),
            proxy: ProxySettings::none(),
        })
    }

    /// Agent `name` as `WIRE_HOME`, `WIRE_RELAY`, `HTTPS_PROXY`, `NO_PROXY` and `config.toml` say.
    ///
    /// An empty variable counts as unset, a missing file as empty.
    pub fn from_env(name: &str) -> Result<Self, ConfigError> {
        Self::resolve(name, |variable| env::var_os(variable).filter(|value| !value.is_empty()))
    }

    fn resolve(name: &str, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let home = home(&env)?;
        let file = Settings::read(&home.join(CONFIG_FILE))?;
        let text = |variable: &'static str| match env(variable).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(ConfigError::NotText { variable }),
        };
        let either = |upper, lower| Ok::<_, ConfigError>(text(upper)?.or(text(lower)?).unwrap_or_default());
        let plain = file.plain;
        let relay = match (text("WIRE_RELAY")?, file.relay) {
            (Some(value), _) => parse_relay("WIRE_RELAY", &value, plain)?,
            (None, Some(value)) => parse_relay("relay in config.toml", &value, plain)?,
            (None, None) => default_relay()?,
        };
        let proxy =
            ProxySettings::new(either("HTTPS_PROXY", "https_proxy")?, either("NO_PROXY", "no_proxy")?);
        Ok(Self { home, name: AgentName::parse(name)?, relay, plain, proxy })
    }

    /// Uses this relay.
    #[must_use]
    pub fn with_relay(self, relay: RelayUrl) -> Self {
        Self { relay, ..self }
    }

    /// Where plain HTTP is accepted in codes, links and peers' relays.
    #[must_use]
    pub fn with_plain_http(self, plain: PlainHttp) -> Self {
        Self { plain, ..self }
    }

    /// Reaches `https` relays through this proxy.
    #[must_use]
    pub fn with_proxy(self, proxy: ProxySettings) -> Self {
        Self { proxy, ..self }
    }

    /// The home folder of all agents.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of this agent alone: `HOME/agents/NAME`.
    pub fn folder(&self) -> PathBuf {
        self.home.join("agents").join(self.name.as_str())
    }

    /// Who the agent is on this machine.
    pub const fn name(&self) -> &AgentName {
        &self.name
    }

    /// The relay that it uses.
    pub const fn relay(&self) -> &RelayUrl {
        &self.relay
    }

    /// Where plain HTTP is accepted.
    pub const fn plain_http(&self) -> PlainHttp {
        self.plain
    }

    /// How `https` relays are reached.
    pub const fn proxy(&self) -> &ProxySettings {
        &self.proxy
    }
}

/// The local name of an agent: 1 to 64 of `a-z 0-9 . _ -`, not starting with a dot. It names a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(String);

impl AgentName {
    /// Most bytes of a name.
    pub const MAX: usize = 64;

    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let fits = (1..=Self::MAX).contains(&text.len());
        if fits && text.bytes().all(allowed) && !text.starts_with('.') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ConfigError::Name)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no configuration. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name of an agent.
    #[error("an agent's name is 1 to 64 of a-z, 0-9, '.', '_', '-' and does not start with a dot")]
    Name,
    /// No home folder.
    #[error("this user has no home folder; set WIRE_HOME to a folder for the state")]
    NoHome,
    /// A variable that is not UTF-8.
    #[error("{variable} is not valid text; set it again or unset it")]
    NotText {
        /// Which.
        variable: &'static str,
    },
    /// An unusable relay.
    #[error("{place}: {reason}")]
    Relay {
        /// Where it was read.
        place: &'static str,
        /// What is wrong.
        #[source]
        reason: RelayUrlError,
    },
    /// A key that does not exist.
    #[error("{}: unknown key `{key}`; remove it, or use one of: {}", file.display(), KEYS.join(", "))]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },
    /// A value of the wrong type.
    #[error("{}: `{key}` must be {expected}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// An example of what it takes.
        expected: &'static str,
    },
    /// Not TOML.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The file exists and cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What `config.toml` may say.
#[derive(Debug, Default)]
struct Settings {
    relay: Option<String>,
    plain: PlainHttp,
}

impl Settings {
    fn read(file: &Path) -> Result<Self, ConfigError> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { file: file.to_owned(), source }),
        }
    }

    fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| ConfigError::Syntax {
            file: file.to_owned(),
            reason: e.message().to_owned(),
        })?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey { file: file.to_owned(), key: key.clone() });
        }
        let wrong = |key, expected| ConfigError::Value { file: file.to_owned(), key, expected };
        let relay = match table.get("relay") {
            None => None,
            Some(toml::Value::String(url)) => Some(url.clone()),
            Some(_) => return Err(wrong("relay", "a text like \"https://relay.example.org\"")),
        };
        let plain = match table.get("allow_plain_http") {
            None | Some(toml::Value::Boolean(false)) => PlainHttp::LoopbackOnly,
            Some(toml::Value::Boolean(true)) => PlainHttp::Anywhere,
            Some(_) => return Err(wrong("allow_plain_http", "true or false")),
        };
        Ok(Self { relay, plain })
    }
}

fn home(env: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, ConfigError> {
    let folder = match env("WIRE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => etcetera::base_strategy::Xdg::new().map_err(|_| ConfigError::NoHome)?.data_dir().join("wire"),
    };
    // Later changes of the working folder must not move the state.
    std::path::absolute(folder).map_err(|_| ConfigError::NoHome)
}

fn default_relay() -> Result<RelayUrl, ConfigError> {
    parse_relay("the default relay", DEFAULT_RELAY, PlainHttp::LoopbackOnly)
}

fn parse_relay(place: &'static str, text: &str, plain: PlainHttp) -> Result<RelayUrl, ConfigError> {
    RelayUrl::parse(text, plain).map_err(|reason| ConfigError::Relay { place, reason })
}

#[cfg(test)]
mod tests;
