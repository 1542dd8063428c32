//! Carrying a call out: one task per request, whose outcome comes back as an input.

#![expect(clippy::disallowed_methods, reason = "a stream without a sign of life ends")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::link::storing::Flow;
use crate::agent::engine::{After, Arrival, KnownRelay, PeerKey};
use crate::agent::error::Error;
use crate::agent::relay_api::RelayApi;
use crate::agent::transport::{HttpRequest, HttpResponse, Method, TransportError};
use crate::envelope::EnvelopeHash;
use crate::mailbox::client::{Call, RequestId};
use crate::mailbox::{Cursor, MailboxId};

/// Answers to a post or an acknowledgement are short.
const MAX_ANSWER: usize = 64 << 10;
/// Until the whole answer of a request is there, or the head of a stream.
const PATIENCE: Duration = Duration::from_secs(20);
/// The relay shows a sign of life every 20 s; a stream that shows none for this long is dead.
const SILENCE: Duration = Duration::from_secs(45);

/// What happened at a relay, or in the store on its behalf.
pub(super) enum Input {
    Identified(String, Result<KnownRelay, Error>),
    Answered(String, RequestId, HttpResponse),
    Chunk(String, RequestId, Bytes),
    Ended(String, RequestId),
    Failed(String, RequestId, TransportError),
    /// Envelopes of a mailbox are on the disk.
    Stored {
        url: String,
        mailbox: MailboxId,
        at: Cursor,
        hash: EnvelopeHash,
        outcome: Result<Arrival, Error>,
    },
    /// It is noted that a mailbox is closed.
    Closed(String, MailboxId, Result<(), Error>),
    /// The outcome of a post is on the disk, and says what follows.
    Noted(String, PeerKey, Result<After, Error>),
}

impl Input {
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Identified(url, _)
            | Self::Answered(url, ..)
            | Self::Chunk(url, ..)
            | Self::Ended(url, _)
            | Self::Failed(url, ..)
            | Self::Stored { url, .. }
            | Self::Closed(url, ..)
            | Self::Noted(url, ..) => url,
        }
    }
}

/// Carries out `call` and tells what came of it.
pub(super) async fn carry_out(
    api: RelayApi,
    url: String,
    id: RequestId,
    call: Call,
    flow: Arc<Flow>,
    tell: mpsc::Sender<Input>,
) {
    let request = HttpRequest {
        method: Method::Post,
        relay: api.url.clone(),
        path: call.path.to_owned(),
        body: Bytes::from(call.body),
        timeout: PATIENCE,
        max_answer: MAX_ANSWER,
        reach: api.reach,
    };
    let outcome = if call.stream {
        follow(&api, &url, id, request, &flow, &tell).await
    } else {
        match api.transport.call(request).await {
            Ok(response) => Input::Answered(url, id, response),
            Err(error) => Input::Failed(url, id, error),
        }
    };
    // The driver is gone: nobody needs to know.
    let _ = tell.send(outcome).await;
}

async fn follow(
    api: &RelayApi,
    url: &str,
    id: RequestId,
    request: HttpRequest,
    flow: &Flow,
    tell: &mpsc::Sender<Input>,
) -> Input {
    let mut stream = match api.transport.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Input::Failed(url.to_owned(), id, error),
    };
    if stream.status >= 300 {
        return match stream.collect(api.url.host(), MAX_ANSWER).await {
            Ok(response) => Input::Answered(url.to_owned(), id, response),
            Err(error) => Input::Failed(url.to_owned(), id, error),
        };
    }
    loop {
        flow.room().await;
        match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(chunk))) => {
                if tell.send(Input::Chunk(url.to_owned(), id, chunk)).await.is_err() {
                    return Input::Ended(url.to_owned(), id);
                }
            }
            Ok(Some(Err(error))) => return Input::Failed(url.to_owned(), id, error),
            Ok(None) => return Input::Ended(url.to_owned(), id),
            Err(_) => {
                let host = api.url.host().to_owned();
                return Input::Failed(url.to_owned(), id, TransportError::Timeout { host });
            }
        }
    }
}
