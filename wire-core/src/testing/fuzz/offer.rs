//! What a dishonest peer who knows the code can put into its offer.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::pairing::responder;
use super::world::{ALICE, BOB, RUN, step_rng};
use crate::pairing::DisplayName;

/// The body of Alice's offer: what the honest one is made of.
pub(super) static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let b = responder().receive_m3(&RUN.messages[2], BOB.identity.root()).expect("the honest M3");
    b.peer().to_body(Some(b.peer().display.as_str()))
});

/// An offer is taken only in its one encoding, with all that it names proved and its name fit to be shown; and
/// never one that somebody else signed, nor the own one.
pub fn offer(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.choice(5);
    // Framing and padding, where it is not the body that is changed.
    let mut edits = Input::new(if mode == 4 { input.rest() } else { &[] });
    let body = match mode {
        0 => input.take(7_996).to_vec(),
        1..4 => input.edited(&BODY),
        _ => BODY.clone(),
    };
    let (signer, own) = match mode {
        2 => (&BOB.identity, BOB.identity.root()),
        3 => (&ALICE.identity, ALICE.identity.root()),
        _ => (&ALICE.identity, BOB.identity.root()),
    };
    let mut framed_otherwise = false;
    let m3 = RUN.keyed.forge(&body, signer, &mut step_rng(6), |plain| {
        let honest = plain.clone();
        edits.edit(plain);
        framed_otherwise = *plain != honest;
    });
    let Some(m3) = m3 else { return };
    let Ok(b) = responder().receive_m3(&m3, own) else { return };
    accept();
    let peer = b.peer();
    assert!(!framed_otherwise, "another length, signature or padding");
    assert!(mode != 2 && mode != 3, "an offer of somebody else, or the own one");
    assert_eq!(peer.statements.current(), signer.key().public());
    assert_eq!(peer.certificate.sender(), peer.sender.public());
    assert!(peer.url.len() <= 255 && peer.url.bytes().all(|b| b.is_ascii_graphic()), "{}", peer.url);
    assert!(DisplayName::is_plain(peer.display.as_str()), "{:?}", peer.display);
    // All but the name, which is shown in another form where it is not plain.
    let bare = peer.to_body(None);
    assert_eq!(body[1..bare.len()], bare[1..]);
    if body[bare.len()..].is_ascii() {
        let name = Some(peer.display.as_str()).filter(|name| !name.is_empty());
        assert_eq!(peer.to_body(name).len(), body.len());
    }
}
