//! One event per file. Where several processes matter, a test starts itself again as a child with a part.

pub(super) mod harness;

mod a_closure_fails;
mod disk_is_full;
mod eight_processes_write;
mod file_is_damaged;
mod file_is_from_the_future;
mod log_is_due;
mod others_could_read;
mod poller_dies;
mod process_dies;
mod spent_bytes_are_gone;
mod symlink_in_the_way;
mod writer_is_killed;
