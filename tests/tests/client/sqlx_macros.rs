//! `sqlx::query!` is checked against a database with protected tables, and what it has checked works inside a tenant.
//!
//! Not through PgBouncer: the macros ask a database as they are compiled, on a connection of sqlx's own.

use std::process::{Command, Output};

use pg_tenant_tests::Database;

async fn shop(name: &str) -> Database<'static> {
    let db = pg_tenant_tests::database(name).await;
    let owner = db.protector().await;
    owner.run("select tenant.create('acme'); select tenant.create('dev')").await;
    owner
        .run(
            "create table projects (tenant_id text not null, id bigint generated always as identity primary key, name text not null);
             create table tasks (tenant_id text not null, id bigint generated always as identity primary key,
                project bigint not null references projects, title text not null);
             select tenant.protect('projects', harden => true), tenant.protect('tasks', harden => true);
             grant select, insert, update, delete on projects, tasks to tenant_user",
        )
        .await;
    db
}

/// `tests/query_macros`, compiled with this address in `DATABASE_URL`, and run as the application.
fn compiled(db: &Database<'_>, role: &str) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "-p", "pg-tenant-query-macros", "--", &db.url(&db.roles.app)]);
    cargo.env("DATABASE_URL", db.url(role)).output().expect("run cargo")
}

#[tokio::test]
async fn they_compile_as_a_role_for_development() {
    let db = shop("macros").await;
    let dev = format!("regress_{}_dev", db.name);
    let boss = db.superuser().await;
    boss.run(&format!("create role {dev} login in role tenant_user")).await;

    // Any role of the application: the plan, which says what may be null, is not shown.
    let out = compiled(&db, &dev);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("no tenant: table public.projects"), "{said}");

    // As the client's README says.
    boss.run(&format!("select tenant.bind_role('{dev}', 'dev'); alter role {dev} set pg_tenant.side_channels = allow"))
        .await;
    let out = compiled(&db, &dev);
    let said = [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(out.status.success(), "{said}");
    assert_eq!(said, "acme [(\"Empty\", None), (\"Website\", Some(\"Logo\"))] Logo!\n");
}
