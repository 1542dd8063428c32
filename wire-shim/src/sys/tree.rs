//! Process trees, as `/proc` shows them.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// One reading of all processes.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    children: BTreeMap<i32, Vec<Process>>,
}

/// A process at the time of reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    group: i32,
    parent: i32,
    /// It has ended, and waits to be reaped.
    ended: bool,
}

impl Processes {
    /// Reads them. What cannot be read is gone.
    pub(crate) fn now() -> Self {
        let mut children = BTreeMap::<i32, Vec<Process>>::new();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
            if let Some(process) = parse(&stat) {
                children.entry(process.parent).or_default().push(process);
            }
        }
        Self { children }
    }

    /// The children of `parent`.
    pub(crate) fn children(&self, parent: Pid) -> impl Iterator<Item = Process> {
        self.children.get(&parent.as_raw_pid()).into_iter().flatten().copied()
    }

    /// All descendants of `root`, without itself.
    pub(crate) fn below(&self, root: Pid) -> Vec<Process> {
        let mut found: Vec<Process> = self.children(root).collect();
        let mut next = 0;
        while let Some(process) = found.get(next) {
            found.extend(self.children(process.pid).collect::<Vec<_>>());
            next += 1;
        }
        found
    }
}

/// Sends a signal to each of them that has not ended. Returns how many those were.
pub(crate) fn signal(tree: &[Process], signal: Signal) -> usize {
    let alive = tree.iter().filter(|process| !process.ended);
    alive.map(|process| _ = kill_process(process.pid, signal)).count()
}

/// SIGKILL to each of them and, because that is atomic and a fork bomb is not, to their process groups.
/// `spared` is the group that their watcher is in. Returns how many were still alive.
pub(crate) fn kill(tree: &[Process], spared: Pid) -> usize {
    let mut groups: Vec<i32> = tree.iter().filter(|p| !p.ended).map(|p| p.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups.into_iter().filter(|group| *group != spared.as_raw_pid()).filter_map(Pid::from_raw) {
        // 1 would mean every process there is.
        if !group.is_init() {
            _ = kill_process_group(group, Signal::KILL);
        }
    }
    signal(tree, Signal::KILL)
}

/// `pid (name) state parent group ..`, where the name may hold anything.
fn parse(stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let (head, tail) = text.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok().and_then(Pid::from_raw)?;
    let mut fields = tail.split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    Some(Process { pid, ended, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        let process = parse(b"42 (a) R 1 (b)) S 7 42 42 0 -1").unwrap();
        assert_eq!((process.pid.as_raw_pid(), process.parent, process.group), (42, 7, 42));
        assert!(!process.ended);
        assert!(parse(b"42 (x) Z 7 42").unwrap().ended);
        assert!(parse(b"nonsense").is_none());
    }
}
