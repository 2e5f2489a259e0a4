//! A setting of ours that is made for the whole server breaks nothing in a database that has not the extension, while
//! the extension is being made, updated or dropped, and in an upgrade of the server.

use pg_tenant_tests::{Cluster, Database, Install, Options, Session};

/// Every setting of ours that changes what commands do, with each of its values.
const SETTINGS: [(&str, &str); 11] = [
    ("pg_tenant.new_tables", "warn"),
    ("pg_tenant.new_tables", "refuse"),
    ("pg_tenant.new_tables", "allow"),
    ("pg_tenant.new_tables", "protect"),
    ("pg_tenant.strict", "log"),
    ("pg_tenant.strict", "off"),
    ("pg_tenant.strict", "on"),
    ("pg_tenant.guards", "off"),
    ("pg_tenant.require_registered", "off"),
    ("pg_tenant.side_channels", "allow"),
    ("pg_tenant.require_signed", "on"),
];

/// What people do in any database.
const WORK: &str = "create table a (x int primary key, y int default 1);
    create temp table b (x int); create table c as select 1 as x; select 1 as x into d; create view e as select 1 as x;
    create unlogged table g (x int); create schema s create table h (x int);
    create table i (like a including all); create table j () inherits (i);
    create table k (x int) partition by range (x); create table k_1 partition of k default;
    create table k_2 (x int); alter table k detach partition k_1; alter table k attach partition k_2 default;
    alter table c rename to c2; alter table c2 set schema s; alter schema s rename to s2;
    create materialized view m as select * from a; refresh materialized view m;
    insert into a values (1) on conflict (x) do update set y = 2 where a.y = 1; truncate a;
    alter table a enable row level security, force row level security; create policy p on a using (true);
    create type t as (n int); create sequence n; create function f() returns int language sql as 'select 1';
    create trigger r before update on a for each row execute function suppress_redundant_updates_trigger();
    drop schema s2 cascade; drop type t; drop view e; drop sequence n; drop function f;
    drop table a, b, c2, d, g, i, j, k, k_1 cascade";

async fn works(session: &Session) {
    session.run(&WORK.replace("drop table a, b, c2, d", "drop table a, b, d")).await;
}

async fn with(cluster: &'static Cluster, name: &str, setting: (&str, &str)) -> Database<'static> {
    let db = cluster.plain_database(name).await;
    let boss = cluster.superuser().await;
    boss.run(&format!("alter database {} set {} = {}", db.name, setting.0, setting.1)).await;
    db
}

#[tokio::test]
async fn before_without_and_after_the_extension() {
    let cluster = Cluster::shared();
    for (n, setting) in SETTINGS.into_iter().enumerate() {
        eprintln!("{} = {}", setting.0, setting.1);
        let db = with(cluster, &format!("setting_{n}"), setting).await;
        let connect = async || Session::connect(&db.config("postgres")).await;
        let boss = connect().await;
        works(&boss).await; // before
        if !Install::current().lacks("pg_trgm") {
            boss.run("create extension pg_trgm").await;
        }
        boss.notices();
        boss.run("create extension pg_tenant").await;
        let warned = boss.notices();
        assert!(warned.is_empty(), "{warned:?}");
        works(&boss).await;
        boss.run("begin; drop extension pg_tenant cascade; create table l (tenant_id text); rollback").await;
        boss.run("drop extension pg_tenant").await;
        works(&boss).await; // after
        boss.run("create extension pg_tenant version '0.1.0'; alter extension pg_tenant update").await;
        works(&boss).await;
        works(&connect().await).await;
        // It does what it is for.
        if setting == ("pg_tenant.new_tables", "warn") {
            boss.notices();
            boss.run("create table l (tenant_id text)").await;
            assert!(boss.notices().iter().any(|notice| notice.code().code() == "TN060"));
        }
    }
}

#[tokio::test]
async fn in_the_template_and_the_file() {
    for setting in SETTINGS.iter().filter(|setting| matches!(setting.1, "warn" | "refuse" | "log" | "on")) {
        let cluster = Cluster::start(Options::default().set(setting.0, setting.1));
        let connect = async |database: &str| Session::connect(&cluster.config(database, "postgres")).await;
        let boss = connect("postgres").await;
        works(&boss).await;
        let template = connect("template1").await;
        works(&template).await;
        template.run("create extension pg_tenant").await;
        drop(template);
        cluster.until_left("template1").await;
        boss.run("create database made").await;
        works(&connect("made").await).await;
        assert!(!cluster.log().contains("XX000"), "{}", cluster.log());
    }
}
