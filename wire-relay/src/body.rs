//! The body of an answer: whole, or frames as they come.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of a relay's answer.
pub struct RelayBody(Kind);

/// Locked by nobody: the mutex lets other servers box the body as `Sync`.
type Driver = Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>;

enum Kind {
    Whole(Option<Bytes>),
    /// The driver puts into the channel what the body gives out; it lives and dies with the body.
    Stream {
        driver: Option<Driver>,
        chunks: mpsc::Receiver<Bytes>,
    },
}

impl RelayBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Some(bytes.into()).filter(|b: &Bytes| !b.is_empty())))
    }

    /// What comes out of `chunks` while `driver` runs, and after.
    pub(crate) fn stream(
        driver: impl Future<Output = ()> + Send + 'static,
        chunks: mpsc::Receiver<Bytes>,
    ) -> Self {
        Self(Kind::Stream { driver: Some(Mutex::new(Box::pin(driver))), chunks })
    }
}

impl std::fmt::Debug for RelayBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Kind::Whole(_) => "RelayBody(whole)",
            Kind::Stream { .. } => "RelayBody(stream)",
        })
    }
}

impl Body for RelayBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Stream { driver, chunks } => {
                let ended = driver.as_mut().is_some_and(|driver| {
                    let driver = driver.get_mut().unwrap_or_else(PoisonError::into_inner);
                    driver.as_mut().poll(cx).is_ready()
                });
                if ended {
                    *driver = None;
                }
                chunks.poll_recv(cx).map(|chunk| chunk.map(|b| Ok(Frame::data(b))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Stream { .. } => SizeHint::default(),
        }
    }
}
