//! A terminal is raw while a program has it, follows its size, and is as before afterwards.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use crate::rig::Rig;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

struct Terminal {
    ours: File,
    theirs: File,
    seen: String,
}

impl Terminal {
    fn new() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = File::options().read(true).write(true).open(path).unwrap();
        let terminal = Self { ours: File::from(ours), theirs, seen: String::new() };
        terminal.resize(99, 33);
        terminal
    }

    fn resize(&self, cols: u16, rows: u16) {
        let size = Winsize { ws_col: cols, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.ours, size).unwrap();
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.theirs).unwrap().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn start(&self, mut command: Command) -> Child {
        let stdio = || Stdio::from(OwnedFd::from(self.theirs.try_clone().unwrap()));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap()
    }

    /// Reads on until this has been shown.
    fn shows(&mut self, what: &str) {
        let mut part = [0; 1024];
        let end = loop {
            if let Some(at) = self.seen.find(what) {
                break at + what.len();
            }
            let n = self.ours.read(&mut part).unwrap();
            assert!(n > 0, "it never showed {what:?}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&part[..n]));
        };
        self.seen.drain(..end);
    }

    fn type_in(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn keys_go_through_and_the_size_follows() {
    let rig = Rig::new();
    let mut terminal = Terminal::new();
    assert!(!terminal.is_raw());
    let script = "trap 'echo WINCH; stty size' WINCH; stty size; echo ready; while :; do read x; echo \"got:$x\"; done";
    let mut child = terminal.start(rig.command(&["run", "-it", "IMAGE", "--", "sh", "-c", script]));
    terminal.shows("33 99");
    terminal.shows("ready");
    assert!(terminal.is_raw());
    terminal.type_in("hello\r");
    terminal.shows("got:hello");
    terminal.resize(120, 40);
    // The terminal is not this process's own, so the kernel does not tell it.
    assert!(Command::new("kill").args(["-WINCH", &child.id().to_string()]).status().unwrap().success());
    terminal.type_in("again\r");
    terminal.shows("40 120");
    // Ctrl-C is a key like any other, and the program's own terminal makes a signal of it.
    terminal.type_in("\u{3}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!terminal.is_raw());
    rig.has_nothing();
}

#[test]
fn it_is_as_before_when_we_are_told_to_end() {
    let rig = Rig::new();
    let mut terminal = Terminal::new();
    let mut child = terminal.start(rig.command(&[
        "run",
        "-it",
        "--grace",
        "0s",
        "IMAGE",
        "--",
        "sh",
        "-c",
        "echo ready; sleep 1000",
    ]));
    terminal.shows("ready");
    assert!(terminal.is_raw());
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(!terminal.is_raw());
    rig.has_nothing();
}

#[test]
fn without_one_here_a_program_has_one_all_the_same() {
    let rig = Rig::new();
    let done = rig.run(&["run", "-t", "IMAGE", "--", "sh", "-c", "test -t 1 && stty size"]).ok();
    assert_eq!(done.stdout.trim(), "24 80");
}
