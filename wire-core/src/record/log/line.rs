//! One line of a log file: JSON outside, the signed bytes as they are inside.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{LogFault, MAX_LINE, Side};
use crate::session::SessionId;

/// One line. What is signed in it is bytes, and nothing of it is believed before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// The first line.
    Head {
        /// The session.
        session: SessionId,
        /// The statements of who exports.
        own: Vec<u8>,
        /// The statements of the other side.
        peer: Vec<u8>,
    },
    /// A record, in the order of its side.
    Record {
        /// Who signed it.
        by: Side,
        /// The COSE_Sign1 bytes.
        cose: Vec<u8>,
        /// Salt and body, unless the body was pruned.
        body: Option<(Vec<u8>, Vec<u8>)>,
    },
    /// The newest control message of a side.
    Control {
        /// Who signed it.
        by: Side,
        /// The COSE_Sign1 bytes.
        cose: Vec<u8>,
    },
    /// What cannot be true beside each other: one or two COSE_Sign1.
    Conflict {
        /// Who signed both.
        by: Side,
        /// The COSE_Sign1 bytes of each.
        coses: Vec<Vec<u8>>,
    },
    /// The last line.
    End {
        /// Records of who exports.
        own: u64,
        /// Records of the other side.
        peer: u64,
    },
}

/// The five forms, told apart by their members; serde refuses one that is unknown or there twice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    wire_log: u8,
    session: Bytes,
    own: Bytes,
    peer: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    by: Side,
    cose: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    salt: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    body: Option<Bytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    by: Side,
    control: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conflict {
    by: Side,
    conflict: Vec<Bytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: (u64, u64),
}

struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// `null` is no absent member.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Bytes>, D::Error> {
    Bytes::deserialize(d).map(Some)
}

impl LogLine {
    /// The line, with its end.
    pub fn to_text(&self) -> String {
        let own = |bytes: &[u8]| Bytes(bytes.to_vec());
        let written = match self {
            Self::Head { session, own: mine, peer } => serde_json::to_string(&Head {
                wire_log: 1,
                session: own(session.as_bytes()),
                own: own(mine),
                peer: own(peer),
            }),
            Self::Record { by, cose, body } => {
                let (salt, body) = body.as_ref().map(|(s, b)| (own(s), own(b))).unzip();
                serde_json::to_string(&Record { by: *by, cose: own(cose), salt, body })
            }
            Self::Control { by, cose } => serde_json::to_string(&Control { by: *by, control: own(cose) }),
            Self::Conflict { by, coses } => {
                let conflict = coses.iter().map(|cose| own(cose)).collect();
                serde_json::to_string(&Conflict { by: *by, conflict })
            }
            Self::End { own, peer } => serde_json::to_string(&End { end: (*own, *peer) }),
        };
        // Strings, numbers and lists of them always have a form in JSON.
        written.unwrap_or_default() + "\n"
    }

    /// Reads a line of at most [`MAX_LINE`] bytes, with its end.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] for anything else.
    pub fn parse(line: &[u8]) -> Result<Self, LogFault> {
        let text = match line.split_last() {
            Some((b'\n', text)) if line.len() <= MAX_LINE && !text.contains(&b'\n') => text,
            _ => return Err(LogFault::Malformed),
        };
        // Which form it is shows in one member; the form's own type then judges all of them.
        let members: Members = of(text)?;
        Ok(match members {
            Members { wire_log: Some(_), .. } => {
                let head: Head = of(text)?;
                if head.wire_log != 1 {
                    return Err(LogFault::Malformed);
                }
                let session = SessionId::from_slice(&head.session.0).map_err(|_| LogFault::Malformed)?;
                Self::Head { session, own: head.own.0, peer: head.peer.0 }
            }
            Members { control: Some(_), .. } => {
                let Control { by, control } = of(text)?;
                Self::Control { by, cose: control.0 }
            }
            Members { conflict: Some(_), .. } => {
                let Conflict { by, conflict } = of(text)?;
                Self::Conflict { by, coses: conflict.into_iter().map(|c| c.0).collect() }
            }
            Members { end: Some(_), .. } => {
                let End { end: (own, peer) } = of(text)?;
                Self::End { own, peer }
            }
            _ => {
                let Record { by, cose, salt, body } = of(text)?;
                let body = match (salt, body) {
                    (Some(salt), Some(body)) => Some((salt.0, body.0)),
                    (None, None) => None,
                    _ => return Err(LogFault::Malformed),
                };
                Self::Record { by, cose: cose.0, body }
            }
        })
    }
}

#[derive(Deserialize)]
struct Members {
    wire_log: Option<serde::de::IgnoredAny>,
    control: Option<serde::de::IgnoredAny>,
    conflict: Option<serde::de::IgnoredAny>,
    end: Option<serde::de::IgnoredAny>,
}

fn of<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, LogFault> {
    serde_json::from_slice(text).map_err(|_| LogFault::Malformed)
}
