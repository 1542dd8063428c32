//! What an image's own `/etc/group` does to a user who was given by number.
//!
//! The engine is asked for `65532:65532`. It still looks the group up in the image, by number and by name:
//! an entry that is *called* `65532` and has the number 0 makes group 0 one more group of every program
//! (measured with Docker Engine 20.10), and with it whatever that group may read in a folder of the host.
//! With the shim the attestation shows it before anything runs. Without, the file has to be looked at
//! between the making of the container and its start.

use super::spec::User;

/// Whether a program of this user would get a group that nobody asked for.
pub(super) fn adds_a_group(etc_group: &[u8], user: User) -> bool {
    let gid = user.gid.to_string();
    etc_group.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).any(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next(), fields.nth(1));
        name == Some(gid.as_bytes()) && number != Some(gid.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_entry_of_that_name_and_another_number_counts() {
        let user = User { uid: 1000, gid: 100 };
        for good in
            ["", "\n\n", "100:x:100:", "users:x:100:", "root:x:0:100", "1000:x:0:", "100x:x:0:", "x:100:0:"]
        {
            assert!(!adds_a_group(good.as_bytes(), user), "{good:?}");
        }
        for bad in
            ["100:x:0:", "a:x:1:\n100:x:0:root", " 100:x:0:\r\n", "100", "100::0", "100:x:+100:", "100:x:\n"]
        {
            assert!(adds_a_group(bad.as_bytes(), user), "{bad:?}");
        }
        assert!(adds_a_group(b"\xff\n100:x:0:", user));
    }
}
