//! HTTP/1.1 and HTTP/2 without TLS on one socket, until told to stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{Peer, RelayService, Store, StoreError};

/// Connections at one time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 20_000;
/// How long a client may take from connecting to the end of the first request's head, whatever it
/// speaks; and, over HTTP/1.1, for each further head.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long connections may take to end when the relay stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// After accepting failed, as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `service` on `listener` until `shutdown` is ready; then takes no more connections, answers
/// what waits, says bye to streams, and returns when all connections have ended, after 5 s at most.
/// No task outlives it.
///
/// It ends by itself, with an error that says why, when the store has failed and takes nothing more: the
/// relay is then to be opened again. [`io::ErrorKind::StorageFull`] means that the disk was full and has
/// room again. See [`RelayService::maintain`].
pub async fn serve<S: Store>(
    listener: TcpListener,
    service: RelayService<S>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    let mut maintained = std::pin::pin!(service.clone().maintain());
    let mut shutdown = std::pin::pin!(shutdown);
    let ended = loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break Ok(()),
            ended = &mut maintained => break ended,
            accepted = accept(&listener, &room) => accepted,
            // Takes the ended ones away.
            Some(_) = tasks.join_next() => continue,
        };
        match accepted {
            Ok((socket, permit)) => {
                let connection = serve_connection(socket, service.clone(), stopping.clone());
                tasks.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(kind = %error.kind(), "no connection could be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    service.drain();
    stop.send_replace(true);
    let drained = timeout(DRAIN_TIME, async { while tasks.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "connections were cut");
        tasks.shutdown().await;
    }
    ended.map_err(|error| match error {
        StoreError::Full => {
            io::Error::new(io::ErrorKind::StorageFull, "the disk was full, and has room again")
        }
        StoreError::Busy | StoreError::Failed => io::Error::other("the store failed; the log says of what"),
    })
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (socket, _) = listener.accept().await?;
    Ok((socket, permit))
}

async fn serve_connection<S: Store>(
    socket: TcpStream,
    service: RelayService<S>,
    mut stopping: watch::Receiver<bool>,
) {
    let Ok(address) = socket.peer_addr() else { return };
    // Answers are small and waited for.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    // The server's own limits begin when it knows which HTTP this is, and a client may never say.
    let head_time = sleep(HEAD_TIME);
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(address));
        service.call(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(30))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut head_time = std::pin::pin!(head_time);
    let (mut told, mut timed) = (false, true);
    loop {
        tokio::select! {
            // How a connection ended is the client's affair, and its error may name the client.
            _ = connection.as_mut() => return,
            () = head_time.as_mut(), if timed => {
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
                timed = false;
            }
            _ = stopping.wait_for(|stop| *stop), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
