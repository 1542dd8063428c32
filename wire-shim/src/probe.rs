//! The attestor: it looks at the container from inside and tries what should be refused.
//!
//! 1. [`run`] collects what can be read and tried by ordinary means ([`seen`]).
//! 2. The system calls of [`calls`] are then tried in other processes, with arguments that do no harm where
//!    they are let through: what a call does, or the filter does to the caller, ends with that process.
//! 3. The evidence goes back encoded, with the asker's nonce. What it means is decided outside.
#![expect(unsafe_code, reason = "system calls are made by number, in ways that no library offers")]

mod calls;
mod seen;

use std::io::{self, Read};
use std::os::fd::AsRawFd;

use nix::libc;
use wire_shim::evidence::{Answer, Call, Evidence, VERSION, Way};

use calls::Row;

/// Seconds after which a call that does not come back is given up.
const PATIENCE: u32 = 2;

/// Looks, and answers with this nonce. To be run in a process that has no other threads.
pub(crate) fn run(nonce: &[u8]) -> Vec<u8> {
    // An ignored signal is inherited; ignored, this one would hide how the processes end.
    // SAFETY: the default action runs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let system = rustix::system::uname();
    let (chown, tmp_exec) = seen::chown_and_exec();
    let mounts = seen::mounts();
    Evidence {
        version: VERSION,
        nonce: nonce.to_vec(),
        machine: system.machine().to_string_lossy().into_owned(),
        kernel: system.release().to_string_lossy().into_owned(),
        status: seen::status(),
        init: seen::init(),
        namespaces: seen::namespaces(),
        uid_map: seen::uid_map(),
        places: seen::places(&mounts),
        mounts,
        writes: seen::writes(),
        kernel_writes: seen::kernel_writes(),
        tmp_exec,
        interfaces: seen::interfaces(),
        connect: seen::connect(),
        devices: seen::devices(),
        limits: seen::limits(),
        cgroup: seen::cgroup(),
        env: seen::env(),
        calls: calls(),
        chown,
    }
    .encode()
}

fn calls() -> Vec<Call> {
    let rows = calls::rows();
    let answers = attempt(&rows);
    let call = |(row, answer): (&Row, _)| Call { name: row.name.into(), way: row.way, answer };
    rows.iter().zip(answers).map(call).collect()
}

/// What came of each row, in order.
fn attempt(rows: &[Row]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(rows.len());
    while let Some(left) = rows.get(answers.len()..).filter(|left| !left.is_empty()) {
        match some_of(left) {
            Ok(some) if !some.is_empty() => answers.extend(some),
            // No process could be had for it.
            _ => answers.push(Answer::Untried),
        }
    }
    answers
}

/// Tries rows from the first on, in one process of their own, up to one that is let through or that ends
/// it: what has been refused has changed nothing, what was not may have.
fn some_of(rows: &[Row]) -> io::Result<Vec<Answer>> {
    let (mut reader, writer) = io::pipe()?;
    // SAFETY: the child only makes calls that are safe in a signal handler, and never returns from here.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        // SAFETY: this is the child.
        0 => unsafe { in_child(rows, writer.as_raw_fd()) },
        child => child,
    };
    drop(writer);
    let mut results = Vec::new();
    let read = reader.read_to_end(&mut results);
    let ended = wait(child);
    read?;
    let mut answers: Vec<_> = results
        .as_chunks()
        .0
        .iter()
        .map(|result| match u32::from_ne_bytes(*result) {
            0 => Answer::Done,
            number => Answer::Errno(number),
        })
        .collect();
    if let Some(signal) = ended? {
        answers.push(Answer::Signal(signal));
    }
    Ok(answers)
}

/// Tells of each row 0 or the error's number, and ends.
///
/// # Safety
/// Only in a process that was made for it.
unsafe fn in_child(rows: &[Row], results: libc::c_int) -> ! {
    // SAFETY: calls that are safe in a signal handler. The arguments of every row do no harm.
    unsafe {
        // No core file when the filter ends this.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        let me = libc::getpid();
        for row in rows {
            libc::alarm(PATIENCE);
            let result = call(row);
            if libc::getpid() != me {
                // The process that a row of `clone` has made.
                break;
            }
            let told = u32::try_from(-result).unwrap_or(0).to_ne_bytes();
            libc::write(results, told.as_ptr().cast(), told.len());
            if result >= 0 {
                break;
            }
        }
        libc::_exit(0)
    }
}

/// Waits for the child. The signal that ended it, if one did.
fn wait(child: libc::pid_t) -> io::Result<Option<u32>> {
    let mut status = 0;
    loop {
        // SAFETY: the status is a live integer.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            return Ok(libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status).unsigned_abs()));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The call's result, negative for an error.
///
/// # Safety
/// The arguments must do no harm if the call is let through.
unsafe fn call(row: &Row) -> i64 {
    let [a, b, c, d, e, f] = row.args;
    match row.way {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        Way::I386 => unsafe { interrupt(row.number, a, b, c) },
        #[cfg(not(target_arch = "x86_64"))]
        Way::I386 => -i64::from(libc::ENOSYS),
        // x32 is the same instruction, with a bit set in the number.
        Way::Native | Way::X32 => {
            // SAFETY: the caller's promise.
            let result = unsafe { libc::syscall(row.number, a, b, c, d, e, f) };
            if result == -1 {
                // SAFETY: the error's number of this thread.
                return -i64::from(unsafe { *libc::__errno_location() });
            }
            result
        }
    }
}

/// Calls as a program for i386 does, whatever this one is compiled for.
///
/// # Safety
/// As of [`call`].
#[cfg(target_arch = "x86_64")]
unsafe fn interrupt(number: i64, a: u64, b: u64, c: u64) -> i64 {
    let mut result = number;
    // SAFETY: the kernel keeps all registers but the result and r8 to r11; `rbx`, which the compiler keeps
    // for itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {a}",
            "int 0x80",
            "xchg rbx, {a}",
            a = inout(reg) a => _,
            inout("rax") result,
            in("rcx") b,
            in("rdx") c,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
    // The result has 32 bits.
    i64::from(result as u32 as i32)
}
