//! The labels by which our containers and volumes are found again and cleaned up.
//!
//! A container inherits the labels of its image, so a label alone proves nothing. All of ours are set on
//! everything that we make, empty where there is nothing to say, and `wire.mac` covers all of them and the
//! thing's name with the owner's secret. Where it does not verify, the thing is not ours.
//!
//! ```
//! use wire_core::spawn::{Kind, LabelError, Labels, OwnerSecret};
//! let secret = OwnerSecret::from_bytes([7; 32]);
//! let labels = Labels::new(Kind::Container, "job 7");
//! let mut signed = labels.sign(&secret, "w-abc");
//! assert_eq!(Labels::verify(&secret, "w-abc", &signed), Ok(labels));
//! assert_eq!(Labels::verify(&secret, "w-other", &signed), Err(LabelError::Forged));
//! signed.insert("wire.expires".into(), "2099-01-01T00:00:00Z".into());
//! assert_eq!(Labels::verify(&secret, "w-abc", &signed), Err(LabelError::Forged));
//! ```

use std::collections::BTreeMap;
use std::fmt;

use subtle::ConstantTimeEq as _;

use super::ids::{InstanceId, OwnerId};
use super::owner::{OwnerSecret, SpecDigest};
use super::rfc3339;
use crate::time::Timestamp;

/// What our labels say, but for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels {
    /// What it is.
    pub kind: Kind,
    /// The caller's key.
    pub key: String,
    /// The spec's digest. Of a container always.
    pub spec: Option<SpecDigest>,
    /// Anybody of the owner may remove it from then on.
    pub expires: Option<Timestamp>,
    /// The process without which it is nobody's.
    pub tied: Option<Tied>,
    /// Whom it is made for.
    pub peer: Option<String>,
    /// What it should be like inside, as [`Expected::from_label`](super::Expected::from_label) reads it. Of a
    /// container.
    pub expected: Option<String>,
}

/// What carries the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A container.
    Container,
    /// A volume.
    Volume,
    /// The volume with the shim: shared by all containers, removed only by hand.
    Shim,
    /// A container that is never started, for filling that volume.
    Seed,
}

/// A process without which something is nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tied {
    /// The process.
    pub instance: InstanceId,
    /// Where it runs: only there can be seen whether it still does.
    pub place: Place,
    /// Until when.
    pub until: TiedUntil,
}

/// How long something hangs on the process that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TiedUntil {
    /// Until it is started. A container that was never started, and whose maker is gone, is a leak.
    Start,
    /// All its life.
    End,
}

/// Where a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The inode of its PID namespace.
    pub pidns: u64,
    /// The host's name, at most 255 bytes of visible ASCII characters; others are left out.
    pub host: String,
}

/// The labels do not say that it is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// It has none of ours.
    #[error("it has no labels of ours")]
    Absent,
    /// They name another owner.
    #[error("it belongs to another owner")]
    OtherOwner,
    /// They name us, but we did not write them, or they were written for something else.
    #[error("its labels were not written by its owner")]
    Forged,
    /// We wrote them, in a version that is not understood here.
    #[error("its labels are of another version")]
    Unknown,
}

const OWNER: &str = "wire.owner";
pub(super) const KEY: &str = "wire.key";
const SPEC: &str = "wire.spec";
const EXPECTED: &str = "wire.expected";
const EXPIRES: &str = "wire.expires";
const TIED: &str = "wire.tied";
const PEER: &str = "wire.peer";
const KIND: &str = "wire.kind";
const MAC: &str = "wire.mac";

/// Every label of ours. An image with any other that begins with `wire.` is refused.
pub const KEYS: &[&str] = &[EXPECTED, EXPIRES, KEY, KIND, MAC, OWNER, PEER, SPEC, TIED];

impl Labels {
    /// Of that kind and key, and nothing else said.
    pub fn new(kind: Kind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into(), spec: None, expires: None, tied: None, peer: None, expected: None }
    }

    /// The labels of the thing of that name.
    pub fn sign(&self, secret: &OwnerSecret, name: &str) -> BTreeMap<String, String> {
        let tied = self.tied.as_ref().map(ToString::to_string);
        let digest = self.spec.map(|spec| data_encoding::HEXLOWER.encode(spec.as_bytes()));
        let mut all = BTreeMap::from([
            (OWNER.to_owned(), secret.owner().to_hex()),
            (KEY.to_owned(), self.key.clone()),
            (SPEC.to_owned(), digest.unwrap_or_default()),
            (EXPIRES.to_owned(), self.expires.map(rfc3339::format).unwrap_or_default()),
            (TIED.to_owned(), tied.unwrap_or_default()),
            (PEER.to_owned(), self.peer.clone().unwrap_or_default()),
            (KIND.to_owned(), self.kind.name().to_owned()),
            (EXPECTED.to_owned(), self.expected.clone().unwrap_or_default()),
        ]);
        let mac = data_encoding::HEXLOWER.encode(&mac(secret, name, &all));
        all.insert(MAC.to_owned(), mac);
        all
    }

    /// What the labels of the thing of that name say, if we wrote them for it. Labels of others, which do
    /// not begin with `wire.`, do not count.
    pub fn verify(
        secret: &OwnerSecret,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Self, LabelError> {
        let owner = labels.get(OWNER).ok_or(LabelError::Absent)?;
        if OwnerId::from_hex(owner) != Ok(secret.owner()) {
            return Err(LabelError::OtherOwner);
        }
        let written = labels.get(MAC).and_then(|mac| data_encoding::HEXLOWER.decode(mac.as_bytes()).ok());
        let good = written.is_some_and(|written| written.ct_eq(&mac(secret, name, labels)).into());
        if !good {
            return Err(LabelError::Forged);
        }
        Self::read(labels).ok_or(LabelError::Unknown)
    }

    fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| labels.get(key).map(String::as_str);
        let said = |key: &str| get(key).map(|text| Some(text).filter(|text| !text.is_empty()));
        let known = labels.keys().filter(|key| key.starts_with("wire.")).all(|k| KEYS.contains(&k.as_str()));
        Some(Self {
            kind: Kind::from_name(get(KIND)?)?,
            key: get(KEY)?.to_owned(),
            spec: match said(SPEC)? {
                Some(hex) => Some(digest(hex)?),
                None => None,
            },
            expires: match said(EXPIRES)? {
                Some(text) => Some(rfc3339::parse(text)?),
                None => None,
            },
            tied: match said(TIED)? {
                Some(text) => Some(Tied::parse(text)?),
                None => None,
            },
            peer: said(PEER)?.map(str::to_owned),
            // Earlier versions did not say it.
            expected: said(EXPECTED).flatten().map(str::to_owned),
        })
        .filter(|_| known)
    }
}

impl Kind {
    /// The label's text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Shim => "shim",
            Self::Seed => "seed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Container, Self::Volume, Self::Shim, Self::Seed].into_iter().find(|k| k.name() == name)
    }
}

impl Tied {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '/');
        let until = match parts.next()? {
            "start" => TiedUntil::Start,
            "end" => TiedUntil::End,
            _ => return None,
        };
        let instance = InstanceId::from_hex(parts.next()?).ok()?;
        let pidns = parts.next()?.parse().ok()?;
        Some(Self { instance, place: Place { pidns, host: parts.next()?.to_owned() }, until })
    }
}

impl fmt::Display for Tied {
    /// `end/<instance>/<pid namespace>/<host>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = match self.until {
            TiedUntil::Start => "start",
            TiedUntil::End => "end",
        };
        write!(f, "{until}/{}/{}/{}", self.instance.to_hex(), self.place.pidns, self.place.host)
    }
}

impl Place {
    /// The process with this PID namespace on the host of this name.
    pub fn new(pidns: u64, host: &str) -> Self {
        Self { pidns, host: host.chars().filter(char::is_ascii_graphic).take(255).collect() }
    }
}

fn digest(hex: &str) -> Option<SpecDigest> {
    SpecDigest::from_slice(&data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?).ok()
}

/// Over the name and every label that begins with `wire.`, known or not, but the MAC itself.
fn mac(secret: &OwnerSecret, name: &str, labels: &BTreeMap<String, String>) -> [u8; 32] {
    let ours = labels.iter().filter(|(key, _)| key.starts_with("wire.") && *key != MAC);
    let mut parts = vec![name.as_bytes()];
    parts.extend(ours.flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]));
    secret.mac(b"wire/labels/1", &parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> OwnerSecret {
        OwnerSecret::from_bytes([7; 32])
    }

    fn some_labels() -> impl Strategy<Value = Labels> {
        let tied = (any::<[u8; 16]>(), any::<u64>(), "[a-z/:.]{0,9}", any::<bool>()).prop_map(
            |(instance, pidns, host, end)| Tied {
                instance: InstanceId::from_bytes(instance),
                place: Place::new(pidns, &host),
                until: if end { TiedUntil::End } else { TiedUntil::Start },
            },
        );
        let kinds = prop::sample::select(vec![Kind::Container, Kind::Volume, Kind::Shim, Kind::Seed]);
        let ends = prop::option::of((0..253_402_300_799_999u64).prop_map(Timestamp::from_millis));
        let digests = prop::option::of(any::<[u8; 32]>().prop_map(SpecDigest::from_bytes));
        let peers = prop::option::of("[a-z:]{1,9}");
        let expected = prop::option::of("[ -~]{1,9}");
        (kinds, "[!-~]{1,9}", digests, ends, prop::option::of(tied), peers, expected).prop_map(
            |(kind, key, spec, expires, tied, peer, expected)| Labels {
                kind,
                key,
                spec,
                expires,
                tied,
                peer,
                expected,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_signed_verifies_beside_labels_of_others(labels in some_labels(), name in "[a-z]{2,9}") {
            let mut signed = labels.sign(&secret(), &name);
            signed.insert("org.name".to_owned(), "x".to_owned());
            prop_assert_eq!(Labels::verify(&secret(), &name, &signed), Ok(labels));
        }

        /// Whoever can write labels, but has no secret.
        #[test]
        fn nothing_of_it_can_be_changed(labels in some_labels(), at in 0..KEYS.len(), text in "[ -~]{0,9}") {
            let signed = labels.sign(&secret(), "one");
            let key = KEYS[at];
            let mut changed = signed.clone();
            let before = changed.insert(key.to_owned(), text.clone());
            let verified = Labels::verify(&secret(), "one", &changed);
            prop_assert_eq!(verified.is_ok(), before == Some(text));
            changed.remove(key);
            prop_assert!(Labels::verify(&secret(), "one", &changed).is_err());
            let mut more = signed.clone();
            more.insert("wire.more".to_owned(), String::new());
            prop_assert_eq!(Labels::verify(&secret(), "one", &more), Err(LabelError::Forged));
            prop_assert_eq!(Labels::verify(&secret(), "two", &signed), Err(LabelError::Forged));
        }
    }

    /// Text that crosses from one label into the next.
    #[test]
    fn labels_keep_their_borders() {
        let mut signed = Labels { peer: Some("ab".to_owned()), ..Labels::new(Kind::Container, "k") }
            .sign(&secret(), "one");
        signed.insert(PEER.to_owned(), "a".to_owned());
        signed.insert(SPEC.to_owned(), "b".to_owned());
        assert_eq!(Labels::verify(&secret(), "one", &signed), Err(LabelError::Forged));
    }

    /// Of an earlier version, which had one label less.
    #[test]
    fn what_nobody_expected_is_still_ours() {
        let labels = Labels::new(Kind::Container, "k");
        let mut signed = labels.sign(&secret(), "one");
        signed.remove(EXPECTED);
        let mac = data_encoding::HEXLOWER.encode(&mac(&secret(), "one", &signed));
        signed.insert(MAC.to_owned(), mac);
        assert_eq!(Labels::verify(&secret(), "one", &signed), Ok(labels));
    }

    /// Of a later version of ours: not forged, and still not touched.
    #[test]
    fn what_is_signed_and_not_understood_is_left_alone() {
        let mut signed = Labels::new(Kind::Container, "k").sign(&secret(), "one");
        signed.insert("wire.later".to_owned(), "x".to_owned());
        let mac = data_encoding::HEXLOWER.encode(&mac(&secret(), "one", &signed));
        signed.insert(MAC.to_owned(), mac);
        assert_eq!(Labels::verify(&secret(), "one", &signed), Err(LabelError::Unknown));
    }
}
