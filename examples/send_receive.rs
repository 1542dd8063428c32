//! A relay and two agents in one process: pair by a code, ask and be answered, send, and follow the
//! message until the peer has signed that it was processed.
//!
//! ```text
//! cargo run -p examples --example send_receive
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wire_core::agent::Delivery;
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::{Agent, Config};
use wire_relay::{Relay, RelayConfig, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = RelayUrl::parse(&format!("http://{}", listener.local_addr()?), PlainHttp::LoopbackOnly)?;
    let relay = Relay::open(&RelayConfig::new(home.path().join("relay")))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let relay = tokio::spawn(serve(listener, relay, async { drop(stopped.await) }));

    let alice = Agent::open(Config::new(home.path(), "alice")?.with_relay(url.clone())).await?;
    let bob = Agent::open(Config::new(home.path(), "bob")?.with_relay(url)).await?;
    let offer = alice.offer().await?;
    let code = offer.code();
    println!("alice: wire join {code}");
    // Usually these two are on two machines, and the code crosses by voice.
    let (to_bob, _) = tokio::try_join!(offer.paired(), bob.join(&code))?;
    println!("alice: paired with {} {}", to_bob.info().await?.name, bob.root().fingerprint());

    let listening = tokio::spawn(listen(bob.clone(), 2));
    let reply = to_bob.ask("review PR 12").await?;
    println!("alice: {} answers: {}", reply.sender(), reply.text()?);
    reply.ack().await?;
    let thanks = to_bob.send("thanks").await?;
    for least in [Delivery::Relayed, Delivery::Received, Delivery::Processed] {
        println!("alice: \"thanks\" is {}", alice.wait_for(&thanks.id, least).await?.state);
    }

    listening.await??;
    alice.close().await;
    bob.close().await;
    drop(stop);
    Ok(relay.await??)
}

/// Takes so many messages, and answers those that ask.
async fn listen(agent: Agent, count: usize) -> wire_core::Result<()> {
    let mut inbox = agent.inbox();
    for _ in 0..count {
        let Some(message) = inbox.next().await.transpose()? else { break };
        println!("{}: {} says: {}", agent.name(), message.sender(), message.text()?);
        if message.is_ask() {
            message.reply_with("two remarks, otherwise fine").await?;
        }
        // What is not acknowledged comes again, also after a crash.
        message.ack().await?;
    }
    Ok(())
}
