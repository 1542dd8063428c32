//! With the feature `embed-shim`: the shim's program, as bytes that `wire_core::spawn::shim_bytes` gives.
//!
//! 1. `WIRE_SHIM_FILE` names one that is there already.
//! 2. Otherwise it is built by a Cargo of its own, into a folder that all profiles, features and targets of
//!    this build share, so that it is built once.
//!
//! Without the feature nothing is done here.

#![expect(clippy::disallowed_methods, reason = "a build script reads its environment and runs programs")]
#![allow(clippy::disallowed_types, reason = "what the pure library may not use, its build script may")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Its profile, said here because a package from a registry has no workspace to say it.
const PROFILE: [&str; 6] = [
    "profile.shim.inherits=\"release\"",
    "profile.shim.opt-level=\"s\"",
    "profile.shim.lto=\"fat\"",
    "profile.shim.codegen-units=1",
    "profile.shim.panic=\"abort\"",
    "profile.shim.strip=true",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WIRE_SHIM_FILE");
    if env::var_os("CARGO_FEATURE_EMBED_SHIM").is_none() {
        return ExitCode::SUCCESS;
    }
    match embed() {
        Ok(file) => {
            println!("cargo::rustc-env=WIRE_SHIM_EMBEDDED={}", file.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            for line in why.lines() {
                println!("cargo::error={line}");
            }
            println!(
                "cargo::error=the shim cannot be embedded: set WIRE_SHIM_FILE to a static Linux build of \
                 wire-shim, or leave the feature embed-shim out and set WIRE_SHIM at run time"
            );
            ExitCode::FAILURE
        }
    }
}

/// The file whose bytes are embedded. An empty one stands for none.
fn embed() -> Result<PathBuf, String> {
    let out = PathBuf::from(var("OUT_DIR")?);
    let file = out.join("shim");
    if env::var_os("DOCS_RS").is_some() {
        // There is neither a network nor a reader of the program there.
        fs::write(&file, []).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(file);
    }
    let program = match env::var_os("WIRE_SHIM_FILE").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => build(&out)?,
    };
    println!("cargo::rerun-if-changed={}", program.display());
    let bytes = fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(format!("{} is no program for Linux", program.display()));
    }
    fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Builds it. Its Cargo locks another folder than the one that waits for it here.
fn build(out: &Path) -> Result<PathBuf, String> {
    let source = PathBuf::from(var("DEP_WIRE_SHIM_MANIFEST_DIR")?);
    for part in ["src", "build.rs", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", source.join(part).display());
    }
    let target = var("TARGET")?;
    if !target.contains("-linux-") {
        return Err(format!("a container runs Linux, and this is built for {target}"));
    }
    let folder = shared(out).join("shim");
    // Without the network if that will do; and without it in any case if that is what is wanted.
    let offline = env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true");
    let built = cargo(&source, &target, &folder, true)?;
    let built = if built.success() || offline { built } else { cargo(&source, &target, &folder, false)? };
    if !built.success() {
        return Err(format!("building the shim in {} failed: {built}", source.display()));
    }
    Ok(folder.join(target).join("shim/wire-shim"))
}

fn cargo(
    source: &Path,
    target: &str,
    folder: &Path,
    offline: bool,
) -> Result<std::process::ExitStatus, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--profile", "shim", "--features", "bin", "--bin", "wire-shim"]);
    command.args(["--target", target, "--target-dir"]).arg(folder);
    command.arg("--manifest-path").arg(source.join("Cargo.toml"));
    PROFILE.iter().for_each(|line| _ = command.args(["--config", line]));
    if source.ancestors().any(|folder| folder.join("Cargo.lock").is_file()) {
        command.arg("--locked");
    }
    if offline {
        command.arg("--offline");
    }
    // From there on upwards it finds the settings of whoever builds, such as where packages come from.
    command.current_dir(folder.parent().unwrap_or(folder));
    // Not what this build is made with: clippy in place of the compiler, coverage, sanitizers, the CPU at hand.
    for name in ["RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    command.status().map_err(|error| format!("cargo cannot be started: {error}"))
}

/// The folder of all that this Cargo builds, which it marks. Each profile and target has its own below.
fn shared(out: &Path) -> &Path {
    let marked = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    out.ancestors().find(marked).or_else(|| out.ancestors().nth(4)).unwrap_or(out)
}

fn var(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("Cargo did not say {name}"))
}
