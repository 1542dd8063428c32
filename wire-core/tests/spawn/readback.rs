//! What an engine answered to our requests (Docker Engine 20.10, control groups of version 1), and what
//! happens when it answers something else.

use serde_json::{Value, json};
use wire_core::spawn::readback::{Mismatch, Why, compare};

fn pairs() -> Vec<Value> {
    [
        include_str!("../golden/spawn/made_without_shim.json"),
        include_str!("../golden/spawn/made_loosened.json"),
        include_str!("../golden/spawn/made_hostile_image.json"),
    ]
    .into_iter()
    .map(|text| serde_json::from_str(text).expect("a pair"))
    .collect()
}

fn fields(found: &[Mismatch]) -> Vec<&str> {
    found.iter().map(|mismatch| mismatch.field.as_str()).collect()
}

#[test]
fn what_the_engine_made_is_what_was_asked_for() {
    for pair in pairs() {
        assert_eq!(compare(&pair["asked"], &pair["created"]), []);
        assert_eq!(compare(&pair["asked"], &pair["started"]), []);
    }
}

/// As an engine does that does not know a field.
#[test]
fn no_field_can_be_dropped_in_silence() {
    for pair in pairs() {
        let asked = &pair["asked"];
        let host = asked["HostConfig"].as_object().expect("HostConfig");
        for (key, value) in host {
            let mut made = pair["started"].clone();
            made["HostConfig"].as_object_mut().expect("HostConfig").remove(key);
            let nothing = matches!(key.as_str(), "Privileged" | "AutoRemove")
                || *value == json!(false)
                || *value == json!([]);
            let found = compare(asked, &made);
            let name = format!("HostConfig.{key}");
            assert_eq!(fields(&found).contains(&name.as_str()), !nothing, "{key}: {found:?}");
        }
        for key in asked.as_object().expect("a body").keys().filter(|key| *key != "HostConfig") {
            let mut made = pair["started"].clone();
            made["Config"].as_object_mut().expect("Config").remove(key);
            made.as_object_mut().expect("a container").remove(key);
            let nothing = [json!(false), json!([]), json!("")].contains(&asked[key]);
            assert_eq!(compare(asked, &made).is_empty(), nothing, "{key}");
        }
    }
}

#[test]
fn nothing_can_be_added() {
    let mount = json!({ "Type": "volume", "Name": "x", "Source": "/x", "Destination": "/data2", "RW": true });
    for (pointer, value, wanted) in [
        ("/HostConfig/Privileged", json!(true), "HostConfig.Privileged"),
        ("/HostConfig/CapAdd", json!(["SYS_ADMIN"]), "HostConfig.CapAdd"),
        ("/HostConfig/Devices", json!([{ "PathOnHost": "/dev/kvm" }]), "HostConfig.Devices"),
        ("/HostConfig/DeviceRequests", json!([{ "Count": -1 }]), "HostConfig.DeviceRequests"),
        ("/HostConfig/Binds", json!(["/:/host"]), "HostConfig.Binds"),
        ("/HostConfig/PidMode", json!("host"), "HostConfig.PidMode"),
        ("/HostConfig/UTSMode", json!("host"), "HostConfig.UTSMode"),
        ("/HostConfig/UsernsMode", json!("host"), "HostConfig.UsernsMode"),
        ("/HostConfig/IpcMode", json!("host"), "HostConfig.IpcMode"),
        ("/HostConfig/NetworkMode", json!("host"), "HostConfig.NetworkMode"),
        ("/HostConfig/PidsLimit", json!(-1), "HostConfig.PidsLimit"),
        ("/HostConfig/PidsLimit", Value::Null, "HostConfig.PidsLimit"),
        ("/HostConfig/MaskedPaths", Value::Null, "HostConfig.MaskedPaths"),
        ("/HostConfig/ReadonlyPaths", json!([]), "HostConfig.ReadonlyPaths"),
        ("/HostConfig/Runtime", json!("other"), "HostConfig.Runtime"),
        ("/HostConfig/SecurityOpt", json!(["no-new-privileges"]), "HostConfig.SecurityOpt"),
        ("/HostConfig/Tmpfs", json!({ "/tmp": "exec" }), "HostConfig.Tmpfs"),
        ("/Config/User", json!("0:0"), "Config.User"),
        ("/Config/Env", json!(["LD_PRELOAD=/x.so"]), "Config.Env"),
        ("/Config/Healthcheck", json!({ "Test": ["CMD", "/x"] }), "Config.Healthcheck"),
        ("/Config/Labels/wire.owner", json!("forged"), "Config.Labels.wire.owner"),
        ("/Image", json!("sha256:00"), "Image"),
        ("/Mounts", json!([mount]), "Mounts./data2"),
        ("/NetworkSettings/Networks", json!({ "bridge": {} }), "NetworkSettings.Networks.bridge"),
    ] {
        for pair in pairs() {
            let mut made = pair["started"].clone();
            *made.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
            let found = compare(&pair["asked"], &made);
            assert!(fields(&found).contains(&wanted), "{pointer}: {found:?}");
        }
    }
    for pair in pairs() {
        let mut made = pair["started"].clone();
        made["Config"]["Labels"]["wire.other"] = json!("");
        let field = "Config.Labels.wire.other".to_owned();
        assert_eq!(compare(&pair["asked"], &made), [Mismatch { field, why: Why::Added }]);
    }
}

#[test]
fn a_mount_that_is_gone_or_writable_is_seen() {
    let pair = pairs().remove(1);
    let points = pair["started"]["Mounts"].as_array().expect("mounts").len();
    assert!(points >= 3);
    for at in 0..points {
        let mut made = pair["started"].clone();
        let there = made["Mounts"].as_array_mut().expect("mounts");
        let writable = there[at]["RW"].as_bool().expect("RW");
        there[at]["RW"] = json!(!writable);
        assert_eq!(compare(&pair["asked"], &made).len(), 1);
        made["Mounts"].as_array_mut().expect("mounts").remove(at);
        assert_eq!(compare(&pair["asked"], &made).first().map(|found| found.why), Some(Why::Missing));
    }
}

/// An engine that answers nonsense made nothing of what was asked for.
#[test]
fn an_answer_that_is_nonsense_matches_nothing() {
    let pair = pairs().remove(0);
    for made in [Value::Null, json!([]), json!("x"), json!({ "HostConfig": [], "Config": 3 })] {
        assert!(compare(&pair["asked"], &made).len() > 20, "{made}");
    }
}

/// An engine adds to a check that is none what the image says of its intervals.
#[test]
fn what_an_image_says_of_a_check_that_never_runs_is_no_difference() {
    for pair in pairs() {
        let mut made = pair["started"].clone();
        made["Config"]["Healthcheck"]["Interval"] = json!(30_000_000_000_u64);
        assert_eq!(compare(&pair["asked"], &made), []);
        made["Config"]["Healthcheck"]["Test"] = json!(["CMD", "/x"]);
        assert_eq!(fields(&compare(&pair["asked"], &made)), ["Config.Healthcheck"]);
    }
}
