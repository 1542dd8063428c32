//! The seeds of every fuzz target, on any toolchain: `.ci/run fuzz` starts from these files.
//!
//! `cargo test -p wire-core --test fuzz_corpus -- --ignored` writes those that are made by
//! `wire_core::testing::fuzz::seeds`. A file that is not among them was found by fuzzing, and stays.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reads and writes its own files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wire_core::testing::fuzz::{TARGETS, accepted, seeds};

/// All seeds together stay this small.
const MAX_BYTES: usize = 200 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The files of a target, by name.
fn files(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = folder().join("seeds").join(target);
    names(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn every_target_holds_for_its_seeds_and_accepts_one_of_them() {
    let (mut count, mut bytes) = (0, 0);
    for (name, target) in TARGETS {
        let files = files(name);
        assert!(!files.is_empty(), "{name} has no seed");
        let before = accepted();
        for (file, input) in &files {
            println!("{name}/{file}");
            target(input);
            bytes += input.len();
        }
        assert!(accepted() > before, "{name} refuses all of its seeds: its property says nothing");
        count += files.len();
    }
    println!("{count} seeds of {} targets, {bytes} bytes", TARGETS.len());
    assert!(bytes <= MAX_BYTES, "{bytes} bytes of seeds");
}

#[test]
fn targets_programs_and_folders_of_seeds_are_the_same() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "a name twice");
    assert_eq!(names(&folder().join("seeds")), targets);
    assert_eq!(names(&folder().join("fuzz_targets")), targets.iter().map(|t| format!("{t}.rs")).collect());
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in &targets {
        let program = fs::read_to_string(folder().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz::{target}(data)")), "{target}.rs runs another target");
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn the_files_are_what_the_generator_makes() {
    let mut made = BTreeSet::new();
    for seed in seeds() {
        assert!(made.insert((seed.target, seed.name.clone())), "{}/{} is made twice", seed.target, seed.name);
        let file = files(seed.target).remove(&seed.name);
        assert!(file.as_ref() == Some(&seed.bytes), "{}/{} is stale: see the top", seed.target, seed.name);
    }
}

/// Not only seeds: what is cheap to try at every call of the tests.
#[test]
fn every_target_holds_for_short_and_for_cut_inputs() {
    for (name, target) in TARGETS {
        target(&[]);
        (0..=255).for_each(|byte| target(&[byte]));
        for input in files(name).values() {
            target(&input[..input.len() / 2]);
            target(&input[..input.len() - usize::from(!input.is_empty())]);
        }
    }
}

#[test]
#[ignore = "writes the seeds"]
fn write_the_seeds() {
    for seed in seeds() {
        let folder = folder().join("seeds").join(seed.target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(seed.name), seed.bytes).unwrap();
    }
}
