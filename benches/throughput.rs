//! The whole way of a message from agent to agent: signed, sealed, stored, posted over HTTP on loopback,
//! stored and synced by the relay, fetched, opened, verified, stored, and acknowledged by a signature.
//!
//! 1. Latency: from the call of `send` until the live inbox of the peer hands the message out, one
//!    message at a time, next to the time of one sync of the same disk.
//! 2. Rate: 1 KiB messages of one pair, and of 16 pairs at once, until the sender has the receiver's
//!    signed word that it has the last; next to the ceiling that `benches::ceiling` computes, in turn.
//!    Then, from there, until the receiver's application has taken and acknowledged all, and the sender
//!    knows it.
//!
//! `cargo bench -p benches --bench throughput`, or with `-- --quick` to see that it works; with
//! `-- latency`, `-- stream` or `-- pairs` only that part.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use benches::ceiling::{Bench, Ceiling};
use benches::rig::{Disk, Outcome, Rig, pair};
use benches::{Effort, Spread, percentile, process_time};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use wire_core::Agent;
use wire_core::agent::{Delivery, Peer};
use wire_core::record::RecordId;

const BODY: usize = 1024;
/// Sends that are under way at one time, of one pair and of each of many.
const LANES: (usize, usize) = (128, 32);
const PAIRS: usize = 16;
/// Messages that the peer has not acknowledged, less than where an agent refuses more.
const WINDOW: usize = 768;
/// Every so many it is looked how far the peer is.
const LOOK: usize = 64;
const RATE_TARGET: f64 = 0.6;

fn main() -> Outcome<()> {
    let effort = Effort::from_args();
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tokio::runtime::Runtime::new()?.block_on(async {
        if Effort::wants("latency") {
            latency(effort, disk).await?;
        }
        if Effort::wants("stream") {
            rate(effort, disk, 1, effort.pick(200, 4000), LANES.0).await?;
        }
        if Effort::wants("pairs") {
            rate(effort, disk, effort.pick(2, PAIRS), effort.pick(50, 500), LANES.1).await?;
        }
        Ok(())
    })
}

/// A sender, its peer, and the agent that the peer is.
struct Pair {
    alice: Agent,
    to_bob: Peer,
    bob: Agent,
}

impl Pair {
    async fn new(rig: &Rig, n: usize) -> Outcome<Self> {
        let (alice, bob) = (rig.agent(&format!("alice-{n}")).await?, rig.agent(&format!("bob-{n}")).await?);
        let (to_bob, _) = pair(&alice, &bob).await?;
        Ok(Self { alice, to_bob, bob })
    }

    async fn close(self) {
        drop(self.to_bob);
        self.alice.close().await;
        self.bob.close().await;
    }
}

async fn latency(effort: Effort, disk: &Path) -> Outcome<()> {
    let messages = effort.pick(10, 200);
    let rig = Rig::start(disk).await?;
    let pair = Pair::new(&rig, 0).await?;
    let mut syncs = Disk::new(disk)?;
    let mut inbox = pair.bob.inbox();
    let (mut handed, mut processed, mut sync) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..messages {
        sync.push(syncs.sync_time(3)?);
        let start = Instant::now();
        let (sent, message) = tokio::join!(pair.to_bob.send(vec![0x5a; BODY]), inbox.next());
        handed.push(start.elapsed());
        message.ok_or("the inbox ended")??.ack().await?;
        pair.alice.wait_for(&sent?.id, Delivery::Processed).await?;
        processed.push(start.elapsed());
    }
    drop(inbox);
    pair.close().await;
    rig.stop().await?;

    let sync = ms(percentile(&mut sync, 50));
    let (p50, p99) = (ms(percentile(&mut handed, 50)), ms(percentile(&mut handed, 99)));
    let bound = 3.0 * sync + 3.0;
    let verdict = if p50 <= bound { "met" } else { "missed" };
    println!("latency of {messages} messages of {BODY} bytes, in ms; one sync of this disk takes {sync:.2}");
    println!(
        "  send to the peer's inbox: p50 {p50:.2}, p99 {p99:.2}   (target <= 3 syncs + 3 = {bound:.2}: {verdict})"
    );
    println!("  until processed is known: p50 {:.2}", ms(percentile(&mut processed, 50)));
    Ok(())
}

async fn rate(effort: Effort, disk: &Path, pairs: usize, messages: usize, lanes: usize) -> Outcome<()> {
    let runs = effort.pick(1, 7);
    let rig = Rig::start(disk).await?;
    let mut open = Vec::new();
    for n in 0..pairs {
        open.push(Arc::new(Pair::new(&rig, n).await?));
    }
    let cores = std::thread::available_parallelism()?.get();
    let mut benches = (0..cores).map(|_| Bench::new(disk, BODY)).collect::<Outcome<Vec<_>>>()?;
    let (mut rates, mut taken, mut ratios) = (Spread::default(), Spread::default(), Spread::default());
    let (mut least, mut used) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let ceiling = median_of(&mut benches, effort.pick(1, 5))?;
        let bound = if pairs == 1 { ceiling.one_stream(cores) } else { ceiling.many_streams(cores) };
        let per_second = |time: Duration| (pairs * messages) as f64 / time.as_secs_f64();
        let (start, cpu) = (Instant::now(), process_time());
        each(&open, |pair| send_all(pair, messages, lanes)).await?;
        let rate = per_second(start.elapsed());
        used.push((process_time() - cpu) / (pairs * messages) as u32);
        let start = Instant::now();
        each(&open, |pair| take_all(pair, messages)).await?;
        taken.push(per_second(start.elapsed()));
        rates.push(rate);
        ratios.push(rate / bound);
        least.push((bound, ceiling));
    }
    for pair in open {
        Arc::into_inner(pair).ok_or("a pair is still in use")?.close().await;
    }
    rig.stop().await?;

    least.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (bound, ceiling) = least.get(least.len() / 2).copied().ok_or("no run")?;
    let verdict = if ratios.median() >= RATE_TARGET { "met" } else { "missed" };
    println!(
        "rate of {pairs} pair(s), {messages} messages of {BODY} bytes each, min / median / max of {runs} runs"
    );
    println!("  sent until received is signed: {rates} msg/s");
    println!("  ceiling of the primitives:     {bound:.0} msg/s on {cores} cores ({})", told(&ceiling));
    println!("  ratio {ratios}   (target >= {RATE_TARGET}: {verdict})");
    let (used, needed) = (percentile(&mut used, 50), ceiling.cpu());
    println!(
        "  processor time: {:.0} us a message against {:.0} us of the primitives",
        used.as_secs_f64() * 1e6,
        needed.as_secs_f64() * 1e6
    );
    println!("  then taken, acknowledged and known to be processed: {taken} msg/s");
    Ok(())
}

/// Runs the same for each pair at once.
async fn each<F: Future<Output = Outcome<()>> + Send + 'static>(
    pairs: &[Arc<Pair>],
    work: impl Fn(Arc<Pair>) -> F,
) -> Outcome<()> {
    let mut tasks: JoinSet<_> = pairs.iter().map(|pair| work(pair.clone())).collect();
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Sends so many, `lanes` at a time, and waits for the peer's signed word that it has them.
async fn send_all(pair: Arc<Pair>, messages: usize, lanes: usize) -> Outcome<()> {
    let window = Arc::new(Semaphore::new(WINDOW));
    let (sent, mut received) = mpsc::unbounded_channel::<RecordId>();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..lanes.min(messages) {
        let (pair, next, window, sent) = (pair.clone(), next.clone(), window.clone(), sent.clone());
        tasks.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < messages {
                window.acquire().await?.forget();
                sent.send(pair.to_bob.send(vec![0x5a; BODY]).await?.id)?;
            }
            Outcome::Ok(())
        });
    }
    drop(sent);
    // The peer acknowledges all up to one: to wait for one in a while is enough.
    let (mut count, mut last) = (0, None);
    while let Some(id) = received.recv().await {
        count += 1;
        last = Some(id);
        if count % LOOK == 0 {
            pair.alice.wait_for(&id, Delivery::Received).await?;
            window.add_permits(LOOK);
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    if let Some(id) = last {
        pair.alice.wait_for(&id, Delivery::Received).await?;
    }
    Ok(())
}

/// Takes all from the inbox and acknowledges them, and waits until the sender knows.
async fn take_all(pair: Arc<Pair>, messages: usize) -> Outcome<()> {
    let mut inbox = pair.bob.inbox();
    let mut acks = JoinSet::new();
    for _ in 0..messages {
        let message = inbox.next().await.ok_or("the inbox ended")??;
        acks.spawn(async move { message.ack().await });
    }
    while let Some(done) = acks.join_next().await {
        done??;
    }
    for sent in pair.alice.open_deliveries(1).await? {
        pair.alice.wait_for(&sent.id, Delivery::Processed).await?;
    }
    Ok(())
}

/// The ceiling by the middle of several measurements of each step, with every core at it as in the run
/// that it bounds: cores that share an execution unit or a disk are slower together than alone.
fn median_of(benches: &mut [Bench], times: usize) -> Outcome<Ceiling> {
    let all = std::thread::scope(|scope| {
        let measure = |bench: &'_ mut Bench| (0..times).map(|_| bench.measure()).collect::<Outcome<Vec<_>>>();
        let running: Vec<_> = benches.iter_mut().map(|b| scope.spawn(move || measure(b))).collect();
        let done = running.into_iter().map(|r| r.join().map_err(|_| "a measurement failed")?);
        done.collect::<Outcome<Vec<_>>>()
    })?;
    let all = all.concat();
    let middle = |of: fn(&Ceiling) -> Duration| percentile(&mut all.iter().map(of).collect::<Vec<_>>(), 50);
    let mut ceiling = Ceiling::default();
    ceiling.send.wall = middle(|c| c.send.wall);
    ceiling.send.cpu = middle(|c| c.send.cpu);
    ceiling.relay.wall = middle(|c| c.relay.wall);
    ceiling.relay.cpu = middle(|c| c.relay.cpu);
    ceiling.receive.wall = middle(|c| c.receive.wall);
    ceiling.receive.cpu = middle(|c| c.receive.cpu);
    Ok(ceiling)
}

fn told(ceiling: &Ceiling) -> String {
    let us = |d: Duration| d.as_secs_f64() * 1e6;
    let [send, relay, receive] = [ceiling.send, ceiling.relay, ceiling.receive]
        .map(|cost| format!("{:.0}/{:.0}", us(cost.wall), us(cost.cpu)));
    format!("us a message, elapsed/processor: sender {send}, relay {relay}, receiver {receive}")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
