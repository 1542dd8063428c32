//! The turn to make a container of one name, and the note of how far its last maker came.
//!
//! A maker may be killed at any moment. What it noted before each step tells the next one what may have
//! happened, where the engine's own record cannot: whether a started container was ever given its command.
//!
//! ```text
//! plain   CONTAINER ATTEMPT      the engine was asked to start it, and with it its command
//! started CONTAINER ATTEMPT      the engine was asked to start it; the shim has no command yet
//! begun   CONTAINER ATTEMPT      its command may run, or have run
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::installation::{InstallationError, io_error};
use crate::entropy::random;
use crate::spawn::ids::ContainerId;

/// Whose turn it is holds the file's lock; dropping it lets the next one.
#[derive(Debug)]
pub(crate) struct Turn {
    file: File,
    path: PathBuf,
    attempt: Attempt,
}

/// One attempt to make a container, told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt([u8; 16]);

/// How far a maker came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The engine was asked to start it, without the shim: the rest is in the engine's own record.
    Plain,
    /// The engine was asked to start it.
    Started,
    /// The shim was given its command.
    Begun,
}

/// What the last maker noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) stage: Stage,
    pub(crate) container: ContainerId,
    pub(crate) attempt: Attempt,
}

const PLAIN: &str = "plain  ";
const STARTED: &str = "started";
const BEGUN: &str = "begun  ";
/// A stage, a container and an attempt.
const LENGTH: usize = 7 + 1 + 64 + 1 + 32 + 1;

impl Turn {
    pub(super) fn new(file: File, path: PathBuf) -> Self {
        Self { file, path, attempt: Attempt(random()) }
    }

    pub(super) const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// Before the step itself. In one write of the same length as the last: a killed maker leaves the one note
    /// or the other.
    pub(super) fn note(&self, stage: Stage, container: &ContainerId) -> Result<(), InstallationError> {
        let word = match stage {
            Stage::Plain => PLAIN,
            Stage::Started => STARTED,
            Stage::Begun => BEGUN,
        };
        let attempt = data_encoding::HEXLOWER.encode(&self.attempt.0);
        let line = format!("{word} {} {attempt}\n", container.as_str());
        let written = self.file.write_all_at(line.as_bytes(), 0).and_then(|()| match stage {
            // A power loss leaves the engine's record of the start, which is on the disk. With an older note
            // beside it, that nothing was begun, the command would run again. A note that is lost altogether
            // only means that the container is not made anew.
            Stage::Begun => self.file.sync_data(),
            Stage::Plain | Stage::Started => Ok(()),
        });
        written.map_err(|source| io_error(&self.path, source))
    }

    /// Removes the note, while it is nobody else's turn. Who waits for the turn sees that, and makes a new file.
    pub(super) fn forget(self) {
        #[expect(clippy::disallowed_methods, reason = "the adapter of this one file")]
        drop(std::fs::remove_file(&self.path));
    }

    /// What was noted last, if that can be read.
    pub(super) fn noted(&self) -> Option<Note> {
        Note::read(&self.file)
    }
}

impl Note {
    pub(super) fn read(file: &File) -> Option<Self> {
        let mut line = [0; LENGTH];
        file.read_exact_at(&mut line, 0).ok()?;
        let mut words = std::str::from_utf8(&line).ok()?.split_ascii_whitespace();
        let stage = match words.next()? {
            "plain" => Stage::Plain,
            "started" => Stage::Started,
            "begun" => Stage::Begun,
            _ => return None,
        };
        let container = ContainerId::parse(words.next()?).ok()?;
        let attempt = data_encoding::HEXLOWER.decode(words.next()?.as_bytes()).ok()?;
        Some(Self { stage, container, attempt: Attempt(attempt.try_into().ok()?) })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a file that a maker has left")]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_is_read_by_the_next_maker() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.lock");
        let turn = |file: &File| Turn::new(file.try_clone().unwrap(), path.clone());
        let file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        let first = turn(&file);
        assert_eq!(first.noted(), None);
        let (a, b) =
            (ContainerId::parse(&"a".repeat(64)).unwrap(), ContainerId::parse(&"b".repeat(64)).unwrap());
        for (stage, container) in [(Stage::Started, &a), (Stage::Begun, &a), (Stage::Plain, &b)] {
            first.note(stage, container).unwrap();
            let next = turn(&file);
            let attempt = first.attempt();
            assert_eq!(next.noted(), Some(Note { stage, container: container.clone(), attempt }));
            assert_ne!(next.attempt(), attempt);
        }
        for torn in ["", "started", "begun x y"] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(first.noted(), None);
        }
    }
}
