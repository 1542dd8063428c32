//! Standard input goes through, whole, when it is asked for; and is empty when it is not.

use crate::rig::Rig;

#[test]
fn input_goes_through_and_ends() {
    let rig = Rig::new();
    let input: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let done = rig.bytes(&["run", "-i", "IMAGE", "--", "cat"], &input);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.stdout == input, "{} bytes came back", done.stdout.len());
    let done = rig.bytes(&["run", "IMAGE", "--", "cat"], b"nobody reads this");
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(0), &b""[..]));
    rig.has_nothing();
}

#[test]
fn a_program_that_reads_nothing_ends_all_the_same() {
    let rig = Rig::new();
    let mut running = rig.start(&["run", "-i", "IMAGE", "--", "echo", "done"]);
    assert_eq!(running.line(), "done");
    // Its standard input is still open here.
    running.end().ok();
    rig.has_nothing();
}
