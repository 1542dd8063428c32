//! Paths of requests. A variable part of one is a parsed name, by type: no text gets here.

use super::super::ids::{ContainerId, EngineExecId, ImageId, ImageName, SpawnName, VolumeName};

/// The path and query of a request, below the version.
#[derive(Clone, Debug)]
pub(super) struct Target {
    text: String,
    query: bool,
}

/// A name that cannot leave its place in a path.
#[doc(hidden)]
pub trait Segment: sealed::Sealed {
    /// Its text.
    fn text(&self) -> &str;
}

impl Target {
    /// Begins with one of the engine's own words.
    pub(super) fn new(word: &'static str) -> Self {
        Self { text: format!("/{word}"), query: false }
    }

    /// Goes on with a name.
    pub(super) fn name(mut self, name: &(impl Segment + ?Sized)) -> Self {
        debug_assert!(!self.query, "the path is over");
        self.text.push('/');
        self.text.push_str(name.text());
        self
    }

    /// Goes on with one of the engine's own words.
    pub(super) fn word(mut self, word: &'static str) -> Self {
        debug_assert!(!self.query, "the path is over");
        self.text.push('/');
        self.text.push_str(word);
        self
    }

    /// Adds a parameter; its value may be any text.
    pub(super) fn query(mut self, key: &'static str, value: &str) -> Self {
        self.text.push(if self.query { '&' } else { '?' });
        self.query = true;
        self.text.push_str(key);
        self.text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                self.text.push(char::from(byte));
            } else {
                self.text.push('%');
                for digit in [byte >> 4, byte & 15] {
                    self.text
                        .push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
        self
    }

    /// A parameter that is on or off.
    pub(super) fn flag(self, key: &'static str, on: bool) -> Self {
        self.query(key, if on { "1" } else { "0" })
    }

    /// As the request's line has it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

macro_rules! segments {
    ($($name:ty),+) => {$(
        impl Segment for $name {
            fn text(&self) -> &str {
                self.as_str()
            }
        }
        impl sealed::Sealed for $name {}
    )+};
}

segments!(ContainerId, SpawnName, ImageId, ImageName, EngineExecId, VolumeName);

mod sealed {
    #[doc(hidden)]
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_ends_its_parameter() {
        let target = Target::new("containers").word("json").query("filters", "{\"a\":[\"b=c&d#e?f/é\0\"]}");
        assert_eq!(
            target.as_str(),
            "/containers/json?filters=%7B%22a%22%3A%5B%22b%3Dc%26d%23e%3Ff%2F%C3%A9%00%22%5D%7D"
        );
        assert_eq!(Target::new("x").flag("a", true).flag("b", false).as_str(), "/x?a=1&b=0");
    }
}
