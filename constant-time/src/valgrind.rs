//! Memcheck's marks: bytes that are secret are bytes that were never written, and it follows those through every
//! instruction. How a program asks it is in Valgrind's manual, "The Client Request mechanism", and in its header.

use wire_core::testing::constant_time::Checker;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("requests to Valgrind are written for Linux on x86-64 only");

const RUNNING_ON_VALGRIND: usize = 0x1001;
/// `MC` in the upper half.
const MEMCHECK: usize = 0x4d43_0000;
const MAKE_UNDEFINED: usize = MEMCHECK + 1;
const MAKE_DEFINED: usize = MEMCHECK + 2;
const GET_BITS: usize = MEMCHECK + 8;

/// Valgrind's checker of memory.
pub struct Memcheck;

impl Memcheck {
    /// Whether it runs this program.
    pub fn watches() -> bool {
        // SAFETY: it takes no address.
        unsafe { ask(RUNNING_ON_VALGRIND, 0, 0, 0) != 0 }
    }
}

impl Checker for Memcheck {
    fn secret(&self, bytes: &mut [u8]) {
        // SAFETY: the bytes are ours; only what Valgrind knows of them changes.
        unsafe { ask(MAKE_UNDEFINED, bytes.as_mut_ptr() as usize, bytes.len(), 0) };
    }

    fn public(&self, bytes: &[u8]) {
        // SAFETY: the bytes are ours; only what Valgrind knows of them changes.
        unsafe { ask(MAKE_DEFINED, bytes.as_ptr() as usize, bytes.len(), 0) };
    }

    fn is_secret(&self, bytes: &[u8]) -> bool {
        let mut bits = vec![0_u8; bytes.len()];
        // SAFETY: it writes as many bytes to the second address as it looks at from the first.
        let told = unsafe { ask(GET_BITS, bytes.as_ptr() as usize, bits.as_mut_ptr() as usize, bytes.len()) };
        assert_eq!(told, 1, "Valgrind does not tell");
        bits.iter().any(|bits| *bits != 0)
    }
}

/// One request. Outside of Valgrind these instructions do nothing, and the answer is 0.
///
/// # Safety
/// The addresses are what the request takes them for.
unsafe fn ask(request: usize, first: usize, second: usize, third: usize) -> usize {
    let request = [request, first, second, third, 0, 0];
    let mut answer = 0_usize;
    // SAFETY: four turns of a register by 128 bits in all, and an exchange of one with itself.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") answer,
        );
    }
    answer
}
