//! What must be found nowhere, and a search for all of it at once.

use std::collections::HashMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use crate::crypto::kdf;

/// Shorter ones turn up in random bytes by chance.
const SHORTEST: usize = 6;
/// So much of a digest is looked for: a careless client may have cut it.
const CUT: usize = 16;

/// Byte strings with a name each.
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. It is at least 6 bytes long.
    pub fn add(&mut self, name: impl Into<String>, bytes: &[u8]) {
        assert!(bytes.len() >= SHORTEST, "{bytes:?} is too short to be told from chance");
        self.0.push((name.into(), bytes.to_vec()));
    }

    /// The words of a code, two or more of them together, and all that is computed from them and from what
    /// everyone knows: hashes, MACs and derived keys, keyed by them or by one of `public`, as bytes, in hex
    /// and in base64. One word alone is no finding: `address` and `error` are on the list.
    pub fn add_words(&mut self, words: &[&str], public: &[&[u8]]) {
        let joined = ["-", " ", ""].map(|s| words.join(s));
        for form in &joined {
            self.add(form, form.as_bytes());
        }
        for pair in words.windows(2) {
            for text in ["-", " "].map(|s| pair.join(s)) {
                self.add(&text, text.as_bytes());
            }
        }
        let with_public = public
            .iter()
            .flat_map(|p| [&b"-"[..], b""].map(|separator| [p, separator, joined[0].as_bytes()].concat()));
        let alone = joined.iter().map(String::as_str).chain(words.iter().copied());
        for form in alone.map(|f| f.as_bytes().to_vec()).chain(with_public) {
            for (what, digest) in digests(&form, public) {
                let name = format!("{what}, of {}", form.escape_ascii());
                let cut = digest.get(..CUT).unwrap_or(&digest);
                self.add(format!("{name}, in hex"), HEXLOWER.encode(cut).as_bytes());
                self.add(format!("{name}, in base64"), &BASE64URL_NOPAD.encode(cut).as_bytes()[..CUT]);
                self.add(name, cut);
            }
        }
    }

    /// The names of those that are somewhere in `haystack`.
    pub fn found_in(&self, haystack: &[u8]) -> Vec<&str> {
        let mut by_head: HashMap<[u8; 4], Vec<usize>> = HashMap::new();
        let mut begins = vec![false; 1 << 16];
        for (i, (_, needle)) in self.0.iter().enumerate() {
            if let Some(head) = needle.first_chunk::<4>() {
                by_head.entry(*head).or_default().push(i);
                begins[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
            }
        }
        let mut found = vec![false; self.0.len()];
        for (at, pair) in haystack.windows(2).enumerate() {
            if !begins[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] {
                continue;
            }
            let rest = &haystack[at..];
            for &i in rest.first_chunk::<4>().and_then(|head| by_head.get(head)).into_iter().flatten() {
                found[i] |= rest.starts_with(&self.0[i].1);
            }
        }
        self.0.iter().zip(found).filter(|(_, found)| *found).map(|((name, _), _)| name.as_str()).collect()
    }
}

fn digests(form: &[u8], public: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("SHA-256".to_owned(), kdf::sha256(&[form]).to_vec()),
        ("SHA-512".to_owned(), kdf::sha512(&[form]).to_vec()),
    ];
    for public in public {
        let shown = public.escape_ascii();
        let key = kdf::Prk512::extract(public, form);
        for (what, digest) in [
            (format!("SHA-256 behind {shown}"), kdf::sha256(&[public, form]).to_vec()),
            (format!("SHA-256 before {shown}"), kdf::sha256(&[form, public]).to_vec()),
            (format!("SHA-512 behind {shown}"), kdf::sha512(&[public, form]).to_vec()),
            (format!("SHA-512 before {shown}"), kdf::sha512(&[form, public]).to_vec()),
            (format!("HMAC-SHA256 under {shown}"), kdf::hmac256(public, &[form]).to_vec()),
            (format!("HMAC-SHA256 as key, over {shown}"), kdf::hmac256(form, &[public]).to_vec()),
            (format!("HMAC-SHA512 under {shown}"), kdf::hmac512(public, &[form]).to_vec()),
            (format!("HMAC-SHA512 as key, over {shown}"), kdf::hmac512(form, &[public]).to_vec()),
            (format!("HKDF-SHA256, salt {shown}"), kdf::hkdf256::<32>(public, form, b"").to_vec()),
            (format!("HKDF-SHA256, info {shown}"), kdf::hkdf256::<32>(b"", form, public).to_vec()),
            (format!("HKDF-SHA512, salt {shown}"), key.expand::<32>(b"", b"").to_vec()),
        ] {
            all.push((what, digest));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_there_is_found_wherever_it_lies_and_nothing_else() {
        let mut needles = Needles::new();
        needles.add_words(&["canyon", "velvet", "oyster"], &[b"4821", b"wire/pair/1"]);
        assert!(needles.0.len() > 300);
        let noise: Vec<u8> = (0..200u64).flat_map(|i| kdf::sha256(&[&i.to_be_bytes()])).collect();
        assert_eq!(needles.found_in(&noise), Vec::<&str>::new());
        for (name, needle) in &needles.0 {
            for at in [0, 777, noise.len()] {
                let (front, back) = noise.split_at(at);
                let found = [front, needle, back].concat();
                assert!(needles.found_in(&found).contains(&name.as_str()), "{name} at {at}");
            }
            assert!(!needles.found_in(&needle[1..]).contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn a_cut_mac_of_the_code_under_a_public_key_is_among_them() {
        let mut needles = Needles::new();
        needles.add_words(&["canyon", "velvet", "oyster"], &[b"4821", b"wire/pair/1"]);
        let mac = kdf::hmac256(b"wire/pair/1", &[b"4821-canyon-velvet-oyster"]);
        let found = needles.found_in(&[&[7; 9], &mac[..16], &[8; 9]].concat());
        assert_eq!(found, ["HMAC-SHA256 under wire/pair/1, of 4821-canyon-velvet-oyster"]);
    }
}
