//! A login of tenants opens no replication connection, which would carry every tenant's rows by commands that no hook
//! sees.

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Database, Output, run};

/// Runs one replication command; `kind` is `database` or `true`, for a connection without a database.
fn replicate(db: &Database<'_>, role: &str, kind: &str, command: &str) -> Output {
    let mut psql = db.program("psql", role);
    psql.args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-c", command]);
    psql.arg(format!("replication={kind} dbname={} user={role}", db.name));
    run(&mut psql, "")
}

#[track_caller]
fn refused(output: &Output) {
    // A refusal before there is a session comes as a message without its SQLSTATE.
    assert!(!output.ok && output.stderr.contains("may not open a replication connection"), "{output:?}");
}

const COMMANDS: [&str; 3] = ["IDENTIFY_SYSTEM", "SHOW work_mem", "BASE_BACKUP (CHECKPOINT 'fast', WAIT false)"];

#[tokio::test]
async fn though_it_is_bound() {
    let db = shop("replicates").await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    let (app, bystander) = (&db.roles.app, &db.roles.bystander);
    admin.run(&format!("select tenant.bind_role('{app}', '{A}')")).await;
    boss.run(&format!("alter role {app} replication; alter role {bystander} replication")).await;
    for kind in ["database", "true"] {
        // The hole, and the neighbour: whoever has REPLICATION and is no member of tenant_user.
        assert!(replicate(&db, bystander, kind, "IDENTIFY_SYSTEM").ok);
        for command in COMMANDS {
            refused(&replicate(&db, app, kind, command));
        }
    }
    db.connect(app).await.run("table orders").await; // its own connections are as before
    // Once it is a member no more, the binding still holds it.
    boss.run(&format!("revoke tenant_user from {app}")).await;
    refused(&replicate(&db, app, "database", "IDENTIFY_SYSTEM"));
    admin.run(&format!("select tenant.unbind_role('{app}')")).await;
    assert!(replicate(&db, app, "database", "IDENTIFY_SYSTEM").ok);
    boss.run(&format!(
        "alter role {app} noreplication; alter role {bystander} noreplication; grant tenant_user to {app}"
    ))
    .await;
}

#[tokio::test]
async fn though_it_enters() {
    let db = shop("replicates_pooled").await;
    let (boss, app) = (db.superuser().await, &db.roles.app);
    boss.run(&format!("alter role {app} replication")).await;
    for kind in ["database", "true"] {
        refused(&replicate(&db, app, kind, "IDENTIFY_SYSTEM"));
    }
    boss.run(&format!("alter role {app} noreplication")).await;
    // A superuser replicates, and enters no tenant there.
    assert!(replicate(&db, "postgres", "true", "IDENTIFY_SYSTEM").ok);
    let entered = replicate(&db, "postgres", "database", &format!("select tenant.enter('{A}')"));
    assert!(entered.stderr.contains("TN071"), "{entered:?}");
}

#[tokio::test]
async fn by_commands_of_sql() {
    let db = shop("publishes").await;
    let (owner, boss) = (&db.roles.owner, db.superuser().await);
    boss.run(&format!("grant tenant_user to {owner}; grant create on database {} to {owner}", db.name)).await;
    let owner = db.owner().await;
    for sql in [
        "create publication p for table orders",
        "alter publication p add table orders",
        "create subscription s connection 'dbname=x' publication p with (connect = false)",
        "alter subscription s disable",
        "drop subscription s",
        "select pg_create_logical_replication_slot('x', 'pgoutput')",
        "select pg_create_physical_replication_slot('x')",
    ] {
        let expected = if sql.starts_with("select") { "TN064" } else { "TN032" };
        owner.refused_inside(expected, A, sql).await;
    }
    owner.run("create publication p for table orders; drop publication p").await;
}
