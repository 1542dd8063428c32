//! The engine is killed at a random moment while containers are made on it, again and again: whatever state it
//! finds them in when it is back, one sweep leaves none, by the process that made them or by another.
//!
//! `.ci/run long` does it 50 times instead of 6.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::ground::long;
use crate::support::home;
use crate::support::private_dockerd::PrivateDockerd;
use rustix::process::Signal as Os;
use wire_core::spawn::docker::Docker;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::containers::WaitFor;
use wire_core::spawn::runtime::State;
use wire_core::spawn::{EngineError, Lifetime, SpawnSpec};

const OWNER: &str = "wire.owner";

/// What the killed engine left, by state.
async fn states(client: &Client, owner: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for listed in client.list(&[(OWNER, owner)]).await.unwrap() {
        *found.entry(format!("{:?}", listed.state)).or_default() += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_after_one_sweep() {
    let Some(mut engine) = PrivateDockerd::start(false).await else { return };
    let image = home::busybox_on(&engine.client().await).await;
    let times = if long() { 50 } else { 6 };
    let home = tempfile::tempdir().unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let docker = home::on(engine.config(), home.path()).await;
    let owner = docker.owner().to_hex();
    // Seeds the shim's volume, so that the delays fall into the making itself.
    docker.spawn(SpawnSpec::new(&image)).await.unwrap().remove().await.unwrap();
    let mut random = [0; 1];
    for round in 0..times {
        getrandom::fill(&mut random).unwrap();
        let delay = Duration::from_micros(u64::from(random[0]) * 1500);
        let lives = [Lifetime::Tied, Lifetime::Detached { max: Duration::from_secs(600) }];
        let making: Vec<_> = (0..6)
            .map(|n| {
                let (docker, spec) = (docker.clone(), SpawnSpec::new(&image).lifetime(lives[n % 2]));
                tokio::spawn(async move { docker.spawn(spec).await.map(|sandbox| sandbox.detach()) })
            })
            .collect();
        tokio::time::sleep(delay).await;
        engine.end(Os::KILL).await;
        let mut made = Vec::new();
        for making in making {
            match making.await.unwrap() {
                Ok(id) => made.push(id),
                Err(error) => println!("{delay:?}: {error}"),
            }
        }
        engine.run().await;
        let client = engine.client().await;
        let left = states(&client, &owner).await;
        println!("round {round}, killed after {delay:?}, {} were made: {left:?}", made.len());
        left.into_iter().for_each(|(state, count)| *seen.entry(state).or_default() += count);
        // Those that were made are the caller's; the others nobody's.
        for id in made {
            client.remove(&id, true).await.unwrap();
        }
        swept(&docker, &client).await;
    }
    println!("states in which containers were found: {seen:?}");
}

/// What is being removed already, a moment later is gone.
async fn swept(docker: &Docker, client: &Client) {
    docker.sweep(false).await.unwrap();
    let owner = docker.owner().to_hex();
    for left in client.list(&[(OWNER, &owner)]).await.unwrap() {
        assert_eq!(left.state, State::Removing, "after the sweep: {left:?}");
        match client.wait(&left.id, WaitFor::Removed).await {
            Ok(_) | Err(EngineError::NotFound(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(client.list(&[(OWNER, &owner)]).await.unwrap(), []);
}
