//! The attestor's calls are answered as our profile says, whatever the engine's own default is; and the
//! table does tell that profile from others.

use crate::support::hardened::{attest, body, expected};
use crate::support::images;
use serde_json::json;
use wire_core::spawn::{Control, Verdict};
use wire_shim::evidence::{Answer, Evidence, Way};

const EPERM: Answer = Answer::Errno(1);
const ENOSYS: Answer = Answer::Errno(38);
const SIGSYS: Answer = Answer::Signal(31);

fn answer(evidence: &Evidence, name: &str, way: Way) -> Answer {
    let call = evidence.calls.iter().find(|c| c.name == name && c.way == way);
    call.unwrap_or_else(|| unreachable!("{name} was not tried")).answer
}

#[test]
fn each_is_answered_as_the_profile_says() {
    let (evidence, attestation) = attest(body(&images::scratch(), &[]), &expected());
    let row = attestation.row(Control::Syscalls).unwrap();
    assert_eq!(row.verdict, Verdict::Holds, "{}", row.seen);

    // The table takes two answers for some, for the sake of other engines; these are this one's.
    for name in ["ptrace", "socket(AF_VSOCK)", "socket(high|AF_VSOCK)", "clone(high|NEWUSER)", "unshare(0)"] {
        assert_eq!(answer(&evidence, name, Way::Native), EPERM, "{name}");
    }
    for name in ["clone3", "io_uring_setup", "set_mempolicy"] {
        assert_eq!(answer(&evidence, name, Way::Native), ENOSYS, "{name}");
    }
    for name in ["socket(AF_UNIX)", "socket(AF_INET)", "socket(AF_NETLINK, ROUTE)", "pidfd_open"] {
        assert_eq!(answer(&evidence, name, Way::Native), Answer::Done, "{name}");
    }
    if evidence.machine == "x86_64" {
        for (name, way) in [("socketcall", Way::I386), ("getpid", Way::I386), ("getpid", Way::X32)] {
            assert_eq!(answer(&evidence, name, way), SIGSYS, "{name} {way}");
        }
    }
}

/// With no filter, and with the engine's own, calls are let through that ours refuses.
#[test]
fn the_table_tells_other_filters() {
    for (options, mode) in
        [(json!(["no-new-privileges", "seccomp=unconfined"]), 0), (json!(["no-new-privileges"]), 2)]
    {
        let mut other = body(&images::scratch(), &[]);
        other["HostConfig"]["SecurityOpt"] = options;
        let (evidence, attestation) = attest(other, &expected());
        assert_eq!(evidence.status.seccomp, Some(mode));
        let row = attestation.row(Control::Syscalls).unwrap();
        assert_eq!(row.verdict, Verdict::Broken, "{attestation}");
        for name in ["ptrace", "socket(high|AF_VSOCK)", "vmsplice", "clone3"] {
            let ours = if name == "clone3" { ENOSYS } else { EPERM };
            // The engine's own, of this version, agrees with ours on the last one.
            assert!(answer(&evidence, name, Way::Native) != ours || name == "clone3" && mode == 2, "{name}");
        }
    }
}

/// Of the rows that say "refused", most are refused by the filter alone: without it and without any
/// capability they get another answer. The others show a missing capability too.
#[test]
fn most_rows_show_the_filter_and_not_a_missing_capability() {
    let mut open = body(&images::scratch(), &[]);
    open["HostConfig"]["SecurityOpt"] = json!(["no-new-privileges", "seccomp=unconfined"]);
    let (open, _) = attest(open, &expected());
    let (ours, _) = attest(body(&images::scratch(), &[]), &expected());
    let refused = |e: &Evidence, name: &str, way| matches!(answer(e, name, way), EPERM | ENOSYS | SIGSYS);
    let (shown, hidden): (Vec<_>, Vec<_>) = ours
        .calls
        .iter()
        .filter(|c| refused(&ours, &c.name, c.way))
        .partition(|c| !refused(&open, &c.name, c.way));
    assert!(shown.len() > hidden.len(), "{hidden:?}");
    for must in
        ["ptrace", "unshare(0)", "setns", "socket(high|AF_VSOCK)", "clone(high|NEWUSER)", "io_uring_setup"]
    {
        assert!(shown.iter().any(|c| c.name == must), "{must} was refused without a filter");
    }
}
