//! Whoever has not proved that it holds the right hears the same of a mailbox that is there, and of
//! one that is not.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn stranger_hears_one_answer() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let there = Mailbox::created(&relay).await;
    there.posted(&relay, &[b"something"]).await;
    let absent = Mailbox::new();
    let other_relay = RelayKeyPair::generate(&mut rng()).public();
    let stranger = SenderKeyPair::generate(&mut rng());
    let post = Operation::Post { envelopes: vec![b"x".to_vec()] };
    let poll = Operation::Poll { incarnation: None, after: 0, max: 1, wait_ms: 0 };

    let mut answers = Vec::new();
    for mailbox in [&there, &absent] {
        let sound = SignedRequest::by_owner(&mailbox.owner, &relay.relay_id, now(), &poll).to_bytes();
        let mut bad_signature = sound.clone();
        *bad_signature.last_mut().unwrap() ^= 1;
        let cert = &mailbox.certificate;
        let sender = SignedRequest::by_sender(&mailbox.sender, cert, &relay.relay_id, now(), &post);
        let mut bad_certificate = sender.to_bytes();
        bad_certificate[120] ^= 1;
        let foreign = SignedRequest::by_sender(&stranger, cert, &relay.relay_id, now(), &post);
        let elsewhere = SignedRequest::by_owner(&mailbox.owner, &other_relay, now(), &poll);
        let mut changed_args = sender.to_bytes();
        let at = changed_args.len() - 67;
        assert_eq!(changed_args[at], b'x');
        changed_args[at] = b'y';
        for body in [
            bad_signature,
            bad_certificate,
            foreign.to_bytes(),
            elsewhere.to_bytes(),
            changed_args,
            sound[..sound.len() / 2].to_vec(),
            Vec::new(),
        ] {
            answers.push(relay.post("/v1/mb", body).await);
        }
    }
    answers.push(absent.owner(&relay, &poll).await);
    answers.push(absent.post(&relay, &[b"x"]).await);
    let len = answers[0].body.len();
    for answer in answers {
        assert_eq!(answer.refusal(), Refusal::NotFound);
        assert_eq!((answer.status, answer.body.len()), (404, len));
        assert_eq!(answer.content_type.as_deref(), Some("application/cbor"));
    }
    assert_eq!(contents(&there.poll(&relay, 0).await), [b"something"]);
    relay.stop().await;
}
