//! A volume that is not there is made for the container's user, marked as ours, and there for the next
//! container.

use std::collections::BTreeMap;

use crate::support::ground::{Ground, client, plain, sh};
use crate::support::images;
use wire_core::spawn::{
    Kind, Labels, Mount, Outcome, OwnerSecret, SpawnError, SpawnSpec, SpecError, VolumeName,
};

/// A volume's name of a test's own, removed with this: to be declared before what has containers.
struct Named(VolumeName);

impl Named {
    fn new(what: &str) -> Self {
        Self(VolumeName::parse(&format!("test-{what}-{}", std::process::id())).unwrap())
    }

    fn mount(&self) -> Mount {
        Mount::volume(self.0.as_str(), "/data")
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        crate::support::hardened::docker(&["volume", "rm", "-f", self.0.as_str()]);
    }
}

fn owner(ground: &Ground) -> OwnerSecret {
    let bytes = std::fs::read(ground.home.path().join("host/owner.key")).unwrap();
    OwnerSecret::from_bytes(bytes.try_into().unwrap())
}

const LOOK: &str = "stat -c '%u:%g %a' /data";

#[tokio::test]
async fn one_container_writes_and_the_next_one_reads() {
    let (volume, ground, client) = (Named::new("new"), Ground::new().await, client().await);
    let spec = || SpawnSpec::new(images::busybox()).mount(volume.mount());
    let sandbox = ground.spawn(spec()).await;
    let ran = sandbox.run(sh(&format!("{LOOK} && echo kept > /data/file"))).await.unwrap();
    assert_eq!((ran.outcome, ran.stdout.text()), (Outcome::Exited(0), "65532:65532 700\n".to_owned()));
    sandbox.remove().await.unwrap();

    let made = client.volume_inspect(&volume.0).await.unwrap();
    let labels = Labels::verify(&owner(&ground), volume.0.as_str(), &made.labels).unwrap();
    assert_eq!((labels.kind, labels.expires, labels.tied), (Kind::Volume, None, None));
    assert!(
        ground.docker.sweep(false).await.unwrap().is_empty(),
        "nothing but itself says how long it is kept"
    );

    let reader = SpawnSpec::new(images::busybox()).mount(volume.mount().read_only());
    let sandbox = ground.spawn(reader).await;
    let ran = sandbox.run(sh("cat /data/file; echo more > /data/file")).await.unwrap();
    assert_eq!(ran.stdout.text(), "kept\n");
    assert!(ran.stderr.text().contains("Read-only"), "{}", ran.stderr.text());
    sandbox.remove().await.unwrap();
    assert_eq!(client.volume_inspect(&volume.0).await.unwrap(), made);
}

#[tokio::test]
async fn it_is_the_users_whoever_that_is_and_without_the_shim_too() {
    let (volume, ground) = (Named::new("user"), Ground::new().await);
    let spec = plain(["sh", "-c", LOOK]).user(1234, 4321).mount(volume.mount());
    let output = ground.docker.run(spec).await.unwrap();
    assert_eq!(output.stdout.text(), "1234:4321 700\n", "{}", output.stderr.text());
}

/// Its maker was killed between two steps.
#[tokio::test]
async fn one_that_was_left_half_made_is_made_ready() {
    let (volume, ground, client) = (Named::new("half"), Ground::new().await, client().await);
    let labels = Labels::new(Kind::Volume, "k").sign(&owner(&ground), volume.0.as_str());
    client.volume_create(&volume.0, &labels, &BTreeMap::new()).await.unwrap();
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).mount(volume.mount())).await;
    let ran = sandbox.run(sh(LOOK)).await.unwrap();
    assert_eq!(ran.stdout.text(), "65532:65532 700\n");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn one_of_somebody_else_is_used_as_it_is() {
    let (volume, ground, client) = (Named::new("theirs"), Ground::new().await, client().await);
    let theirs = BTreeMap::from([("theirs".to_owned(), "yes".to_owned())]);
    client.volume_create(&volume.0, &theirs, &BTreeMap::new()).await.unwrap();
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).mount(volume.mount())).await;
    let ran = sandbox.run(sh(LOOK)).await.unwrap();
    assert_eq!(ran.stdout.text(), "0:0 755\n");
    sandbox.remove().await.unwrap();
    assert_eq!(client.volume_inspect(&volume.0).await.unwrap().labels, theirs);
}

/// A folder of the machine that nobody has judged.
#[tokio::test]
async fn one_that_is_a_folder_of_the_host_is_refused() {
    let (volume, ground, client) = (Named::new("bind"), Ground::new().await, client().await);
    let options = [("type", "none"), ("o", "rw,bind"), ("device", "/etc")];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    client.volume_create(&volume.0, &BTreeMap::new(), &options).await.unwrap();
    let refused = ground.docker.spawn(SpawnSpec::new(images::busybox()).mount(volume.mount())).await;
    let Err(SpawnError::Spec(errors)) = refused else { panic!("{refused:?}") };
    assert_eq!(errors, [SpecError::VolumeIsBind { name: volume.0.to_string() }]);
}
