use super::World;
use super::forged_or_replayed::keys;
use crate::agent::engine::Stage;
use crate::pairing::ResetKeys;
use crate::reset::{self, Agreed, Message, Request, Requester, Standing};
use crate::tests_rng::rng;

/// Has copies of both stores, and the relay: the worst that stands in between.
struct Thief<'w> {
    w: &'w World,
    keys: [ResetKeys; 2],
}

impl<'w> Thief<'w> {
    fn of(w: &'w World) -> Self {
        Self { w, keys: [keys(&w.alice), keys(&w.bob)] }
    }

    /// A RESET to Bob, in Alice's name and with her present key.
    fn ask(&self) -> (Requester, Vec<u8>) {
        let (alice, bob) = (&self.w.alice.engine().identity, self.w.bob.engine().identity.root());
        let now = self.w.bob.now().as_millis();
        let asked = Requester::new(alice, None, bob, now, None, Standing::default(), &mut rng());
        let message = Message::Request(asked.message().to_vec());
        let sealed = reset::seal(&self.keys[0].own, (alice.root(), bob), &message, 65_536, &mut rng());
        (asked, sealed.unwrap())
    }

    /// A RESET_OK to Alice's RESET, in Bob's name and with his present key.
    fn answer(&self, envelope: &[u8]) -> (Agreed, Vec<u8>) {
        let (alice, bob) = (&self.w.alice.engine().identity, &self.w.bob.engine().identity);
        let opened = reset::open(&self.keys[0].own, (alice.root(), bob.root()), envelope).unwrap().unwrap();
        let Message::Request(message) = opened else { panic!("{opened:?}") };
        let request = Request::verify(&message, bob.root(), alice.statements()).unwrap();
        let (answer, agreed) = request.answer(bob, Standing::default(), &mut rng()).unwrap();
        let roots = (bob.root(), alice.root());
        let sealed = reset::seal(&self.keys[1].own, roots, &Message::Answer(answer), 65_536, &mut rng());
        (agreed, sealed.unwrap())
    }
}

#[test]
fn a_reset_with_the_stolen_key_is_a_question_and_words_that_nobody_can_read_out() {
    let w = World::paired();
    let old = w.alice.session();
    let (_, envelope) = Thief::of(&w).ask();
    w.bob.take(&[envelope]);
    assert!(w.bob.is_asked());
    assert_eq!(w.talk("nothing has changed"), old);
    // Bob's owner believes that it is Alice's wish.
    w.bob.reset().unwrap();
    // Alice's agent has never asked, takes no answer, and shows no words.
    w.carry();
    assert!(w.alice.view().is_none());
    assert_eq!(w.talk("and still nothing"), old);
    // Whatever the thief reads out on the telephone, if not what only its own machine knows:
    assert!(!w.bob.confirm(&["oyster"; 8].join(" ")).unwrap());
    assert_eq!((w.bob.stage(), w.talk("never")), (Stage::Paired, old));
}

#[test]
fn between_two_owners_the_words_differ_on_both_sides() {
    let w = World::paired();
    let old = w.alice.session();
    let thief = Thief::of(&w);
    w.alice.reset().unwrap();
    let caught = w.alice.post_all();
    let (with_alice, to_alice) = thief.answer(&caught[0]);
    let (asked, to_bob) = thief.ask();
    w.alice.take(&[to_alice]);
    w.bob.take(&[to_bob]);
    w.bob.reset().unwrap();
    let answered = w.bob.post_all();
    let roots = (w.bob.engine().identity.root(), w.alice.engine().identity.root());
    let opened = reset::open(&thief.keys[0].peer, roots, &answered[0]).unwrap().unwrap();
    let Message::Answer(answer) = opened else { panic!("{opened:?}") };
    let with_bob = asked.accept(&answer, w.bob.engine().identity.statements(), &mut rng()).unwrap();
    // The thief shares a session with each of them, and they share none.
    assert_eq!(
        (w.alice.words(), w.bob.words()),
        (with_alice.words.peer().to_string(), with_bob.words.peer().to_string())
    );
    let (a, b) = (w.alice.words(), w.bob.words());
    assert_ne!(with_alice.words.own().as_str(), b);
    assert_ne!(with_bob.words.own().as_str(), a);
    assert!(!w.alice.confirm(&b).unwrap());
    assert!(!w.bob.confirm(&a).unwrap());
    assert_eq!(w.talk("as before"), old);
    for side in [&w.alice, &w.bob] {
        assert!(side.read(|b| Ok(b.view_peer(side.key())?.words_differed)).is_some());
    }
}

#[test]
fn an_answer_by_a_thief_of_the_answerers_store_is_found_by_the_words() {
    let w = World::paired();
    let old = w.alice.session();
    let thief = Thief::of(&w);
    w.alice.reset().unwrap();
    let asked = w.alice.post_all();
    let (agreed, forged) = thief.answer(&asked[0]);
    w.alice.take(&[forged]);
    // Bob answers too, and comes too late.
    w.bob.take(&asked);
    w.bob.reset().unwrap();
    w.alice.take(&w.bob.post_all());
    assert_eq!(w.alice.words(), *agreed.words.peer());
    assert_eq!(w.talk("in the old session"), old);
    let words = w.bob.words();
    assert!(!w.alice.confirm(&words).unwrap());
    // The next one, which nobody catches.
    w.bob.write(|b| b.cancel_reset(w.bob.key())).unwrap();
    w.wait(60_000);
    w.agree();
    w.compare();
    w.talk("in the new one");
}
