//! What strangers say: engines, programs in containers, names in archives.

use crate::pairing::is_hidden;

/// Their words on one line, fit for a terminal: nothing that moves a cursor, reorders or hides, and no more
/// than so many characters.
pub(super) fn plain(words: &str, most: usize) -> String {
    let mut shown: String = words.chars().take(most).map(|c| if is_hidden(c) { '?' } else { c }).collect();
    if words.chars().nth(most).is_some() {
        shown.push_str(" ...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_a_terminal_and_nothing_is_without_end() {
        for (said, shown) in [
            ("", ""),
            ("no such file", "no such file"),
            ("a\x1b[2Jb\nc", "a?[2Jb?c"),
            ("\u{202e}gnp.exe", "?gnp.exe"),
            ("0123456789abcdef", "0123456789abcdef"),
            ("0123456789abcdefg", "0123456789abcdef ..."),
        ] {
            assert_eq!(plain(said, 16), shown);
        }
        assert_eq!(plain("äöü", 2), "äö ...");
    }
}
