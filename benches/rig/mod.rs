//! A real relay on loopback and real agents on a real disk, for what is measured end to end.

pub mod containers;

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire_core::agent::Peer;
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::{Agent, Config};
use wire_relay::{Relay, RelayConfig, serve};

/// What a benchmark ends with if something fails.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A relay that syncs what it acknowledges, and a folder for agents on the same disk.
#[derive(Debug)]
pub struct Rig {
    home: TempDir,
    url: RelayUrl,
    stop: oneshot::Sender<()>,
    relay: JoinHandle<std::io::Result<()>>,
}

impl Rig {
    /// Starts the relay, with all state in a new folder under `disk`.
    pub async fn start(disk: &Path) -> Outcome<Self> {
        let home = tempfile::tempdir_in(disk)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = RelayUrl::parse(&format!("http://{}", listener.local_addr()?), PlainHttp::LoopbackOnly)?;
        let mut config = RelayConfig::new(home.path().join("relay"));
        // All clients come from one address here.
        config.limits.creates_per_minute = u32::MAX;
        config.limits.open_codes_per_origin = u32::MAX;
        let relay = Relay::open(&config)?;
        let (stop, stopped) = oneshot::channel();
        let relay = tokio::spawn(serve(listener, relay, async { drop(stopped.await) }));
        Ok(Self { home, url, stop, relay })
    }

    /// Opens an agent, with a store of its own.
    pub async fn agent(&self, name: &str) -> Outcome<Agent> {
        Ok(Agent::open(Config::new(self.home.path(), name)?.with_relay(self.url.clone())).await?)
    }

    /// Ends the relay and removes everything. Agents have to be closed before.
    pub async fn stop(self) -> Outcome<()> {
        drop(self.stop);
        self.relay.await??;
        Ok(self.home.close()?)
    }
}

/// Pairs two agents by a code; each gets its handle of the other.
pub async fn pair(a: &Agent, b: &Agent) -> Outcome<(Peer, Peer)> {
    let offer = a.offer().await?;
    let code = offer.code();
    let (to_b, to_a) = tokio::try_join!(offer.paired(), b.join(&code))?;
    Ok((to_b, to_a))
}

/// A file that is appended to and synced, to know what the disk takes for it.
#[derive(Debug)]
pub struct Disk {
    file: File,
}

impl Disk {
    /// A new file in `folder`, gone when this is dropped.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let path = folder.join(format!("sync-{}", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        std::fs::remove_file(path)?;
        Ok(Self { file })
    }

    /// The median time of `times` appends of 1 KiB, each followed by fdatasync.
    pub fn sync_time(&mut self, times: usize) -> Outcome<Duration> {
        let mut taken = Vec::new();
        for _ in 0..times.max(1) {
            let start = Instant::now();
            self.file.write_all(&[0x5a; 1024])?;
            self.file.sync_data()?;
            taken.push(start.elapsed());
        }
        Ok(super::percentile(&mut taken, 50))
    }
}
