use super::harness::{RELAY, Side, URL};
use crate::agent::engine::{InviteRow, InviteStep};
use crate::agent::error::Error;
use crate::mailbox::{ClientToken, MailboxId};
use crate::pairing::InviteId;
use crate::tests_rng::rng;

const ID: InviteId = InviteId::from_bytes([1; 16]);

fn inviting() -> Side {
    let side = Side::new("alice");
    let row = InviteRow {
        id: ID,
        step: InviteStep::Offered,
        url: URL.to_owned(),
        relay: RELAY,
        token: ClientToken::random(&mut rng()),
        state: vec![1].into(),
        mailbox: None,
        name: None,
        verify: false,
        until: side.now().plus_millis(5_000),
        peer: None,
        failed: None,
    };
    side.write(|b| b.put_invite(&row)).unwrap();
    side
}

fn orphans(side: &Side) -> Vec<(MailboxId, String)> {
    let all = side.read(|b| b.orphans(|owner| !owner.is_empty()));
    all.into_iter().map(|(mailbox, url)| (mailbox.public(), url)).collect()
}

#[test]
fn every_try_makes_the_same_mailbox() {
    let side = inviting();
    let first = side.write(|b| b.invite_mailbox(&ID)).unwrap();
    let again = side.write(|b| b.invite_mailbox(&ID)).unwrap();
    assert_eq!(first.public(), again.public());
    assert_eq!(orphans(&side), []);
}

#[test]
fn its_mailbox_is_to_be_deleted_when_it_fails_or_expires() {
    for expires in [false, true] {
        let side = inviting();
        let mailbox = side.write(|b| b.invite_mailbox(&ID)).unwrap();
        side.wait(4_999);
        side.write(|b| b.expire_invites()).unwrap();
        assert_eq!(orphans(&side), []);
        if expires {
            side.wait(1);
            side.write(|b| b.expire_invites()).unwrap();
        } else {
            side.write(|b| b.end_invite(&ID, None, Some("contested"))).unwrap();
        }
        assert_eq!(orphans(&side), [(mailbox.public(), URL.to_owned())]);
        assert!(side.read(|b| b.open_invites()).is_empty());
        assert!(side.value::<Option<Vec<u8>>>("SELECT box_seed FROM invite").is_none());
        assert!(matches!(side.write(|b| b.invite_mailbox(&ID)), Err(Error::CodeExpired)));
    }
}

#[test]
fn a_failed_one_is_listed_for_a_day_after_its_time_and_then_forgotten() {
    let side = inviting();
    side.write(|b| b.end_invite(&ID, None, Some("contested"))).unwrap();
    let listed = || side.read(|b| b.listed_invites()).len();
    let kept = || side.read(|b| b.invite(&ID)).is_some();
    side.wait(5_000 + 86_400_000 - 1);
    side.write(|b| b.expire_invites()).unwrap();
    assert_eq!((listed(), kept()), (1, true));
    side.wait(1);
    assert_eq!((listed(), kept()), (0, true));
    side.write(|b| b.expire_invites()).unwrap();
    assert!(!kept());
}
