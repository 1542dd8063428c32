use std::collections::BTreeMap;

use super::*;

struct Env(BTreeMap<&'static str, OsString>);

impl Env {
    fn of(home: &Path) -> Self {
        Self(BTreeMap::from([("WIRE_HOME", home.as_os_str().to_owned())]))
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.0.insert(key, value.into());
        self
    }

    fn resolve(&self) -> Result<Config, ConfigError> {
        Config::resolve("alice", |key| self.0.get(key).cloned())
    }
}

fn home_with(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(CONFIG_FILE), config).unwrap();
    home
}

#[test]
fn without_any_word_it_is_the_relay_of_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let config = Env::of(home.path()).resolve().unwrap();
    assert_eq!(config.relay().as_str(), DEFAULT_RELAY);
    assert_eq!(config.plain_http(), PlainHttp::LoopbackOnly);
    assert_eq!(config.folder(), home.path().join("agents/alice"));
    assert_eq!(config.proxy(), &ProxySettings::none());
}

#[test]
fn the_environment_beats_the_file_and_a_setter_beats_both() {
    let home = home_with("relay = \"https://file.example.org\"\n");
    let from_file = Env::of(home.path()).resolve().unwrap();
    assert_eq!(from_file.relay().host(), "file.example.org");

    let env = Env::of(home.path()).with("WIRE_RELAY", "env.example.org");
    let from_env = env.resolve().unwrap();
    assert_eq!(from_env.relay().as_str(), "https://env.example.org");

    let set = RelayUrl::parse("https://set.example.org", PlainHttp::LoopbackOnly).unwrap();
    assert_eq!(from_env.with_relay(set.clone()).relay(), &set);
}

#[test]
fn plain_http_needs_its_key_in_the_file() {
    let env = |home: &Path| Env::of(home).with("WIRE_RELAY", "http://10.0.0.2:8770");
    let strict = tempfile::tempdir().unwrap();
    let error = env(strict.path()).resolve().unwrap_err();
    assert_eq!(
        error.to_string(),
        "WIRE_RELAY: plain http only reaches this machine; use https, or set allow_plain_http = true"
    );
    let open = home_with("allow_plain_http = true\n");
    assert_eq!(env(open.path()).resolve().unwrap().relay().as_str(), "http://10.0.0.2:8770");
}

#[test]
fn a_mistake_in_the_file_names_file_key_and_remedy() {
    for (text, message) in [
        ("relai = \"x\"\n", "unknown key `relai`; remove it, or use one of: relay, allow_plain_http"),
        ("relay = 7\n", "`relay` must be a text like \"https://relay.example.org\""),
        ("allow_plain_http = \"yes\"\n", "`allow_plain_http` must be true or false"),
    ] {
        let home = home_with(text);
        let error = Env::of(home.path()).resolve().unwrap_err().to_string();
        assert_eq!(error, format!("{}: {message}", home.path().join(CONFIG_FILE).display()));
    }
    let home = home_with("relay =\n");
    assert!(matches!(Env::of(home.path()).resolve(), Err(ConfigError::Syntax { .. })));
    let home = home_with("relay = \"https://x.example/path\"\n");
    assert!(matches!(
        Env::of(home.path()).resolve(),
        Err(ConfigError::Relay { place: "relay in config.toml", reason: RelayUrlError::Trailing })
    ));
}

#[test]
fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(CONFIG_FILE)).unwrap();
    assert!(matches!(Env::of(home.path()).resolve(), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn the_proxy_is_taken_in_either_spelling_and_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let lower = Env::of(home.path()).with("https_proxy", "http://u:secret@p:1").with("no_proxy", "a.org");
    let both = Env::of(home.path()).with("https_proxy", "http://x:1").with("HTTPS_PROXY", "http://y:1");
    let config = lower.resolve().unwrap();
    assert_eq!(config.proxy(), &ProxySettings::new("http://u:secret@p:1", "a.org"));
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(both.resolve().unwrap().proxy(), &ProxySettings::new("http://y:1", ""));
}

#[test]
fn a_relative_home_is_made_absolute_at_once() {
    let env = Env(BTreeMap::from([("WIRE_HOME", OsString::from("state"))]));
    assert_eq!(env.resolve().unwrap().home(), env::current_dir().unwrap().join("state"));
}

#[test]
fn names_of_agents_are_plain() {
    let longest = "a".repeat(64);
    for name in ["a", "alice", "a.b", "build-7_x", "7", longest.as_str()] {
        assert_eq!(AgentName::parse(name).unwrap().as_str(), name);
    }
    let long = "a".repeat(65);
    for name in ["", ".", "..", ".a", "a/b", "/a", "Alice", "a b", "ä", "a\0", "a\\b", long.as_str()] {
        assert!(matches!(AgentName::parse(name), Err(ConfigError::Name)), "{name:?}");
    }
}
