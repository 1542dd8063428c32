//! A code that cannot be made is refused before the relay hears of it.

use crate::agents::{TestRelay, soon};
use wire_core::agent::{Error, PairOptions};

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_words_is_checked_before_anything_is_sent() {
    let mut relay = TestRelay::start().await;
    let home = tempfile::tempdir().unwrap();
    let alice = relay.agent(home.path(), "alice").await;
    // Whatever is sent from here on fails in another way.
    relay.stop().await;
    for words in [0, 2, 9] {
        let error = soon(alice.offer_with(PairOptions::default().words(words))).await.unwrap_err();
        assert!(matches!(error, Error::Usage("a code has 3 to 8 words")), "{words}: {error:?}");
    }
}
