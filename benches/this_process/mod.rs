//! What this process uses, as Linux tells it.

use std::fs;
use std::io;

/// KiB of memory that it holds now.
pub fn memory() -> io::Result<u64> {
    status("VmRSS:")
}

/// KiB of memory that it held at most since [`forget_peak`].
pub fn peak() -> io::Result<u64> {
    status("VmHWM:")
}

/// From now on the peak is counted anew.
pub fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Open files.
pub fn fds() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

fn status(name: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {name} in /proc/self/status")))
}
