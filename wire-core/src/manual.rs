//! The pages under `docs/`, as they are for this version.

/// Where things are, which way data flows, and the rules that keep it so.
pub mod architecture {
    #![doc = include_str!("../docs/ARCHITECTURE.md")]
}

/// Everything that two implementations must agree on, byte for byte.
pub mod protocol {
    #![doc = include_str!("../docs/PROTOCOL.md")]
}

/// Who may attack, what they get, what is not protected, and the test for each claim.
pub mod threat_model {
    #![doc = include_str!("../docs/THREAT_MODEL.md")]
}

/// What a container may do and how that is proved, its limits and lifetimes, what its end means.
pub mod containers {
    #![doc = include_str!("../docs/CONTAINERS.md")]
}
