//! What a peer calls itself, made safe to print.

use std::fmt;

/// Stands for a character that was taken out.
const REPLACEMENT: char = '?';

/// A name that a peer gave itself: at most 64 bytes, without control characters, text-direction
/// overrides or other invisible characters, so that it cannot drive a terminal or pose as another
/// name by them. It is a suggestion: local names of peers are chosen locally.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// Most bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as it is shown; may be empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name may be offered as it stands.
    pub fn is_plain(text: &str) -> bool {
        text.len() <= Self::MAX_LEN && !text.chars().any(is_hidden)
    }

    /// Replaces each character that must not be shown by `?`. `text` has at most 64 bytes; no
    /// replacement is longer than what it replaces.
    pub(crate) fn sanitised(text: &str) -> Self {
        Self(text.chars().map(|c| if is_hidden(c) { REPLACEMENT } else { c }).collect())
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a peer may be called so on this machine: 1 to 32 of `a-z 0-9 - _ .`, not beginning with `-` or `.`.
pub(crate) fn is_petname(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    (1..=32).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with(['.', '-'])
}

/// Control characters, and the characters of Unicode that show nothing or reorder what is shown.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_or_reorders_text_is_replaced() {
        for (raw, shown) in [
            ("bob", "bob"),
            ("Zoë 🦪", "Zoë 🦪"),
            ("\u{1b}[2Jbob\r\n", "?[2Jbob??"),
            ("\u{9b}31mbob", "?31mbob"),
            ("a\u{202e}bob", "a?bob"),
            ("a\u{2066}b\u{200b}c\u{feff}", "a?b?c?"),
            ("", ""),
        ] {
            assert_eq!(DisplayName::sanitised(raw).as_str(), shown);
            assert_eq!(DisplayName::is_plain(raw), raw == shown);
        }
        assert!(!DisplayName::is_plain(&"x".repeat(65)));
        assert!(DisplayName::is_plain(&"x".repeat(64)));
    }
}
