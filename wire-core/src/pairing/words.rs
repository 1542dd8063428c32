//! The secret words of a code: from the 2,048 words of BIP-39 English, eleven bits each.

use std::fmt;

use bip39::Language;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::CodeError;

/// Letters that identify a word of the list (BIP-39).
const PREFIX_LETTERS: usize = 4;
/// Letters of the longest word of the list.
const LONGEST_WORD: usize = 8;
/// Characters of a mistyped word that an error shows.
const SHOWN_CHARACTERS: usize = 24;
const INDEX_MASK: u16 = 0x7ff;
/// What may stand between words.
pub(super) const SEPARATORS: [char; 4] = ['-', '_', ' ', '.'];
/// Longest text that is looked at, in bytes.
pub(super) const MAX_TEXT: usize = 512;

/// The words of one code. They are the secret: they have no `Display`, cannot be serialised, and
/// are wiped on drop.
#[derive(Clone)]
pub struct SecretWords(Zeroizing<String>);

impl SecretWords {
    /// Fewest words of a code: 33 bits.
    pub const MIN: usize = 3;
    /// Most words of a code: 88 bits.
    pub const MAX: usize = 8;

    /// `count` words fresh from `rng`.
    pub(super) fn random(count: usize, rng: &mut impl CryptoRng) -> Result<Self, CodeError> {
        check_count(count)?;
        let mut bits = Zeroizing::new([0u8; 2 * Self::MAX]);
        let (used, _) = bits.split_at_mut(2 * count);
        rng.fill_bytes(used);
        let (pairs, _) = used.as_chunks::<2>();
        Ok(Self::join(pairs.iter().map(|p| word(u16::from_be_bytes(*p)))))
    }

    /// The eight words of 88 bits, eleven to a word, the highest first.
    pub(crate) fn of_bits(bits: &[u8; 11]) -> Self {
        let value = Zeroizing::new(bits.iter().fold(0u128, |acc, b| acc << 8 | u128::from(*b)));
        Self::join((0..Self::MAX).map(|i| word((*value >> (11 * (Self::MAX - 1 - i))) as u16)))
    }

    /// Words as a person types them, without a number in front.
    pub(crate) fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_TEXT {
            return Err(CodeError::TooLong);
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        // One more than fits, so that too many are told apart and no more is kept of them.
        let typed: Vec<&str> = text
            .split(SEPARATORS)
            .map(str::trim_ascii)
            .filter(|w| !w.is_empty())
            .take(Self::MAX + 1)
            .collect();
        Self::from_typed(&typed)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.joined().split('-').count()
    }

    /// Compares in constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.joined().as_bytes().ct_eq(other.joined().as_bytes()).into()
    }

    /// Full words or prefixes of at least four letters, already in lower case.
    pub(super) fn from_typed(typed: &[&str]) -> Result<Self, CodeError> {
        let mut full = [""; Self::MAX];
        check_count(typed.len())?;
        for (slot, text) in full.iter_mut().zip(typed) {
            *slot = resolve(text)
                .ok_or_else(|| CodeError::UnknownWord { word: shown(text), nearest: nearest(text) })?;
        }
        Ok(Self::join(full.into_iter().take(typed.len())))
    }

    /// The full words joined by `-`: the password of the PAKE, without the number.
    pub(crate) fn joined(&self) -> &str {
        &self.0
    }

    fn join(words: impl Iterator<Item = &'static str>) -> Self {
        // One allocation that never moves, so that no copy stays behind.
        let mut text = Zeroizing::new(String::with_capacity(Self::MAX * (LONGEST_WORD + 1)));
        for word in words {
            if !text.is_empty() {
                text.push('-');
            }
            text.push_str(word);
        }
        Self(text)
    }
}

impl fmt::Debug for SecretWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretWords(..)")
    }
}

/// The words of the list that begin with `prefix`, in alphabetical order: what TAB offers.
///
/// ```
/// assert_eq!(wire_core::pairing::complete("Oys"), ["oyster"]);
/// assert!(wire_core::pairing::complete("oistre").is_empty());
/// ```
pub fn complete(prefix: &str) -> Vec<&'static str> {
    let prefix = prefix.to_ascii_lowercase();
    Language::English.words_by_prefix_iter(&prefix).collect()
}

/// The word of the low eleven bits of `index`.
pub(super) fn word(index: u16) -> &'static str {
    Language::English.word_list()[usize::from(index & INDEX_MASK)]
}

fn check_count(count: usize) -> Result<(), CodeError> {
    match count {
        n if n < SecretWords::MIN => Err(CodeError::TooFewWords),
        n if n > SecretWords::MAX => Err(CodeError::TooManyWords),
        _ => Ok(()),
    }
}

fn resolve(text: &str) -> Option<&'static str> {
    let mut exact = Language::English.find_word(text).map(word);
    if exact.is_none() && text.len() >= PREFIX_LETTERS {
        exact = Language::English.words_by_prefix_iter(text).next();
    }
    exact
}

/// The word with the smallest edit distance, unless half of what was typed would have to change.
fn nearest(text: &str) -> Option<&'static str> {
    let typed: Vec<char> = text.chars().take(SHOWN_CHARACTERS).collect();
    let limit = (typed.len() / 2).max(1);
    Language::English
        .word_list()
        .iter()
        .map(|w| (distance(&typed, w), *w))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, _)| *d <= limit)
        .map(|(_, w)| w)
}

/// Optimal string alignment: insert, delete, replace, and swap of two neighbours cost one each.
fn distance(a: &[char], word: &str) -> usize {
    let b: Vec<char> = word.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (next[j] + 1).min(row[j + 1] + 1).min(row[j] + usize::from(x != y));
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// What a stranger may have typed, made safe to print: bounded, and only printable ASCII.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(SHOWN_CHARACTERS) {
        if c.is_ascii_graphic() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    #[test]
    fn four_letters_name_a_word_and_fewer_do_not() {
        for w in Language::English.word_list() {
            let prefix = &w[..w.len().min(PREFIX_LETTERS)];
            assert_eq!(resolve(prefix), Some(*w));
            assert_eq!(resolve(w), Some(*w));
            assert!(w.len() <= LONGEST_WORD);
        }
        assert_eq!(resolve("oys"), None);
        assert_eq!(resolve("oysterx"), None);
        assert_eq!(resolve(""), None);
    }

    #[test]
    fn a_mistyped_word_finds_its_neighbour() {
        for (typed, meant) in
            [("oistre", "oyster"), ("oyxter", "oyster"), ("cnayon", "canyon"), ("velvett", "velvet")]
        {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("qqqqqqqqqqq"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }

    #[test]
    fn random_words_are_of_the_list_and_of_the_number_asked_for() {
        for count in SecretWords::MIN..=SecretWords::MAX {
            let words = SecretWords::random(count, &mut rng()).unwrap();
            assert_eq!(words.joined().split('-').count(), count);
            assert!(words.joined().split('-').all(|w| Language::English.find_word(w).is_some()));
            assert_eq!(format!("{words:?}"), "SecretWords(..)");
        }
        assert_eq!(SecretWords::random(2, &mut rng()).unwrap_err(), CodeError::TooFewWords);
        assert_eq!(SecretWords::random(9, &mut rng()).unwrap_err(), CodeError::TooManyWords);
    }

    #[test]
    fn what_an_error_shows_is_bounded_and_printable() {
        assert_eq!(shown("\u{1b}[31m\u{202e}\n"), "\\u{1b}[31m\\u{202e}\\u{a}");
        assert!(shown(&"\u{10ffff}".repeat(1000)).len() < 300);
    }
}
