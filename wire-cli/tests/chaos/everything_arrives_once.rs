//! The kills, and what has to be true after them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rand_core::Rng as _;
use wire_core::testing::SeededRng;

use crate::process::{COUNT, HOME, NAME, RELAY, STEP, ledger, open, tables};
use crate::support::{Side, World};

/// Without a step of anybody for this long nothing will happen any more.
const STUCK: Duration = Duration::from_secs(240);

/// One process of one side.
struct Process {
    side: usize,
    test: &'static str,
    child: Option<Child>,
}

impl Process {
    fn start(&mut self, side: &Side, relay: &str, count: u64, tell: &Sender<String>) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", self.test, "--ignored", "--nocapture"])
            .env(HOME, &side.home)
            .env(NAME, ["alice", "bob"][self.side])
            .env(RELAY, relay)
            .env(COUNT, count.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let tell = tell.clone();
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .filter(|line| line.starts_with(STEP) || line.contains("panicked"))
                .for_each(|line| drop(tell.send(line)));
        });
        self.child = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn step(steps: &Receiver<String>) -> String {
    match steps.recv_timeout(STUCK) {
        Ok(line) => {
            assert!(line.starts_with(STEP), "{line}");
            line
        }
        Err(RecvTimeoutError::Timeout) => panic!("nothing happens any more"),
        Err(RecvTimeoutError::Disconnected) => panic!("nobody is left"),
    }
}

fn applied(side: &Side) -> Vec<u64> {
    let conn = open(&ledger(&side.home));
    let mut statement = conn.prepare("SELECT n FROM applied ORDER BY place").unwrap();
    statement.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

/// With at most `gap` steps between two kills.
fn run(seed: u64, count: u64, gap: u32) {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let sides = [alice, bob];
    sides.iter().for_each(|side| tables(&ledger(&side.home)));
    let relay = format!("http://{}", world.address);
    let (tell, steps) = channel();
    let mut processes: Vec<Process> = [0, 1]
        .into_iter()
        .flat_map(|side| {
            ["process::sender", "process::receiver"].map(|test| Process { side, test, child: None })
        })
        .collect();
    for process in &mut processes {
        process.start(&sides[process.side], &relay, count, &tell);
    }
    let rng = &mut SeededRng::new(seed);
    let (mut kills, mut left) = ([0u32; 2], 1 + rng.next_u32() % gap);
    let all = |side: &Side| {
        let conn = open(&ledger(&side.home));
        conn.query_row("SELECT count(*) FROM applied", [], |r| r.get::<_, u64>(0)).unwrap() >= count
    };
    while !sides.iter().all(all) {
        step(&steps);
        left -= 1;
        if left > 0 {
            continue;
        }
        left = 1 + rng.next_u32() % gap;
        let victim = rng.next_u32() as usize % (processes.len() + 1);
        match processes.get_mut(victim) {
            Some(process) => {
                process.kill();
                process.start(&sides[process.side], &relay, count, &tell);
                kills[0] += 1;
            }
            None => {
                world.kill_relay();
                world.start_relay();
                kills[1] += 1;
            }
        }
    }
    drop(processes);
    let expected: Vec<u64> = (1..=count).collect();
    for (side, name) in sides.iter().zip(["alice", "bob"]) {
        assert!(applied(side) == expected, "seed {seed}: {name} has them otherwise: {:?}", applied(side));
    }
    for (side, peer) in sides.iter().zip(["bob", "alice"]) {
        let (log, exit) = side.json(&["peers", "log", "verify", peer]);
        assert_eq!(exit, 0, "seed {seed}: {log}");
        assert_eq!(log["own"]["records"], count + 1, "seed {seed}: {log}");
        assert_eq!(side.json(&["peers", "show", peer]).0["state"], "paired");
    }
    println!("seed {seed}: {count} each way, {} kills of agents, {} of the relay", kills[0], kills[1]);
}

#[test]
fn under_kills_at_random() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let long = number("WIRE_TEST_LONG").is_some();
    let (runs, count, gap) = if long { (20, 10_000, 600) } else { (2, 400, 60) };
    match number("WIRE_CHAOS_SEED") {
        Some(seed) => run(seed, count, gap),
        None => (0..runs).for_each(|seed| run(seed, count, gap)),
    }
}
