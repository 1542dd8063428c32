//! Two processes of an installation sweep, without a pause, while a third one makes containers and uses them,
//! and another owner has some too. Of hundreds of containers and volumes exactly those go that nobody needs:
//! none of another owner's, none with forged labels, none that lives.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{home, images};
use serde_json::json;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Docker, EngineConfig, SweptKind};
use wire_core::spawn::{
    Command, ContainerId, ImageName, InstanceId, Kind, Labels, Outcome, OwnerSecret, SpawnName, SpawnSpec,
    VolumeName,
};
use wire_core::time::Timestamp;

type Map = BTreeMap<String, String>;
type Write = Box<dyn Fn(Kind, &str) -> Map>;

/// All of one kind that are put there for one reason.
const EACH: usize = 15;

/// Whose, and what should become of it.
struct Group {
    name: &'static str,
    goes: bool,
    labels: Write,
}

/// What is on the engine, by the group's name.
#[derive(Default)]
struct Put {
    containers: Vec<(ContainerId, usize)>,
    volumes: Vec<(VolumeName, usize)>,
}

fn groups(secret: [u8; 32], live: &Labels) -> Vec<Group> {
    let ours = move || OwnerSecret::from_bytes(secret);
    let theirs = || OwnerSecret::from_bytes([0x77; 32]);
    let base = |kind| Labels::new(kind, "race");
    let tied = live.tied.clone().unwrap();
    let mut dead = tied.clone();
    dead.instance = InstanceId::from_bytes([0xdd; 16]);
    let past = Some(Timestamp::from_millis(1_600_000_000_000));
    let (orphan, other) = (dead.clone(), dead.clone());
    let (gone, forged, moved) = (dead.clone(), dead.clone(), dead);
    vec![
        Group {
            name: "orphan",
            goes: true,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                labels.tied = Some(orphan.clone());
                labels.sign(&ours(), name)
            }),
        },
        Group {
            name: "expired",
            goes: true,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                labels.expires = past;
                labels.sign(&ours(), name)
            }),
        },
        Group {
            name: "live",
            goes: false,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                labels.tied = Some(tied.clone());
                labels.sign(&ours(), name)
            }),
        },
        Group {
            name: "elsewhere",
            goes: false,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                let mut tied = other.clone();
                tied.place.host.push_str("-other");
                labels.tied = Some(tied);
                labels.sign(&ours(), name)
            }),
        },
        Group {
            name: "theirs",
            goes: false,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                (labels.tied, labels.expires) = (Some(gone.clone()), past);
                labels.sign(&theirs(), name)
            }),
        },
        Group {
            name: "forged",
            goes: false,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                (labels.tied, labels.expires) = (Some(forged.clone()), past);
                let mut signed = labels.sign(&theirs(), name);
                signed.insert("wire.owner".to_owned(), ours().owner().to_hex());
                signed
            }),
        },
        Group {
            name: "moved",
            goes: false,
            labels: Box::new(move |kind, name| {
                let mut labels = base(kind);
                (labels.tied, labels.expires) = (Some(moved.clone()), past);
                labels.sign(&ours(), &format!("{name}x"))
            }),
        },
    ]
}

async fn put(client: &Client, image: &str, run: &str, groups: &[Group]) -> Put {
    let mut put = Put::default();
    let none = BTreeMap::new();
    for n in 0..EACH {
        for (at, group) in groups.iter().enumerate() {
            let name = format!("w-race-{run}-{}-{n}", group.name);
            let mut body = json!({
                "Image": image, "Entrypoint": ["/never-started"], "NetworkDisabled": true,
                "Labels": (group.labels)(Kind::Container, &name), "HostConfig": { "NetworkMode": "none" },
            });
            let volume = VolumeName::parse(&name).unwrap();
            let labels = (group.labels)(Kind::Volume, &name);
            if n % 2 == 0 {
                // In use, it goes when its container is gone. Made together with that, or a sweep in between
                // would have the engine make it anew without labels.
                let options = json!({ "Labels": labels });
                body["HostConfig"]["Mounts"] =
                    json!([{ "Type": "volume", "Source": name, "Target": "/v", "VolumeOptions": options }]);
            } else {
                client.volume_create(&volume, &labels, &none).await.unwrap();
            }
            put.volumes.push((volume, at));
            let created = client.create(&SpawnName::parse(&name).unwrap(), &body).await.unwrap();
            put.containers.push((created.id, at));
        }
    }
    put
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_those_go_that_nobody_needs() {
    let image = images::busybox();
    let (docker, home) = home::docker().await;
    let client = Client::connect(EngineConfig::from_env().unwrap()).await.unwrap();
    let kept = docker.spawn(SpawnSpec::new(&image)).await.unwrap();
    let secret: [u8; 32] = std::fs::read(home.path().join("host/owner.key")).unwrap().try_into().unwrap();
    let seen = client.inspect(kept.id()).await.unwrap();
    let live = Labels::verify(&OwnerSecret::from_bytes(secret), kept.name().as_str(), &seen.labels).unwrap();
    let groups = groups(secret, &live);
    let run = std::process::id().to_string();
    let id = client.image_inspect(&ImageName::parse(&image).unwrap()).await.unwrap().id;

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut sweepers = Vec::new();
    for _ in 0..2 {
        let (sweeper, stopped) = (home::open(&home).await, stopped.clone());
        sweepers.push(tokio::spawn(async move {
            let mut swept = Vec::new();
            loop {
                // Once more after the word to stop.
                let last = *stopped.borrow();
                swept.extend(sweeper.sweep(false).await.unwrap());
                if last {
                    return swept;
                }
            }
        }));
    }
    let using = tokio::spawn(using(docker.clone(), image.clone()));
    let put = put(&client, id.as_str(), &run, &groups).await;
    let spawned = using.await.unwrap();
    stop.send(true).unwrap();
    let mut swept = Vec::new();
    for sweeper in sweepers {
        swept.extend(sweeper.await.unwrap());
    }

    // What one sweeper found underway at the other's is gone now, after one more turn.
    swept.extend(docker.sweep(false).await.unwrap());
    let mut wrong = Vec::new();
    for (id, group) in &put.containers {
        let there = client.inspect(id).await.is_ok();
        if there == groups[*group].goes {
            wrong.push(format!("container of {}: there: {there}", groups[*group].name));
        }
        client.remove(id, true).await.unwrap();
    }
    for (name, group) in &put.volumes {
        let there = client.volume_inspect(name).await.is_ok();
        if there == groups[*group].goes {
            wrong.push(format!("volume of {}: there: {there}", groups[*group].name));
        }
        client.volume_remove(name).await.unwrap();
    }
    assert_eq!(wrong, [""; 0]);
    let names: BTreeSet<_> = swept.iter().map(|swept| swept.name.clone()).collect();
    assert!(spawned.iter().all(|name| !names.contains(name)), "a container that was in use");
    assert!(swept.iter().any(|swept| swept.kind == SweptKind::Volume && swept.removed));
    assert_eq!(kept.run(Command::new(["true"])).await.unwrap().outcome, Outcome::Exited(0));
    kept.remove().await.unwrap();
    assert_eq!(client.list(&[("wire.owner", &docker.owner().to_hex())]).await.unwrap(), []);
    println!(
        "{} were put there, {} names swept, {} used",
        put.containers.len() * 2,
        names.len(),
        spawned.len()
    );
}

/// Makes containers, runs a program in each, and removes them; gives their names.
async fn using(docker: Docker, image: String) -> Vec<String> {
    let mut names = Vec::new();
    for n in 0..6 {
        let sandbox = docker.spawn(SpawnSpec::new(&image)).await.unwrap();
        names.push(sandbox.name().to_string());
        let output = sandbox.run(Command::new(["sh", "-c", &format!("exit {n}")])).await.unwrap();
        assert_eq!(output.outcome, Outcome::Exited(n));
        sandbox.remove().await.unwrap();
    }
    names
}
