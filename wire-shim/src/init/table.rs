//! The programs that run, and those that have ended and are remembered.

use std::collections::BTreeMap;

use rustix::process::Pid;
use wire_shim::protocol::{ExecId, RING_MAX, RING_MIN};

use super::program::Program;

/// Programs that are remembered, the running ones included.
const REMEMBERED: usize = 256;
/// Programs that run at a time. Each has four descriptors, of 1024.
const RUNNING: usize = 128;
/// Bytes of output of all programs together, at least and at most: what is kept of those that have ended, and
/// what those that run may come to keep. In between, a part of the container's memory, which it takes up.
const OUTPUT: (u64, u64) = (1 << 20, 128 << 20);
const PART_OF_MEMORY: u64 = 4;
/// One stream of one program never takes more than this part of it.
const PART_OF_OUTPUT: u64 = 4;

/// All programs, by id. The container's own command is apart: what is kept of it was held against the memory
/// before the container was made, and stays as long as the container.
#[derive(Debug)]
pub(super) struct Table {
    programs: BTreeMap<ExecId, Entry>,
    made: u64,
    /// Bytes of output of all programs together.
    output: u64,
}

#[derive(Debug)]
struct Entry {
    program: Program,
    number: u64,
    /// Bytes that it may come to keep.
    reserved: u64,
}

impl Table {
    /// For a container with this much memory.
    pub(super) fn new(memory: u64) -> Self {
        let output = (memory / PART_OF_MEMORY).clamp(OUTPUT.0, OUTPUT.1);
        Self { programs: BTreeMap::new(), made: 0, output }
    }

    /// The size of a ring for a program that asks for this much.
    pub(super) fn ring_size(&self, id: ExecId, asked: u64) -> u64 {
        let most = if id == ExecId::MAIN { RING_MAX } else { RING_MAX.min(self.output / PART_OF_OUTPUT) };
        asked.clamp(RING_MIN, most)
    }

    pub(super) fn get(&self, id: ExecId) -> Option<&Program> {
        self.programs.get(&id).map(|entry| &entry.program)
    }

    pub(super) fn get_mut(&mut self, id: ExecId) -> Option<&mut Program> {
        self.programs.get_mut(&id).map(|entry| &mut entry.program)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Program> {
        self.programs.values().map(|entry| &entry.program)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        self.programs.values_mut().map(|entry| &mut entry.program)
    }

    /// Those of which something may still be there.
    pub(super) fn living(&self) -> impl Iterator<Item = &Program> {
        self.all().filter(|program| program.lives())
    }

    /// The program that this process watches.
    pub(super) fn watched_by(&mut self, pid: Pid) -> Option<&mut Program> {
        self.all_mut().find(|program| program.watcher == Some(pid))
    }

    /// Whether this process watches a program.
    pub(super) fn is_watcher(&self, pid: Pid) -> bool {
        self.all().any(|program| program.watcher == Some(pid))
    }

    /// Makes room for a program with `streams` rings of `ring` bytes. Gives those that were dropped for it, the
    /// oldest first, or nothing if what runs leaves no room.
    pub(super) fn make_room(&mut self, id: ExecId, ring: u64, streams: u64) -> Option<Vec<ExecId>> {
        let wanted = if id == ExecId::MAIN { 0 } else { ring * streams };
        let running = self.living().count();
        let (living, mut ended): (Vec<_>, Vec<_>) = self
            .programs
            .values()
            .filter(|entry| entry.program.id != ExecId::MAIN)
            .partition(|entry| entry.program.lives());
        let reserved: u64 = living.iter().map(|entry| entry.reserved).sum();
        if running >= RUNNING.min(REMEMBERED) || reserved + wanted > self.output {
            return None;
        }
        ended.sort_by_key(|entry| entry.number);
        let mut kept: u64 = ended.iter().map(|entry| entry.size()).sum();
        let mut dropped = Vec::new();
        for entry in ended {
            let count = self.programs.len() - dropped.len();
            if count < REMEMBERED && reserved + wanted + kept <= self.output {
                break;
            }
            kept -= entry.size();
            dropped.push(entry.program.id);
        }
        dropped.iter().for_each(|id| _ = self.programs.remove(id));
        Some(dropped)
    }

    /// Adds a program for which there is room.
    pub(super) fn insert(&mut self, program: Program, ring: u64, streams: u64) {
        self.made += 1;
        let entry = Entry { number: self.made, reserved: ring * streams, program };
        self.programs.insert(entry.program.id, entry);
    }

    /// Drops a program that has ended.
    pub(super) fn remove(&mut self, id: ExecId) -> bool {
        let ended = self.get(id).is_some_and(|program| !program.lives());
        if ended {
            self.programs.remove(&id);
        }
        ended
    }
}

impl Entry {
    fn size(&self) -> u64 {
        let output = &self.program.output;
        (output.stdout.ring.kept() + output.stderr.ring.kept()) as u64
    }
}
