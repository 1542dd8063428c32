//! A relay that has lost all mailboxes and kept its key: commands that are there for a moment make theirs again.

use crate::support::World;

#[test]
fn one_look_into_the_inbox_makes_it_again() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.send("bob", "one");
    assert_eq!(bob.texts(), ["one"]);
    world.kill_relay();
    std::fs::remove_dir_all(world.folder.path().join("relay/store")).unwrap();
    world.start_relay();
    for side in [&alice, &bob] {
        let (inbox, exit) = side.json(&["inbox"]);
        assert_eq!((inbox["fetched"].as_bool(), exit), (Some(true), 0), "{inbox}");
    }
    alice.send("bob", "two");
    bob.send("alice", "three");
    assert_eq!(
        (bob.texts(), alice.texts()),
        (vec!["one".to_owned(), "two".to_owned()], vec!["three".to_owned()])
    );
}
