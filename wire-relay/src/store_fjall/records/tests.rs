use super::*;

const T0: Timestamp = Timestamp::from_millis(1_000_000);
const LAPSE: u64 = 60_000;
const LINGER: u64 = 600_000;
const A: TokenHash = TokenHash::from_bytes([1; 32]);
const B: TokenHash = TokenHash::from_bytes([2; 32]);
const C: TokenHash = TokenHash::from_bytes([3; 32]);

fn code() -> PlaceRecord {
    PlaceRecord::new(A, T0.plus_millis(600_000), Some(LINGER), 86_400_000)
}

fn hash(n: u8) -> EnvelopeHash {
    EnvelopeHash::from_bytes([n; 32])
}

fn mailbox(n: u8) -> MailboxId {
    MailboxId::from_bytes([n; 32])
}

#[test]
fn records_come_back_and_another_version_does_not() {
    let mut place = code();
    place.claim(B, LAPSE, T0);
    place.put(&B, Slot::B1, hash(1), T0);
    place.grant(&B, mailbox(1), T0);
    let bytes = place.to_bytes();
    assert_eq!(PlaceRecord::from_bytes(&bytes).unwrap(), place);
    let mut mailbox = MailboxRecord::new(Incarnation::from_bytes([7; 16]), 3, T0);
    mailbox.advance(4, 400, T0);
    mailbox.deleted_at = Some(T0);
    let bytes = mailbox.to_bytes();
    assert_eq!(MailboxRecord::from_bytes(&bytes).unwrap(), mailbox);
    let mut newer = bytes.clone();
    newer[1] = 2;
    assert!(MailboxRecord::from_bytes(&newer).is_err());
    assert!(MailboxRecord::from_bytes(&bytes[1..]).is_err());
    let row = RowRecord { bytes: 5, until: T0, hash: hash(9) };
    assert_eq!(RowRecord::from_bytes(&row.to_bytes()).unwrap(), row);
}

#[test]
fn one_claims_and_a_third_contests() {
    let mut place = code();
    assert!(matches!(place.claim(B, LAPSE, T0), Outcome::Claimed { .. }));
    assert!(matches!(place.claim(B, LAPSE, T0), Outcome::Claimed { .. }));
    assert!(!place.contested);
    assert_eq!(place.claim(C, LAPSE, T0), Outcome::Taken);
    assert!(place.contested);
    let mut own = code();
    assert_eq!(own.claim(A, LAPSE, T0), Outcome::Taken);
}

#[test]
fn a_claim_without_b1_lapses_and_one_with_b1_does_not() {
    let mut place = code();
    place.claim(B, LAPSE, T0);
    let later = T0.plus_millis(LAPSE);
    assert!(place.may_read(&B, later.offset_millis(-1)));
    assert!(!place.may_read(&B, later));
    assert_eq!(place.put(&B, Slot::B1, hash(1), later), (Outcome::Absent, false));
    assert!(matches!(place.claim(C, LAPSE, later), Outcome::Claimed { .. }));
    assert_eq!(place.put(&C, Slot::B1, hash(1), later), (Outcome::Written, true));
    let much_later = later.plus_millis(LAPSE * 2);
    assert_eq!(place.claim(B, LAPSE, much_later), Outcome::Taken);
    assert!(place.may_read(&C, much_later));
}

#[test]
fn slots_are_written_once_and_by_their_side() {
    let mut place = code();
    place.claim(B, LAPSE, T0);
    for (slot, mine, other) in [(Slot::A1, A, B), (Slot::A2, A, C), (Slot::B1, B, A), (Slot::B2, B, C)] {
        assert_eq!(place.put(&other, slot, hash(1), T0), (Outcome::Absent, false), "{slot:?}");
        assert_eq!(place.put(&mine, slot, hash(1), T0), (Outcome::Written, true), "{slot:?}");
        assert_eq!(place.put(&mine, slot, hash(1), T0), (Outcome::Written, false), "{slot:?}");
        assert_eq!(place.put(&mine, slot, hash(2), T0), (Outcome::Taken, false), "{slot:?}");
    }
}

#[test]
fn a_code_lives_on_after_b1_and_an_invite_does_not() {
    let late = T0.plus_millis(599_000);
    let mut place = code();
    place.claim(B, LAPSE, late);
    assert_eq!(place.until, late.plus_millis(LAPSE));
    place.put(&B, Slot::B1, hash(1), late);
    assert_eq!(place.until, late.plus_millis(LINGER));
    assert_eq!(place.free_at(), late.plus_millis(LINGER + 86_400_000));
    let mut invite = PlaceRecord::new(A, T0.plus_millis(700_000), None, 0);
    invite.claim(B, LAPSE, T0);
    invite.put(&B, Slot::B1, hash(1), T0);
    assert_eq!(invite.until, T0.plus_millis(700_000));
    assert_eq!(invite.claim(C, LAPSE, T0.plus_millis(700_000)), Outcome::Absent);
}

#[test]
fn a_closed_place_is_over_and_may_be_closed_again() {
    let mut place = code();
    assert!(!place.close(&B, T0));
    assert!(place.close(&A, T0));
    assert!(place.close(&A, T0.plus_millis(5)));
    assert_eq!(place.until, T0);
    assert!(!place.may_read(&A, T0));
    assert_eq!(place.claim(B, LAPSE, T0), Outcome::Absent);
}

#[test]
fn each_side_makes_one_mailbox() {
    let mut place = code();
    place.claim(B, LAPSE, T0);
    assert!(place.grant(&A, mailbox(1), T0));
    assert!(place.grant(&A, mailbox(1), T0));
    assert!(!place.grant(&A, mailbox(2), T0));
    assert!(place.grant(&B, mailbox(2), T0));
    assert!(!place.grant(&C, mailbox(3), T0));
    assert!(!place.grant(&B, mailbox(2), T0.plus_millis(LAPSE)));
}
