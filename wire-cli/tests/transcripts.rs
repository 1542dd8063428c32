//! What people see, word for word: `tests/cmd`. `TRYCMD=overwrite` writes it anew.

#[test]
fn transcripts_are_as_they_were() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().join("home").to_string_lossy().into_owned();
    trycmd::TestCases::new()
        .env("WIRE_HOME", &home)
        // Nobody listens there.
        .env("WIRE_RELAY", "http://127.0.0.1:9")
        .env("WIRE_AS", "")
        .env("WIRE_LOG", "")
        .env("PORT", "")
        .env("DOCKER_HOST", "unix:///no/such/socket")
        .case("tests/cmd/*.trycmd");
    // None of it made an agent.
    assert!(!std::path::Path::new(&home).join("agents").exists());
}
