//! What stands in one argument: sizes, mounts, users, variables, secrets, programs, paths in a container.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;

/// A word that is handed on and never shown: an argument of a program.
#[derive(Clone)]
pub(crate) struct Word(pub(crate) String);

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// `NAME=VALUE`, or `NAME` for the value that it has here.
#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=..", self.name)
    }
}

/// A folder or file of this machine, and where a container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) writable: bool,
}

/// A secret's name, and where it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) name: String,
    /// None for standard input.
    pub(crate) file: Option<PathBuf>,
}

/// One side of `wire cp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a container.
    Container { id: String, path: String },
    /// On this machine.
    Here(PathBuf),
    /// Standard input or output, as a tar archive.
    Pipe,
}

/// `500ms`, `45s`, `10m`, `2h`, `7d`, or seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "expected a time such as 45s, 10m or 2h".to_owned())?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("expected a time such as 45s, 10m or 2h".to_owned()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
}

/// `512m`, `4g`, `64k`, or bytes: in steps of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || "expected a size such as 512m or 4g".to_owned();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(bytes).ok_or_else(|| "that is too much".to_owned())
}

/// `SRC:DST` or `SRC:DST:ro`. A source may have colons, a place in a container not.
pub(super) fn bind(text: &str) -> Result<Bind, String> {
    let (rest, writable) = match text.strip_suffix(":ro") {
        Some(rest) => (rest, false),
        None => (text.strip_suffix(":rw").unwrap_or(text), true),
    };
    match rest.rsplit_once(':') {
        Some((source, target)) if !source.is_empty() && target.starts_with('/') => {
            Ok(Bind { source: source.to_owned(), target: target.to_owned(), writable })
        }
        _ => Err("expected SRC:DST or SRC:DST:ro, where DST is an absolute path".to_owned()),
    }
}

/// `PATH:SIZE`.
pub(super) fn tmp_mount(text: &str) -> Result<(String, u64), String> {
    match text.rsplit_once(':') {
        Some((target, bytes)) if target.starts_with('/') => Ok((target.to_owned(), size(bytes)?)),
        _ => Err("expected PATH:SIZE such as /cache:64m".to_owned()),
    }
}

/// `UID:GID`, in numbers: the names of an image are its maker's.
pub(super) fn user(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    numbers.ok_or_else(|| "expected two numbers such as 1000:1000".to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "a parser of the command line")]
pub(super) fn variable(text: &str) -> Result<Variable, String> {
    Ok(match text.split_once('=') {
        Some((name, value)) => Variable { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Variable { name: text.to_owned(), value: None },
    })
}

/// `KEY=VALUE`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    parts.ok_or_else(|| "expected KEY=VALUE".to_owned())
}

/// `NAME=FILE`, or `NAME=-` for standard input. Not for clap, which repeats what is wrong: somebody may have
/// given the secret itself.
pub(crate) fn secret(text: &str) -> Result<Secret, String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(Secret { name: name.to_owned(), file: (file != "-").then(|| file.into()) })
        }
        _ => Err("expected NAME=FILE, or NAME=- for standard input".to_owned()),
    }
}

/// 32 hexadecimal digits, or `main` for the container's own command.
pub(super) fn exec_id(text: &str) -> Result<[u8; 16], String> {
    if text == "main" {
        return Ok([0; 16]);
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "expected the 32 digits that `wire exec --detach` gave, or main".to_owned())
}

/// `ID:PATH`, a path of this machine, or `-`. A path with a colon has a slash in front of it: `./a:b`.
#[expect(clippy::unnecessary_wraps, reason = "a parser of the command line")]
pub(super) fn place(text: &str) -> Result<Place, String> {
    if text == "-" {
        return Ok(Place::Pipe);
    }
    Ok(match text.split_once(':') {
        Some((id, path)) if !id.is_empty() && !id.contains('/') => {
            Place::Container { id: id.to_owned(), path: path.to_owned() }
        }
        _ => Place::Here(text.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for bad in ["", "s", "1w", "-1", "1.5s", "99999999999999999999d", "9999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("512m"), Ok(512 << 20));
        assert_eq!(size("4G"), Ok(4 << 30));
        assert_eq!(size("64KiB"), Ok(64 << 10));
        assert_eq!(size("65536"), Ok(65536));
        for bad in ["", "m", "1.5g", "-1", "1p", "99999999999t", "1 m"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mounts() {
        let of = |source: &str, target: &str, writable| {
            Ok(Bind { source: source.to_owned(), target: target.to_owned(), writable })
        };
        assert_eq!(bind(".:/work"), of(".", "/work", true));
        assert_eq!(bind("/a:b:/work:ro"), of("/a:b", "/work", false));
        assert_eq!(bind("a:/w:rw"), of("a", "/w", true));
        for bad in ["", "/work", ":/work", "a:work", "a:", "a::ro"] {
            assert!(bind(bad).is_err(), "{bad}");
        }
        assert_eq!(tmp_mount("/cache:1m"), Ok(("/cache".to_owned(), 1 << 20)));
        assert!(tmp_mount("cache:1m").is_err() && tmp_mount("/cache").is_err());
    }

    #[test]
    fn users_are_numbers() {
        assert_eq!(user("1000:100"), Ok((1000, 100)));
        for bad in ["", "1000", "root:root", "-1:1", "1:4294967296"] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?} {:?}", variable("A=hush").unwrap(), Word("hush".into()));
        assert!(!shown.contains("hush") && shown.contains("A="), "{shown}");
        assert!(!secret("hush").unwrap_err().contains("hush"));
        assert_eq!(variable("A").unwrap().value, None);
        assert_eq!(variable("A=").unwrap().value.as_deref(), Some(""));
        assert_eq!(secret("key=-").unwrap().file, None);
    }

    #[test]
    fn programs_and_places() {
        assert_eq!(exec_id("main"), Ok([0; 16]));
        assert_eq!(exec_id(&"ab".repeat(16)), Ok([0xab; 16]));
        assert!(exec_id("ab").is_err() && exec_id("").is_err());
        let inside = |id: &str, path: &str| Ok(Place::Container { id: id.to_owned(), path: path.to_owned() });
        assert_eq!(place("box:/out"), inside("box", "/out"));
        assert_eq!(place("box:"), inside("box", ""));
        assert_eq!(place("./a:b"), Ok(Place::Here("./a:b".into())));
        assert_eq!(place("a"), Ok(Place::Here("a".into())));
        assert_eq!(place("-"), Ok(Place::Pipe));
    }
}
