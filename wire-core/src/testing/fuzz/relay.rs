//! A relay and its clients, each with anything for what the other says.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{NOW, at};
use crate::mailbox::{
    Call, Certificate, CreatePolicy, Limits, MAX_BATCH, MAX_SKEW_MS, MAX_STREAMS, MailboxKeyPair,
    MailboxServer, Op, Operation, Origin, Plan, Quota, ReadRequest, ReadSpec, Refusal, Refused, RelayKeyPair,
    SenderKeyPair, SignedRequest,
};
use crate::testing::SeededRng;

const CALLS: [Call; 6] = [Call::Mailbox, Call::Allocate, Call::Claim, Call::Put, Call::Get, Call::Close];

/// The keys of one mailbox and of a relay.
pub(super) struct Keys {
    pub(super) relay: RelayKeyPair,
    pub(super) owner: MailboxKeyPair,
    pub(super) sender: SenderKeyPair,
    pub(super) certificate: Certificate,
}

pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

impl Keys {
    fn new() -> Self {
        let owner = MailboxKeyPair::from_seed(&[1; 32]);
        let sender = SenderKeyPair::from_seed(&[3; 32]);
        let quota = Quota { max_envelope: 16, max_pending: 4, bytes_per_day: 64 };
        let certificate = Certificate::issue(&owner, sender.public(), 1, quota);
        Self { relay: RelayKeyPair::from_seed(&[2; 32]), owner, sender, certificate }
    }

    pub(super) fn by_owner(&self, operation: &Operation) -> SignedRequest {
        SignedRequest::by_owner(&self.owner, &self.relay.public(), NOW, operation)
    }

    pub(super) fn by_sender(&self, operation: &Operation) -> SignedRequest {
        SignedRequest::by_sender(&self.sender, &self.certificate, &self.relay.public(), NOW, operation)
    }
}

/// The relay plans nothing for a mailbox without a signature that holds, and tells whoever has none nothing but
/// that; with one it plans what the signer may do, on the mailbox of that key, and nothing else.
pub fn relay_requests(data: &[u8]) {
    let mut input = Input::new(data);
    let keys = &*KEYS;
    let rng = &mut SeededRng::new(1);
    let server = MailboxServer::new(keys.relay.clone(), CreatePolicy::Open, Limits::default(), [], rng);
    match input.choice(3) {
        0 => any_body(&server, keys, input.rest()),
        1 => {
            let honest = honest_body(keys, input.choice(7));
            any_body(&server, keys, &input.edited(&honest));
        }
        _ => signed(&server, keys, &mut input),
    }
}

pub(super) fn honest_body(keys: &Keys, which: usize) -> Vec<u8> {
    let poll = Operation::Poll { incarnation: None, after: 0, max: 9, wait_ms: 60_000 };
    let post = Operation::Post { envelopes: vec![vec![5; 16], vec![6; 4]] };
    let operation = match which {
        0 => Operation::Create { min_epoch: 1, right: crate::mailbox::Right::None },
        1 => return keys.by_sender(&post).to_bytes(),
        2 => poll,
        3 => Operation::Epoch { min_epoch: 2 },
        4 => Operation::Delete,
        5 => return ReadRequest { polls: vec![keys.by_owner(&poll)], follow: true }.to_bytes(),
        _ => return ReadRequest { polls: vec![keys.by_sender(&post)], follow: false }.to_bytes(),
    };
    keys.by_owner(&operation).to_bytes()
}

fn any_body(server: &MailboxServer, keys: &Keys, body: &[u8]) {
    let rng = &mut SeededRng::new(2);
    let relay = keys.relay.public();
    let proved = SignedRequest::from_bytes(body).is_ok_and(|request| request.verify(&relay).is_ok());
    for call in CALLS {
        match (call, server.plan(NOW, Origin::UNKNOWN, call, body, rng)) {
            (Call::Mailbox, Ok(plan)) => {
                accept();
                assert!(proved, "a plan for nobody: {plan:?}");
                finishes(server, plan);
            }
            (Call::Mailbox, Err(refusal)) => assert!(proved || refusal == Refusal::NotFound, "{refusal:?}"),
            (_, Ok(plan)) => finishes(server, plan),
            (_, Err(refusal)) => assert!(
                matches!(refusal, Refusal::Malformed | Refusal::TooLarge),
                "{call:?} of a first client: {refusal:?}"
            ),
        }
    }
    let Ok(stream) = server.plan_read(NOW, body) else { return };
    let request = ReadRequest::from_bytes(body).expect("it was planned");
    assert!(stream.reads.len() == request.polls.len() && stream.reads.len() <= MAX_STREAMS);
    for (read, poll) in stream.reads.iter().zip(&request.polls) {
        let proved = poll.verify(&relay).is_ok();
        match read {
            Ok(ReadSpec::Mailbox { mailbox, .. }) => {
                accept();
                assert!(proved && *mailbox == poll.mailbox() && poll.certificate().is_none());
            }
            Ok(ReadSpec::Slot { .. }) => panic!("a slot in a stream"),
            Err(refusal) => assert!(proved || *refusal == Refusal::NotFound, "{refusal:?}"),
        }
    }
}

/// Whatever a store says, the answer is one that a client can read.
fn finishes(server: &MailboxServer, plan: Plan) {
    let (Plan::Apply(ticket, _) | Plan::Read(ticket, _, _)) = plan;
    let reply = server.finish(NOW, ticket, Err(Refusal::Full));
    let refused = Refused::from_bytes(&reply.body).expect("a refusal");
    assert_eq!((refused.refusal.status(), refused.time), (reply.status, NOW));
}

/// Any operation, arguments and time, signed by the owner, by the sender, or by either in the other's name.
fn signed(server: &MailboxServer, keys: &Keys, input: &mut Input<'_>) {
    let (code, signer) = (input.u8() % 8, input.choice(4));
    let offset = i64::from(input.u32().cast_signed()) / (1 + i64::from(input.u8()));
    let args = input.rest();
    let (in_name_of_sender, by_sender) = (signer & 1 == 1, signer == 1 || signer == 2);
    let certificate = in_name_of_sender.then(|| keys.certificate.as_bytes().to_vec());
    let request = SignedRequest::forge(
        (code, args),
        (keys.owner.public(), certificate),
        at(offset),
        &keys.relay.public(),
        |label, parts| if by_sender { keys.sender.sign(label, parts) } else { keys.owner.sign(label, parts) },
    );
    let plan = server.plan(NOW, Origin::UNKNOWN, Call::Mailbox, &request.to_bytes(), &mut SeededRng::new(3));
    if in_name_of_sender != by_sender {
        return assert_eq!(plan.unwrap_err(), Refusal::NotFound);
    }
    if offset.unsigned_abs() > MAX_SKEW_MS {
        return assert_eq!(plan.unwrap_err(), Refusal::Skew);
    }
    let Ok(operation) = Operation::from_args(code, args) else {
        return assert_eq!(plan.unwrap_err(), Refusal::Malformed);
    };
    match (&operation, by_sender) {
        (Operation::Post { .. }, false) => assert_eq!(plan.unwrap_err(), Refusal::NotFound),
        (Operation::Post { envelopes }, true) => posted(envelopes, plan),
        (_, true) => assert_eq!(plan.unwrap_err(), Refusal::NotFound),
        (_, false) => owned(keys, &operation, plan.expect("the owner may do all but post")),
    }
}

fn posted(envelopes: &[Vec<u8>], plan: Result<Plan, Refusal>) {
    let takes = |e: &&Vec<u8>| e.len() <= 16;
    match plan {
        Ok(Plan::Apply(_, Op::Append { envelopes: stored, guard, .. })) => {
            accept();
            assert!(!envelopes.is_empty() && envelopes.len() <= MAX_BATCH);
            assert!(stored.iter().map(|(_, e)| e).eq(envelopes.iter().filter(takes).take(stored.len())));
            assert!(stored.iter().map(|(_, e)| e.len()).sum::<usize>() <= 64);
            assert_eq!((guard.epoch, guard.max_pending), (1, 4));
        }
        Ok(plan) => panic!("planned {plan:?}"),
        Err(Refusal::Malformed) => assert!(envelopes.is_empty()),
        Err(Refusal::TooLarge) => assert!(envelopes.len() > MAX_BATCH),
        Err(refusal) => panic!("a first post is refused: {refusal:?}"),
    }
}

fn owned(keys: &Keys, operation: &Operation, plan: Plan) {
    accept();
    let planned = match (operation, plan) {
        (Operation::Create { .. }, Plan::Apply(_, Op::Create { mailbox, .. }))
        | (Operation::Ack { .. }, Plan::Apply(_, Op::Ack { mailbox, .. }))
        | (Operation::Epoch { .. }, Plan::Apply(_, Op::Epoch { mailbox, .. }))
        | (Operation::Delete, Plan::Apply(_, Op::Delete { mailbox, .. })) => mailbox,
        (Operation::Poll { .. }, Plan::Read(_, ReadSpec::Mailbox { mailbox, max_envelopes, .. }, wait)) => {
            assert!((1..=MAX_BATCH).contains(&max_envelopes) && wait <= crate::mailbox::MAX_WAIT_MS);
            mailbox
        }
        (operation, plan) => panic!("{operation:?} became {plan:?}"),
    };
    assert_eq!(planned, keys.owner.public());
}
