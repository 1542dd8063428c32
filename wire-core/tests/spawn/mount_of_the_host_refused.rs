//! What no container gets of the host is refused before the engine is asked, and nothing is made of it.

use crate::support::ground::{Ground, plain};
use crate::support::private_dockerd::PrivateDockerd;
use crate::support::{home, images};
use wire_core::spawn::docker::{Docker, DockerConfig, EngineConfig};
use wire_core::spawn::{Mount, SourceRefusal, SpawnError, SpawnSpec, SpecError, ValidSpec};

#[tokio::test]
async fn the_engines_socket_the_root_and_what_is_not_there() {
    let ground = Ground::new().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, to) in [
        ("innocent", "/var/run/docker.sock"),
        ("run", "/var/run"),
        ("root", "/"),
        ("etc", "/etc"),
        ("nowhere", "/no/such"),
    ] {
        std::os::unix::fs::symlink(to, at(name)).unwrap();
    }
    // A link to a link, and a way around by `..`.
    std::os::unix::fs::symlink(at("innocent"), at("again")).unwrap();
    let up = format!("{}/../../../../../var/run/docker.sock", folder.path().display());
    let own = ground.home.path().join("host").to_str().unwrap().to_owned();
    let table: &[(&str, &[SourceRefusal])] = &[
        (&at("innocent"), &[SourceRefusal::Socket, SourceRefusal::Never]),
        (&at("again"), &[SourceRefusal::Socket, SourceRefusal::Never]),
        (&up, &[SourceRefusal::Socket, SourceRefusal::Never]),
        ("/var/run/docker.sock", &[SourceRefusal::Socket, SourceRefusal::Never]),
        (&at("run"), &[SourceRefusal::Never]),
        (&at("root"), &[SourceRefusal::Never]),
        ("/", &[SourceRefusal::Never]),
        ("/var", &[SourceRefusal::Never]),
        (&at("etc"), &[SourceRefusal::Never]),
        ("/dev/null", &[SourceRefusal::Special, SourceRefusal::Never]),
        ("/var/lib/docker", &[SourceRefusal::Never]),
        (&own, &[SourceRefusal::Never]),
        (&at("nowhere"), &[SourceRefusal::Missing]),
        (&at("missing"), &[SourceRefusal::Missing]),
        ("relative", &[SourceRefusal::NotAbsolute]),
    ];
    for (source, refusals) in table {
        let mount = || Mount::bind(*source, "/job").read_only();
        for spec in [SpawnSpec::new(images::busybox()).mount(mount()), plain(["true"]).mount(mount())] {
            let refused = ground.docker.spawn(spec).await;
            let Err(SpawnError::Spec(errors)) = refused else { panic!("{source}: {refused:?}") };
            let [SpecError::Source { why, .. }] = errors.as_slice() else { panic!("{source}: {errors:?}") };
            assert!(refusals.contains(why), "{source}: {why}");
        }
    }
    assert!(!folder.path().join("missing").exists() && !std::path::Path::new("/no/such").exists());
    assert_eq!(ground.containers(), Vec::<String>::new(), "the engine was never asked");
}

fn refusal(planned: Result<ValidSpec, SpawnError>) -> SourceRefusal {
    let Err(SpawnError::Spec(mut errors)) = planned else { panic!("{planned:?}") };
    assert_eq!(errors.len(), 1, "{errors:?}");
    let Some(SpecError::Source { why, .. }) = errors.pop() else { panic!("another error") };
    why
}

#[tokio::test]
async fn whatever_lies_outside_of_the_roots_that_were_said() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["root", "root/work", "rooted", "other"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    std::os::unix::fs::symlink(at("root"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("other"), at("root/out")).unwrap();
    let engine = EngineConfig::from_env().unwrap();
    let config = DockerConfig::new(engine, home.path().join("host"));
    let spec = |source: &str| plain(["true"]).mount(Mount::bind(at(source), "/job"));

    // By a link to it, and beside one that is not there.
    let roots = config.clone().bind_roots([at("link"), at("missing")]);
    let docker = Docker::connect(roots).await.unwrap();
    for inside in ["root", "root/work", "link/work"] {
        docker.plan(spec(inside)).await.unwrap_or_else(|error| panic!("{inside}: {error}"));
    }
    for outside in ["other", "rooted", "root/out", "link/out", "."] {
        assert_eq!(refusal(docker.plan(spec(outside)).await), SourceRefusal::OutsideRoots, "{outside}");
    }
    for nowhere in [vec![], vec!["/"]] {
        let docker = Docker::connect(config.clone().bind_roots(nowhere)).await.unwrap();
        assert_eq!(refusal(docker.plan(spec("root")).await), SourceRefusal::OutsideRoots);
    }
}

/// Not where engines keep it by custom, but where this one says that it does.
#[tokio::test]
async fn the_engines_own_storage_wherever_it_is() {
    let Some(engine) = PrivateDockerd::start(false).await else { return };
    let image = home::busybox_on(&engine.client().await).await;
    let folder = tempfile::tempdir().unwrap();
    let docker = home::on(engine.config(), folder.path()).await;
    let root = engine.root();
    assert_eq!(docker.facts().root, root);
    for path in [root.clone(), root.join("containers"), root.parent().unwrap().to_owned()] {
        let spec = SpawnSpec::new(&image).mount(Mount::bind(path.to_str().unwrap(), "/job"));
        assert_eq!(refusal(docker.plan(spec).await), SourceRefusal::Never, "{}", path.display());
    }
}

#[tokio::test]
async fn a_folder_that_may_be_bound_is() {
    let ground = Ground::new().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "here").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mount = Mount::bind(folder.path().to_str().unwrap(), "/job").read_only();
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).mount(mount)).await;
    let output = sandbox.run(crate::support::ground::sh("cat /job/file; touch /job/new")).await.unwrap();
    assert_eq!(output.stdout.text(), "here");
    assert!(output.stderr.text().contains("Read-only"), "{}", output.stderr.text());
    sandbox.remove().await.unwrap();
}
