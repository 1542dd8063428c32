//! Tells the packages that depend on this one where its source is, so that they can build the program.

fn main() {
    println!("cargo::metadata=manifest_dir={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
}
