//! Names and numbers of containers and images, parsed once: none can leave its place in a request.
//!
//! ```
//! use wire_core::spawn::{ContainerId, SpawnName};
//! assert!(SpawnName::parse("build-7").is_ok());
//! assert!(SpawnName::parse("../volumes/x").is_err());
//! assert!(ContainerId::parse("a?force=1#x").is_err());
//! ```

use std::fmt;

use crate::encoding::fixed_bytes;

/// The text is no name or id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not 64 lower-case hexadecimal digits.
    #[error("a container id is 64 lower-case hexadecimal digits")]
    Container,
    /// Not `sha256:` and 64 lower-case hexadecimal digits.
    #[error("an image id is sha256: and 64 lower-case hexadecimal digits")]
    Image,
    /// Not `[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}`.
    #[error("a name is 2 to 63 of a-z A-Z 0-9 _ . - and begins with a letter or digit")]
    Name,
    /// No reference to an image: `[host[:port]/]path[:tag][@sha256:..]`.
    #[error("not a name of an image, such as debian:12 or sha256:..")]
    ImageRef,
    /// Not 64 lower-case hexadecimal digits.
    #[error("an engine's exec id is 64 lower-case hexadecimal digits")]
    Exec,
    /// Not 32 lower-case hexadecimal digits.
    #[error("not 32 lower-case hexadecimal digits")]
    Hex16,
}

macro_rules! parsed_text {
    ($(#[$doc:meta])* $name:ident, $error:expr, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it is one.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let ok: fn(&str) -> bool = $ok;
                if ok(text) { Ok(Self(text.to_owned())) } else { Err($error) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

parsed_text! {
    /// A container, as the engine numbers it: 64 lower-case hexadecimal digits.
    ContainerId, IdError::Container, is_hex64
}

parsed_text! {
    /// A container's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}`.
    SpawnName, IdError::Name, is_name
}

parsed_text! {
    /// An image by content: `sha256:` and 64 lower-case hexadecimal digits.
    ImageId, IdError::Image, |text| text.strip_prefix("sha256:").is_some_and(is_hex64)
}

parsed_text! {
    /// A program in a container, as the engine numbers it: 64 lower-case hexadecimal digits.
    EngineExecId, IdError::Exec, is_hex64
}

parsed_text! {
    /// A volume's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}`, or the 64 digits of one without a name.
    VolumeName, IdError::Name, |text| is_name(text) || is_hex64(text)
}

parsed_text! {
    /// An image as people name it: `debian:12`, `registry.example:5000/a/b@sha256:..`, or its id.
    ImageName, IdError::ImageRef, is_image_name
}

fixed_bytes! {
    /// One installation, for which containers are made, listed and swept. Stable, and not secret.
    OwnerId, 16
}

fixed_bytes! {
    /// One process of an installation, while it runs.
    InstanceId, 16
}

impl OwnerId {
    /// As labels carry it.
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(self.as_bytes())
    }

    /// From a label.
    pub fn from_hex(text: &str) -> Result<Self, IdError> {
        hex16(text).map(Self::from_bytes)
    }
}

impl InstanceId {
    /// As labels carry it.
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(self.as_bytes())
    }

    /// From a label.
    pub fn from_hex(text: &str) -> Result<Self, IdError> {
        hex16(text).map(Self::from_bytes)
    }
}

fn hex16(text: &str) -> Result<[u8; 16], IdError> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| IdError::Hex16)?;
    bytes.try_into().map_err(|_| IdError::Hex16)
}

fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && (2..=63).contains(&text.len())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl SpawnName {
    /// A name that was made here and is one by construction.
    pub(super) const fn made(name: String) -> Self {
        Self(name)
    }

    /// The container's name before it is started: whoever renames it to the name itself may start it.
    pub fn pending(&self) -> Self {
        Self(format!("{}{PENDING}", self.0))
    }

    /// The name itself, if this is one of a container before its start.
    pub fn without_pending(&self) -> Option<Self> {
        self.0.strip_suffix(PENDING).and_then(|name| Self::parse(name).ok())
    }

    /// Whether a caller may choose it: short enough to have a [`pending`](Self::pending), and not one.
    pub(super) fn is_free_to_choose(&self) -> bool {
        self.0.len() + PENDING.len() <= 63 && !self.0.ends_with(PENDING)
    }
}

const PENDING: &str = ".wire-p";

/// The grammar of references of the OCI distribution specification. Nothing in it could leave a path segment's place in
/// a request: no `..`, no empty segment, no `?`, `#`, `%`, space or control character.
fn is_image_name(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let (folders, last) = rest.rsplit_once('/').map_or((None, rest), |(folders, last)| (Some(folders), last));
    let (last, tag) = last.split_once(':').map_or((last, None), |(last, tag)| (last, Some(tag)));
    let mut folders = folders.into_iter().flat_map(|folders| folders.split('/'));
    let first = folders.next().is_none_or(|first| is_image_part(first) || is_registry(first));
    text.len() <= 255
        && first
        && folders.all(is_image_part)
        && is_image_part(last)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_image_part(part: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    ends(part.bytes().next())
        && ends(part.bytes().next_back())
        && part.bytes().all(inside)
        && !["..", "___", "._", "_.", ".-", "-.", "_-", "-_"].iter().any(|both| part.contains(both))
}

fn is_registry(part: &str) -> bool {
    let (host, port) = part.split_once(':').map_or((part, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let ends = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
        ends(label.bytes().next())
            && ends(label.bytes().next_back())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let number = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    // Without one of these an engine takes it for a part of the name.
    let told = part.contains(['.', ':']) || part == "localhost";
    told && host.split('.').all(label) && port.is_none_or(number)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b".-".contains(&b))
}

fn is_digest(digest: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let hash = digest.split_once(':').filter(|(kind, _)| matches!(*kind, "sha256" | "sha384" | "sha512"));
    hash.is_some_and(|(_, hash)| hash.len() >= 64 && hash.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_leaves_its_place_is_a_name() {
        let long = "a".repeat(64);
        for bad in
            ["", "a", "-a", ".a", "_a", "a b", "a/b", "../x", "a?x", "a#x", "a%2f", "a\n", "ä1", "a\0", &long]
        {
            assert_eq!(SpawnName::parse(bad), Err(IdError::Name), "{bad:?}");
            assert_eq!(ContainerId::parse(bad).is_ok(), bad == long, "{bad:?}");
            assert!(ImageId::parse(bad).is_err(), "{bad:?}");
        }
        for bad in
            ["", "/a", "a//b", "a/../b", "a/", "..", "a?x", "a#x", "a%2f", "a b", "-a", "a/.b", "a\r\nb"]
        {
            assert_eq!(ImageName::parse(bad), Err(IdError::ImageRef), "{bad:?}");
        }
        // None of the engine's either.
        for bad in [
            "A",
            "a/B",
            "a:",
            "a:b:c",
            "a:-b",
            "a@sha256:12",
            "a@md5:00",
            "a-",
            "a._b",
            "r:x/a",
            "a@b@c",
            "R/a",
        ] {
            assert_eq!(ImageName::parse(bad), Err(IdError::ImageRef), "{bad:?}");
        }
        let (digest, both) = (format!("b@sha256:{long}"), format!("R.example/b_c:1@sha256:{long}"));
        let local = "localhost:5000/a--b/c__d.e:T_1.2-x";
        for good in ["debian:12", "a", "r.example:5000/a/b", local, &digest, &both, &format!("sha256:{long}")]
        {
            assert!(ImageName::parse(good).is_ok(), "{good:?}");
        }
        assert!(ContainerId::parse(&long.to_uppercase()).is_err());
    }

    #[test]
    fn owners_come_back_from_their_labels() {
        let owner = OwnerId::from_bytes([0xab; 16]);
        assert_eq!(OwnerId::from_hex(&owner.to_hex()), Ok(owner));
        assert_eq!(OwnerId::from_hex(&owner.to_hex().to_uppercase()), Err(IdError::Hex16));
    }
}
