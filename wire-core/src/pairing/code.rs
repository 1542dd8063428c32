//! A code as people read it to each other: `4821-canyon-velvet-oyster`.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::origin::{Origin, is_host_or_origin};
use super::words::{MAX_TEXT, SEPARATORS};
use super::{CodeError, Nameplate, SecretWords};

/// A typed code: a public number, secret words, and perhaps the relay to meet at.
///
/// It is taken apart before anything leaves the machine: only [`nameplate`](Self::nameplate) may be
/// sent to a relay. `Debug` hides the words; [`reveal`](Self::reveal) is the only way to print them.
#[derive(Clone)]
pub struct Code {
    /// The public number.
    pub nameplate: Nameplate,
    /// The secret.
    pub words: SecretWords,
    /// `HOST[:PORT]` or `http(s)://HOST[:PORT]` as it was given, in lower case.
    pub relay: Option<String>,
}

impl Code {
    /// A code of `word_count` (3 to 8) fresh words under the number that the relay gave.
    pub fn generate(
        nameplate: Nameplate,
        word_count: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CodeError> {
        Ok(Self { nameplate, words: SecretWords::random(word_count, rng)?, relay: None })
    }

    /// Reads what a person typed. Letter case does not matter, any run of `-`, `_`, `.` and spaces
    /// separates, a word may be cut down to its first four letters, and `@HOST[:PORT]` or
    /// `@https://HOST[:PORT]` may follow. Anything else is refused here, before any network traffic.
    ///
    /// ```
    /// use wire_core::pairing::Code;
    /// let code = Code::parse("4821 CANY.velvet_oyst@relay.example.org").unwrap();
    /// assert_eq!(*code.reveal(), "4821-canyon-velvet-oyster@relay.example.org");
    /// let error = Code::parse("4821-canyon-velvet-oistre").unwrap_err();
    /// assert_eq!(error.to_string(), r#"no such word "oistre" - did you mean "oyster"?"#);
    /// ```
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_TEXT {
            return Err(CodeError::TooLong);
        }
        let mut text = Zeroizing::new(text.trim_ascii().to_owned());
        text.make_ascii_lowercase();
        let (code, relay) = match text.split_once('@') {
            Some((code, relay)) if is_host_or_origin(relay) => (code, Some(relay.to_owned())),
            Some(_) => return Err(CodeError::BadRelay),
            None => (text.as_str(), None),
        };
        let mut parts = code.split(SEPARATORS).filter(|p| !p.is_empty());
        let first = parts.next().ok_or(CodeError::NoNameplate)?;
        let nameplate = match first.parse() {
            Ok(nameplate) => nameplate,
            Err(_) if first.bytes().all(|b| b.is_ascii_digit()) => return Err(CodeError::BadNameplate),
            Err(_) => return Err(CodeError::NoNameplate),
        };
        // One more than fits, so that a longer code is told apart and no more is kept of it.
        let typed: Vec<&str> = parts.take(SecretWords::MAX + 1).collect();
        Ok(Self { nameplate, words: SecretWords::from_typed(&typed)?, relay })
    }

    /// The code in full, for the person who reads it out. Wiped on drop.
    pub fn reveal(&self) -> Zeroizing<String> {
        let relay = self.relay.as_deref().map_or(0, |r| r.len() + 1);
        let mut text = String::with_capacity(Nameplate::MAX_DIGITS + 1 + self.words.joined().len() + relay);
        text.push_str(self.nameplate.as_str());
        text.push('-');
        text.push_str(self.words.joined());
        if let Some(relay) = &self.relay {
            text.push('@');
            text.push_str(relay);
        }
        Zeroizing::new(text)
    }

    /// The relay of the suffix as an origin: without a scheme it is `https`, and `http` on loopback.
    pub fn origin(&self) -> Option<Origin> {
        self.relay.as_deref().and_then(|r| Origin::of_host_or_origin(r).ok())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("nameplate", &self.nameplate)
            .field("words", &self.words)
            .field("relay", &self.relay)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    #[test]
    fn a_generated_code_reads_back() {
        for count in [3, 5, 8] {
            let code = Code::generate("4821".parse().unwrap(), count, &mut rng()).unwrap();
            let again = Code::parse(&code.reveal()).unwrap();
            assert_eq!(again.reveal(), code.reveal());
            assert_eq!(again.relay, None);
        }
    }

    #[test]
    fn the_suffix_names_a_relay_and_its_scheme() {
        let origin = |suffix: &str| {
            Code::parse(&format!("4821-canyon-velvet-oyster@{suffix}"))
                .map(|c| c.origin().unwrap().to_string())
        };
        assert_eq!(origin("Relay.Example.org").as_deref(), Ok("https://relay.example.org"));
        assert_eq!(origin("relay.example.org:8443").as_deref(), Ok("https://relay.example.org:8443"));
        assert_eq!(origin("127.0.0.1:41873").as_deref(), Ok("http://127.0.0.1:41873"));
        assert_eq!(origin("localhost").as_deref(), Ok("http://localhost"));
        assert_eq!(origin("[::1]:80").as_deref(), Ok("http://[::1]:80"));
        assert_eq!(origin("http://relay").as_deref(), Ok("http://relay"));
        for bad in ["", "a@b", "host/path", "ftp://host", "host:0", "host:99999", "ho st", "-host"] {
            assert_eq!(origin(bad), Err(CodeError::BadRelay), "{bad}");
        }
    }

    #[test]
    fn debug_hides_the_words() {
        let code = Code::parse("4821-canyon-velvet-oyster").unwrap();
        assert_eq!(
            format!("{code:?}"),
            r#"Code { nameplate: Nameplate("4821"), words: SecretWords(..), relay: None }"#
        );
    }

    #[test]
    fn too_many_words_and_too_long_a_text_are_refused() {
        let words = |n: usize| format!("4821{}", "-oyster".repeat(n));
        assert_eq!(Code::parse(&words(2)).unwrap_err(), CodeError::TooFewWords);
        assert!(Code::parse(&words(8)).is_ok());
        assert_eq!(Code::parse(&words(9)).unwrap_err(), CodeError::TooManyWords);
        assert_eq!(Code::parse(&words(100)).unwrap_err(), CodeError::TooLong);
    }
}
