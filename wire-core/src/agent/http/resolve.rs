//! Name resolution that keeps requests to a peer's relay out of private networks.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use crate::agent::relay_url::Reach;

/// The system's resolver, its answers filtered by a [`Reach`].
///
/// The addresses that pass are the ones connected to: there is no second look-up that could answer
/// otherwise.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    system: GaiResolver,
    reach: Reach,
}

/// A name that leads only to addresses out of reach.
#[derive(Debug, thiserror::Error)]
#[error("the name leads into a private network")]
pub(super) struct OutOfReach;

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self { system: GaiResolver::new(), reach }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.system.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (answer, reach) = (self.system.call(name), self.reach);
        Box::pin(async move {
            let found: Vec<SocketAddr> = answer.await?.collect();
            let within: Vec<SocketAddr> = found.iter().copied().filter(|a| reach.admits(a.ip())).collect();
            if within.is_empty() && !found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, OutOfReach));
            }
            Ok(within.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look_up(reach: Reach) -> io::Result<Vec<SocketAddr>> {
        Ok(Resolver::new(reach).call("localhost".parse().unwrap()).await?.collect())
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_out_of_a_peers_reach() {
        assert!(look_up(Reach::Anywhere).await.unwrap().iter().all(|a| a.ip().is_loopback()));
        let error = look_up(Reach::PublicOnly).await.unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<OutOfReach>()));
    }
}
