//! A statement runs with the rights of somebody to whom policies do not apply: it reads every tenant's rows, whatever
//! tenant was entered.

use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};

/// Views and functions in the schema public, made by this session for everybody; named with a suffix.
fn objects(suffix: &str) -> String {
    "create view v_{s} as table {t}; grant select, insert, update, delete on v_{s} to public;
     create function sql_{s}() returns bigint language sql security definer as $$ select count(*) from {t} $$;
     create function pl_{s}() returns bigint language plpgsql security definer as $$
        begin return (select count(*) from {t}); end $$;
     create function set_{s}() returns setof int language sql stable security definer as $$ select id from {t} $$;
     create function dml_{s}() returns void language sql security definer as $$ update {t} set note = 'x' $$;
     create procedure call_{s}() language plpgsql security definer as $$ begin delete from {t}; end $$;"
        .replace("{s}", suffix)
        .replace("{t}", if suffix.starts_with("stock") { "stock_orders" } else { "orders" })
}

const READS: &[&str] =
    &["select count(*) from v_{s}", "select sql_{s}()", "select pl_{s}()", "select count(*) from set_{s}()"];
const WRITES: &[&str] =
    &["select dml_{s}()", "call call_{s}()", "delete from v_{s}", "insert into v_{s} (id) values (9)"];

/// The backup role, with the rights on tables that a careless administrator gives it.
async fn bypass(db: &Database<'_>) {
    let backup = &db.roles.backup;
    db.owner().await.run(&format!("grant all on orders, stock_orders to {backup}")).await;
    let create = format!("grant create on schema public to {backup}; grant tenant_user to {backup}");
    db.superuser().await.run(&create).await;
}

#[tokio::test]
async fn in_a_view_or_a_function() {
    let db = shop("borrowed").await;
    bypass(&db).await;
    for (suffix, session) in [("super", db.superuser().await), ("backup", db.backup().await)] {
        session.run(&(objects(suffix) + &objects(&format!("stock_{suffix}")))).await;
    }
    let app = db.app().await;
    for suffix in ["super", "backup"] {
        for read in READS {
            let stock = read.replace("{s}", &format!("stock_{suffix}"));
            app.run(&format!("begin; set local app.tenant = '{A}'")).await;
            assert_eq!(app.value(&stock).await.as_deref(), Some("5"), "stock: both tenants' rows: {stock}");
            app.run("rollback").await;
        }
        for sql in READS.iter().chain(WRITES) {
            let sql = sql.replace("{s}", suffix);
            let error = app.refused_inside("TN011", A, &sql).await;
            assert!(error.hint().is_some_and(|h| h.contains("security_invoker")), "{sql}: {error:?}");
            // With no tenant it is no way in either, for anybody but who owns them.
            app.expect_error("TN001", &sql).await;
            let off = app.batch_execute(&format!("begin; set local row_security = off; {sql}")).await;
            assert_eq!(off.expect_err("refused").code().map(|c| c.code()), Some("TN001"), "row_security off: {sql}");
            app.run("rollback").await;
        }
    }
    // The way that the hint names.
    db.superuser().await.run("alter view v_super set (security_invoker = true)").await;
    assert_eq!(app.inside_value(A, "select count(*) from v_super").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn at_a_superusers_hands() {
    let db = shop("superuser").await;
    let superuser = db.superuser().await;
    assert_eq!(superuser.value("select count(*) from orders").await.as_deref(), Some("5"), "at work on all tenants");
    for sql in [
        "table orders",
        "delete from orders",
        "insert into orders (id) values (9)",
        "set local pg_tenant.side_channels = allow; explain table orders",
    ] {
        superuser.refused_inside("TN011", A, sql).await;
    }
    // As an ordinary role it is a tenant's; back in the superuser's own, not.
    let set = format!("set local role {}", db.roles.app);
    assert_eq!(superuser.inside_value(A, &format!("{set}; select count(*) from orders")).await.as_deref(), Some("3"));
    superuser.refused_inside("TN011", A, &format!("{set}; reset role; table orders")).await;
    superuser.expect_error("TN001", &format!("begin; {set}; table orders")).await;
    superuser.run("rollback").await;
    // A superuser's session runs functions of others with others' rights.
    db.owner()
        .await
        .run("create function f() returns bigint language sql security definer as $$ select count(*) from orders $$")
        .await;
    superuser.expect_error("TN001", "select f()").await;
}

#[tokio::test]
async fn of_a_backup_role() {
    let db = shop("backup").await;
    bypass(&db).await;
    let backup = db.backup().await;
    assert_eq!(backup.value("select count(*) from stock_orders").await.as_deref(), Some("5"), "stock: BYPASSRLS");
    backup.expect_error("TN001", "select count(*) from orders").await;
    backup.refused_inside("TN011", A, "select count(*) from orders").await;
    backup.refused_inside("TN011", A, "set local row_security = off; select count(*) from orders").await;
    backup.run("set row_security = off").await; // what pg_dump does
    assert_eq!(backup.value("select count(*) from orders").await.as_deref(), Some("5"));
    backup.run("reset row_security").await;
    backup.expect_error("TN001", "select count(*) from orders").await;

    // An ordinary login that may become that role is not one.
    db.superuser().await.run(&format!("grant {} to {}", db.roles.backup, db.roles.app)).await;
    let app = db.app().await;
    app.run(&format!("set role {}", db.roles.backup)).await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("5"), "stock: SET ROLE");
    for row_security in ["on", "off"] {
        app.run(&format!("set row_security = {row_security}")).await;
        app.expect_error("TN001", "select count(*) from orders").await;
        app.refused_inside("TN011", A, "select count(*) from orders").await;
    }
    // And an ordinary one with row_security = off gets PostgreSQL's own refusal, inside a tenant too.
    let app = db.app().await;
    app.run("set row_security = off").await;
    app.refused_inside("42501", A, "select count(*) from orders").await;
}

#[tokio::test]
async fn by_turning_strict_off() {
    let db = shop("turned").await;
    for session in [db.app().await, db.owner().await, db.admin().await, db.backup().await] {
        for sql in [
            "set pg_tenant.strict = off",
            "set local pg_tenant.strict = 'log'",
            "select set_config('pg_tenant.strict', 'off', false)",
            "set pg_tenant.guards = off",
            "set pg_tenant.require_registered = off",
            "reset pg_tenant.strict",
            "alter role current_user set pg_tenant.strict = off",
            "alter system set pg_tenant.strict = off",
        ] {
            session.expect_error("42501", sql).await;
        }
        session.expect_error("42602", "set pg_tenant.misspelt = on").await;
    }
}

/// PostgreSQL evaluates the conditions of a MERGE before the policies, where the statement reads no column of its
/// target.
#[tokio::test]
async fn in_the_condition_of_a_merge() {
    let db = shop("merge").await;
    db.owner()
        .await
        .run("create sequence visits; grant all on visits to public; grant all on stock_orders to public")
        .await;
    let app = db.app().await;
    let blind = |table: &str, action: &str| {
        format!("merge into {table} using (values (1)) v on true when matched and nextval('visits') < 0 then {action}")
    };
    app.run(&format!("begin; set local app.tenant = '{A}'; {}; commit", blind("stock_orders", "delete"))).await;
    assert_eq!(app.value("select last_value from visits").await.as_deref(), Some("5"), "the hole: every tenant's rows");

    for action in ["delete", "update set note = 'x'"] {
        let refused = app.refused_inside("TN011", A, &blind("orders", action)).await; // TN011
        assert!(refused.hint().is_some_and(|hint| hint.contains("Join on a column")), "{refused:?}");
    }
    if pg_tenant_tests::Install::current().major >= 17 {
        let within = format!("with m as ({} returning 1) select * from m", blind("orders", "delete"));
        app.refused_inside("TN011", A, &within).await;
    }
    assert_eq!(app.value("select last_value from visits").await.as_deref(), Some("5"));
    // The neighbours.
    let joined = "merge into orders o using (values (1), (4)) v (id) on o.id = v.id
        when matched and nextval('visits') > 0 then update set note = 'x'";
    app.inside(A, joined).await;
    assert_eq!(app.value("select last_value from visits").await.as_deref(), Some("6"), "its own row only");
    app.inside(
        A,
        "merge into orders using (values (50)) v (id) on false when not matched then insert (id) values (v.id)",
    )
    .await;
    app.inside(A, "update orders set note = 'blind'").await;
    assert_eq!(app.inside_value(B, "select count(*) from orders where note = 'blind'").await.as_deref(), Some("0"));
}
