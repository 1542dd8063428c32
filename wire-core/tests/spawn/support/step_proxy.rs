//! A socket in front of an engine's that counts what passes, piece by piece, in both directions, and may change
//! it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

pub struct StepProxy {
    folder: TempDir,
    count: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for StepProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StepProxy {
    /// `step` is told the number of each piece, and what is in it, before it is passed on; if it says no,
    /// it is not. What it changes in it is.
    pub fn start(engine: &Path, step: impl Fn(usize, &mut [u8]) -> bool + Send + Sync + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("proxy")).unwrap();
        let (engine, step, count) = (engine.to_owned(), Arc::new(step), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(engine) = UnixStream::connect(&engine).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_engine, to_engine) = engine.into_split();
                for (from, to) in [(from_client, to_engine), (from_engine, to_client)] {
                    let (step, count) = (Arc::clone(&step), Arc::clone(&counted));
                    tokio::spawn(pass(from, to, move |piece: &mut [u8]| {
                        step(count.fetch_add(1, Ordering::SeqCst), piece)
                    }));
                }
            }
        });
        Self { folder, count, task }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("proxy")
    }

    /// Pieces so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, step: impl Fn(&mut [u8]) -> bool) {
    let mut buffer = vec![0; 256 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || !step(&mut buffer[..read]) || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
