//! A small schema, a folder, and children that play a part.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStderr, Command, Stdio};

use tempfile::TempDir;

use crate::agent::store::{Migration, StoreError, StoreFile};

pub(in crate::agent::store) const SCHEMA: &[Migration] =
    &[Migration { sql: "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;" }];

/// A folder for one agent that does not exist yet, inside one that goes away by itself.
pub(in crate::agent::store) struct Place {
    _parent: TempDir,
    pub(in crate::agent::store) dir: PathBuf,
}

impl Place {
    pub(in crate::agent::store) fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().canonicalize().unwrap().join("agents").join("alice");
        Self { _parent: parent, dir }
    }

    pub(in crate::agent::store) fn open(&self) -> StoreFile {
        StoreFile::open(&self.dir, SCHEMA).unwrap()
    }

    pub(in crate::agent::store) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

pub(in crate::agent::store) fn put(store: &StoreFile, id: i64, body: &[u8]) -> Result<(), StoreError> {
    store.write(|tx| {
        tx.execute("INSERT OR REPLACE INTO item (id, body) VALUES (?1, ?2)", (id, body))?;
        Ok(())
    })
}

pub(in crate::agent::store) fn ids(store: &StoreFile) -> Vec<i64> {
    let all = store.read(|conn| -> Result<_, StoreError> {
        let mut statement = conn.prepare("SELECT id FROM item ORDER BY id")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    });
    all.unwrap()
}

/// The part that this process was started to play in `test`, and where.
pub(in crate::agent::store) fn part() -> Option<(String, PathBuf)> {
    Some((std::env::var("WIRE_TEST_PART").ok()?, std::env::var_os("WIRE_TEST_DIR")?.into()))
}

/// Tells the parent something; call from a part only.
pub(in crate::agent::store) fn say(word: &str) {
    // Not `eprintln`, which the test harness would catch.
    writeln!(std::io::stderr().lock(), "@{word}").unwrap();
}

/// Waits for the parent to say something, or to close the pipe.
pub(in crate::agent::store) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// This test binary, run again for one test in which it finds a [`part`].
pub(in crate::agent::store) struct Child {
    process: Process,
    words: BufReader<ChildStderr>,
}

impl Child {
    /// `test` is `module_path!()` and the name of the test.
    pub(in crate::agent::store) fn start(module: &str, test: &str, part: &str, dir: &Path) -> Self {
        let module = module.split_once("::").unwrap().1;
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
            .env("WIRE_TEST_PART", part)
            .env("WIRE_TEST_DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let words = BufReader::new(process.stderr.take().unwrap());
        Self { process, words }
    }

    /// The next word that the child says; panics with its last lines if it ends instead.
    pub(in crate::agent::store) fn hear(&mut self) -> String {
        let mut other = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.words.read_line(&mut line).unwrap(), 0, "the child ended: {other}");
            match line.strip_prefix('@') {
                Some(word) => return word.trim().to_owned(),
                None => other.push_str(&line),
            }
        }
    }

    pub(in crate::agent::store) fn tell(&mut self, word: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// SIGKILL.
    pub(in crate::agent::store) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Closes the pipe to the child and waits for it to pass.
    pub(in crate::agent::store) fn finish(mut self) {
        drop(self.process.stdin.take());
        let rest: Vec<String> = self.words.lines().map(Result::unwrap).collect();
        assert!(self.process.wait().unwrap().success(), "{rest:?}");
    }
}
