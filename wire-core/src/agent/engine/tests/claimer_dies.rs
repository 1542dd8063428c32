use super::harness::World;

#[test]
fn its_claims_are_let_go_at_once_and_those_of_the_living_after_ten_minutes() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    w.settle();
    assert_eq!(w.bob.claim("first").unwrap().1, "one");
    assert_eq!(w.bob.claim("second"), None);
    assert_eq!(w.bob.claim_if("second", |p| p != "first").unwrap().1, "one");

    w.bob.wait(10 * 60_000);
    assert_eq!(w.bob.claim("third"), None);
    w.bob.wait(1);
    assert_eq!(w.bob.claim("third").unwrap().1, "one");
}
