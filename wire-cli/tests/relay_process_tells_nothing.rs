//! Attack 15: whoever has all that a relay process has, its traffic with every header, its memory as a
//! core dump would hold it, its disk and its log, finds no word of the code, no name, no identity and
//! nothing of what was said.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use support::World;

const SAID: [&str; 2] = ["the launch window opens at dawn", "understood, holding position"];

/// Keeps a copy of all that goes to the relay.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn before(relay: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, relay) = (listener.local_addr().unwrap(), relay.to_owned());
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let ear = heard.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(relay) = TcpStream::connect(&relay) else { break };
                let (answers, back) = (relay.try_clone().unwrap(), client.try_clone().unwrap());
                let ear = ear.clone();
                thread::spawn(move || {
                    copy(client, relay, |bytes| ear.lock().unwrap().extend_from_slice(bytes))
                });
                thread::spawn(move || copy(answers, back, |_| ()));
            }
        });
        Self { address, heard }
    }
}

/// Until either side ends.
fn copy(mut from: TcpStream, mut to: TcpStream, hear: impl Fn(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        hear(&buffer[..n]);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// All that a process can write to in its memory.
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut mem = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        mem.seek(SeekFrom::Start(start)).unwrap();
        // Some regions of the kernel's own cannot be read.
        let _ = (&mut mem).take(end - start).read_to_end(&mut all);
    }
    all
}

fn disk(dir: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        into.extend_from_slice(path.to_string_lossy().as_bytes());
        if path.is_dir() { disk(&path, into) } else { into.extend(fs::read(&path).unwrap()) }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[test]
fn traffic_memory_disk_and_log_hold_no_secret() {
    let mut world = World::new();
    let tap = Tap::before(&world.address);
    world.address = tap.address.to_string();
    let (alice, bob) = (world.side("alice-in-the-clear"), world.side("bob-in-the-clear"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let made = pairing.json();
    let code = made["code"].as_str().unwrap().to_owned();
    bob.run_with(&["join", "-"], &code).ok();
    let paired = pairing.json();
    pairing.end().ok();
    for (from, to, text) in [(&alice, "bob-in-the-clear", SAID[0]), (&bob, "alice-in-the-clear", SAID[1])] {
        let id = from.send(to, text);
        let reader = if to.starts_with("bob") { &bob } else { &alice };
        reader.run(&["inbox", "--ack", "all"]).ok();
        assert_eq!(from.outcome(&id), "processed");
    }

    let memory = memory(world.relay_pid());
    let log = world.stop_relay("TERM");
    let mut stored = Vec::new();
    disk(&world.folder.path().join("relay"), &mut stored);
    let heard = tap.heard.lock().unwrap().clone();

    // What the relay does know is found, so what is not found is not there.
    let (number, words) = code.split('@').next().unwrap().split_once('-').unwrap();
    assert!(contains(&heard, number.as_bytes()), "the number of the code goes over the wire");
    assert!(contains(&heard, b"/v1/mb") && contains(&memory, b"/v1/mb"), "so does every path");
    assert!(stored.len() > 1_000);

    let mut secrets = vec![words.to_owned(), words.replace('-', " "), words.replace('-', "")];
    secrets.extend(words.split('-').filter(|word| word.len() > 6).map(str::to_owned));
    secrets.extend(["alice-in-the-clear", "bob-in-the-clear"].map(str::to_owned));
    secrets.extend(SAID.map(str::to_owned));
    secrets.extend(["root", "fingerprint", "sas"].map(|what| paired[what].as_str().unwrap().to_owned()));
    for secret in secrets {
        for (place, bytes) in [
            ("traffic", heard.as_slice()),
            ("memory", &memory),
            ("disk", &stored),
            ("log", log.stderr.as_bytes()),
        ] {
            assert!(!contains(bytes, secret.as_bytes()), "{place} holds {secret:?}");
        }
    }
}
