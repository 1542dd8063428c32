//! The recovery file is written before the store changes: whatever is cut off between the two, what is left is a
//! store and a file with which the same can be done again.

#![expect(clippy::disallowed_methods, reason = "it looks at the files")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::harness::{Side, Wish, World, pair};
use crate::agent::error::Error;
use crate::agent::recovery_file::{Point, Target, open};
use crate::recovery::{Contents, Passphrase, RecoveryError};

const POINTS: [Point; 4] = [Point::Begun, Point::Written, Point::Proved, Point::Named];

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple".to_owned()).unwrap()
}

struct Place {
    _folder: TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("alice.wire");
        Self { _folder: folder, file }
    }

    fn contents(&self) -> Contents {
        open(&self.file, &passphrase()).unwrap().1
    }
}

fn cut(at: Option<Point>) -> impl FnMut(Point) -> Result<(), Error> {
    move |point| if at == Some(point) { Err(Error::Internal("cut off")) } else { Ok(()) }
}

/// The first backup, cut off there.
fn back_up(side: &Side, place: &Place, at: Option<Point>) -> Result<(), Error> {
    let target = Target::new(&place.file, &passphrase())?;
    let next = side.next_key();
    side.write(|b| b.back_up("alice", &next, &target.name(), |c| target.save(c, &passphrase(), cut(at))))
}

fn rotate(side: &mut Side, place: &Place, at: Option<Point>) -> Result<(), Error> {
    let (target, held) = Target::replacing(&place.file, &passphrase())?;
    let done = side
        .write(|b| b.rotate_from(&held, "alice", &target.name(), |c| target.save(c, &passphrase(), cut(at))));
    side.refresh();
    done
}

#[test]
fn a_first_backup_that_is_cut_off_leaves_the_next_key_where_it_was() {
    for at in POINTS {
        let (w, place) = (World::paired(), Place::new());
        assert!(matches!(back_up(&w.alice, &place, Some(at)), Err(Error::Internal(_))), "{at:?}");
        assert_eq!(w.alice.read(|b| b.backup()), None, "{at:?}");
        assert!(!w.alice.read(|b| b.has_moved_next_key()), "{at:?}");
        assert_eq!(place.file.exists(), at == Point::Named);
        if at == Point::Named {
            // It is whole, and holds the same key.
            assert_eq!(place.contents().next.digest(), w.alice.next_key().digest());
            assert!(matches!(back_up(&w.alice, &place, None), Err(Error::FileExists { .. })));
            std::fs::remove_file(&place.file).unwrap();
        }
        back_up(&w.alice, &place, None).unwrap();
        assert!(w.alice.read(|b| b.has_moved_next_key()));
        let mode = std::fs::metadata(&place.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(names(&place), ["alice.wire"]);
    }
}

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.file.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_rotation_that_is_cut_off_anywhere_is_done_again_by_the_same_pair() {
    for at in POINTS {
        let (mut w, place) = (World::paired(), Place::new());
        back_up(&w.alice, &place, None).unwrap();
        let before = w.alice.engine().identity.clone();
        assert!(matches!(rotate(&mut w.alice, &place, Some(at)), Err(Error::Internal(_))), "{at:?}");
        assert_eq!(w.alice.engine().identity.statements(), before.statements(), "{at:?}");
        assert!(w.alice.post().is_empty(), "nobody was told");
        // The store is lost too: what the file holds is an agent.
        let held = place.contents();
        assert_eq!(held.identity.root(), before.root());
        assert_eq!(held.identity.statements().serial(), u32::from(at == Point::Named), "{at:?}");
        let restored = Side::restored("alice", w.alice.now(), &held);
        pair((&restored, Wish::default()), (&Side::new("carol"), Wish::default())).unwrap();

        if at == Point::Named {
            // To bring it up to date would write the old key over the new one.
            let refused = w.alice.write(|b| b.next_key_of(&held, "file").map(|_| ()));
            assert!(matches!(refused, Err(Error::RotationCutOff { .. })));
        }
        rotate(&mut w.alice, &place, None).unwrap();
        let (now, file) = (&w.alice.engine().identity, place.contents());
        assert_eq!(now.statements().serial(), 1, "{at:?}");
        assert_eq!(now.statements(), file.identity.statements());
        assert_eq!(file.next.digest(), now.statements().next_digest());
        if at == Point::Named {
            assert_eq!(now.key().public(), held.identity.key().public(), "the same rotation");
        }
        w.settle();
        assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.rotations)), 1);
        w.alice.refresh();
        // And the pair goes on to work.
        rotate(&mut w.alice, &place, None).unwrap();
        w.settle();
        assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.rotations)), 2);
        assert_eq!(names(&place), ["alice.wire"]);
    }
}

#[test]
fn what_forbids_a_rotation_forbids_it_before_the_file_is_touched() {
    let (mut w, place) = (World::paired(), Place::new());
    back_up(&w.alice, &place, None).unwrap();
    rotate(&mut w.alice, &place, None).unwrap();
    let before = std::fs::read(&place.file).unwrap();
    assert!(matches!(rotate(&mut w.alice, &place, None), Err(Error::RotationUnderWay { .. })));
    assert_eq!(std::fs::read(&place.file).unwrap(), before);
}

#[test]
fn a_file_of_another_agent_or_of_another_time_rotates_nothing() {
    let (mut w, place, early) = (World::paired(), Place::new(), Place::new());
    back_up(&w.alice, &place, None).unwrap();
    std::fs::copy(&place.file, &early.file).unwrap();
    assert!(matches!(rotate(&mut w.bob, &place, None), Err(Error::AnotherIdentity { .. })));
    rotate(&mut w.alice, &place, None).unwrap();
    w.settle();
    w.alice.refresh();
    let untouched = std::fs::read(&early.file).unwrap();
    assert!(matches!(rotate(&mut w.alice, &early, None), Err(Error::StaleRecovery { .. })));
    let held = early.contents();
    assert!(matches!(
        w.alice.write(|b| b.next_key_of(&held, "early").map(|_| ())),
        Err(Error::StaleRecovery { .. })
    ));
    assert_eq!(std::fs::read(&early.file).unwrap(), untouched);
}

#[test]
fn a_file_that_is_not_one_is_left_as_it_is() {
    let (w, place) = (World::paired(), Place::new());
    let beside = PathBuf::from(format!("{}.new", place.file.display()));
    // Somebody's file beside it is nothing that a crash of ours left; the beginning of one of ours is.
    std::fs::write(&beside, "notes").unwrap();
    assert!(matches!(back_up(&w.alice, &place, None), Err(Error::FileExists { .. })));
    assert_eq!(std::fs::read(&beside).unwrap(), b"notes");
    for left in [&b""[..], b"wire/rec", b"wire/recovery/1 and half of the rest"] {
        std::fs::write(&beside, left).unwrap();
        let _ = std::fs::remove_file(&place.file);
        back_up(&w.alice, &place, None).unwrap();
        assert!(!beside.exists());
    }
    for (bytes, expected) in [
        (&b"notes"[..], RecoveryError::NotOne),
        (b"", RecoveryError::NotOne),
        (b"wire/recovery/2", RecoveryError::Version),
    ] {
        std::fs::write(&place.file, bytes).unwrap();
        let refused = Target::replacing(&place.file, &passphrase()).map(|_| ());
        assert!(matches!(refused, Err(Error::Recovery(e)) if e == expected));
        assert!(matches!(Target::new(&place.file, &passphrase()), Err(Error::FileExists { .. })));
        assert_eq!(std::fs::read(&place.file).unwrap(), bytes);
    }
    std::fs::remove_file(&place.file).unwrap();
    std::os::unix::fs::symlink("nowhere", &place.file).unwrap();
    assert!(matches!(Target::new(&place.file, &passphrase()), Err(Error::FileExists { .. })), "a link too");
}

#[test]
fn a_cut_or_changed_file_and_a_wrong_passphrase_open_nothing() {
    let (w, place) = (World::paired(), Place::new());
    back_up(&w.alice, &place, None).unwrap();
    let honest = std::fs::read(&place.file).unwrap();
    let wrong = Passphrase::new("correct horse battery stable".to_owned()).unwrap();
    let opens = |bytes: &[u8], by: &Passphrase| {
        std::fs::write(&place.file, bytes).unwrap();
        open(&place.file, by).map(|_| ())
    };
    assert!(opens(&honest, &passphrase()).is_ok());
    assert!(matches!(opens(&honest, &wrong), Err(Error::Recovery(RecoveryError::Locked))));
    assert!(matches!(
        opens(&honest[..honest.len() - 1], &passphrase()),
        Err(Error::Recovery(RecoveryError::NotOne))
    ));
    // A bit of the salt, of the nonce, of the box and of the tag; more work than was done.
    for (at, bit) in [(30, 1), (50, 1), (70, 1), (honest.len() - 1, 128), (22, 7)] {
        let mut bytes = honest.clone();
        bytes[at] ^= bit;
        assert!(matches!(opens(&bytes, &passphrase()), Err(Error::Recovery(RecoveryError::Locked))), "{at}");
    }
    let absent = Path::new("/nowhere/at/all");
    assert!(matches!(open(absent, &passphrase()), Err(Error::Store(_))));
}
