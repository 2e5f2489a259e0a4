//! Commands that work on whole tables tell a tenant how many rows the others have, or change what all use: VACUUM,
//! ANALYZE, CLUSTER, REINDEX, ALTER SEQUENCE, statistics, publications, foreign keys, REFRESH. A bound login is in its
//! tenant outside a transaction block too.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Install, Session};

/// A bound login that may maintain what it likes: it owns a table under the protected one's schema.
async fn bound(name: &str) -> (Database<'static>, Session) {
    let db = shop(name).await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "grant tenant_user to {0}; grant usage on schema pg_toast to {0}; create table notes (id int, line text); alter table notes owner to {0}",
        db.roles.owner
    ))
    .await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.owner)).await;
    let session = db.owner().await;
    (db, session)
}

#[tokio::test]
async fn without_a_name_by_a_bound_login() {
    let (db, session) = bound("vacuum_all").await;
    // The hole, on a table that nobody protects: the count is everybody's.
    session.run("vacuum (verbose) stock_orders").await;
    let counted = session.notices().iter().any(|notice| notice.message().contains("5 ") || notice.detail().is_some());
    assert!(counted, "{:?}", session.notices());
    for command in [
        "vacuum",
        "vacuum (verbose)",
        "vacuum (verbose, analyze)",
        "vacuum full",
        "analyze",
        "analyze verbose",
        "cluster",
        "reindex (verbose) schema public",
        "vacuum (verbose) orders",
        "vacuum notes, orders",
        "vacuum freeze orders (note)",
        "analyze verbose orders",
        "cluster orders using orders_pkey",
        "reindex (verbose) table orders",
        "reindex table concurrently orders",
        "reindex (verbose) index orders_pkey",
        "create index concurrently on orders (note)",
        "vacuum pg_catalog.pg_class",
    ] {
        let refused = session.expect_error("TN032", command).await; // TN032
        assert!(refused.hint().is_some() && refused.detail().is_some(), "{command}: {refused:?}");
    }
    session.expect_error("TN032", &format!("reindex database {}", db.name)).await;
    let toast = "select reltoastrelid::regclass::text from pg_class where oid = 'orders'::regclass";
    let toast = session.value(toast).await.expect("a TOAST table");
    session.expect_error("TN032", &format!("vacuum (verbose) {toast}")).await;
    session.expect_error("TN032", &format!("reindex table {toast}")).await;
    // The neighbours: its own tables, and temporary ones.
    session.run("vacuum (verbose, analyze) notes").await;
    session.run("create temp table work (id int primary key); analyze work").await;
    session.run("vacuum work").await;
    session.run("cluster work using work_pkey; reindex table work").await;
    // Unbound, with no tenant, it is the owner's business.
    db.superuser().await.run(&format!("select tenant.unbind_role('{}')", db.roles.owner)).await;
    let owner = db.owner().await;
    for command in ["vacuum orders", "vacuum", "analyze", "cluster"] {
        owner.run(command).await;
    }
}

/// Each of these, on the stock tables, is done.
const DEFINE: &[&str] = &[
    "create statistics public.stats on id, note from TABLE",
    "create statistics stats (mcv) on (lower(note)), id from TABLE",
    "alter statistics TABLE_s set statistics 10",
    "alter statistics TABLE_s rename to other",
    "drop statistics TABLE_s",
    "alter table refers add foreign key (id) references TABLE",
    "alter table refers add constraint r foreign key (id) references TABLE (id) not valid",
    "alter table TABLE_refers validate constraint TABLE_f",
    "alter table only TABLE_parent alter note set default 'x'",
    "alter table TABLE_parent add more int",
    "alter table TABLE_parent alter note set default 'x'",
    "analyze TABLE_parent",
    "alter sequence TABLE_q restart with 5",
    "alter sequence if exists TABLE_q increment by 7",
    "alter table TABLE_q rename to q",
    "alter index if exists TABLE_pkey set (fillfactor = 50)",
    "alter trigger TABLE_t on TABLE rename to t",
    "alter rule TABLE_r on TABLE rename to r",
    "drop sequence TABLE_q cascade",
];

#[tokio::test]
async fn what_all_use_is_redefined() {
    let db = shop("redefined").await;
    db.superuser().await.run(&format!("grant tenant_user, tenant_admin to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.run("create table refers (id int)").await;
    for table in ["stock_orders", "orders"] {
        owner
            .run(&format!(
                "create statistics {table}_s on id, note from {table}; create sequence {table}_q owned by {table}.id;
                 create table {table}_refers (id int); insert into {table}_refers values (9);
                 alter table {table}_refers add constraint {table}_f foreign key (id) references {table} not valid;
                 create table {table}_parent (tenant_id uuid, note text); alter table {table} inherit {table}_parent;
                 create function {table}_f() returns trigger language plpgsql as 'begin return new; end';
                 create trigger {table}_t before insert on {table} for each row execute function {table}_f();
                 create rule {table}_r as on delete to {table} where old.id = 77 do instead nothing"
            ))
            .await;
    }
    owner.run("create sequence numbers").await;
    for command in DEFINE {
        let (stock, ours) = (command.replace("TABLE", "stock_orders"), command.replace("TABLE", "orders"));
        if !stock.contains("validate") {
            owner.run(&format!("begin; set local app.tenant = '{A}'; {stock}; rollback")).await;
        }
        owner.refused_inside("TN032", A, &ours).await; // TN032
    }
    owner.refused_inside("TN032", A, "alter sequence numbers restart").await; // any that is not temporary
    // The hole of VALIDATE: it tells which keys there are.
    owner.expect_error("23503", "alter table stock_orders_refers validate constraint stock_orders_f").await;
    if Install::current().major >= 18 {
        owner
            .refused_inside("TN032", A, "alter table refers add foreign key (id) references orders not enforced")
            .await;
        owner.refused_inside("TN032", A, "alter table orders_refers alter constraint orders_f not enforced").await;
    }
    // The neighbours: a temporary sequence, keys between other tables, and all of it with no tenant.
    owner
        .inside(
            A,
            "alter table refers add foreign key (id) references stock_orders;
             create statistics free on id, note from stock_orders; drop statistics free",
        )
        .await;
    owner.run("create temp sequence mine").await;
    owner.inside(A, "alter sequence pg_temp.mine restart").await;
    for command in DEFINE.iter().filter(|command| !command.contains("validate")) {
        owner.run(&format!("begin; {}; rollback", command.replace("TABLE", "orders"))).await;
    }
}

#[tokio::test]
async fn rows_of_all_are_published() {
    let db = shop("published").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_user to {0}; grant create on database {1} to {0}", db.roles.owner, db.name)).await;
    let owner = db.owner().await;
    owner.run("create publication sent for table stock_orders").await;
    for command in [
        "create publication pub for table orders",
        "create publication pub for table orders (note) where (id > 1)",
        "create publication pub",
        "alter publication sent add table orders",
        "alter publication sent set (publish = 'insert')",
        "alter publication sent rename to other",
        "alter publication sent owner to current_user",
        "drop publication sent",
    ] {
        owner.refused_inside("TN032", A, command).await; // TN032
        owner.run(&format!("begin; {command}; rollback")).await;
    }
    boss.refused_inside("TN032", A, "create publication pub for all tables").await;
    boss.refused_inside("TN032", A, "create publication pub for tables in schema public").await;
    let subscription = "create subscription s connection 'host=/nowhere' publication p with (connect = false)";
    boss.refused_inside("TN032", A, subscription).await;
}

#[tokio::test]
async fn a_shared_view_is_filled_with_ones_own_rows() {
    let db = shop("refreshed").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(&format!(
        "grant tenant_user, tenant_admin to {0}; set pg_tenant.guards = off;
         create materialized view kept as select * from orders; alter materialized view kept owner to {0};
         create materialized view stock_kept as select * from stock_orders; alter materialized view stock_kept owner to {0};
         grant select on kept, stock_kept to public; reset pg_tenant.guards; select tenant.share('kept', 'a test')",
        db.roles.owner
    ))
    .await;
    // The hole: what one tenant may see, the next one reads.
    let owner = db.owner().await;
    owner.run(&format!("begin; set local app.tenant = '{A}'; refresh materialized view stock_kept; commit")).await;
    app.run(&format!("begin; set local app.tenant = '{B}'")).await;
    assert_eq!(app.value("select count(*) from stock_kept").await.as_deref(), Some("3"));
    app.run("rollback").await;
    for command in [
        "refresh materialized view kept",
        "refresh materialized view kept with no data",
        "do $$ begin refresh materialized view kept; end $$",
        "refresh materialized view stock_kept", // by a function it could read anything
    ] {
        let refused = owner.refused_inside("TN027", A, command).await; // TN027
        assert!(refused.hint().is_some_and(|hint| hint.contains("no tenant")), "{refused:?}");
    }
    assert_eq!(app.inside_value(B, "select count(*) from kept").await.as_deref(), Some("5"));
    // With no tenant its owner is told what does it, and that does it.
    let refused = owner.expect_error("TN001", "refresh materialized view kept").await;
    assert!(refused.hint().is_some_and(|hint| hint.contains("owner to <superuser>")), "{refused:?}");
    boss.expect_error("TN001", "refresh materialized view kept").await;
    owner.run("refresh materialized view stock_kept").await;
    boss.run("insert into orders select tenant_id, 6, note from orders where id = 5").await;
    boss.run("alter materialized view kept owner to current_user; refresh materialized view kept").await;
    assert_eq!(app.inside_value(A, "select count(*) from kept").await.as_deref(), Some("6"));
}

#[tokio::test]
async fn a_large_object_is_described() {
    let db = shop("described").await;
    let app = db.app().await;
    let large = app.value("select lo_create(0)").await.expect("an oid");
    for command in [
        "comment on large object {o} is 'for the next tenant'",
        "grant select on large object {o} to public",
        "revoke select on large object {o} from public",
        "alter large object {o} owner to current_user",
    ] {
        let command = command.replace("{o}", &large);
        app.run(&command).await;
        app.refused_inside("TN064", A, &command).await; // TN064
    }
}
