//! A server that `pg_upgrade` makes of another has every table protected as it was, whatever our settings are in both.

use pg_tenant_tests::{Cluster, Install, Options, Session, skipped};

const TABLES: &str = "select tenant.create('acme'), tenant.create('globex');
    create table orders (tenant_id text not null, id int, primary key (tenant_id, id));
    create table events (tenant_id text not null, at int) partition by range (at);
    create table events_1 partition of events default;
    select tenant.protect('orders'), tenant.protect('events');
    create table countries (code text); select tenant.share('countries', 'lookup');
    insert into orders values ('acme', 1), ('globex', 2); insert into events values ('acme', 1), ('globex', 2);
    grant select, insert on orders, events, countries to regress_upgraded";

/// 15.20 keeps an option with every column that minors before it do not know: pg_upgrade fails where the other server
/// is of such a one, with pg_tenant and without.
const FORGET_VERSIONS: &str = "update pg_attribute set attoptions = null
    where attrelid >= 16384 and array_to_string(attoptions, ' ') like 'pg_attver=%'";

async fn upgraded(old: &'static Install, new: &'static Install, setting: (&str, &str)) {
    let at = |install: &'static Install| {
        let options = Options::default().set(setting.0, setting.1).on(install);
        if install.major >= 18 && old.major < 18 { options.initdb("--no-data-checksums") } else { options }
    };
    let (from, to) = (Cluster::start(at(old)), Cluster::start(at(new)));
    let boss = Session::connect(&from.config("postgres", "postgres")).await;
    for command in [
        "create database with_it",
        "create database without_it",
        "create database with_0_1_0",
        "create role regress_upgraded login",
    ] {
        boss.run(command).await;
    }
    let with_it = Session::connect(&from.config("with_it", "postgres")).await;
    with_it.run(&format!("create extension pg_tenant; grant tenant_user to regress_upgraded; {TABLES}")).await;
    with_it.run(FORGET_VERSIONS).await;
    drop(with_it);
    let without = Session::connect(&from.config("without_it", "postgres")).await;
    without.run("create table plain (tenant_id text); insert into plain values ('acme')").await;
    without.run(FORGET_VERSIONS).await;
    let former = Session::connect(&from.config("with_0_1_0", "postgres")).await;
    former.run("create extension pg_tenant version '0.1.0'").await;
    former.run(TABLES).await;
    former.run(FORGET_VERSIONS).await;
    drop((boss, without, former));
    if let Err(why) = from.upgrade_to(&to) {
        panic!("{} to {} with {setting:?}\n{why}", old.major, new.major);
    }
    let app = Session::connect(&to.config("with_it", "regress_upgraded")).await;
    for table in ["orders", "events"] {
        app.expect_error("TN001", &format!("select * from {table}")).await; // TN001
        assert_eq!(app.inside_value("acme", &format!("select count(*) from {table}")).await.as_deref(), Some("1"));
    }
    app.inside("acme", "select * from countries; insert into orders (id) values (3)").await;
    let boss = Session::connect(&to.config("with_it", "postgres")).await;
    boss.expect_error("TN030", "alter table orders no force row level security").await;
    // The schema of 0.1.0, before its update and after.
    let former = Session::connect(&to.config("with_0_1_0", "postgres")).await;
    for update in ["", "alter extension pg_tenant update; call tenant.upgrade_fences(false)"] {
        former.run(update).await;
        let app = Session::connect(&to.config("with_0_1_0", "regress_upgraded")).await;
        app.expect_error("TN001", "select * from orders").await;
        assert_eq!(app.inside_value("acme", "select count(*) from events").await.as_deref(), Some("1"));
        former.expect_error("TN030", "alter table orders no force row level security").await;
    }
    let internal = "select count(*) > 200 from pg_depend where refclassid = 'pg_extension'::regclass and deptype = 'e'
        and classid = 'pg_proc'::regclass";
    assert_eq!(former.value(internal).await.as_deref(), Some("t"), "what belongs to the extension");
    let plain = Session::connect(&to.config("without_it", "postgres")).await;
    assert_eq!(plain.value("select tenant_id from plain").await.as_deref(), Some("acme"));
}

const NEW_TABLES: [&str; 3] = ["warn", "refuse", "protect"];

#[tokio::test]
async fn by_its_own_major() {
    upgraded(Install::current(), Install::current(), ("pg_tenant.new_tables", "warn")).await;
}

/// Every other major that is here, older or newer: a run of several majors has the others' installed before.
#[tokio::test]
async fn by_another_major() {
    let here = Install::current();
    let others = (15..=18).filter(|&major| major != here.major).filter_map(Install::of_major);
    // One that was installed from another state of the tree says nothing of this one.
    let schema = |install: &Install| {
        let script = concat!("extension/pg_tenant--", env!("CARGO_PKG_VERSION"), ".sql");
        std::fs::read(install.sharedir.join(script)).ok()
    };
    let others: Vec<_> = others.filter(|other| schema(other) == schema(here)).collect();
    if others.is_empty() {
        skipped("the extension of this tree is installed in no other major: make test PG=all");
    }
    for (other, value) in others.into_iter().zip(NEW_TABLES.into_iter().cycle()) {
        let (old, new) = if other.major < here.major { (other, here) } else { (here, other) };
        upgraded(old, new, ("pg_tenant.new_tables", value)).await;
        eprintln!("{} to {} with new_tables = {value}", old.major, new.major);
    }
}
