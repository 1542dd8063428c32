//! The profile of system calls changes only where somebody reads the difference: it is written down here.

use serde_json::Value;
use wire_core::spawn::seccomp::{Arch, fingerprint, profile};

const GOLDEN: &[(Arch, &str, &str)] = &[
    (
        Arch::Amd64,
        include_str!("../vectors/spawn/seccomp-amd64.json"),
        "10cb691e8cd0c168abb1f80081f5bfeda8e486d7e1ae7deed59db998e5098c78",
    ),
    (
        Arch::Arm64,
        include_str!("../vectors/spawn/seccomp-arm64.json"),
        "2b206b40fcbb717e6d32a572f0e5aeafe3a0b1c176f70bd23dc7013860014a05",
    ),
];

#[test]
fn the_profile_is_the_one_that_was_read() {
    for (arch, json, print) in GOLDEN {
        let golden: Value = serde_json::from_str(json).unwrap();
        let now = profile(*arch);
        assert!(
            now == golden && fingerprint(*arch) == *print,
            "{} is now {}:\n{}",
            arch.name(),
            fingerprint(*arch),
            serde_json::to_string_pretty(&now).unwrap()
        );
    }
}
