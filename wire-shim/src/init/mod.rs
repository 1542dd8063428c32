//! The first process: one thread, one loop, nothing in it waits.
//!
//! 1. It shields itself, opens its socket, and waits for its configuration on its own standard input.
//! 2. Each turn: what is due by time ([`timers`]), what clients are to be told ([`conn`]), then `poll`, then
//!    what has come: signals and ended processes ([`reap`]), messages ([`answer`]), output, input.
//! 3. A program is watched by a process of its own ([`supervise`](crate::supervise)), but everything that has
//!    to happen in time is decided here: a program can kill its watcher, not this process.
//! 4. It ends when everything is ended ([`ending`]), and with it the container.

mod answer;
mod attest;
mod conn;
mod ending;
mod input;
mod memory;
mod oom;
mod outgoing;
mod program;
mod reap;
mod secrets;
mod start;
mod table;
mod timers;
mod turn;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use wire_shim::protocol::{Setup, Token, exit};

use self::attest::Probe;
use self::conn::Conn;
use self::ending::Ending;
use self::table::Table;
use self::timers::Life;
use crate::sys::fds::{copy, leave_standard_streams, never_wait};
use crate::sys::{Millis, adopt_orphans, shield, signals};

/// Bytes that are read at a time.
const BUFFER: usize = 64 << 10;

/// Where it finds its surroundings; other places are for tests outside a container.
#[derive(Debug)]
pub(crate) struct Options {
    socket: Vec<u8>,
    run_dir: PathBuf,
}

impl Options {
    /// From `--socket NAME` and `--run-dir PATH`.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut options =
            Self { socket: wire_shim::SOCKET.to_vec(), run_dir: PathBuf::from(wire_shim::RUN_DIR) };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let value = args.next()?;
            match name.to_str()? {
                "--socket" => options.socket = value.as_bytes().to_vec(),
                "--run-dir" => options.run_dir = PathBuf::from(value),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The first process of a container.
#[derive(Debug)]
pub(crate) struct Init {
    options: Options,
    born: Millis,
    signals: SignalFd,
    listener: Option<OwnedFd>,
    conns: BTreeMap<u64, Conn>,
    opened: u64,
    table: Table,
    state: State,
    life: Life,
    probes: Vec<Probe>,
    ending: Option<Ending>,
    /// When processes that nobody watches are looked for next.
    strays: Option<Millis>,
    /// Until when no new connection is taken, because there was no descriptor for one.
    deaf: Option<Millis>,
    buffer: Vec<u8>,
}

/// Whether it has its configuration.
#[derive(Debug)]
enum State {
    /// Not yet.
    Bare,
    /// It attests, and then carries this out.
    Attesting(Box<Setup>),
    /// Yes.
    Configured { token: Token, grace: u64, ends_with_main: bool },
}

/// Runs to the end of the container.
pub(crate) fn run(options: Options) -> ExitCode {
    // Without its shield it would run, and be open to every program: rather nothing.
    match Init::new(options) {
        Ok(mut init) => ExitCode::from(init.run()),
        Err(_) => ExitCode::from(exit::SETUP),
    }
}

impl Init {
    fn new(options: Options) -> io::Result<Self> {
        shield()?;
        adopt_orphans()?;
        let signals = signals(&[Signal::SIGCHLD, Signal::SIGTERM])?;
        let (input, output) = (copy(io::stdin())?, copy(io::stdout())?);
        never_wait(&input)?;
        never_wait(&output)?;
        leave_standard_streams()?;
        let listener = open_socket(&options.socket)?;
        let now = Millis::now();
        let first = Conn::new(input, output, true, now);
        Ok(Self {
            options,
            born: now,
            signals,
            listener: Some(listener),
            conns: BTreeMap::from([(0, first)]),
            opened: 0,
            table: Table::new(memory::limit()),
            state: State::Bare,
            life: Life::new(now),
            probes: Vec::new(),
            ending: None,
            strays: None,
            deaf: None,
            buffer: vec![0; BUFFER],
        })
    }

    fn run(&mut self) -> u8 {
        loop {
            let now = Millis::now();
            self.timers(now);
            let more = self.tell();
            if let Some(code) = self.over(now) {
                return code;
            }
            self.turn(now, more);
        }
    }

    /// Puts in what clients are to be told and writes it. True if there may be more at once.
    fn tell(&mut self) -> bool {
        for _ in 0..8 {
            let (mut more, mut gone) = (false, Vec::new());
            for (id, conn) in &mut self.conns {
                let filled = !conn.closing && conn.fill(&self.table);
                match conn.push() {
                    Ok(moved) => more |= moved && filled,
                    Err(_) => gone.push(*id),
                }
                if conn.closing && conn.waiting() == 0 {
                    gone.push(*id);
                }
            }
            gone.into_iter().for_each(|id| self.close(id));
            if !more {
                return false;
            }
        }
        true
    }
}

fn open_socket(name: &[u8]) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    listen(&socket, 64)?;
    Ok(socket)
}
