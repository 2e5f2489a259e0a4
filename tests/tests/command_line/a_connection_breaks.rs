//! A connection that breaks midway: it is said, with what to do; nothing is half done, and nothing panics.

use std::process::{Command, Stdio};
use std::time::Duration;

use pg_tenant_tests::{Database, Session};

use super::program;

const WAITS: &str =
    "select min(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";

/// Ends the backend of a command that waits for a lock, and tells how the command ended.
async fn broken(db: &Database<'_>, superuser: &Session, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    command.args(args).args(["--url", &db.url(&db.roles.admin)]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("run pgtenant");
    let pid = loop {
        if let Some(pid) = superuser.value(WAITS).await {
            break pid;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    superuser.run(&format!("select pg_terminate_backend({pid}, 5000)")).await;
    let out = tokio::task::block_in_place(|| child.wait_with_output().expect("it ends"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_waits() {
    let db = pg_tenant_tests::database("cli_broken").await;
    let (superuser, holder) = (db.superuser().await, db.superuser().await);
    superuser.run("select tenant.create('acme')").await;
    holder.run("begin; lock table tenant.tenants in access exclusive mode").await;
    for args in [&["tenant", "create", "globex"][..], &["tenant", "suspend", "acme"], &["tenant", "list", "--json"]] {
        let (status, said) = broken(&db, &superuser, args).await;
        assert_eq!(status, Some(2), "it could not be asked to the end: {said}");
        assert!(said.contains("57P01") && said.contains("run the command again"), "{said}");
        assert!(!said.contains("panicked") && !said.contains("is registered"), "{said}");
    }
    holder.run("rollback").await;
    let left = superuser.value("select string_agg(id || ' ' || status, ', ') from tenant.tenants").await;
    assert_eq!(left.as_deref(), Some("acme active"));
}
