use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::agent::store::StoreError;
use crate::agent::store::tests::harness::{Child, Place, SCHEMA, listen, part, put, say};

/// Ends a test that would hang.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("nothing happened for a minute")
}

fn sockets(place: &Place) -> usize {
    let entries = fs::read_dir(place.file("run")).unwrap();
    entries.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "sock")).count()
}

#[tokio::test]
async fn a_commit_of_another_process_is_heard() {
    if let Some((_, dir)) = part() {
        let store = StoreFile::open(&dir, SCHEMA).unwrap();
        say("ready");
        while listen() == "write" {
            put(&store, 1, b"x").unwrap();
            say("written");
        }
        return;
    }
    let place = Place::new();
    let store = Arc::new(place.open());
    let mut bell = Doorbell::listen(&store);
    let mut child =
        Child::start(module_path!(), "a_commit_of_another_process_is_heard", "writer", &place.dir);
    assert_eq!(child.hear(), "ready");

    child.tell("write");
    soon(heard(bell.socket.as_ref())).await;
    assert_eq!(child.hear(), "written");

    child.tell("write");
    soon(bell.wait()).await;
    assert_eq!(child.hear(), "written");
    child.finish();
}

#[tokio::test]
async fn without_a_socket_the_change_counter_tells() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    let mut bell = Doorbell::listen(&store);
    fs::remove_file(&bell.path).unwrap();
    put(&other, 1, b"x").unwrap();
    soon(bell.wait()).await;

    bell.socket = None;
    put(&other, 2, b"x").unwrap();
    soon(bell.wait()).await;
}

#[tokio::test]
async fn an_abandoned_wait_loses_nothing() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    let mut bell = Doorbell::listen(&store);
    // Polled once, found nothing, dropped.
    assert!(tokio::time::timeout(Duration::ZERO, bell.wait()).await.is_err());
    put(&other, 1, b"x").unwrap();
    soon(heard(bell.socket.as_ref())).await;
    assert!(bell.changed(), "and the counter tells it too");
}

#[tokio::test]
async fn one_commit_is_told_once() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    let mut bell = Doorbell::listen(&store);
    put(&other, 1, b"x").unwrap();
    soon(heard(bell.socket.as_ref())).await;
    assert!(bell.changed() && !bell.changed());

    put(&other, 2, b"x").unwrap();
    soon(bell.wait()).await;
    assert!(!bell.changed());
}

#[tokio::test]
async fn the_own_commits_and_those_that_change_nothing_are_silent() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    let bell = Doorbell::listen(&store);
    put(&store, 1, b"x").unwrap();
    let nothing: Result<usize, StoreError> =
        other.write(|tx| Ok(tx.execute("DELETE FROM item WHERE id = 7", [])?));
    assert_eq!(nothing.unwrap(), 0);
    let socket = bell.socket.as_ref().unwrap();
    assert_eq!(socket.try_recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    put(&other, 2, b"x").unwrap();
    soon(heard(Some(socket))).await;
}

#[tokio::test]
async fn sockets_are_private_and_do_not_pile_up() {
    let place = Place::new();
    let (store, other) = (Arc::new(place.open()), place.open());
    let bell = Doorbell::listen(&store);
    assert_eq!(fs::symlink_metadata(&bell.path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(StdDatagram::bind(place.file("run").join("dead-0.sock")).unwrap());
    assert_eq!(sockets(&place), 2);
    put(&other, 1, b"x").unwrap();
    assert_eq!(sockets(&place), 1, "the one whose owner is gone is swept");
    drop(bell);
    assert_eq!(sockets(&place), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_path_too_long_for_a_socket_address_still_rings() {
    let place = Place::new();
    let deep = place.dir.join("d".repeat(120)).join("alice");
    let (store, other) =
        (Arc::new(StoreFile::open(&deep, SCHEMA).unwrap()), StoreFile::open(&deep, SCHEMA).unwrap());
    let bell = Doorbell::listen(&store);
    assert!(bell.path.as_os_str().len() > 108);
    put(&other, 1, b"x").unwrap();
    soon(heard(Some(bell.socket.as_ref().unwrap()))).await;
}
