//! The shim as a static program: the one that `WIRE_SHIM_FILE` names, or built here, once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A folder with nothing in it but the program `shim`, readable by everybody: what is mounted at `/.wire`.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = target().join("shim");
        std::fs::create_dir_all(&folder).unwrap();
        // Copied beside and moved, since another test process may do the same, and a container run it.
        let copy = target().join(format!("shim-{}", std::process::id()));
        std::fs::copy(program(), &copy).unwrap();
        std::fs::rename(copy, folder.join("shim")).unwrap();
        folder
    })
}

/// The program.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("WIRE_SHIM_FILE") {
        Some(file) => PathBuf::from(file),
        None => build(),
    })
}

/// Cargo itself lets one process at a time build in that folder, and builds only what has changed.
fn build() -> PathBuf {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let done = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--frozen", "--quiet", "-p", "wire-shim", "--features", "bin", "--bin", "wire-shim"])
        .args(["--target", &triple, "--target-dir"])
        .arg(target())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(done.status.success(), "the shim: {}", String::from_utf8_lossy(&done.stderr));
    target().join(triple).join("debug/wire-shim")
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim-test")
}
