use super::*;
use crate::mailbox::codec::tests::pinned;
use crate::mailbox::{Quota, RelayKeyPair};
use crate::tests_rng::rng;

#[test]
fn arguments_of_every_operation_are_pinned() {
    let inc = Incarnation::from_bytes([0xaa; 16]);
    let cases = [
        (Operation::Create { min_epoch: 3, right: Right::None }, "82 03 f6"),
        (Operation::Post { envelopes: vec![vec![1, 2], vec![3]] }, "82 420102 4103"),
        (Operation::Poll { incarnation: None, after: 7, max: 128, wait_ms: 50_000 }, "84 f6 07 1880 19c350"),
        (
            Operation::Poll { incarnation: Some(inc), after: 0, max: 1, wait_ms: 0 },
            "84 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 00 01 00",
        ),
        (
            Operation::Ack {
                at: Cursor { incarnation: inc, seq: 9 },
                hash: EnvelopeHash::from_bytes([0xbb; 32]),
            },
            "83 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 09 \
             5820bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ),
        (Operation::Epoch { min_epoch: 2 }, "81 02"),
        (Operation::Delete, "80"),
    ];
    for (i, (operation, hex)) in cases.iter().enumerate() {
        let code = operation.code();
        assert!(i == 0 || code >= cases[i - 1].0.code());
        pinned(operation, Operation::args, |b| Operation::from_args(code, b), hex);
    }
    assert_eq!(Operation::from_args(7, &[0x80]), Err(Malformed));
    assert_eq!(Operation::from_args(0, &[0x80]), Err(Malformed));
}

#[test]
fn the_outer_array_is_pinned_and_deterministic() {
    let owner = MailboxKeyPair::from_seed(&[1; 32]);
    let relay = RelayKeyPair::from_seed(&[2; 32]).public();
    let request = SignedRequest::by_owner(
        &owner,
        &relay,
        Timestamp::from_millis(1_700_000_000_000),
        &Operation::Epoch { min_epoch: 1 },
    );
    pinned(
        &request,
        SignedRequest::to_bytes,
        SignedRequest::from_bytes,
        "86 05 58208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c f6 \
         1b0000018bcfe56800 42 8101 \
         5840 32eacfe435c4b0b95d27acd28bd3c5c8c14c50be0c18d0b901910ef08d0662f1 \
         12cd4920f81907730c5bb8be36765d291608cdd4d3cc077f2de440070893af0b",
    );
}

#[test]
fn an_owner_and_a_sender_verify_and_no_changed_byte_does() {
    let owner = MailboxKeyPair::generate(&mut rng());
    let sender = SenderKeyPair::generate(&mut rng());
    let relay = RelayKeyPair::generate(&mut rng()).public();
    let certificate = Certificate::issue(&owner, sender.public(), 1, Quota::default());
    let now = Timestamp::from_millis(5);
    let post = Operation::Post { envelopes: vec![vec![7; 10]] };
    let by_owner = SignedRequest::by_owner(&owner, &relay, now, &Operation::Delete);
    let by_sender = SignedRequest::by_sender(&sender, &certificate, &relay, now, &post);
    assert_eq!(by_owner.verify(&relay), Ok(Caller::Owner));
    assert_eq!(by_sender.verify(&relay), Ok(Caller::Sender(Box::new(certificate.clone()))));
    for request in [by_owner, by_sender] {
        let bytes = request.to_bytes();
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            let verified = SignedRequest::from_bytes(&bad).map(|r| r.verify(&relay));
            assert!(!matches!(verified, Ok(Ok(_))), "byte {i}");
        }
    }
}

#[test]
fn a_request_is_good_for_one_relay_and_one_mailbox() {
    let owner = MailboxKeyPair::generate(&mut rng());
    let sender = SenderKeyPair::generate(&mut rng());
    let relay = RelayKeyPair::generate(&mut rng()).public();
    let other = RelayKeyPair::generate(&mut rng()).public();
    let now = Timestamp::from_millis(5);
    let request = SignedRequest::by_owner(&owner, &relay, now, &Operation::Delete);
    assert_eq!(request.verify(&other), Err(Unproven));
    // A certificate of another mailbox does not carry a request to this one.
    let foreign = MailboxKeyPair::generate(&mut rng());
    let certificate = Certificate::issue(&foreign, sender.public(), 1, Quota::default());
    let mut moved = SignedRequest::by_sender(&sender, &certificate, &relay, now, &Operation::Delete);
    moved.mailbox = owner.public();
    moved.signature = sender.sign(LABEL, &moved.preimage(&relay).parts());
    assert_eq!(moved.verify(&relay), Err(Unproven));
}
