use super::harness::World;
use crate::session::Lane;
use crate::tests_rng::rng;

/// The keys of one envelope are gone at the receiver, as after 30 days.
#[test]
fn it_is_sealed_again_on_the_word_of_the_peer() {
    let w = World::paired();
    w.alice.send("old").unwrap();
    let old = w.alice.post();
    w.alice.send("new").unwrap();
    let new = w.alice.post();
    w.bob.take(&new);
    let asks = w.bob.post();
    // Bob's skipped keys grow old; what Alice posts again cannot be opened.
    w.wait(31 * 24 * 3_600_000);
    assert_eq!(w.bob.take(&old).rejected, 1);
    w.alice.take(&asks);
    assert_eq!(w.alice.post()[..1], old, "the peer has not said that it cannot open it");
    w.alice.wait(60_000);
    w.bob.wait(60_000);
    w.alice.tick();
    w.bob.take(&w.alice.post());
    w.alice.take(&w.bob.post());
    let again = w.alice.post();
    assert_eq!(again.len(), 1);
    assert_ne!(again, old);
    assert_eq!(w.bob.take(&again).records, 2);
    assert_eq!(w.bob.drain(), ["old", "new"]);
}

#[test]
fn a_stranger_in_the_mailbox_makes_nothing_be_sealed_again() {
    let w = World::paired();
    w.alice.send("lost").unwrap();
    w.alice.post();
    w.alice.send("here").unwrap();
    let mut page = w.alice.post();
    let (mut stranger, _) = crate::testing::sessions(5);
    for _ in 0..20 {
        page.push(stranger.seal(Lane::Ordinary, b"junk", 1024, &mut rng()).unwrap());
    }
    assert_eq!(w.bob.take(&page).rejected, 20);
    let room = w.alice.tamper(|_, p| p.session().unwrap().room(Lane::Reserved));
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.post().len(), 1, "the lost one, as it was");
    // The acknowledgement turned the ratchet, so there is all of the room again.
    assert!(w.alice.tamper(|_, p| p.session().unwrap().room(Lane::Reserved)) >= room);
}
