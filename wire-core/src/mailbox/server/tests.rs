use super::*;
use crate::encoding::cbor;
use crate::mailbox::*;
use crate::mailbox::{InviteId, Rendezvous};
use crate::tests_rng::rng;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HERE: Origin = Origin::v4([10, 0, 0, 1]);
const INC: Incarnation = Incarnation::from_bytes([7; 16]);

struct World {
    server: MailboxServer,
    owner: MailboxKeyPair,
    sender: SenderKeyPair,
    certificate: Certificate,
}

impl World {
    fn new(create: CreatePolicy, limits: Limits) -> Self {
        Self::with_quota(create, limits, Quota::default())
    }

    fn with_quota(create: CreatePolicy, limits: Limits, quota: Quota) -> Self {
        let rng = &mut rng();
        let owner = MailboxKeyPair::generate(rng);
        let sender = SenderKeyPair::generate(rng);
        let certificate = Certificate::issue(&owner, sender.public(), 1, quota);
        let server = MailboxServer::new(RelayKeyPair::generate(rng), create, limits, [], rng);
        Self { server, owner, sender, certificate }
    }

    fn owner(&self, operation: &Operation) -> Result<Plan, Refusal> {
        let id = self.server.relay_id();
        self.send(NOW, Call::Mailbox, &SignedRequest::by_owner(&self.owner, &id, NOW, operation).to_bytes())
    }

    fn sender(&self, operation: &Operation) -> Result<Plan, Refusal> {
        let id = self.server.relay_id();
        let request = SignedRequest::by_sender(&self.sender, &self.certificate, &id, NOW, operation);
        self.send(NOW, Call::Mailbox, &request.to_bytes())
    }

    fn post(&self, sizes: &[usize]) -> Result<Plan, Refusal> {
        self.sender(&Operation::Post { envelopes: sizes.iter().map(|n| vec![0; *n]).collect() })
    }

    fn send(&self, now: Timestamp, call: Call, body: &[u8]) -> Result<Plan, Refusal> {
        self.server.plan(now, HERE, call, body, &mut rng())
    }
}

fn open() -> World {
    World::new(CreatePolicy::Open, Limits::default())
}

const POLL: Operation = Operation::Poll { incarnation: None, after: 0, max: 500, wait_ms: 60_000 };

fn create(right: Right) -> Operation {
    Operation::Create { min_epoch: 1, right }
}

#[track_caller]
fn refused(plan: Result<Plan, Refusal>) -> Refusal {
    match plan {
        Ok(plan) => panic!("planned {plan:?}"),
        Err(refusal) => refusal,
    }
}

#[test]
fn whoever_proves_nothing_is_told_nothing() {
    let w = open();
    let id = w.server.relay_id();
    let elsewhere = RelayKeyPair::generate(&mut rng()).public();
    let stranger = MailboxKeyPair::generate(&mut rng());
    let forged = Certificate::issue(&stranger, w.sender.public(), 1, Quota::default());
    let post = Operation::Post { envelopes: vec![vec![1]] };
    let good = SignedRequest::by_owner(&w.owner, &id, NOW, &POLL).to_bytes();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut altered = SignedRequest::by_sender(&w.sender, &w.certificate, &id, NOW, &post).to_bytes();
    altered[40 + 33 + 70] ^= 1;
    let bodies = [
        ("nothing", vec![]),
        ("no array", vec![0]),
        ("cut short", good[..good.len() - 1].to_vec()),
        ("bad signature", flipped),
        ("altered certificate", altered),
        ("another relay's", SignedRequest::by_owner(&w.owner, &elsewhere, NOW, &POLL).to_bytes()),
        ("foreign sender", {
            let other = SenderKeyPair::generate(&mut rng());
            SignedRequest::by_sender(&other, &w.certificate, &id, NOW, &post).to_bytes()
        }),
        ("sender polls", SignedRequest::by_sender(&w.sender, &w.certificate, &id, NOW, &POLL).to_bytes()),
        (
            "sender deletes",
            SignedRequest::by_sender(&w.sender, &w.certificate, &id, NOW, &Operation::Delete).to_bytes(),
        ),
        ("owner posts", SignedRequest::by_owner(&w.owner, &id, NOW, &post).to_bytes()),
        ("bad signature, and a clock far off", {
            let mut old = SignedRequest::by_owner(&w.owner, &id, Timestamp::from_millis(0), &POLL).to_bytes();
            *old.last_mut().unwrap() ^= 1;
            old
        }),
    ];
    for (what, body) in bodies {
        assert_eq!(refused(w.send(NOW, Call::Mailbox, &body)), Refusal::NotFound, "{what}");
    }
    // Of a mailbox that is not there, whoever proves to own it hears the very same.
    let Ok(Plan::Read(ticket, ..)) = w.owner(&POLL) else { panic!() };
    let absent = w.server.finish(NOW, ticket, Ok(Outcome::Absent));
    assert_eq!(absent, Reply::refused(Refusal::NotFound, NOW));
    let wrong = SignedRequest::by_sender(&w.sender, &forged, &id, NOW, &post);
    assert!(wrong.verify(&id).is_ok(), "a certificate of the stranger's own mailbox is good for that");
}

#[test]
fn a_clock_may_be_two_minutes_off_and_no_more() {
    let w = open();
    let request = SignedRequest::by_owner(&w.owner, &w.server.relay_id(), NOW, &POLL).to_bytes();
    for (offset, ok) in [(-120_000, true), (120_000, true), (-120_001, false), (120_001, false)] {
        let plan = w.send(NOW.offset_millis(offset), Call::Mailbox, &request);
        assert_eq!(plan.is_ok(), ok, "{offset}");
        if !ok {
            assert_eq!(refused(plan), Refusal::Skew);
        }
    }
}

#[test]
fn arguments_are_read_only_after_the_proof() {
    let w = open();
    assert_eq!(refused(w.sender(&Operation::Post { envelopes: vec![] })), Refusal::Malformed);
    assert_eq!(refused(w.post(&[1; MAX_BATCH + 1])), Refusal::TooLarge);
    assert!(w.post(&[1; MAX_BATCH]).is_ok());
    let Ok(Plan::Read(_, ReadSpec::Mailbox { max_envelopes, max_bytes, .. }, wait)) = w.owner(&POLL) else {
        panic!()
    };
    assert_eq!((max_envelopes, max_bytes, wait), (MAX_BATCH, MAX_BATCH_BYTES, MAX_WAIT_MS));
}

#[test]
fn verdicts_come_back_in_the_order_of_the_envelopes() {
    let quota = Quota { max_envelope: 10, max_pending: 5, bytes_per_day: 100 };
    let w = World::with_quota(CreatePolicy::Open, Limits::default(), quota);
    let Ok(Plan::Apply(ticket, Op::Append { guard, envelopes, until, .. })) = w.post(&[5, 11, 6]) else {
        panic!()
    };
    assert_eq!(guard, Guard { epoch: 1, max_pending: 5, max_bytes: 256 << 20 });
    assert_eq!(envelopes.iter().map(|(_, e)| e.len()).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(until, NOW.plus_millis(w.server.limits().envelope_life));
    let outcome = Outcome::Appended { incarnation: INC, verdicts: vec![Verdict::Same, Verdict::Stored] };
    let reply = w.server.finish(NOW, ticket, Ok(outcome));
    assert_eq!(reply.status, 202);
    let posted = Posted::from_bytes(&reply.body).unwrap();
    assert_eq!(posted.verdicts, [Verdict::Same, Verdict::TooLarge, Verdict::Stored]);
}

#[test]
fn bytes_of_the_day_count_what_was_stored() {
    let quota = Quota { bytes_per_day: 10, ..Quota::default() };
    let w = World::with_quota(CreatePolicy::Open, Limits::default(), quota);
    let stored = |n: usize| Ok(Outcome::Appended { incarnation: INC, verdicts: vec![Verdict::Stored; n] });
    // A store that failed, or that had it already, gives the bytes back.
    for outcome in [
        Err(Refusal::Full),
        Ok(Outcome::OldEpoch),
        Ok(Outcome::Appended { incarnation: INC, verdicts: vec![Verdict::Same] }),
    ] {
        let Ok(Plan::Apply(ticket, _)) = w.post(&[10]) else { panic!() };
        w.server.finish(NOW, ticket, outcome);
    }
    let Ok(Plan::Apply(ticket, _)) = w.post(&[6, 6, 1]) else { panic!() };
    let reply = w.server.finish(NOW, ticket, stored(1));
    let posted = Posted::from_bytes(&reply.body).unwrap();
    assert_eq!(posted.verdicts, [Verdict::Stored, Verdict::Quota, Verdict::Quota]);
    assert!(matches!(refused(w.post(&[5])), Refusal::Quota { retry_after: 86_400 }));
}

#[test]
fn a_store_that_failed_acknowledges_nothing() {
    let w = open();
    for (refusal, status) in [(Refusal::Full, 507), (Refusal::Unavailable { retry_after: 1 }, 503)] {
        let Ok(Plan::Apply(ticket, _)) = w.post(&[1]) else { panic!() };
        assert_eq!(w.server.finish(NOW, ticket, Err(refusal)).status, status);
        let Ok(Plan::Apply(ticket, _)) = w.owner(&Operation::Delete) else { panic!() };
        assert_eq!(w.server.finish(NOW, ticket, Err(refusal)).status, status);
    }
}

fn entitled(plan: Result<Plan, Refusal>) -> (Ticket, Entitled) {
    match plan {
        Ok(Plan::Apply(ticket, Op::Create { entitled, .. })) => (ticket, entitled),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_relay_that_wants_tokens_takes_one_or_a_place() {
    let token = OperatorToken::new(b"let me in").unwrap();
    let w = World::new(CreatePolicy::Token(vec![token.hash()]), Limits::default());
    assert_eq!(entitled(w.owner(&create(Right::Operator(token.clone())))).1, Entitled::Yes);
    let place = Rendezvous::Invite(InviteId::from_bytes([1; 16]));
    let client = ClientToken::from_bytes([2; 32]);
    let by_place = Right::Pairing { place: place.clone(), token: client.clone() };
    assert_eq!(entitled(w.owner(&create(by_place))).1, Entitled::ByPlace(place, client.hash()));
    let wrong = OperatorToken::new(b"let me out").unwrap();
    for right in [Right::None, Right::Operator(wrong)] {
        let (ticket, entitled) = entitled(w.owner(&create(right)));
        assert_eq!(entitled, Entitled::No);
        let reply = w.server.finish(NOW, ticket, Ok(Outcome::NotEntitled));
        assert_eq!(reply.status, 401);
    }
    let allocate = |right| {
        let call = Allocate { token: client.hash(), invite: None, right };
        w.send(NOW, Call::Allocate, &call.to_bytes())
    };
    assert_eq!(refused(allocate(Right::None)), Refusal::RightWanted);
    assert!(allocate(Right::Operator(token)).is_ok());
}

#[test]
fn a_relay_that_wants_work_takes_each_answer_once() {
    let w = World::new(CreatePolicy::Work, Limits { work_bits: 6, ..Limits::default() });
    let (ticket, _) = entitled(w.owner(&create(Right::None)));
    let reply = w.server.finish(NOW, ticket, Ok(Outcome::NotEntitled));
    let refused = Refused::from_bytes(&reply.body).unwrap().refusal;
    let Refusal::Work { challenge, bits: 6 } = refused else { panic!("{refused:?}") };
    let answer = solve_work(&challenge, 6).unwrap();
    let right = Right::Work { challenge, answer };
    assert_eq!(entitled(w.owner(&create(right.clone()))).1, Entitled::Yes);
    assert_eq!(entitled(w.owner(&create(right))).1, Entitled::No);
}

#[test]
fn who_opens_many_codes_has_to_work_and_who_closes_them_has_not() {
    let w = World::new(CreatePolicy::Open, Limits { work_bits: 4, ..Limits::default() });
    let token = ClientToken::from_bytes([2; 32]);
    let allocate = |right| {
        let call = Allocate { token: token.hash(), invite: None, right };
        w.send(NOW, Call::Allocate, &call.to_bytes())
    };
    let mut places = Vec::new();
    for _ in 0..w.server.limits().open_codes_per_origin {
        let Ok(Plan::Apply(ticket, Op::SlotOpen { candidates, until, .. })) = allocate(Right::None) else {
            panic!()
        };
        let place = candidates[0].clone();
        let reply = w.server.finish(NOW, ticket, Ok(Outcome::Opened { place: place.clone(), until }));
        assert_eq!(Allocated::from_bytes(&reply.body).unwrap(), Allocated { place: place.clone(), until });
        places.push(place);
    }
    let Refusal::Work { challenge, bits } = refused(allocate(Right::None)) else { panic!() };
    let answer = solve_work(&challenge, bits).unwrap();
    assert!(allocate(Right::Work { challenge, answer }).is_ok());
    let close = Close { place: places.remove(0), token: token.clone() };
    let Ok(Plan::Apply(ticket, _)) = w.send(NOW, Call::Close, &close.to_bytes()) else { panic!() };
    assert_eq!(w.server.finish(NOW, ticket, Ok(Outcome::Written)).status, 200);
    assert!(allocate(Right::None).is_ok());
}

#[test]
fn who_claims_what_is_not_there_is_barred_for_the_minute() {
    let w = open();
    let claim = Claim {
        place: Rendezvous::Nameplate("4821".parse().unwrap()),
        token: ClientToken::from_bytes([1; 32]).hash(),
    };
    for _ in 0..w.server.limits().missed_claims_per_minute {
        let Ok(Plan::Apply(ticket, _)) = w.send(NOW, Call::Claim, &claim.to_bytes()) else { panic!() };
        assert_eq!(w.server.finish(NOW, ticket, Ok(Outcome::Absent)).status, 404);
    }
    let barred = refused(w.send(NOW, Call::Claim, &claim.to_bytes()));
    assert_eq!(barred, Refusal::Rate { retry_after: 60 });
    assert!(w.send(NOW.plus_millis(60_000), Call::Claim, &claim.to_bytes()).is_ok());
}

#[test]
fn rendezvous_bodies_that_are_malformed_or_too_large_are_refused() {
    let w = open();
    for call in [Call::Allocate, Call::Claim, Call::Put, Call::Get, Call::Close] {
        assert_eq!(refused(w.send(NOW, call, &[0x80])), Refusal::Malformed);
    }
    let put = |n| Put {
        place: Rendezvous::Nameplate("4821".parse().unwrap()),
        token: ClientToken::from_bytes([1; 32]),
        slot: Slot::A1,
        bytes: vec![0; n],
    };
    assert!(w.send(NOW, Call::Put, &put(MAX_SLOT).to_bytes()).is_ok());
    assert_eq!(refused(w.send(NOW, Call::Put, &put(MAX_SLOT + 1).to_bytes())), Refusal::TooLarge);
}

#[test]
fn each_poll_of_a_stream_stands_for_itself() {
    let w = open();
    let id = w.server.relay_id();
    let good = SignedRequest::by_owner(&w.owner, &id, NOW, &POLL);
    let ack = SignedRequest::by_owner(&w.owner, &id, NOW, &Operation::Delete);
    let by_sender = SignedRequest::by_sender(&w.sender, &w.certificate, &id, NOW, &POLL);
    let body = ReadRequest { polls: vec![good, ack, by_sender], follow: true }.to_bytes();
    let plan = w.server.plan_read(NOW, &body).unwrap();
    assert!(plan.follow);
    assert!(matches!(plan.reads[0], Ok(ReadSpec::Mailbox { mailbox, .. }) if mailbox == w.owner.public()));
    assert_eq!(plan.reads[1], Err(Refusal::NotFound));
    assert_eq!(plan.reads[2], Err(Refusal::NotFound));
    assert_eq!(w.server.plan_read(NOW, &cbor::to_vec(&(1u8,))).unwrap_err(), Refusal::Malformed);
}

#[test]
fn nothing_secret_shows_in_debug_output() {
    let seed = [0x5a; 32];
    let key = RelayKeyPair::from_seed(&seed);
    let server = MailboxServer::new(key, CreatePolicy::Open, Limits::default(), [], &mut rng());
    let text = format!("{server:?}");
    assert!(!text.contains("5a5a") && !text.contains("90, 90"), "{text}");
}
