use super::*;

fn parse(text: &str) -> Result<String, RelayUrlError> {
    RelayUrl::parse(text, PlainHttp::LoopbackOnly).map(|r| r.as_str().to_owned())
}

fn relay(text: &str) -> RelayUrl {
    RelayUrl::parse(text, PlainHttp::LoopbackOnly).unwrap()
}

#[test]
fn one_relay_has_one_spelling() {
    for (text, spelling) in [
        ("https://relay.example.org", "https://relay.example.org"),
        ("HTTPS://Relay.EXAMPLE.org:443/", "https://relay.example.org"),
        ("relay.example.org", "https://relay.example.org"),
        ("relay.example.org:8443", "https://relay.example.org:8443"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("127.0.0.1:8770", "http://127.0.0.1:8770"),
        ("localhost:8770", "http://localhost:8770"),
        ("[::1]:8770", "http://[::1]:8770"),
        ("https://localhost:8770", "https://localhost:8770"),
        ("http://127.1:8770", "http://127.0.0.1:8770"),
        ("https://[2606:4700:0:0::1111]", "https://[2606:4700::1111]"),
        ("10.0.0.7:9000", "https://10.0.0.7:9000"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(spelling), "{text}");
    }
}

#[test]
fn the_host_of_the_proof_is_the_authority() {
    assert_eq!(relay("relay.example.org").host(), "relay.example.org");
    assert_eq!(relay("https://Relay.example.org:8443").host(), "relay.example.org:8443");
    assert_eq!(relay("127.0.0.1:8770").host(), "127.0.0.1:8770");
    assert_eq!(relay("[::1]:8770").host(), "[::1]:8770");
}

#[test]
fn everything_else_is_refused_by_its_kind() {
    use RelayUrlError::{Malformed, PlainHttp as Plain, Scheme, Trailing, UserInfo};
    for (text, error) in [
        ("", Malformed),
        ("https://", Malformed),
        ("https:///relay.example.org", Malformed),
        ("https://relay example.org", Malformed),
        ("https://relay.example.org\n", Malformed),
        ("https://relay.example.org\\@evil.example", Malformed),
        ("https://relay.example.org.", Malformed),
        ("https://relay.example.org:0", Malformed),
        ("https://relay.example.org:", Malformed),
        ("https://relay.example.org:99999", Malformed),
        ("ftp://relay.example.org", Scheme),
        ("file://localhost", Scheme),
        ("http://relay.example.org", Plain),
        ("http://192.168.1.4:8770", Plain),
        ("http://127.0.0.1.example.org", Plain),
        ("http://foo.localhost", Plain),
        ("https://me@relay.example.org", UserInfo),
        ("https://me:pw@relay.example.org", UserInfo),
        ("https://@relay.example.org", UserInfo),
        ("http://127.0.0.1@evil.example", UserInfo),
        ("https://relay.example.org/v1", Trailing),
        ("https://relay.example.org?x", Trailing),
        ("https://relay.example.org#x", Trailing),
        ("https://relay.example.org//", Trailing),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
    assert_eq!(parse(&format!("https://{}.org", "a".repeat(600))), Err(Malformed));
}

#[test]
fn plain_http_beyond_loopback_needs_the_owners_word() {
    let url = RelayUrl::parse("http://192.168.1.4:8770", PlainHttp::Anywhere).unwrap();
    assert_eq!(url.as_str(), "http://192.168.1.4:8770");
    assert!(!url.is_https() && !url.is_loopback());
}

#[test]
fn a_peers_relay_is_public_and_https() {
    let policy = PeerRelayPolicy::new(relay("relay.example.org"), PlainHttp::LoopbackOnly);
    let (url, reach) = policy.check("https://other.example.net:8443").unwrap();
    assert_eq!((url.host(), reach), ("other.example.net:8443", Reach::PublicOnly));
    assert_eq!(policy.check("https://relay.example.org").unwrap().1, Reach::Anywhere);

    for text in ["http://other.example.net", "http://relay.example.org", "http://10.0.0.1"] {
        assert_eq!(policy.check(text), Err(PeerRelayError::NotHttps), "{text}");
    }
    for text in [
        "https://127.0.0.1:8770",
        "http://localhost:8770",
        "https://[::1]",
        "https://10.1.2.3",
        "https://169.254.169.254",
        "https://0x7f000001",
        "https://[::ffff:10.0.0.1]",
        "https://[fd00::1]",
        "https://intranet",
        "https://db.internal",
        "https://printer.local",
        "https://x.localhost",
    ] {
        assert_eq!(policy.check(text), Err(PeerRelayError::Private), "{text}");
    }
    assert_eq!(policy.check("ftp://x.example"), Err(PeerRelayError::Address(RelayUrlError::Scheme)));
}

#[test]
fn on_loopback_a_peers_relay_may_be_private_but_is_still_no_plain_http_elsewhere() {
    let policy = PeerRelayPolicy::new(relay("127.0.0.1:8770"), PlainHttp::LoopbackOnly);
    assert_eq!(policy.check("http://127.0.0.1:8771").unwrap().1, Reach::Anywhere);
    assert_eq!(policy.check("https://10.0.0.1").unwrap().1, Reach::Anywhere);
    assert_eq!(policy.check("http://10.0.0.1"), Err(PeerRelayError::NotHttps));
    let open = PeerRelayPolicy::new(relay("relay.example.org"), PlainHttp::Anywhere);
    assert_eq!(open.check("http://10.0.0.1").unwrap().1, Reach::Anywhere);
}
