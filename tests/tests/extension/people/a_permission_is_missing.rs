//! A command on a table takes a permission: who has it not reads nothing and is told so when writing; beside the fence,
//! in every plan, on every partition, and taken back as a whole.

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Database, Session};

use super::fixture::{as_actor, refused, staged};

const POLICIES: &str = "select coalesce(string_agg(concat_ws(' ', polrelid::regclass, polname, polcmd, polpermissive,
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), E'\\n' order by polrelid::regclass::text, polname), '') from pg_policy";

const COUNT: &str = "select count(*) from orders";

async fn required(name: &str) -> (Database<'static>, Session, Session) {
    let (db, admin, app) = staged(name).await;
    let protector = db.protector().await;
    for (command, permission) in [
        ("select", "invoice.read"),
        ("insert", "invoice.write"),
        ("update", "invoice.write"),
        ("delete", "invoice.purge"),
    ] {
        protector.run(&format!("select tenant.require_permission('orders', '{command}', '{permission}')")).await;
    }
    (db, admin, app)
}

#[tokio::test]
async fn of_whom_it_is_required() {
    let (_db, admin, app) = required("people_required_by").await;
    for (tenant, actor, rows) in [
        (A, "viewer", "3"),
        (A, "owner", "3"),
        (A, "mallory", "0"),
        (A, "boss", "0"),
        (B, "boss", "2"),
        (B, "editor", "2"),
    ] {
        assert_eq!(as_actor(&app, tenant, actor, COUNT).await.as_deref(), Some(rows), "{actor}");
    }
    assert_eq!(app.inside_value(A, COUNT).await.as_deref(), Some("0"), "for no actor");
    let insert = format!("insert into orders (tenant_id, id) values ('{A}', 50)");
    let writes = [
        (insert.clone(), "invoice.write"),
        (format!("{insert} on conflict do nothing"), "invoice.write"),
        ("update orders set note = 'x' where id = 1".to_owned(), "invoice.write"),
        ("update orders set note = 'x'".to_owned(), "invoice.write"),
        ("update orders set note = 'x' where id = 4".to_owned(), "invoice.write"),
        ("select * from orders for update".to_owned(), "invoice.write"),
        // Whether or not the plan would meet a row.
        ("update orders set note = 'x' where id = 99".to_owned(), "invoice.write"),
        ("set local enable_seqscan = off; update orders set note = 'x' where id = 4".to_owned(), "invoice.write"),
        ("update orders set note = 'x' where false".to_owned(), "invoice.write"),
        ("delete from orders where tenant_id <> tenant_id".to_owned(), "invoice.purge"),
        ("delete from orders where id = 1".to_owned(), "invoice.purge"),
        (
            "merge into orders t using (values (1)) v (id) on t.id = v.id when matched then update set note = 'x'"
                .to_owned(),
            "invoice.write",
        ),
        (
            "merge into orders t using (values (1)) v (id) on t.id = v.id when matched then delete".to_owned(),
            "invoice.purge",
        ),
        ("with w as (delete from orders returning id) select count(*) from w".to_owned(), "invoice.purge"),
    ];
    for (write, permission) in &writes {
        for actor in ["viewer", "mallory"] {
            let told = refused(&app, "TN142", A, actor, write).await;
            assert_eq!(told.message(), format!("permission \"{permission}\" is required"), "{actor}: {write}");
        }
        // Who has it writes, in its own tenant alone.
        app.run(&format!("begin; select tenant.enter('{A}', 'owner'); {write}; rollback")).await;
    }
    let changed = |actor: &str, write: &str| format!("begin; select tenant.enter('{A}', '{actor}'); {write}; commit");
    app.run(&changed("editor", "update orders set note = 'by the editor'")).await;
    refused(&app, "TN142", A, "editor", "delete from orders").await;
    app.run("begin").await;
    app.run(&format!("select tenant.enter('{A}', 'owner')")).await;
    app.expect_error("42501", &format!("insert into orders (tenant_id, id) values ('{B}', 60)")).await;
    app.run("rollback").await;
    app.run(&changed("owner", "delete from orders")).await;
    assert_eq!(as_actor(&app, B, "boss", COUNT).await.as_deref(), Some("2"));
    let others = as_actor(&app, B, "boss", "select count(*) from orders where note = 'by the editor'").await;
    assert_eq!(others.as_deref(), Some("0"));
    app.expect_error("TN001", COUNT).await;
    // A change of the role is in force with the next transaction, in plans that are kept as well.
    let count = app.prepare(COUNT).await.expect("prepare");
    for (permissions, rows) in [("{invoice.read}", 2i64), ("{}", 0), ("{invoice.read}", 2)] {
        admin.run(&format!("select tenant.define_role('viewer', 10, '{permissions}')")).await;
        for _ in 0..7 {
            app.run(&format!("begin; select tenant.enter('{B}', 'editor')")).await;
            assert_eq!(app.query_one(&count, &[]).await.expect("count").get::<_, i64>(0), rows, "{permissions}");
            app.run("commit").await;
        }
    }
}

/// Behind the fence, which stands first in the scan as ever.
#[tokio::test]
async fn in_front_of_the_fence() {
    let (db, _, _) = required("people_plan").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}', 'viewer')")).await;
    let plan: Vec<String> =
        app.rows("explain (costs off) select * from orders").await.into_iter().flatten().flatten().collect();
    app.run("rollback").await;
    let filter = "Filter: (tenant.is_current(tenant_id) AND tenant.can('invoice.read'::text))";
    assert!(plan.iter().any(|line| line.contains(filter)), "{plan:#?}");
}

#[tokio::test]
async fn on_a_part_or_after_it_was_taken_back() {
    let (db, _, app) = staged("people_parts").await;
    let (protector, boss) = (db.protector().await, db.superuser().await);
    protector
        .run(&format!(
            "create table parts (tenant_id uuid, id int) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (10);
             select tenant.protect('parts'); select tenant.require_permission('parts', 'all', 'invoice.write');
             create table parts_2 partition of parts for values from (10) to (20) partition by range (id);
             create table parts_3 partition of parts_2 for values from (10) to (20);
             create table parts_4 (tenant_id uuid not null, id int not null);
             alter table parts attach partition parts_4 for values from (20) to (30);
             grant select, insert, update, delete on parts_4, parts_3, parts_2 to {}",
            db.roles.app
        ))
        .await;
    app.run(&format!(
        "begin; select tenant.enter('{A}', 'editor'); insert into parts (id) values (1), (11), (21); commit"
    ))
    .await;
    for part in ["parts", "parts_1", "parts_2", "parts_3", "parts_4"] {
        let count = format!("select count(*) > 0 from {part}");
        assert_eq!(as_actor(&app, A, "viewer", &count).await.as_deref(), Some("f"), "{part}");
        assert_eq!(as_actor(&app, A, "editor", &count).await.as_deref(), Some("t"), "{part}");
        refused(&app, "TN142", A, "viewer", &format!("update {part} set id = id")).await;
        refused(&app, "TN142", A, "viewer", &format!("delete from {part}")).await;
    }
    // A second one of the same command, and repeating.
    let before = boss.value(POLICIES).await;
    protector.run("select tenant.require_permission('parts', 'ALL', 'invoice.write')").await;
    assert_eq!(boss.value(POLICIES).await, before);
    protector.run("select tenant.require_permission('parts', 'delete', 'invoice.purge')").await;
    refused(&app, "TN142", A, "editor", "delete from parts").await;
    protector.run("select tenant.drop_permission('parts', 'delete', 'invoice.purge')").await;
    assert_eq!(boss.value(POLICIES).await, before);
    // Taken back, and with the protection.
    protector.run("select tenant.drop_permission('parts', 'all')").await;
    let left = "select count(*) from pg_policy where polname ~ 'invoice'";
    assert_eq!(boss.value(left).await.as_deref(), Some("0"));
    assert_eq!(as_actor(&app, A, "viewer", "select count(*) from parts").await.as_deref(), Some("3"));
    protector.run("select tenant.require_permission('parts', 'all', 'invoice.write'); select tenant.unprotect('parts', 'for the test')").await;
    let left = "select count(*) from pg_policy where polrelid::regclass::text ~ 'parts'";
    assert_eq!(boss.value(left).await.as_deref(), Some("0"));

    for (code, call) in [
        ("TN145", "require_permission('orders', 'select', 'invoice.wirte')"),
        ("TN145", "require_permission('orders', 'select', null)"),
        ("22023", "require_permission('orders', 'truncate', 'invoice.write')"),
        ("22023", "require_permission('orders', null, 'invoice.write')"),
        ("TN028", "require_permission('parts', 'select', 'invoice.write')"),
        ("TN028", "drop_permission('orders', 'select')"),
        ("TN028", "drop_permission('orders', 'all', 'invoice.write')"),
    ] {
        let told = protector.expect_error(code, &format!("select tenant.{call}")).await;
        assert!(told.detail().is_some() && told.hint().is_some(), "{told:?}");
    }
    protector.run("select tenant.protect('parts')").await;
    protector.expect_error("TN020", "select tenant.require_permission('parts_1', 'select', 'invoice.write')").await;
    db.app().await.expect_error("42501", "select tenant.require_permission('orders', 'select', 'invoice.write')").await;
    db.admin()
        .await
        .expect_error("42501", "select tenant.require_permission('orders', 'select', 'invoice.write')")
        .await;
    let longest = "x".repeat(63);
    db.admin().await.run(&format!("select tenant.define_role('long', 5, '{{{longest}}}')")).await;
    protector.run(&format!("select tenant.require_permission('orders', 'select', '{longest}'), tenant.drop_permission('orders', 'select', '{longest}')")).await;
    let journalled = "select count(*) from tenant.journal where action in ('require_permission', 'drop_permission')";
    assert_eq!(boss.value(journalled).await.as_deref(), Some("8"));
}

/// For migrations, for the doctor, and for the proof that tenants are apart.
#[tokio::test]
async fn in_the_way_of_others() {
    let (db, _, _) = required("people_beside").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "grant tenant_user, tenant_system to {}; grant select, delete on orders to tenant_system",
        db.roles.owner
    ))
    .await;
    let owner = db.owner().await;
    owner
        .run("begin; select tenant.enter_system_as_owner('a migration'); update orders set note = 'migrated'; commit")
        .await;
    let migrated = "select count(*) from orders where note = 'migrated'";
    assert_eq!(boss.value(migrated).await.as_deref(), Some("5"));
    owner
        .run("begin; select tenant.enter_system('a report', write => true); delete from orders where id = 5; commit")
        .await;
    assert_eq!(boss.value(migrated).await.as_deref(), Some("4"));
    boss.run(&format!("revoke tenant_user, tenant_system, tenant_admin from {}", db.roles.owner)).await;
    let found = "select string_agg(code || ' ' || object, ', ') from tenant.doctor() where object ~ 'orders' and object !~ 'stock' and code !~ 'T0[59]'";
    assert_eq!(boss.value(found).await, None);
    let proved = "select count(*) filter (where passed) > 20 and bool_and(passed) from tenant.prove(tables => '{orders}', mutate => true)";
    assert_eq!(boss.value(proved).await.as_deref(), Some("t"));
    assert_eq!(boss.value("select count(*) from tenant.roles where role = 'tenant.prove'").await.as_deref(), Some("0"));
}
