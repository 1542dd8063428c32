//! Attack 14: codes without a number, with look-alikes of other scripts, cut down to four letters.
//! All of it is decided by the parser, so nothing of a refused code can reach a relay.

use wire_core::pairing::{Code, CodeError, consumed_tag};

fn error(text: &str) -> CodeError {
    Code::parse(text).unwrap_err()
}

#[test]
fn a_code_without_a_number() {
    for text in ["canyon-velvet-oyster", "canyon-4821-velvet-oyster", "", "   ", "-", "@relay.example.org"] {
        assert_eq!(error(text), CodeError::NoNameplate, "{text:?}");
    }
    for text in ["482-canyon-velvet-oyster", "1234567890-canyon-velvet-oyster"] {
        assert_eq!(error(text), CodeError::BadNameplate, "{text:?}");
    }
    for text in ["4821", "4821-canyon", "4821-canyon-velvet", "4821@relay.example.org"] {
        assert_eq!(error(text), CodeError::TooFewWords, "{text:?}");
    }
}

#[test]
fn look_alikes_of_other_scripts() {
    // Arabic, fullwidth and mathematical digits
    for digits in ["٤٨٢١", "４８２１", "𝟒𝟖𝟐𝟏", "48２1"] {
        assert_eq!(error(&format!("{digits}-canyon-velvet-oyster")), CodeError::NoNameplate);
    }
    // a Cyrillic о, fullwidth letters, a Turkish dotless i, a combining accent, a zero-width joiner
    for (word, shown, nearest) in [
        ("оyster", "\\u{43e}yster", Some("oyster")),
        ("ｏyster", "\\u{ff4f}yster", Some("oyster")),
        ("ınside", "\\u{131}nside", Some("inside")),
        ("oy\u{301}ster", "oy\\u{301}ster", Some("oyster")),
        ("oys\u{200d}ter", "oys\\u{200d}ter", Some("oyster")),
    ] {
        let expected = CodeError::UnknownWord { word: shown.to_owned(), nearest };
        assert_eq!(error(&format!("4821-canyon-velvet-{word}")), expected);
    }
    // dashes and spaces that are not the ASCII ones do not separate
    for text in ["4821–canyon–velvet–oyster", "4821\u{a0}canyon\u{a0}velvet\u{a0}oyster"] {
        assert_eq!(error(text), CodeError::NoNameplate);
    }
    assert_eq!(error("4821-canyon-velvet-oyster@rеlay.example.org"), CodeError::BadRelay);
}

#[test]
fn four_letters_are_enough_and_three_are_not() {
    let full = Code::parse("4821-canyon-velvet-oyster").unwrap().reveal();
    for text in [
        "4821-cany-velv-oyst",
        "4821-canyo-velve-oyste",
        "4821 CANYON velvet Oyster",
        " 4821__canyon . velvet--oyster.\n",
    ] {
        assert_eq!(Code::parse(text).unwrap().reveal(), full, "{text:?}");
    }
    assert!(matches!(error("4821-canyon-vel-oyster"), CodeError::UnknownWord { .. }));
    assert!(matches!(error("4821-canyons-velvet-oyster"), CodeError::UnknownWord { .. }));
    // a word of three letters is a word, and not the beginning of a longer one
    assert_eq!(*Code::parse("4821-act-add-acti").unwrap().reveal(), "4821-act-add-action");
}

#[test]
fn short_and_full_spelling_are_one_secret() {
    let tag = |text: &str| {
        let code = Code::parse(text).unwrap();
        consumed_tag(&[1; 32], &code.nameplate.into(), &code.words.into())
    };
    assert_eq!(tag("4821-canyon-velvet-oyster"), tag("4821.CANY.VELV.OYST"));
}

#[test]
fn a_misspelt_word_names_its_neighbour_and_prints_safely() {
    let text = error("4821-canyon-velvet-oistre").to_string();
    assert_eq!(text, "no such word \"oistre\" - did you mean \"oyster\"?");
    let text = error("4821-canyon-velvet-\u{1b}]0;owned\u{7}\u{9b}2J").to_string();
    assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{text}");
    let text = error(&format!("4821-canyon-velvet-{}", "\u{202e}".repeat(100))).to_string();
    assert!(text.len() < 300 && text.is_ascii());
}
