//! The faults, and what has to be true after them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rand_core::Rng as _;
use wire_core::testing::SeededRng;

use crate::ground::{Clock, Disk, ran_elsewhere};
use crate::process::{COUNT, HOME, NAME, RELAY, SENDER, STEP, ledger, open, tables};
use crate::support::{Side, World};

/// Without a step of anybody for this long nothing will happen any more.
const STUCK: Duration = Duration::from_secs(240);
/// How long a disk stays full where nobody has anything to do meanwhile.
const FULL: Duration = Duration::from_millis(500);
/// Most that a clock is off, in seconds: two of them less than a day from each other.
const OFF: i64 = 11 * 3600;
const SENDERS: u64 = 7;
const NAMES: [&str; 2] = ["alice", "bob"];

/// One process of one side.
struct Process {
    side: usize,
    /// None receives.
    sender: Option<u64>,
    child: Option<Child>,
}

/// What processes of one run are told.
struct Orders {
    sides: [Side; 2],
    clocks: [Clock; 2],
    relay: String,
    count: u64,
    tell: Sender<String>,
}

impl Process {
    fn start(&mut self, orders: &Orders) {
        let (key, clock) = orders.clocks[self.side].env();
        let test = if self.sender.is_some() { "process::sender" } else { "process::receiver" };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(HOME, &orders.sides[self.side].home)
            .env(NAME, NAMES[self.side])
            .env(RELAY, &orders.relay)
            .env(COUNT, orders.count.to_string())
            .env(SENDER, self.sender.unwrap_or_default().to_string())
            .env(key, clock)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let tell = orders.tell.clone();
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

/// Waits for a step of anybody; false after this long without one.
fn is_stepped(steps: &Receiver<String>, within: Duration) -> bool {
    match steps.recv_timeout(within) {
        Ok(line) => {
            assert!(line.starts_with(STEP), "{line}");
            true
        }
        Err(RecvTimeoutError::Timeout) => false,
        Err(RecvTimeoutError::Disconnected) => panic!("nobody is left"),
    }
}

/// The numbers of one sender, in the order in which they came.
fn applied(side: &Side, sender: u64) -> Vec<u64> {
    let conn = open(&ledger(&side.home)).unwrap();
    let mut statement = conn.prepare("SELECT n FROM applied WHERE sender = ? ORDER BY place").unwrap();
    statement.query_map([sender], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

#[derive(Default)]
struct Faults {
    agents: u32,
    relay: u32,
    full: u32,
    jumps: u32,
}

/// Each sender has `count` numbers; at most `gap` steps are between two faults.
fn run(seed: u64, count: u64, gap: u32) {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["relay", "home-of-alice", "home-of-bob"].map(|name| folder.path().join(name));
    let disks = homes.iter().map_while(|home| Disk::at(home)).collect::<Vec<_>>();
    let mut world = World::in_folder(folder);
    let (alice, bob) = world.paired(NAMES[0], NAMES[1]);
    let (tell, steps) = channel();
    let relay = format!("http://{}", world.address);
    let orders = Orders { sides: [alice, bob], clocks: NAMES.map(Clock::of), relay, count, tell };
    let (sides, relays_clock) = (&orders.sides, Clock::of("relay"));
    sides.iter().for_each(|side| tables(&ledger(&side.home)));
    let mut processes: Vec<Process> = [0, 1]
        .into_iter()
        .flat_map(|side| {
            let senders = (1..=SENDERS).map(Some).chain([None]);
            senders.map(move |sender| Process { side, sender, child: None })
        })
        .collect();
    processes.iter_mut().for_each(|process| process.start(&orders));
    let rng = &mut SeededRng::new(seed);
    let (mut faults, mut left) = (Faults::default(), 1 + rng.next_u32() % gap);
    let mut full: Option<usize> = None;
    let all = |side: &Side| {
        let conn = open(&ledger(&side.home)).unwrap();
        conn.query_row("SELECT count(*) FROM applied", [], |r| r.get::<_, u64>(0)).unwrap() >= count * SENDERS
    };
    while !sides.iter().all(all) {
        let stepped = is_stepped(&steps, if full.is_some() { FULL } else { STUCK });
        assert!(stepped || full.is_some(), "nothing happens any more");
        left -= 1;
        if stepped && left > 0 {
            continue;
        }
        left = 1 + rng.next_u32() % gap;
        let kind = rng.next_u32() % 8;
        let which = rng.next_u32() as usize;
        // A relay does not start on a full disk, and agents wait for room.
        if let Some(full) = full.take_if(|_| kind > 2) {
            disks[full].free();
        }
        match kind {
            0..=3 => {
                let victim = which % processes.len();
                processes[victim].kill();
                processes[victim].start(&orders);
                faults.agents += 1;
            }
            4 => {
                world.kill_relay();
                world.start_relay();
                faults.relay += 1;
            }
            5 | 6 => {
                if !disks.is_empty() {
                    let disk = which % disks.len();
                    disks[disk].fill();
                    full = Some(disk);
                    faults.full += 1;
                }
            }
            _ => {
                let clock = [&relays_clock, &orders.clocks[0], &orders.clocks[1]][which % 3];
                clock.is_off_by(i64::from(rng.next_u32()) % (2 * OFF) - OFF);
                faults.jumps += 1;
            }
        }
    }
    drop(processes);
    if let Some(full) = full {
        disks[full].free();
    }
    let expected: Vec<u64> = (1..=count).collect();
    for (side, name) in sides.iter().zip(NAMES) {
        for sender in 1..=SENDERS {
            let came = applied(side, sender);
            assert!(came == expected, "seed {seed}: {name} has them of {sender} otherwise: {came:?}");
        }
    }
    for (side, peer) in sides.iter().zip(["bob", "alice"]) {
        let (log, exit) = side.json(&["peers", "log", "verify", peer]);
        assert_eq!(exit, 0, "seed {seed}: {log}");
        assert_eq!(log["own"]["records"], count * SENDERS + 1, "seed {seed}: {log}");
        assert_eq!(side.json(&["peers", "show", peer]).0["state"], "paired");
    }
    let Faults { agents, relay, full, jumps } = faults;
    println!(
        "seed {seed}: {} each way, {agents} kills of agents, {relay} of the relay, {full} times a full disk, {jumps} \
         jumps of a clock",
        count * SENDERS
    );
}

#[test]
fn under_faults_at_random() {
    if ran_elsewhere("everything_arrives_once::under_faults_at_random") {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let long = number("WIRE_TEST_LONG").is_some();
    let (runs, count, gap) = if long { (20, 1_430, 600) } else { (2, 60, 60) };
    match number("WIRE_CHAOS_SEED") {
        Some(seed) => run(seed, count, gap),
        None => (0..runs).for_each(|seed| run(seed, count, gap)),
    }
}
