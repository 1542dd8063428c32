//! The demo, to its end and interrupted: no process, port or file stays.

use std::fs;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::path::Path;

use crate::support::{Running, wire};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

#[test]
fn the_demo_proves_what_it_says_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let mut demo = Running::start(demo(temp.path()));
    let doc = demo.json();
    assert_eq!(doc["ok"], true, "{doc}");
    for message in doc["messages"].as_array().unwrap() {
        assert_eq!(
            (message["state"].as_str(), message["signature"].as_str()),
            (Some("processed"), Some("ok"))
        );
    }
    assert_eq!(demo.end().ok().stderr, "");
    assert!(is_empty(temp.path()));
    assert!(TcpStream::connect(doc["relay"].as_str().unwrap()).is_err(), "the relay still listens");
}

#[test]
fn an_interrupted_demo_leaves_nothing_either() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        // A demo that ends before the signal reaches it is let go; the next one will be caught.
        let caught = (0..100).any(|_| {
            let temp = tempfile::tempdir().unwrap();
            // Where everything is put that the demo makes.
            let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
            inotify::add_watch(&watch, temp.path(), WatchFlags::CREATE).unwrap();
            let mut buffer = [MaybeUninit::uninit(); 512];
            let mut begun = Reader::new(watch, &mut buffer);
            let mut demo = Running::start(demo(temp.path()));
            begun.next().unwrap();
            demo.signal(signal);
            let doc = demo.json();
            let ended = demo.end().code;
            assert!(is_empty(temp.path()), "{signal}: {doc}");
            if doc["ok"] == true {
                assert_eq!(ended, 0, "{doc}");
                return false;
            }
            assert_eq!((doc["error"]["code"].as_str(), ended), (Some("interrupted"), code), "{doc}");
            true
        });
        assert!(caught, "no demo was caught by {signal}");
    }
}

#[test]
fn a_demo_without_room_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let mut demo = Running::start(demo(&temp.path().join("missing")));
    assert_eq!(demo.json()["error"]["code"], "internal");
    assert_eq!(demo.end().code, 1);
}

fn demo(temp: &Path) -> std::process::Command {
    let mut command = wire(temp);
    command.args(["--json", "demo"]).env("TMPDIR", temp);
    command
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}
