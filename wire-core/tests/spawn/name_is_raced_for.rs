//! Many want one name at once: the same spec gives all of them one container, another spec and another owner
//! give none.

use std::time::Duration;

use crate::support::ground::{Ground, sh};
use crate::support::hardened::docker;
use crate::support::{home, images};
use wire_core::spawn::{Lifetime, Outcome, SpawnError, SpawnSpec};

const RACERS: usize = 20;

fn name(of: &str) -> String {
    format!("raced-{of}-{}", std::process::id())
}

fn spec(name: &str) -> SpawnSpec {
    SpawnSpec::new(images::busybox()).name(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_one_makes_it_and_all_have_it() {
    let ground = Ground::new().await;
    let name = name("twenty");
    // Two processes of one installation, as far as the engine can tell.
    let other = home::open(&ground.home).await;
    let racers: Vec<_> = (0..RACERS)
        .map(|racer| {
            let docker = if racer % 2 == 0 { ground.docker.clone() } else { other.clone() };
            let spec = spec(&name).lifetime(Lifetime::For(Duration::from_secs(300)));
            tokio::spawn(async move { docker.spawn(spec).await })
        })
        .collect();
    let mut handles = Vec::new();
    for racer in racers {
        handles.push(racer.await.unwrap().unwrap_or_else(|error| panic!("{error}")));
    }
    assert_eq!(ground.containers().len(), 1);
    assert_eq!(handles.iter().filter(|handle| handle.attestation().is_some()).count(), 1, "one made it");
    // Each handle is of use, all at the same time.
    let runs: Vec<_> = handles
        .into_iter()
        .enumerate()
        .map(|(n, handle)| {
            tokio::spawn(async move {
                let code = i32::try_from(n).unwrap();
                assert_eq!(
                    handle.run(sh(&format!("exit {code}"))).await.unwrap().outcome,
                    Outcome::Exited(code)
                );
                handle
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    let other_spec = ground.docker.spawn(spec(&name).env("MORE", "1")).await;
    let Err(SpawnError::SpecMismatch { existing }) = other_spec else { panic!("{other_spec:?}") };
    assert_eq!(ground.containers(), [existing.as_str()]);
    let mine = ground.docker.get(&name).await.unwrap().unwrap();
    assert_eq!(mine.run(sh("exit 3")).await.unwrap().outcome, Outcome::Exited(3), "it was left alone");
    mine.remove().await.unwrap();
}

/// A key is one container's, whatever name that has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_names_of_one_key_one_is_made() {
    let ground = Ground::new().await;
    let other = home::open(&ground.home).await;
    let keyed = |name: Option<String>| {
        let spec = SpawnSpec::new(images::busybox()).key("the-one");
        let spec = spec.lifetime(Lifetime::For(Duration::from_secs(300)));
        if let Some(name) = name { spec.name(name) } else { spec }
    };
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let docker = if racer % 2 == 0 { ground.docker.clone() } else { other.clone() };
            let spec = keyed((racer > 0).then(|| name(&racer.to_string())));
            tokio::spawn(async move { docker.spawn(spec).await })
        })
        .collect();
    let mut made = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(sandbox) => made.push(sandbox),
            Err(SpawnError::SpecMismatch { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let [made] = made.try_into().unwrap_or_else(|made| panic!("{made:?}"));
    let later = ground.docker.spawn(keyed(Some(name("later")))).await;
    assert!(matches!(later, Err(SpawnError::SpecMismatch { existing }) if existing == *made.id()));
    made.remove().await.unwrap();
    ground.spawn(keyed(None)).await.remove().await.unwrap();
    assert!(ground.containers().is_empty());
    ground.docker.sweep(false).await.unwrap();
    let locks = std::fs::read_dir(ground.home.path().join("host/names")).unwrap();
    let left: Vec<_> = locks.map(|lock| lock.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_handle_holds_what_is_tied_as_long_as_the_first() {
    let ground = Ground::new().await;
    let name = name("tied");
    let first = ground.spawn(spec(&name)).await;
    let second = ground.spawn(spec(&name)).await;
    assert_eq!(first.id(), second.id());
    drop(first);
    // The lease would end it at once if nobody were there any more.
    assert_eq!(second.run(sh("exit 3")).await.unwrap().outcome, Outcome::Exited(3));
    let long = second.exec(sh("read line").stdin(wire_core::spawn::Stdin::Piped)).await.unwrap();
    drop(long);
    second.remove().await.unwrap();
}

#[tokio::test]
async fn somebody_elses_container_stays_as_it_is() {
    let ground = Ground::new().await;
    let name = name("foreign");
    let made =
        docker(&["create", "--name", &name, "--label", "wire-test=foreign", &images::busybox(), "true"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let inspected = || docker(&["inspect", &id]).stdout;
    let before = inspected();

    let taken = ground.docker.spawn(spec(&name)).await;
    assert!(matches!(taken, Err(SpawnError::NameTaken)), "{taken:?}");
    // Another installation of ours is somebody else too.
    let stranger = Ground::new().await;
    let theirs = stranger.spawn(spec(&format!("{name}-2"))).await;
    let taken = ground.docker.spawn(spec(&format!("{name}-2"))).await;
    assert!(matches!(taken, Err(SpawnError::NameTaken)), "{taken:?}");
    assert!(ground.docker.get(&name).await.unwrap().is_none());
    assert!(ground.docker.get(theirs.id().as_str()).await.unwrap().is_none());
    assert_eq!(theirs.run(sh("exit 3")).await.unwrap().outcome, Outcome::Exited(3));

    assert_eq!(inspected(), before, "nothing of it has changed");
    assert_eq!(ground.containers(), Vec::<String>::new());
    docker(&["rm", &id]);
    theirs.remove().await.unwrap();
}
