//! Each loosening of a container shows in its own rows of the attestation and in no other; an image's own
//! configuration shows in none.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::hardened::{Container, attest, body, expected};
use crate::support::images;
use serde_json::{Value, json};
use wire_core::spawn::{Attestation, Control, Expected, ExpectedMount};

const RW: &str = "nosuid,nodev,mode=0700,uid=65532,gid=65532";

fn broken(attestation: &Attestation) -> BTreeSet<Control> {
    attestation.broken().map(|row| row.control).collect()
}

/// Loosens the request, and says what is expected then.
type Loosen = fn(&mut Value, &mut Expected);

#[test]
fn each_loosening_flips_its_own_rows() {
    let table: &[(&[Control], Loosen)] = &[
        (&[Control::Rootfs], |body, _| body["HostConfig"]["ReadonlyRootfs"] = json!(false)),
        (&[Control::Tmp], |body, _| {
            body["HostConfig"]["Tmpfs"]["/tmp"] = json!(format!("rw,exec,size=67108864,{RW}"));
        }),
        (&[Control::Ipc], |body, expected| {
            body["HostConfig"]["IpcMode"] = json!("private");
            body["HostConfig"]["ShmSize"] = json!(32 << 20);
            expected.shm = 32 << 20;
        }),
        (&[Control::Network], |body, _| {
            body["NetworkDisabled"] = json!(false);
            body["HostConfig"]["NetworkMode"] = json!("bridge");
        }),
        (&[Control::Mounts], |body, expected| {
            body["HostConfig"]["Tmpfs"]["/opt"] = json!(format!("rw,exec,size=1048576,{RW}"));
            expected.mounts =
                BTreeMap::from([("/opt".to_owned(), ExpectedMount::Tmpfs { size: 1 << 20, exec: true })]);
        }),
        (&[Control::Mounts], |body, expected| {
            let mounts = body["HostConfig"]["Mounts"].as_array_mut().unwrap();
            mounts.push(json!({ "Type": "volume", "Target": "/opt" }));
            expected.mounts =
                BTreeMap::from([("/opt".to_owned(), ExpectedMount::Outside { writable: true })]);
        }),
        (&[Control::Swap], |body, _| body["HostConfig"]["MemorySwap"] = json!(-1)),
        (&[Control::Memory, Control::Swap], |body, _| {
            body["HostConfig"]["Memory"] = json!(0);
            body["HostConfig"]["MemorySwap"] = json!(0);
        }),
        (&[Control::Pids], |body, _| body["HostConfig"]["PidsLimit"] = json!(0)),
        (&[Control::Cpu], |body, _| body["HostConfig"]["NanoCpus"] = json!(0)),
        (&[], |body, expected| {
            body["HostConfig"]["Tmpfs"]["/opt"] = json!(format!("rw,noexec,size=1048576,{RW}"));
            expected.mounts =
                BTreeMap::from([("/opt".to_owned(), ExpectedMount::Tmpfs { size: 1 << 20, exec: false })]);
        }),
    ];
    for (row, (controls, loosen)) in table.iter().enumerate() {
        let (mut body, mut expected) = (body(&images::busybox(), &[]), expected());
        loosen(&mut body, &mut expected);
        let controls: BTreeSet<_> = controls.iter().copied().collect();
        let (evidence, attestation) = attest(body, &expected);
        assert_eq!(broken(&attestation), controls, "{row}, not asked for\n{attestation}");
        expected.relaxed = controls.clone();
        let attestation = Attestation::judge(&evidence, &expected);
        assert!(attestation.holds(), "{row}\n{attestation}");
        assert_eq!(attestation.relaxed(), controls, "{row}\n{attestation}");
    }
}

/// What no spec can say is seen where somebody else does it.
#[test]
fn what_cannot_be_asked_for_is_seen() {
    let table: &[(&[Control], Loosen)] = &[
        (&[Control::User], |body, _| body["User"] = json!("65532:0")),
        (&[Control::User], |body, _| body["HostConfig"]["GroupAdd"] = json!(["999"])),
        (&[Control::Caps], |body, _| body["HostConfig"]["CapAdd"] = json!(["NET_RAW"])),
        (&[Control::NoNewPrivs], |body, _| {
            body["HostConfig"]["SecurityOpt"].as_array_mut().unwrap().remove(0);
        }),
        (&[Control::Seccomp, Control::Syscalls], |body, _| {
            body["HostConfig"]["SecurityOpt"][1] = json!("seccomp=unconfined");
        }),
        (&[Control::Syscalls], |body, _| {
            body["HostConfig"]["SecurityOpt"].as_array_mut().unwrap().remove(1);
        }),
        (&[Control::Namespaces], |body, _| body["HostConfig"]["UTSMode"] = json!("host")),
        (&[Control::Namespaces], |body, _| body["HostConfig"]["CgroupnsMode"] = json!("host")),
        (&[Control::Namespaces, Control::Init], |body, _| body["HostConfig"]["PidMode"] = json!("host")),
        (&[Control::Devices], |body, _| {
            body["HostConfig"]["Devices"] = json!([{
                "PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "r" }]);
        }),
        (&[Control::Proc], |body, _| {
            body["HostConfig"]["MaskedPaths"] = json!([]);
            body["HostConfig"]["ReadonlyPaths"] = json!([]);
        }),
        (&[Control::Nofile], |body, _| {
            body["HostConfig"]["Ulimits"][1] = json!({ "Name": "nofile", "Soft": 1024, "Hard": 2048 });
        }),
        (&[Control::Core], |body, _| {
            body["HostConfig"]["Ulimits"][0] = json!({ "Name": "core", "Soft": 0, "Hard": 1 });
        }),
        (&[Control::Env], |body, _| {
            body["Env"] = json!(["LD_PRELOAD=/x.so"]);
        }),
        (&[Control::Mounts], |body, _| {
            let mounts = body["HostConfig"]["Mounts"].as_array_mut().unwrap();
            mounts.push(json!({
                "Type": "bind", "Source": "/var/run/docker.sock", "Target": "/opt/innocent" }));
        }),
        (&[Control::RunWire], |body, _| {
            body["HostConfig"]["Tmpfs"]["/run/wire"] =
                json!("rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=65532,gid=65532");
        }),
    ];
    for (row, (controls, loosen)) in table.iter().enumerate() {
        let (mut body, mut expected) = (body(&images::busybox(), &[]), expected());
        loosen(&mut body, &mut expected);
        let controls: BTreeSet<_> = controls.iter().copied().collect();
        let (_, attestation) = attest(body, &expected);
        assert_eq!(broken(&attestation), controls, "{row}\n{attestation}");
    }
}

/// A privileged container starts where every capability is dropped too, and then has no filter, and the
/// host's devices.
#[test]
fn privileged_is_seen() {
    let mut privileged = body(&images::busybox(), &[]);
    privileged["HostConfig"]["Privileged"] = json!(true);
    let (evidence, attestation) = attest(privileged, &expected());
    let broken = broken(&attestation);
    for control in [Control::Seccomp, Control::Syscalls, Control::Devices, Control::Proc, Control::Mounts] {
        assert!(broken.contains(&control), "{control}\n{attestation}");
    }
    assert!(evidence.devices.len() > 30);
}

/// An image that is against us: nothing of what it says about its containers is there, once the request
/// says otherwise. Its volume is covered by memory, as the spec has to do.
#[test]
fn a_hostile_image_changes_nothing() {
    let image = images::hostile(images::HOSTILE);
    let mut body = body(&image, &[]);
    // A name alone takes the image's value away.
    body["Env"]
        .as_array_mut()
        .unwrap()
        .extend(["LD_PRELOAD", "GLIBC_TUNABLES", "WIRE_TOKEN"].map(Value::from));
    body["HostConfig"]["Tmpfs"]["/data"] = json!(format!("rw,noexec,size=1048576,{RW}"));
    let mut expected = expected();
    expected.mounts.insert("/data".into(), ExpectedMount::Tmpfs { size: 1 << 20, exec: false });
    let (_, attestation) = attest(body.clone(), &expected);
    assert!(attestation.holds() && attestation.relaxed().is_empty(), "{attestation}");

    body["Entrypoint"] = json!(["/bin/true"]);
    let inspected = Container::create(&body).inspect();
    assert_eq!(inspected["Config"]["StopSignal"], "SIGTERM");
    assert_eq!(inspected["Config"]["Healthcheck"]["Test"], json!(["NONE"]));
    assert_eq!(inspected["Config"]["User"], "65532:65532");
    // No volume on the disk: what is at /data is memory.
    assert!(inspected["Mounts"].as_array().unwrap().iter().all(|m| m["Type"] != "volume"), "{inspected}");
    // Labels are inherited, whoever makes the container: only a proof of ownership tells them apart.
    assert_eq!(inspected["Config"]["Labels"]["wire.owner"], "somebody-else");
}

/// The same image, started as people start images: the attestation says what is wrong.
#[test]
fn a_hostile_image_is_seen_where_nobody_covers_it() {
    let mut body = body(&images::hostile(images::HOSTILE), &[]);
    let config = body.as_object_mut().unwrap();
    for field in ["User", "WorkingDir", "Healthcheck", "StopSignal"] {
        config.remove(field);
    }
    let (_, attestation) = attest(body, &expected());
    let broken = broken(&attestation);
    for control in [Control::User, Control::Env, Control::Mounts] {
        assert!(broken.contains(&control), "{control}\n{attestation}");
    }
}
