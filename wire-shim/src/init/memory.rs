//! How much memory this container may have.

use std::fs;

/// The limit in version 2 of control groups and in version 1, as a container sees its own.
const FILES: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Bytes, or as good as no limit where there is none or it cannot be read.
pub(super) fn limit() -> u64 {
    FILES.iter().find_map(|file| parse(&fs::read_to_string(file).ok()?)).unwrap_or(u64::MAX)
}

fn parse(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        assert_eq!(parse("67108864\n"), Some(64 << 20));
        assert_eq!(parse("max\n"), None);
    }
}
