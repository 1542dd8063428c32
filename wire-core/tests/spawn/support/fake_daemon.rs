//! An engine that says what a test tells it to say, and remembers what it was asked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Endpoint, EngineConfig};

pub const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux",
    "Arch":"amd64","Components":[{"Name":"Engine","Version":"20.10.24"}]}"#;

/// A request, as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub line: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// A step of an answer. After the last one the connection closes.
#[derive(Clone, Debug)]
pub enum Say {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, each in a packet of its own.
    Drip(Vec<u8>),
    /// These bytes so many times, or until the client is gone.
    Flood(Vec<u8>, usize),
    /// What the client sends until the end of its half, sent back.
    Echo,
    /// Nothing, until the client is gone.
    Silence,
}

pub struct FakeDaemon {
    folder: TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
    left: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeDaemon {
    /// Answers with the script; without a word from it as Docker would to `/version`, and 404 to the rest.
    pub fn start(script: impl Fn(&Seen) -> Option<Vec<Say>> + Send + Sync + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (leaving, left) = watch::channel(0);
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let leaving = Arc::new(leaving);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, log, leaving) = (Arc::clone(&script), Arc::clone(&log), Arc::clone(&leaving));
                tokio::spawn(async move {
                    serve(stream, &*script, &log).await;
                    leaving.send_modify(|count| *count += 1);
                });
            }
        });
        Self { folder, seen, left, task }
    }

    /// Says the same to everything but `/version`.
    pub fn says(steps: Vec<Say>) -> Self {
        Self::start(move |seen| (!seen.path().ends_with("/version")).then(|| steps.clone()))
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("engine")
    }

    /// With limits of a quarter of a second.
    pub fn config(&self) -> EngineConfig {
        hasty(EngineConfig::new(Endpoint::Unix(self.path())))
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.config()).await.unwrap()
    }

    /// What was asked, without `/version`.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path() != "/version").cloned().collect()
    }

    /// Waits until so many connections are over, that of `/version` among them.
    pub async fn left(&self, count: usize) {
        self.left.clone().wait_for(|left| *left >= count).await.unwrap();
    }
}

/// Limits of a quarter of a second, for engines that do not answer.
pub fn hasty(mut config: EngineConfig) -> EngineConfig {
    let soon = Duration::from_millis(250);
    config.timeouts.query = soon;
    config.timeouts.change = soon;
    config.timeouts.stop = soon;
    config.timeouts.idle = soon;
    config
}

pub fn json(status: u16, body: &str) -> Vec<Say> {
    vec![Say::Bytes(
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )]
}

/// A container as Docker 20.10 describes it, with these words for its state and times.
pub fn container(state: &str, code: i32, started: &str, finished: &str) -> String {
    format!(
        r#"{{"Id":"{id}","Created":"2026-11-21T22:00:00.5Z","Name":"/web","Image":"sha256:{id}",
        "State":{{"Status":"{state}","Running":false,"OOMKilled":false,"Pid":0,"ExitCode":{code},"Error":"",
        "StartedAt":"{started}","FinishedAt":"{finished}"}},"Mounts":[],"HostConfig":{{"Memory":1}},
        "Config":{{"Labels":{{"a":"b"}},"Env":["A=s3cret"]}}}}"#,
        id = "ab".repeat(32)
    )
}

/// The engine's zero time.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// The head of an answer that upgrades, and what follows.
pub fn upgraded(then: Vec<Say>) -> Vec<Say> {
    let head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
        Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    [vec![Say::Bytes(head.into())], then].concat()
}

/// What a proxy makes of it.
pub fn not_upgraded(then: Vec<Say>) -> Vec<Say> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    [vec![Say::Bytes(head.into())], then].concat()
}

pub fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[kind, 0, 0, 0], &length[..], bytes].concat()
}

async fn serve(
    mut stream: UnixStream,
    script: &(impl Fn(&Seen) -> Option<Vec<Say>> + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) {
    let Some(seen) = request(&mut stream).await else { return };
    log.lock().unwrap().push(seen.clone());
    let steps = script(&seen).unwrap_or_else(|| match seen.path() {
        "/version" => json(200, VERSION),
        _ => json(404, r#"{"message":"not in the script"}"#),
    });
    for step in steps {
        // A client that is gone ends the answer.
        if say(&mut stream, step).await.is_err() {
            return;
        }
    }
}

async fn say(stream: &mut UnixStream, step: Say) -> std::io::Result<()> {
    match step {
        Say::Bytes(bytes) => stream.write_all(&bytes).await,
        Say::Drip(bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        Say::Flood(bytes, times) => {
            for _ in 0..times {
                stream.write_all(&bytes).await?;
            }
            Ok(())
        }
        Say::Echo => {
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.map(drop)
        }
        Say::Silence => {
            while stream.read(&mut [0; 1024]).await? > 0 {}
            Ok(())
        }
    }
}

async fn request(stream: &mut UnixStream) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let (line, rest) = head.split_once("\r\n").unwrap();
    let value = |name: &str| {
        let at = |line: &str| line.to_ascii_lowercase().starts_with(name);
        rest.lines().find(|line| at(line)).map(|line| line.split_once(':').unwrap().1.trim().to_owned())
    };
    let mut body = vec![0; value("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    if value("transfer-encoding").is_some() {
        loop {
            let mut length = Vec::new();
            while !length.ends_with(b"\r\n") {
                length.push(stream.read_u8().await.ok()?);
            }
            let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                break;
            }
        }
    }
    Some(Seen { line: line.to_owned(), head: rest.to_owned(), body })
}
