//! A golden fails when a script prints anything but what was reviewed.
//!
//! `GOLDENS=write` (`make goldens`) writes what it prints now; `GOLDENS=installcheck` uses the server that PGHOST,
//! PGPORT and PGUSER name instead of one of our own.

use std::process::Command;

use pg_tenant_tests::golden::Goldens;
use pg_tenant_tests::{Cluster, Install, run};

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pg_tenant/tests/pg_regress");

#[tokio::test]
async fn a_script_prints_something_else() {
    let mode = std::env::var("GOLDENS").unwrap_or_default();
    let install = Install::current();
    let goldens = Goldens::new(DIR, install.major);
    let (mut failures, names) = (String::new(), goldens.names());
    for name in &names {
        let result = if mode == "installcheck" {
            goldens.run(name, &mut running_server(install, name))
        } else {
            let db = Cluster::shared().database("golden").await;
            goldens.run(name, &mut db.program("psql", "postgres"))
        };
        if mode == "write" {
            goldens.accept(name, &result);
        }
        match goldens.compare(name, &result) {
            Ok(()) => println!("ok     {name}"),
            Err(diff) => failures += &diff,
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    println!("{} goldens on PostgreSQL {}", names.len(), install.major);
}

/// psql in a fresh database of a server that is somebody else's.
fn running_server(install: &Install, name: &str) -> Command {
    let database = format!("regress_golden_{name}");
    let program = |program: &str, database: &str| {
        let mut command = install.program(program);
        command.envs(std::env::vars().filter(|(key, _)| key.starts_with("PG"))).env("PGDATABASE", database);
        command
    };
    let create = format!("drop database if exists {database};\ncreate database {database};\n");
    let script = create + &format!("\\c {database}\ncreate extension pg_tenant;\n");
    let mut psql = program("psql", "postgres");
    run(psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]), &script).expect("a database with the extension");
    program("psql", &database)
}
