//! A socket in front of an engine's that cuts connections after so many bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// After how many bytes a connection is cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Of the request.
    Asked(u64),
    /// Of the answer.
    Answered(u64),
}

pub struct CuttingProxy {
    folder: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CuttingProxy {
    /// `cut` decides for the n-th connection, the first being 0.
    pub fn start(engine: &Path, cut: impl Fn(usize) -> Option<Cut> + Send + Sync + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("proxy")).unwrap();
        let engine = engine.to_owned();
        let task = tokio::spawn(async move {
            let count = Arc::new(AtomicUsize::new(0));
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let cut = cut(count.fetch_add(1, Ordering::SeqCst));
                let engine = UnixStream::connect(&engine).await;
                if let Ok(engine) = engine {
                    tokio::spawn(carry(client, engine, cut));
                }
            }
        });
        Self { folder, task }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("proxy")
    }
}

async fn carry(client: UnixStream, engine: UnixStream, cut: Option<Cut>) {
    let (from_client, to_client) = client.into_split();
    let (from_engine, to_engine) = engine.into_split();
    let (asked, answered) = match cut {
        None => (u64::MAX, u64::MAX),
        Some(Cut::Asked(bytes)) => (bytes, u64::MAX),
        Some(Cut::Answered(bytes)) => (u64::MAX, bytes),
    };
    // A limit ends both directions, by an error; the end of one is passed on to its other side.
    let _ = tokio::try_join!(pass(from_client, to_engine, asked), pass(from_engine, to_client, answered));
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut left: u64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        left -= read as u64;
    }
    Err(std::io::ErrorKind::ConnectionReset.into())
}
