//! What the relay keeps lets nobody post, read or pair: tokens and private keys are not on its disk.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn stolen_disk_has_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    mailbox.posted(&relay, &[b"an envelope that is sealed already"]).await;
    let [a, b] = [0; 2].map(|_| ClientToken::random(&mut rng()));
    let place = relay.allocate(&a).await;
    relay.claim(&place, &b).await.ok();
    relay.put(&place, &a, Slot::A1, b"the bytes of a slot").await.ok();
    relay.put(&place, &b, Slot::B1, b"the bytes of another").await.ok();
    let second = Mailbox::new();
    let right = Right::Pairing { place: place.clone(), token: b.clone() };
    second.owner(&relay, &Operation::Create { min_epoch: 1, right }).await.ok();
    relay.stop().await;

    let disk = all_bytes(&data.path().join("store"));
    // That the search finds what is there.
    assert!(contains(&disk, b"an envelope that is sealed already"));
    assert!(contains(&disk, a.hash().as_bytes()));
    for secret in [a.expose(), b.expose(), &*mailbox.owner.seed(), &*mailbox.sender.seed()] {
        assert!(!contains(&disk, secret));
    }
    // Nor does it name the sender: a mailbox alone is known.
    assert!(contains(&disk, mailbox.owner.public().as_bytes()));
    assert!(!contains(&disk, mailbox.sender.public().as_bytes()));
    let key = std::fs::read(data.path().join("relay.key")).unwrap();
    assert!(!contains(&disk, &key));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(data.path().join("relay.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
