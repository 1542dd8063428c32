//! Limits that a program runs into, by the kernel's own counters and by what lies on the disk.

use std::path::Path;

use crate::support::ground::{Ground, plain, sh};
use crate::support::hardened::docker;
use crate::support::{home, images};
use wire_core::spawn::limits::MIN_PIDS;
use wire_core::spawn::{Limits, LogCap, Outcome, SpawnSpec};

/// Says the periods, those in which it had to wait, and the nanoseconds on processors; is busy until it had to
/// wait in 20 more; says them again.
const BUSY: &str = r#"
cd /sys/fs/cgroup; [ -d cpu ] && cd cpu
value() { sed -n "s/^$1 //p" cpu.stat; }
used() { if [ -e cpuacct.usage ]; then cat cpuacct.usage; else echo "$(value usage_usec)000"; fi; }
say() { echo "$(value nr_periods) $(value nr_throttled) $(used)"; }
say
end=$(( $(value nr_throttled) + 20 ))
while [ "$(value nr_throttled)" -lt "$end" ]; do
    i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done
done
say
"#;

/// A period is a tenth of a second of which half is for it, and what it did not use of one it may use in the
/// next.
#[tokio::test]
async fn a_busy_loop_gets_its_share_of_a_processor() {
    let ground = Ground::new().await;
    let limits = Limits::default().cpus(0.5);
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).limits(limits)).await;
    let output = sandbox.run(sh(BUSY)).await.unwrap();
    let text = output.stdout.text();
    let numbers: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [periods, waited, used, periods_then, waited_then, used_then] = numbers[..] else {
        panic!("{text}: {}", output.stderr.text())
    };
    assert!(waited_then >= waited + 20);
    let most = (periods_then - periods + 1) * 50_000_000;
    assert!((used_then - used) * 10 <= most * 11, "{} of {most} ns", used_then - used);
    sandbox.remove().await.unwrap();
}

/// The fewest processes that a spec may ask for are enough to make a container, to use it and to look at it.
#[tokio::test]
async fn the_fewest_processes_are_enough() {
    let ground = Ground::new().await;
    let limits = Limits::default().pids(MIN_PIDS);
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).limits(limits)).await;
    assert_eq!(sandbox.run(sh("echo shim; exit 3")).await.unwrap().outcome, Outcome::Exited(3));
    sandbox.write("/tmp/file", 0o644, &b"x"[..]).await.unwrap();
    assert_eq!(sandbox.files("/tmp").await.unwrap().len(), 1);
    assert!(sandbox.attest().await.unwrap().holds());
    let other = home::open(&ground.home).await;
    let again = other.get(sandbox.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.run(sh("exit 4")).await.unwrap().outcome, Outcome::Exited(4));
    sandbox.remove().await.unwrap();
    let sandbox = ground.spawn(plain(["sleep", "1000"]).limits(limits)).await;
    assert_eq!(sandbox.run(sh("exit 5")).await.unwrap().outcome, Outcome::Exited(5));
    sandbox.remove().await.unwrap();
}

/// Without the shim the engine keeps what a program says, and no more of it than was asked for.
#[tokio::test]
async fn the_engines_log_of_a_program_is_bounded() {
    let ground = Ground::new().await;
    let cap = LogCap { file: 64 << 10, files: 2 };
    let line = "yes 'a line of a program that says the same again and again' | head -c 4000000";
    let spec = plain(["sh", "-c", line]).limits(Limits::default().log(cap));
    let sandbox = ground.spawn(spec).await;
    assert_eq!(sandbox.wait().await.unwrap().code, Some(0));
    let done = docker(&["inspect", "--format", "{{.LogPath}}", sandbox.id().as_str()]);
    let path = String::from_utf8(done.stdout).unwrap();
    let Ok(folder) = std::fs::read_dir(Path::new(path.trim()).parent().unwrap()) else {
        return println!("SKIPPED: the engine's files cannot be seen from here");
    };
    let logs: Vec<_> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().contains("-json.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    // A file is full with the entry that fills it; the engine's entries are of 16 KiB at most, as JSON.
    assert!(logs.len() == 2 && logs.iter().all(|size| *size <= cap.file + (32 << 10)), "{logs:?}");
    sandbox.remove().await.unwrap();
}
