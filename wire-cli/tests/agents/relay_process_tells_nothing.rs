//! Attack 15: whoever has all that a relay process has, its traffic with every header, its memory as a
//! core dump would hold it, its disk and its log, finds no word of the code, nothing computed from the words
//! alone, no name, no identity and nothing of what was said. Every byte of the traffic has a known use.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::World;
use memchr::memmem;
use wire_core::identity::Root;
use wire_core::testing::{Needles, Received};

const SAID: [&str; 2] = ["the launch window opens at dawn", "understood, holding position"];

/// Keeps a copy of all that goes to the relay, by connection.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    fn before(relay: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, relay) = (listener.local_addr().unwrap(), relay.to_owned());
        let heard = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let ear = heard.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(relay) = TcpStream::connect(&relay) else { break };
                let (answers, back) = (relay.try_clone().unwrap(), client.try_clone().unwrap());
                let ear = ear.clone();
                let this = {
                    let mut connections = ear.lock().unwrap();
                    connections.push(Vec::new());
                    connections.len() - 1
                };
                thread::spawn(move || {
                    copy(client, relay, |bytes| ear.lock().unwrap()[this].extend_from_slice(bytes))
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

/// The requests of one connection of HTTP/1.1, each with a head that says only where it goes and how long
/// it is.
fn requests(mut bytes: &[u8]) -> Vec<Received> {
    let mut all = Vec::new();
    while let Some(end) = memmem::find(bytes, b"\r\n\r\n") {
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap().split(' ').collect::<Vec<_>>();
        let [method, target, "HTTP/1.1"] = first[..] else { panic!("{head}") };
        let mut length = 0;
        for line in lines {
            match line.split_once(": ").unwrap() {
                ("host", host) => assert!(host.parse::<SocketAddr>().is_ok(), "{host}"),
                ("content-type", kind) => assert_eq!(kind, "application/cbor"),
                ("content-length", digits) => length = digits.parse().unwrap(),
                _ => panic!("{line}"),
            }
        }
        let (body, rest) = bytes[end + 4..].split_at(length);
        all.push(Received::parse(method, target, body).unwrap_or_else(|| panic!("{head}")));
        bytes = rest;
    }
    assert!(bytes.is_empty());
    all
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
    let connections = tap.heard.lock().unwrap().clone();
    let requests: Vec<Received> = connections.iter().flat_map(|bytes| requests(bytes)).collect();
    let heard = connections.concat();

    // What the relay does know is found, so what is not found is not there.
    let (number, words) = code.split('@').next().unwrap().split_once('-').unwrap();
    assert!(requests.len() > 20 && requests.iter().any(|r| r.all("digits").any(|d| d == number.as_bytes())));
    assert!(memmem::find(&memory, b"/v1/mb").is_some(), "so is the path of a request");
    assert!(stored.len() > 1_000);

    let mut secrets = Needles::new();
    let sid = requests.iter().find_map(|r| r.all("sid").next()).unwrap();
    let public = [number.as_bytes(), sid, b"wire/pair/1", b"wire/v1 code-phrase", b"wire"];
    secrets.add_words(&words.split('-').collect::<Vec<_>>(), &public);
    for text in ["alice-in-the-clear", "bob-in-the-clear"].into_iter().chain(SAID) {
        secrets.add(text, text.as_bytes());
    }
    for what in ["root", "fingerprint", "sas"] {
        secrets.add(what, paired[what].as_str().unwrap().as_bytes());
    }
    let root: Root = paired["root"].as_str().unwrap().parse().unwrap();
    secrets.add("root, raw", root.as_bytes());
    for (place, bytes) in [
        ("traffic", heard.as_slice()),
        ("memory", &memory),
        ("disk", &stored),
        ("log", log.stderr.as_bytes()),
    ] {
        assert_eq!(secrets.found_in(bytes), [""; 0], "{place}");
    }
}
