//! A shim as an ordinary process, and a client that speaks with it.
//!
//! Nothing here has a time-out of its own: a test that waits for what never comes is ended by its runner.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "each test uses the part that it needs, and ends at a surprise"
)]

mod given;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use wire_shim::frame::{Decoder, encode};
use wire_shim::protocol::{End, ExecId, ExecInfo, ExecSpec, FromShim, Setup, Stream, ToShim, Token, VERSION};

pub use self::given::*;

pub const SHIM: &str = env!("CARGO_BIN_EXE_wire-shim");
pub const TOKEN: [u8; 32] = [7; 32];

/// A shim with its first connection.
pub struct Shim {
    child: Child,
    pub client: Client<ChildStdout, ChildStdin>,
    pub socket: String,
    pub run_dir: TempDir,
}

/// One connection.
pub struct Client<R, W> {
    reader: R,
    writer: Option<W>,
    decoder: Decoder,
    later: VecDeque<FromShim>,
}

/// What a program said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub gaps: Vec<(Stream, u64, u64)>,
}

impl Output {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Shim {
    /// A bare one, greeted but without a configuration.
    pub fn bare() -> Self {
        Self::start(Command::new(SHIM))
    }

    /// One that runs programs.
    pub fn new() -> Self {
        let mut shim = Self::bare();
        shim.configure(setup());
        shim
    }

    /// One that is the first process of a process namespace, if this can be had here.
    pub fn in_namespace() -> Option<Self> {
        let usable = Command::new("unshare").args(["-p", "-f", "--mount-proc", "true"]).output();
        if !usable.is_ok_and(|output| output.status.success()) {
            println!("SKIPPED: no process namespace can be made here (root and unshare(1) are needed)");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["-p", "-f", "--mount-proc", "--kill-child", SHIM]);
        Some(Self::start(command))
    }

    /// One that runs as a user without rights, if this can be had here.
    pub fn as_nobody() -> Option<Self> {
        let (command, _folder) = nobody()?;
        Some(Self::start(command))
    }

    pub fn start(mut command: Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("wire-shim-test-{}-{number}", std::process::id());
        let run_dir = tempfile::tempdir().unwrap();
        command.args(["--socket", &socket, "--run-dir"]).arg(run_dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let client = Client::new(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let mut shim = Self { child, client, socket, run_dir };
        assert_eq!(shim.hello(None), FromShim::Welcome { version: VERSION, configured: false });
        shim
    }

    /// Another connection, as `shim connect` makes it; the peer is this process, not process 1.
    pub fn connect(&self) -> Client<std::os::unix::net::UnixStream, std::os::unix::net::UnixStream> {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&self.socket).unwrap();
        let stream = std::os::unix::net::UnixStream::connect_addr(&address).unwrap();
        Client::new(stream.try_clone().unwrap(), stream)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Its end, if that is so already.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl std::ops::Deref for Shim {
    type Target = Client<ChildStdout, ChildStdin>;
    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl std::ops::DerefMut for Shim {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.client
    }
}

impl<R: Read, W: Write> Client<R, W> {
    pub fn new(reader: R, writer: W) -> Self {
        Self { reader, writer: Some(writer), decoder: Decoder::new(), later: VecDeque::new() }
    }

    pub fn send(&mut self, message: &ToShim) {
        self.send_raw(&encode(message).unwrap());
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.writer.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends to an end that may be gone.
    pub fn try_send(&mut self, message: &ToShim) {
        _ = self.writer.as_mut().unwrap().write_all(&encode(message).unwrap());
    }

    /// Says nothing more.
    pub fn hang_up(&mut self) {
        self.writer = None;
    }

    /// The next message, or `None` at the end.
    pub fn read(&mut self) -> Option<FromShim> {
        if let Some(message) = self.later.pop_front() {
            return Some(message);
        }
        let mut buffer = [0; 64 << 10];
        loop {
            if let Some(message) = self.decoder.message().unwrap() {
                return Some(message);
            }
            match self.reader.read(&mut buffer) {
                Ok(n) if n > 0 => self.decoder.feed(&buffer[..n]),
                _ => return None,
            }
        }
    }

    pub fn next(&mut self) -> FromShim {
        self.read().expect("the connection ended")
    }

    /// The next of the messages that [`find`](Self::find) has passed over.
    pub fn passed(&mut self) -> Option<FromShim> {
        self.later.pop_front()
    }

    /// The first message that `pick` takes; the others stay for later.
    pub fn find<T>(&mut self, mut pick: impl FnMut(&FromShim) -> Option<T>) -> T {
        let mut passed = VecDeque::new();
        loop {
            let message = self.next();
            if let Some(found) = pick(&message) {
                passed.append(&mut self.later);
                self.later = passed;
                return found;
            }
            passed.push_back(message);
        }
    }

    pub fn hello(&mut self, token: Option<[u8; 32]>) -> FromShim {
        self.send(&ToShim::Hello { version: VERSION, token: token.map(Token::from_bytes) });
        self.next()
    }

    pub fn configure(&mut self, setup: Setup) {
        self.send(&ToShim::Configure(Box::new(setup)));
        assert!(matches!(self.next(), FromShim::Configured { .. }));
    }

    pub fn exec(&mut self, spec: &ExecSpec) {
        self.send(&ToShim::Exec(Box::new(spec.clone())));
    }

    pub fn attach(&mut self, exec: ExecId, sub: u32) {
        self.send(&ToShim::Attach {
            exec,
            sub,
            stdout: 0,
            stderr: 0,
            hold: true,
            stdout_unread: 0,
            stderr_unread: 0,
        });
    }

    pub fn started(&mut self, exec: ExecId) -> u32 {
        self.find(|message| match message {
            FromShim::Started { exec: id, pid } if *id == exec => Some(*pid),
            FromShim::Ended { exec: id, end } if *id == exec => panic!("ended, never started: {end:?}"),
            _ => None,
        })
    }

    pub fn ended(&mut self, exec: ExecId) -> End {
        self.find(|message| match message {
            FromShim::Ended { exec: id, end } if *id == exec => Some(end.clone()),
            _ => None,
        })
    }

    /// What runs and what has ended.
    pub fn listed(&mut self) -> Vec<ExecInfo> {
        self.send(&ToShim::List { req: 4711 });
        self.find(|message| match message {
            FromShim::Listed { req: 4711, execs, .. } => Some(execs.clone()),
            _ => None,
        })
    }

    /// The next piece of this reading.
    pub fn piece(&mut self, sub: u32) -> (u64, Vec<u8>) {
        self.find(|message| match message {
            FromShim::Out { sub: s, offset, bytes, .. } if *s == sub => Some((*offset, bytes.clone())),
            _ => None,
        })
    }

    /// Reads a program to its end, taking everything at once. What is said of others stays for later.
    pub fn collect(&mut self, exec: ExecId, sub: u32) -> (Output, End) {
        let (mut output, mut end, mut at) = (Output::default(), None::<End>, [0, 0]);
        let mut others = VecDeque::new();
        loop {
            if let Some(end) = &end
                && at == [end.stdout, end.stderr]
            {
                others.append(&mut self.later);
                self.later = others;
                return (output, end.clone());
            }
            match self.next() {
                FromShim::Out { sub: s, stream, offset, bytes } if s == sub => {
                    let (at, kept) = match stream {
                        Stream::Stdout => (&mut at[0], &mut output.stdout),
                        Stream::Stderr => (&mut at[1], &mut output.stderr),
                    };
                    assert_eq!(*at, offset, "a hole in {stream:?} that no Gap tells of");
                    kept.extend_from_slice(&bytes);
                    *at += bytes.len() as u64;
                    let to = *at;
                    self.try_send(&ToShim::Ack { sub, stream, to });
                }
                FromShim::Gap { sub: s, stream, from, to } if s == sub => {
                    let at = &mut at[usize::from(stream == Stream::Stderr)];
                    assert_eq!(*at, from);
                    *at = to;
                    output.gaps.push((stream, from, to));
                }
                FromShim::Ended { exec: id, end: e } if id == exec => end = Some(e),
                FromShim::Refused { why } => panic!("refused: {why}"),
                FromShim::Started { exec: id, .. } if id == exec => {}
                FromShim::Eof { sub: s, .. } if s == sub => {}
                other => others.push_back(other),
            }
        }
    }

    /// Starts a program and reads it to its end.
    pub fn run(&mut self, spec: &ExecSpec) -> (Output, End) {
        self.exec(spec);
        self.send(&ToShim::Attach {
            exec: spec.id,
            sub: 1,
            stdout: 0,
            stderr: 0,
            hold: true,
            stdout_unread: 0,
            stderr_unread: 0,
        });
        let result = self.collect(spec.id, 1);
        self.send(&ToShim::Detach { sub: 1 });
        result
    }

    /// What a program says until its standard output holds `text`.
    pub fn until(&mut self, sub: u32, text: &str) -> Vec<u8> {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(text) {
            let bytes = self.find(|message| match message {
                FromShim::Out { sub: s, stream: Stream::Stdout, bytes, .. } if *s == sub => {
                    Some(bytes.clone())
                }
                FromShim::Ended { end, .. } => panic!("ended without {text:?}: {end:?}"),
                _ => None,
            });
            all.extend_from_slice(&bytes);
        }
        all
    }

    /// Waits until the other end is gone, and gives why if it said so.
    pub fn refused(&mut self) -> Option<wire_shim::protocol::Refusal> {
        let mut why = None;
        while let Some(message) = self.read() {
            if let FromShim::Refused { why: w } = message {
                why = Some(w);
            }
        }
        why
    }
}
