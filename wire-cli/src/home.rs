//! Which agent a command works for, and its way through: open it, look around, leave it in order.

use std::env::VarError;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Stdin};
use tokio::sync::Mutex;
use wire_core::agent::{Body, ConfigError, Trouble};
use wire_core::{Agent, Config};

use crate::exit::Failure;
use crate::output::Output;
use crate::stop::Stop;
use crate::views::WhyDoc;

/// The agent of who names none.
const DEFAULT_NAME: &str = "default";
/// How long a command lets the agent fetch what waits, and tell its relay what is owed; and how long it
/// waits for something without a word.
pub(crate) const MOMENT: Duration = Duration::from_secs(2);
/// More of standard input is never read; the largest body is far smaller.
const MAX_INPUT: u64 = 1 << 20;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Ctx {
    pub(crate) out: Output,
    pub(crate) stop: Stop,
    /// `--as`, if it was given.
    given: Option<String>,
    /// One buffer for all that is read: a code and an answer may come together.
    input: Mutex<BufReader<Stdin>>,
}

impl Ctx {
    pub(crate) fn new(out: Output, given: Option<String>, stop: Stop) -> Self {
        Self { out, stop, given, input: Mutex::new(BufReader::new(tokio::io::stdin())) }
    }

    /// What flags, environment and files say.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let name = match (&self.given, std::env::var("WIRE_AS")) {
            (Some(given), _) => given.clone(),
            (None, Ok(name)) if !name.is_empty() => name,
            (None, Err(VarError::NotUnicode(_))) => return Err(ConfigError::NotText { variable: "WIRE_AS" }),
            (None, _) => DEFAULT_NAME.to_owned(),
        };
        Config::from_env(&name)
    }

    /// Opens the agent, which is made if it is not there.
    pub(crate) async fn create(&self) -> Result<Agent, Failure> {
        let config = self.config()?;
        let opened = async { Ok(Agent::open(config).await?) };
        self.stop.or(self.patiently(opened, "waiting for a process that keeps the store locked")).await
    }

    /// Opens the agent, which must be there: a mistyped name makes no new one.
    pub(crate) async fn open(&self) -> Result<Agent, Failure> {
        let config = self.config()?;
        // What is left of an agent is no reason to make another: opening it says what is missing.
        if ["agent.db", "agent.db-wal", "next.key"].iter().any(|file| config.folder().join(file).exists()) {
            return self.create().await;
        }
        let message = format!("there is no agent named {} here; pairing makes one", config.name());
        let hint = format!("{}, or: {}", self.wire("pair"), self.wire("join CODE"));
        Err(Failure::said("not_paired", message).hint(hint))
    }

    /// Gives the agent a moment to fetch what waits. Why it could not is noted, and given back.
    pub(crate) async fn settle(&self, agent: &Agent) -> Option<WhyDoc> {
        let why = match tokio::time::timeout(MOMENT, agent.synced()).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => Trouble::from(&error).into(),
            Err(_) => agent.trouble().map_or_else(WhyDoc::slow, WhyDoc::from),
        };
        self.out.note(format!("{}; this is what was fetched before", why.message));
        if let Some(hint) = why.hint_line() {
            self.out.note(hint);
        }
        Some(why)
    }

    /// Awaits `work`, and says once what it waits for if that takes longer than it should.
    pub(crate) async fn patiently<T>(&self, work: impl Future<Output = T>, what: &str) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            outcome = work.as_mut() => return outcome,
            () = tokio::time::sleep(MOMENT) => self.out.note(what),
        }
        work.await
    }

    /// Does `work`, unless it is told to stop; then, whatever came of it, gives the agent a moment to
    /// tell what it owes, and closes it. The rest goes out another time.
    pub(crate) async fn with(
        &self,
        agent: Agent,
        work: impl AsyncFnOnce(&Agent) -> Result<u8, Failure>,
    ) -> Result<u8, Failure> {
        let outcome = self.stop.or(work(&agent)).await;
        let _ = tokio::time::timeout(MOMENT, agent.drained()).await;
        agent.close().await;
        outcome
    }

    /// The body that an argument gives: its text, or all of standard input for `-` and none.
    pub(crate) async fn body(&self, text: Option<&str>) -> Result<Body, Failure> {
        if let Some(text) = text.filter(|text| *text != "-") {
            return Ok(text.into());
        }
        let mut bytes = Vec::new();
        let mut input = self.input.lock().await;
        (&mut *input).take(MAX_INPUT).read_to_end(&mut bytes).await.map_err(no_input)?;
        if bytes.is_empty() {
            return Err(Failure::usage("there is no text, and standard input is empty")
                .hint("give the text as an argument, or pipe it in"));
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(other) => other.into_bytes().into(),
        })
    }

    /// One line of standard input, without its end. Empty at the end of the input.
    pub(crate) async fn line(&self) -> Result<String, Failure> {
        Ok(self.raw_line().await?.trim().to_owned())
    }

    /// The same as it came, with its end.
    pub(crate) async fn raw_line(&self) -> Result<String, Failure> {
        let mut line = String::new();
        let mut input = self.input.lock().await;
        (&mut *input).take(MAX_INPUT).read_line(&mut line).await.map_err(no_input)?;
        Ok(line)
    }

    /// A command to type next, for the same agent.
    pub(crate) fn wire(&self, rest: &str) -> String {
        match &self.given {
            Some(name) => format!("wire --as {name} {rest}"),
            None => format!("wire {rest}"),
        }
    }
}

fn no_input(error: std::io::Error) -> Failure {
    Failure::usage(format!("cannot read standard input: {error}")).hint("give it text in UTF-8")
}
