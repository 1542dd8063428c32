//! Every control holds in a container with the defaults, by every way into it: as its first process, as a
//! child of that, and through the engine's exec, as its user and as user 0.

use crate::support::hardened::{Container, Nonce, attest, body, expected, read};
use crate::support::images;
use serde_json::json;
use wire_core::spawn::{Control, Verdict};

#[test]
fn as_the_first_process_and_with_no_other_file() {
    let (_, attestation) = attest(body(&images::scratch(), &[]), &expected());
    println!("{attestation}");
    assert!(attestation.holds(), "{attestation}");
    assert!(attestation.rows().iter().all(|row| row.verdict == Verdict::Holds), "{attestation}");
}

#[test]
fn as_a_child_of_the_first_process() {
    let nonce = Nonce::new();
    let script = format!("/.wire/shim attest {}; exit $?", nonce.hex);
    let output = Container::run(&body(&images::busybox(), &["/bin/sh", "-c", &script]));
    let mut expected = expected();
    (expected.init, expected.env) = ("/bin/sh".into(), None);
    let (evidence, attestation) = read(&output, &nonce, &expected);
    assert!(attestation.holds(), "{attestation}");
    assert_eq!(evidence.init.processes, 2);
}

#[test]
fn through_exec_and_as_user_0_too() {
    let container = Container::start(&body(&images::busybox(), &["/bin/sleep", "1000"]));
    let mut expected = expected();
    expected.init = "/bin/sleep".into();
    let (_, attestation) = container.attest("65532:65532", &expected);
    assert!(attestation.holds(), "{attestation}");

    // User 0 is not ours to ask for: only the engine's own API lets it in. It can do no more than be it.
    expected.user = (0, 0);
    let (evidence, attestation) = container.attest("0:0", &expected);
    // The folders of memory belong to the container's user, which is then somebody else: nor is there a file
    // that could be given away.
    let others: Vec<_> = attestation.broken().map(|row| row.control).collect();
    assert_eq!(others, [Control::User, Control::Tmp, Control::RunWire], "{attestation}");
    assert_eq!(evidence.status.caps.values().copied().collect::<Vec<_>>(), [0; 5]);
    assert_eq!(evidence.status.no_new_privs, Some(1));
    assert_eq!(evidence.status.seccomp, Some(2));
}

/// A network that somebody gave it after all, and the rest of what can be wrong, is seen.
#[test]
fn what_is_wrong_is_seen() {
    let mut weak = body(&images::busybox(), &[]);
    weak["User"] = json!("0:0");
    weak["NetworkDisabled"] = json!(false);
    weak["HostConfig"] = json!({ "Mounts": weak["HostConfig"]["Mounts"] });
    let (_, attestation) = attest(weak, &expected());
    let broken: Vec<_> = attestation.broken().map(|row| row.control).collect();
    for control in Control::ALL {
        // Without any of the hardening the engine still hides the kernel's files, gives a terminal's
        // devices and no more, keeps namespaces, and starts our program first.
        let kept = [
            Control::Proc,
            Control::Init,
            Control::Core,
            Control::Devices,
            Control::Namespaces,
            Control::Env,
            Control::Mounts,
            Control::Userns,
            // Its own filter of system calls is on; what it lets through is another row.
            Control::Seccomp,
        ];
        if !kept.contains(control) {
            assert!(broken.contains(control), "{control} is not seen as broken\n{attestation}");
        }
    }
}
