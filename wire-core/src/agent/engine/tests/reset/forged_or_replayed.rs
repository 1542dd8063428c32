use super::super::harness::{Wish, pair};
use super::{Side, World};
use crate::agent::engine::Stage;
use crate::identity::Identity;
use crate::pairing::ResetKeys;
use crate::reset::{self, Message, Requester, Standing};
use crate::tests_rng::rng;

/// What only the two sides of the pairing have.
pub(super) fn keys(side: &Side) -> ResetKeys {
    side.read(|b| b.reset_keys(side.key()))
}

/// A RESET of `identity` in the name of `from` for `to`, in an envelope of Alice's.
fn forge(w: &World, identity: &Identity, ctr: u64) -> Vec<u8> {
    let to = w.bob.engine().identity.root();
    let asked = Requester::new(identity, None, to, ctr, None, Standing::default(), &mut rng());
    let roots = (w.alice.engine().identity.root(), to);
    let message = Message::Request(asked.message().to_vec());
    reset::seal(&keys(&w.alice).own, roots, &message, 65_536, &mut rng()).unwrap()
}

#[test]
fn only_the_peers_key_is_heard_and_only_in_its_own_name() {
    let w = World::paired();
    let old = w.alice.session();
    let (stranger, _) = Identity::generate(&mut rng());
    let now = w.bob.now().as_millis();
    for (identity, ctr) in [
        (&stranger, now),
        (&w.bob.engine().identity, now),
        (&w.alice.engine().identity, 0),
        (&w.alice.engine().identity, now + 24 * 3_600_000 + 1),
    ] {
        w.bob.take(&[forge(&w, identity, ctr)]);
        assert!(!w.bob.is_asked());
    }
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM quarantine WHERE reason = 'reset'"), 4);
    assert_eq!(w.talk("nothing has changed"), old);
    // The same by Alice and in time is heard.
    w.bob.take(&[forge(&w, &w.alice.engine().identity, now)]);
    assert!(w.bob.is_asked());
    assert_eq!(w.talk("and changes nothing"), old);
}

#[test]
fn one_that_was_thrown_away_or_completed_is_not_heard_again() {
    let w = World::paired();
    w.alice.reset().unwrap();
    let first = w.alice.post_all();
    w.bob.take(&first);
    w.bob.write(|b| b.cancel_reset(w.bob.key())).unwrap();
    w.bob.take(&first);
    assert!(!w.bob.is_asked());

    w.alice.write(|b| b.cancel_reset(w.alice.key())).unwrap();
    w.wait(1);
    w.alice.reset().unwrap();
    let second = w.alice.post_all();
    w.bob.take(&second);
    w.bob.reset().unwrap();
    let answer = w.bob.post_all();
    w.alice.take(&answer);
    w.compare();
    let session = w.talk("complete");
    for old in [first, second] {
        w.bob.take(&old);
        assert!(!w.bob.is_asked());
    }
    w.alice.take(&answer);
    assert!(w.alice.view().is_none());
    assert_eq!(w.talk("still"), session);
}

#[test]
fn one_for_another_peer_is_nobodys() {
    let w = World::paired();
    let carol = Side::new("carol");
    let with_bob = w.alice.key();
    pair((&w.alice, Wish::default()), (&carol, Wish::default())).unwrap();
    let with_carol = w.alice.key();
    for _ in 0..4 {
        carol.take(&w.alice.post());
        w.alice.take(&carol.post());
    }
    assert_eq!(carol.stage(), Stage::Paired);
    w.alice.use_peer(with_bob);
    w.alice.reset().unwrap();
    let for_bob = w.alice.post_all();
    // As it is, and sealed anew by somebody who has the reset keys of both.
    carol.take(&for_bob);
    assert!(!carol.is_asked());
    let own = w.alice.engine().identity.root();
    let opened = reset::open(&keys(&w.alice).own, (own, w.bob.engine().identity.root()), &for_bob[0]);
    let message = opened.unwrap().unwrap();
    w.alice.use_peer(with_carol);
    let roots = (own, carol.engine().identity.root());
    let moved = reset::seal(&keys(&w.alice).own, roots, &message, 65_536, &mut rng()).unwrap();
    carol.take(&[moved]);
    assert!(!carol.is_asked());
    assert_eq!(carol.value::<u64>("SELECT count(*) FROM quarantine WHERE reason = 'reset'"), 1);
}

#[test]
fn an_answer_to_nothing_or_to_another_one_has_no_effect() {
    let w = World::paired();
    let old = w.alice.session();
    w.alice.reset().unwrap();
    w.carry();
    w.bob.reset().unwrap();
    let answer = w.bob.post_all();
    w.alice.write(|b| b.cancel_reset(w.alice.key())).unwrap();
    w.alice.take(&answer);
    assert!(w.alice.view().is_none());
    w.wait(1);
    w.alice.reset().unwrap();
    w.alice.take(&answer);
    assert!(w.alice.view().is_some_and(|view| view.agreed.is_none()));
    assert_eq!(w.talk("as before"), old);
}
