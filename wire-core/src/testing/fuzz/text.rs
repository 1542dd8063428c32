//! What people type and paste.

use super::accept;
use crate::mailbox::Challenge;
use crate::pairing::{Code, InviteLink, Nameplate, Origin, SecretWords, complete};
use crate::record::RecordId;
use crate::{identity::Root, pairing::CodeError};

/// Most characters of an error that quotes what was typed.
const MAX_ERROR: usize = 512;

/// Each text that is read has one written form, and reading that gives the same. What is refused is quoted
/// in few and printable characters.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Code::parse(text) {
        Ok(code) => same_code(&code),
        Err(error) => bounded_error(&error),
    }
    if let Ok(link) = InviteLink::parse(text) {
        accept();
        let (origin, fragment) = text.trim_ascii().split_once("/j#").expect("a link has a fragment");
        assert_eq!(*link.reveal(), format!("{}/j#{fragment}", origin.to_ascii_lowercase()));
        assert_eq!(InviteLink::parse(&link.reveal()).as_ref(), Ok(&link));
        same_origin(&link.origin);
    }
    if let Ok(origin) = text.parse::<Origin>() {
        accept();
        assert_eq!(origin.as_str(), text.to_ascii_lowercase());
    }
    if let Ok(origin) = Origin::of_host_or_origin(text) {
        same_origin(&origin);
    }
    if let Ok(root) = text.parse::<Root>() {
        accept();
        assert_eq!(root.to_string(), text);
    }
    if let Ok(id) = text.parse::<RecordId>() {
        accept();
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
    }
    if let Ok(nameplate) = text.parse::<Nameplate>() {
        accept();
        assert_eq!(nameplate.as_str(), text);
    }
    if let Ok(challenge) = Challenge::from_text(text) {
        accept();
        assert_eq!(challenge.to_text(), text);
    }
}

fn same_code(code: &Code) {
    accept();
    let shown = code.reveal();
    let again = Code::parse(&shown).expect("what is shown can be typed");
    assert_eq!(again.reveal(), shown);
    assert_eq!((&again.nameplate, &again.relay), (&code.nameplate, &code.relay));
    let words = shown.split('@').next().unwrap_or_default().split('-').skip(1);
    let count = words.inspect(|word| assert_eq!(complete(word).first(), Some(word))).count();
    assert!((SecretWords::MIN..=SecretWords::MAX).contains(&count), "{count} words");
    assert_eq!(code.origin().is_some(), code.relay.is_some());
    if let Some(origin) = code.origin() {
        same_origin(&origin);
    }
}

fn same_origin(origin: &Origin) {
    assert_eq!(origin.as_str().parse::<Origin>().as_ref(), Ok(origin));
    assert_eq!(origin.is_https(), origin.as_str().starts_with("https:"));
    assert!(origin.as_str().bytes().all(|b| b.is_ascii_graphic()), "{origin:?}");
}

fn bounded_error(error: &CodeError) {
    let shown = error.to_string();
    assert!(shown.len() <= MAX_ERROR, "{} bytes", shown.len());
    assert!(shown.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{shown:?}");
}
