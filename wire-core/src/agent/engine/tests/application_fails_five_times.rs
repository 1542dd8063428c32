use super::harness::World;
use crate::agent::state::Delivery;

#[test]
fn the_record_is_put_aside_as_poison_and_the_next_one_comes() {
    let w = World::paired();
    let bad = w.alice.send("crashes the application").unwrap();
    w.alice.send("next").unwrap();
    w.settle();
    for _ in 0..5 {
        let (n, text) = w.bob.claim("me").unwrap();
        assert_eq!(text, "crashes the application");
        w.bob.write(|b| b.release(n)).unwrap();
    }
    assert_eq!(w.bob.handle().as_deref(), Some("next"));
    w.settle();
    assert_eq!(w.alice.delivery(&bad), Delivery::Poison);
}
