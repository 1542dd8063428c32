//! The last stage before a program: it becomes the program.
//!
//! A session of its own, with the terminal if it has one; the working folder; the program looked up in the
//! environment that was given; then `exec`. What fails is said over the socket, which closes by itself when
//! the program runs.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use minicbor::{Decode, Encode};
use nix::sys::signal::SigSet;
use rustix::fs::{Access, access};
use rustix::process::{Signal, chdir, getpid, ioctl_tiocsctty, kill_process, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use wire_shim::frame::Decoder;
use wire_shim::protocol::{ExecSpec, NotStarted};

use crate::sys::fds::{copy, receive, tell};
use crate::sys::shield;

/// Where programs are looked for when the environment does not say.
const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How far it came.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Progress {
    /// The next step is the program itself.
    #[n(0)]
    Going,
    /// It never runs.
    #[n(1)]
    Failed {
        #[n(0)]
        why: NotStarted,
        #[n(1)]
        detail: String,
    },
}

/// Becomes the program, or says why not.
pub(crate) fn run() -> ExitCode {
    let Ok(socket) = shield().and_then(|()| copy(io::stdin())) else { return ExitCode::FAILURE };
    let Err(Failed { why, detail }) = launch(&socket);
    _ = tell(&socket, &Progress::Failed { why, detail });
    // Should the watcher be gone, this must not look like a program that ended by itself.
    _ = kill_process(getpid(), Signal::KILL);
    ExitCode::FAILURE
}

struct Failed {
    why: NotStarted,
    detail: String,
}

impl Failed {
    fn new(why: NotStarted, error: impl ToString) -> Self {
        Self { why, detail: error.to_string() }
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::new(NotStarted::Other, error)
    }
}

fn launch(socket: &OwnedFd) -> Result<std::convert::Infallible, Failed> {
    let mut fds = receive(socket)?.into_iter();
    let (Some(stdin), Some(stdout), Some(stderr), Some(job)) =
        (fds.next(), fds.next(), fds.next(), fds.next())
    else {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    };
    let spec = read_spec(job)?;
    setsid()?;
    if spec.tty.is_some() {
        ioctl_tiocsctty(&stdin)?;
    }
    dup2_stdin(&stdin)?;
    dup2_stdout(&stdout)?;
    dup2_stderr(&stderr)?;
    drop((stdin, stdout, stderr));
    chdir(OsStr::from_bytes(&spec.cwd.0)).map_err(|error| Failed::new(NotStarted::BadCwd, error))?;
    let program = find(&spec)?;
    // The first process and the watcher block all of them, and that is handed down.
    SigSet::all().thread_unblock()?;
    tell(socket, &Progress::Going)?;
    let error = exec(&program, &spec);
    // The file is there: what is missing is what its first line or its header names.
    let refused = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        || error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32);
    let why = if refused { NotStarted::NotExecutable } else { NotStarted::Other };
    Err(Failed::new(why, error))
}

fn read_spec(job: OwnedFd) -> Result<ExecSpec, Failed> {
    let mut bytes = Vec::new();
    File::from(job).read_to_end(&mut bytes)?;
    let mut decoder = Decoder::new();
    decoder.feed(&bytes);
    decoder.message()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
}

/// The file that `argv[0]` means.
fn find(spec: &ExecSpec) -> Result<PathBuf, Failed> {
    let name = spec.argv.first().map(|name| name.0.as_slice()).unwrap_or_default();
    if name.is_empty() {
        return Err(Failed::new(NotStarted::NotFound, "no program is named"));
    }
    if name.contains(&b'/') {
        return executable(Path::new(OsStr::from_bytes(name))).map(|()| OsStr::from_bytes(name).into());
    }
    let path = spec.env.iter().rev().find(|(key, _)| key.0 == b"PATH").map(|(_, value)| value.0.as_slice());
    let mut refused = None;
    for folder in path.unwrap_or(PATH).split(|byte| *byte == b':') {
        // An empty folder is the working one, as shells have it.
        let file = Path::new(if folder.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(folder) })
            .join(OsStr::from_bytes(name));
        match executable(&file) {
            Ok(()) => return Ok(file),
            Err(failed) if failed.why == NotStarted::NotExecutable => refused = refused.or(Some(failed)),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| Failed::new(NotStarted::NotFound, "not in any folder of PATH")))
}

/// Whether a file can be run at all.
fn executable(file: &Path) -> Result<(), Failed> {
    let about = file.metadata().map_err(|error| {
        let missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let why = if missing { NotStarted::NotFound } else { NotStarted::NotExecutable };
        Failed::new(why, error)
    })?;
    if !about.is_file() {
        let what = if about.is_dir() { "a folder" } else { "not a file" };
        return Err(Failed::new(NotStarted::NotExecutable, what));
    }
    access(file, Access::EXEC_OK).map_err(|error| Failed::new(NotStarted::NotExecutable, error))
}

/// Becomes the program. By the kernel alone, which may know its format from elsewhere (`binfmt_misc`): the C
/// library would run what the kernel refuses as a script of `/bin/sh`. Returns only if it fails.
fn exec(program: &Path, spec: &ExecSpec) -> io::Error {
    let call = || -> Result<std::convert::Infallible, io::Error> {
        let program = CString::new(program.as_os_str().as_bytes())?;
        let argv =
            spec.argv.iter().map(|arg| CString::new(arg.0.as_slice())).collect::<Result<Vec<_>, _>>()?;
        // Of two with one name the last counts.
        let env: BTreeMap<_, _> = spec.env.iter().map(|(key, value)| (&key.0, &value.0)).collect();
        let pairs = env.into_iter().map(|(key, value)| [key, b"=".as_slice(), value].concat());
        let env = pairs.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        unignore_sigpipe();
        Ok(nix::unistd::execve(&program, &argv, &env)?)
    };
    let Err(error) = call();
    error
}

/// A Rust program begins with SIGPIPE ignored, and that is handed down. The standard library gives it back its
/// default on the way to another program; here that way leads nowhere, because a folder is none.
fn unignore_sigpipe() {
    _ = Command::new("/").exec();
}
