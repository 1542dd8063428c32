//! The first process of a container, and the small programs that go with it. See the library for what it
//! speaks.
//!
//! ```text
//! shim                      the first process: `init`
//! shim supervise            watches one program, started by the first process
//! shim launch               becomes that program, started by its watcher
//! shim attest NONCE         says what is seen from inside
//! shim connect              a connection to the first process, for who can only start programs here
//! shim tcp PORT             a connection to a port of this container
//! shim tar|untar|read|write|stat|list PATH ..    files
//! ```

mod init;
mod launch;
mod probe;
mod relay;
mod supervise;
mod sys;
mod told;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use wire_shim::entry::code;

use wire_shim::files::{self, Caps, FileError};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1).peekable();
    let Some(name) = args.next_if(|name| !name.as_encoded_bytes().starts_with(b"-")) else {
        return init::Options::parse(args).map_or_else(usage, init::run);
    };
    let args: Vec<OsString> = args.collect();
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    match name.to_str() {
        Some("supervise") => supervise::run(),
        Some("launch") => launch::run(),
        Some("attest") => attest(&args),
        Some(name) => match small(name, &args) {
            Some(result) => ended(&result, args.first().copied()),
            None => usage(),
        },
        None => usage(),
    }
}

/// One of the small programs, or `None` if it is none or its arguments make no sense.
fn small(name: &str, args: &[&OsStr]) -> Option<Result<(), FileError>> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
    let result = match (name, args) {
        ("connect", args) => relay::to_init(&peer(args)?).map_err(FileError::Io),
        ("tcp", [port]) => relay::tcp(port.to_str()?.parse().ok()?).map_err(FileError::Io),
        ("tar" | "untar", [path, bytes, entries]) => {
            let caps = Caps { bytes: number(bytes)?, entries: number(entries)? };
            if name == "tar" {
                files::archive(Path::new(path), caps, None, &mut output)
            } else {
                files::extract(Path::new(path), caps, 0o777, &mut input)
            }
        }
        ("read", [path]) => files::read(Path::new(path), 0, u64::MAX, &mut output),
        ("read", [path, from]) => files::read(Path::new(path), number(from)?, u64::MAX, &mut output),
        ("read", [path, from, bytes]) => {
            files::read(Path::new(path), number(from)?, number(bytes)?, &mut output)
        }
        ("write", [path]) => write(path, 0o644),
        ("write", [path, mode]) => write(path, u32::from_str_radix(mode.to_str()?, 8).ok()?),
        ("stat", [path]) => files::stat(Path::new(path), &mut output),
        ("list", [path]) => files::list(Path::new(path), &mut output),
        _ => return None,
    };
    Some(result.and_then(|()| Ok(output.flush()?)))
}

/// Standard input as a file. Asked to end, it takes away what is not whole.
fn write(path: &OsStr, mode: u32) -> Result<(), FileError> {
    files::write(Path::new(path), mode, &mut told::Told::new()?)
}

/// From `--socket NAME` and `--peer PID`, which are for tests outside a container.
fn peer(args: &[&OsStr]) -> Option<relay::Peer> {
    let mut peer = relay::Peer::default();
    let (pairs, rest) = args.as_chunks::<2>();
    for [name, value] in pairs {
        match name.to_str()? {
            "--socket" => peer.socket = value.as_encoded_bytes().to_vec(),
            "--peer" => peer.pid = value.to_str()?.parse().ok()?,
            _ => return None,
        }
    }
    rest.is_empty().then_some(peer)
}

fn attest(args: &[&OsStr]) -> ExitCode {
    let nonce = match args {
        [nonce] => nonce.to_str().and_then(from_hex),
        _ => None,
    };
    let Some(nonce) = nonce else { return usage() };
    // The first process, whose child this is, blocks them all.
    _ = nix::sys::signal::SigSet::all().thread_unblock();
    ended(&io::stdout().write_all(&probe::run(&nonce)).map_err(FileError::Io), None)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn ended(result: &Result<(), FileError>, about: Option<&OsStr>) -> ExitCode {
    use io::ErrorKind as Kind;
    let Err(error) = result else { return ExitCode::from(code::OK) };
    let about = about.map(|about| format!("{}: ", about.to_string_lossy())).unwrap_or_default();
    _ = writeln!(io::stderr(), "{about}{error}");
    let FileError::Io(io) = error.root() else {
        return ExitCode::from(if matches!(error.root(), FileError::Limit(_)) {
            code::LIMIT
        } else {
            code::REFUSED
        });
    };
    let is = |kinds: &[Kind]| kinds.contains(&io.kind());
    ExitCode::from(if is(&[Kind::NotFound, Kind::ConnectionRefused]) {
        code::MISSING
    } else if is(&[Kind::PermissionDenied, Kind::ReadOnlyFilesystem]) {
        code::DENIED
    } else if is(&[Kind::StorageFull, Kind::QuotaExceeded]) {
        code::FULL
    } else {
        code::FAILED
    })
}

fn usage() -> ExitCode {
    _ = writeln!(io::stderr(), "the shim is run by Wire, in a container");
    ExitCode::from(code::USAGE)
}
