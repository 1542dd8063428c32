//! What the engine says of a container that was made before: enough to run programs in it. What it should be
//! like is not the engine's to say: that is in its labels.

use std::collections::BTreeMap;

use serde_json::Value;

use super::described::Inspect;
use crate::spawn::spec::User;

pub(super) struct Seen {
    pub(super) user: User,
    pub(super) workdir: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) shim: bool,
}

impl Seen {
    pub(super) fn of(inspect: &Inspect) -> Self {
        let config = &inspect.config;
        let env: BTreeMap<_, _> = texts(&config["Env"])
            .filter_map(|text| text.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let user = user(config["User"].as_str().unwrap_or_default());
        let shim = texts(&config["Entrypoint"]).next() == Some(wire_shim::PATH);
        let workdir = config["WorkingDir"].as_str().filter(|dir| !dir.is_empty()).unwrap_or("/").to_owned();
        Self { user, workdir, env, shim }
    }
}

fn user(text: &str) -> User {
    let numbers = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    numbers.map_or_else(User::default, |(uid, gid)| User { uid, gid })
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
