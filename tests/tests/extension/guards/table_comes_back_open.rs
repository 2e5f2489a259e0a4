//! A table that was protected and has come back without its policies, however it was made again, is not read by
//! sessions that enter tenants; its owner mends it, or says that it is no tenant's.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Ways to make `orders` again; as its owner, after the protected one has been put away as `kept`.
const WAYS: [(&str, &str); 9] = [
    ("like", "create table orders (like kept including all)"),
    ("like, columns only", "create table orders (like kept)"),
    ("like, renamed", "create table again (like kept including all); alter table again rename to orders"),
    ("as", "create table orders as select gen_random_uuid() as tenant_id, 1 as id"),
    (
        "as, renamed",
        "create table again as select gen_random_uuid() as tenant_id, 1 as id; alter table again rename to orders",
    ),
    ("made again", "create table orders (tenant_id uuid, id int, note text)"),
    (
        "in another schema",
        "create schema s; create table s.orders (tenant_id uuid, id int); alter table s.orders set schema public",
    ),
    (
        "with FORCE, as pg_restore does",
        "create table orders (tenant_id uuid, id int); alter table only orders force row level security",
    ),
    (
        "partitioned",
        "create table orders (tenant_id uuid, id int) partition by range (id);
                     create table orders_1 partition of orders default",
    ),
];

async fn filled(db: &Database<'_>, way: &str) -> Session {
    let boss = db.superuser().await;
    boss.run(&format!("grant create on database {} to {}", db.name, db.roles.owner)).await;
    boss.run("alter table orders rename to kept").await;
    let owner = db.owner().await;
    owner.run(way).await;
    // Its owner fills it, with no tenant: that is how a dump is restored.
    owner.run(&format!("insert into orders (tenant_id, id) values ('{A}', 1), ('{B}', 2); select * from orders")).await;
    owner
}

#[tokio::test]
async fn under_its_name() {
    for (n, (what, way)) in WAYS.into_iter().enumerate() {
        let db = shop(&format!("back_{n}")).await;
        let app = db.app().await;
        app.inside(A, "select * from orders").await;
        let owner = filled(&db, way).await;
        eprintln!("{what}");
        let read = "select * from orders";
        let refused = app.refused_inside("TN012", A, read).await; // TN012
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.protect('public.orders')")), "{refused:?}");
        for write in ["delete from orders", "insert into orders values (default, 3)", "copy orders to stdout"] {
            app.refused_inside("TN012", A, write).await;
        }
        owner.run("create view looks as select * from orders").await;
        app.refused_inside("TN012", A, "select * from looks").await; // with the owner's rights, which mend nothing
        app.expect_error("TN012", read).await; // with no tenant
        app.expect_error("TN012", "select * from looks").await;
        owner.refused_inside_as_member(&db, read).await;
        db.bystander().await.run(read).await; // who never enters a tenant reads what it is granted
        db.superuser().await.run("drop view looks; select tenant.protect('orders')").await;
        assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("1"));
    }
}

trait Member {
    async fn refused_inside_as_member(&self, db: &Database<'_>, sql: &str);
}

impl Member for Session {
    /// The owner, who may enter tenants for the moment, is in one.
    async fn refused_inside_as_member(&self, db: &Database<'_>, sql: &str) {
        let boss = db.superuser().await;
        boss.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
        self.refused_inside("TN012", A, sql).await;
        self.run(sql).await; // with no tenant it works on its table
        boss.run(&format!("revoke tenant_user from {}", db.roles.owner)).await;
    }
}

#[tokio::test]
async fn under_another_name() {
    let db = shop("copy_back").await;
    let (owner, app) = (db.protector().await, db.app().await);
    owner.run("create table copy (like orders including all)").await;
    app.refused_inside("TN012", A, "select * from copy").await; // its default reads the tenant
    app.expect_error("TN012", "select * from copy").await;
    // The neighbours: a copy that has the columns alone, a temporary one, a policy of the application's own, FORCE that
    // has something to force.
    owner.run("create table columns (like orders)").await;
    app.inside(A, "select * from columns").await;
    app.inside(A, "create temp table t (like orders including all) on commit drop; insert into t (id) values (1)")
        .await;
    owner
        .run(
            "create table own (account uuid default tenant.current_uuid(), id int);
             create policy own on own using (account = tenant.current_uuid() or account is null);
             alter table own enable row level security, force row level security;
             create table forced (id int); create policy mine on forced using (id > 0);
             alter table forced force row level security",
        )
        .await;
    app.inside(A, "insert into own (id) values (1); select * from own; select * from forced").await;
    // A schema that gets the name of another one brings its tables along.
    db.superuser().await.run(&format!("grant create on database {} to {}", db.name, db.roles.owner)).await;
    owner.run("create schema one; create table one.t (tenant_id uuid, id int)").await;
    db.superuser().await.run("select tenant.protect('one.t')").await;
    owner.run("create schema two; create table two.t (id int); alter schema one rename to three").await;
    owner.run(&format!("grant usage on schema two to {}; grant select on two.t to {0}", db.roles.app)).await;
    app.inside(A, "select * from two.t").await;
    owner.run("alter schema two rename to one").await;
    app.refused_inside("TN012", A, "select * from one.t").await;
}

#[tokio::test]
async fn on_purpose() {
    let db = shop("on_purpose").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("select tenant.unprotect('orders', 'no longer a tenant''s')").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("5"));
    boss.run("select tenant.protect('orders')").await;
    let owner =
        filled(&db, "create table orders (like kept including all); alter table only orders force row level security")
            .await;
    app.refused_inside("TN012", A, "select * from orders").await;
    boss.run("select tenant.share('orders', 'a lookup now')").await;
    app.inside(A, "select * from orders").await;
    boss.run("select tenant.unshare('orders', 'no')").await;
    app.refused_inside("TN012", A, "select * from orders").await;
    // What is left of the protection goes with a reason, as the protection itself does.
    boss.run("select tenant.unprotect('orders', 'not a tenant''s')").await;
    app.inside(A, "select * from orders").await;
    boss.expect_error("TN028", "select tenant.unprotect('orders', 'again')").await;
    let last =
        "select action || ' ' || reason from tenant.journal where object = 'public.orders' order by id desc limit 1";
    assert_eq!(boss.value(last).await.as_deref(), Some("unprotect not a tenant's"));
    // Protected while FORCE was left of it, and unprotected: nothing is left.
    owner.run("drop table orders; create table orders (tenant_id uuid, id int); alter table orders force row level security").await;
    boss.run("select tenant.protect('orders'); select tenant.unprotect('orders', 'done')").await;
    app.inside(A, "select * from orders").await;
}

#[tokio::test]
async fn where_new_tables_are_refused() {
    let db = shop("refuse_back").await;
    let boss = db.superuser().await;
    boss.run(&format!("alter role {} set pg_tenant.new_tables = refuse", db.roles.owner)).await;
    boss.run(&format!("grant create on database {} to {}", db.name, db.roles.owner)).await;
    boss.run("create table kept (like orders including all); select tenant.protect('kept'); drop table orders").await;
    boss.run(&format!("alter table kept owner to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    for command in [
        "create table copy (like kept including all)",
        "create table copy (id int, like kept)",
        "create table copy as select * from kept with no data",
        "create table orders as select 1 as id",
        "create table orders (id int)",
        "select 1 as id into orders",
        "create table other (id int); alter table other rename to orders",
        "create schema s; create table s.orders (id int); alter table s.orders set schema public",
        "do $$ begin create table orders (id int); end $$",
    ] {
        let refused = owner.expect_error("TN060", command).await; // TN060
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.protect()")), "{refused:?}");
    }
    // The neighbours, and the way.
    owner.run("create temp table copy (like kept including all); create table other (id int); alter table other rename to another").await;
    owner.run("create table made (tenant_id uuid, id int)").await;
    boss.run("select tenant.protect('made')").await;
    owner.run("alter table made rename to orders").await;
    db.app().await.inside(A, "insert into orders (id) values (1)").await;
}
