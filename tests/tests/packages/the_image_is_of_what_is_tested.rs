//! `packaging/Dockerfile` is built where Docker is, which is not here. What it runs is: the script that makes the
//! package (`a_deb_is_installed`), and the one that makes the extension in each database.

use std::fs;
use std::process::Command;

use pg_tenant_tests::{Cluster, Install, Options};

use crate::elsewhere::{repository, succeed};

fn dockerfile() -> String {
    fs::read_to_string(repository().join("packaging/Dockerfile")).expect("the Dockerfile").replace("\\\n", " ")
}

#[test]
fn it_runs_no_other_script() {
    let text = dockerfile();
    let of_ours: Vec<&str> = text.split_whitespace().filter(|word| word.contains("packaging/")).collect();
    let made = ["/src/packaging/deb", "packaging/docker-initdb.sh"];
    assert_eq!(of_ours.iter().filter(|word| !word.ends_with("Dockerfile")).collect::<Vec<_>>(), made.each_ref());
    let runs: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("RUN ")).collect();
    let [tools, deb, install] = runs[..] else { panic!("{runs:#?}") };
    assert!(tools.starts_with("apt-get update"), "{tools}");
    assert_eq!(deb, "/src/packaging/deb /usr/lib/postgresql/${PG}/bin/pg_config", "as made_by(\"deb\") calls it");
    assert!(install.contains("/tmp/*.deb") && install.contains("shared_preload_libraries = 'pg_tenant'"), "{install}");
    for tool in ["dpkg-dev", "binutils", "gcc", "libclang-dev", "postgresql-server-dev-${PG}"] {
        assert!(tools.contains(tool), "packaging/deb needs {tool}");
    }
}

/// As the official image's entrypoint does: in the database that was asked for, and in those that are made later.
#[tokio::test]
async fn it_makes_the_extension_in_each_database() {
    let cluster = Cluster::start(Options::default());
    let asked = cluster.plain_database("asked").await;
    succeed(
        Command::new("sh")
            .arg(repository().join("packaging/docker-initdb.sh"))
            .env("PATH", format!("{}:/usr/bin:/bin", Install::current().bindir.display()))
            .env("PGHOST", cluster.socket_dir())
            .env("PGPORT", cluster.port().to_string())
            .envs([("POSTGRES_USER", "postgres"), ("POSTGRES_DB", &asked.name)]),
    );
    let has = "select tenant.version()";
    let version = asked.superuser().await.value(has).await;
    assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    asked.superuser().await.run("create database later").await;
    let later = cluster.config("later", "postgres");
    assert_eq!(pg_tenant_tests::Session::connect(&later).await.value(has).await, version);
}
