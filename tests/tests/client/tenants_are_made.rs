//! A program makes or manages tenants half, twice, or without the right to.
//!
//! Not through PgBouncer: its calls are one message each, or go the way of `run`, which other modules send through it.

use std::time::Duration;

use pg_tenant_client::admin::{NewTenant, TenantAdmin, TenantChange, TenantLimits};
use pg_tenant_client::directory::Directory;
use pg_tenant_client::{Error, TenantStatus};

use super::fixture::{Fixture, INSERT};
use super::sweep::poll_times;

pub(super) fn provisioning(fixture: &Fixture) -> String {
    format!("regress_{}_provisioning", fixture.db.name)
}

pub(super) async fn world(name: &str) -> (Fixture, TenantAdmin) {
    let fixture = Fixture::new(name).await;
    let role = provisioning(&fixture);
    fixture
        .superuser
        .run(&format!(
            "create role {role} login; grant tenant_admin, tenant_user to {role};
             grant select, insert on orders to {role}; grant usage on sequence totals to {role}"
        ))
        .await;
    let admin = TenantAdmin::new(fixture.pool_of(fixture.config(&role), 1));
    (fixture, admin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_changed() {
    let (fixture, admin) = world("p_change").await;
    let directory = Directory::new(fixture.pool(1));
    let found = async |id: &str| {
        directory.forget();
        directory.by_id(&id.parse().unwrap()).await.unwrap().expect("a tenant")
    };
    fixture.superuser.run("select tenant.declare_setting('a')").await;
    let new = NewTenant::new("o1").name("O'Neil \\ Co").slug("o1").plan("free").settings(r#"{"a": "it's"}"#);
    assert_eq!(admin.create(new.clone()).await.unwrap().as_str(), "o1");
    let record = found("o1").await;
    assert_eq!(
        (record.slug.as_deref(), record.plan.as_deref(), record.status),
        (Some("o1"), Some("free"), TenantStatus::Active)
    );
    let stored = "select name || settings::text from tenant.tenants where id = 'o1'";
    assert_eq!(fixture.superuser.value(stored).await.unwrap(), r#"O'Neil \ Co{"a": "it's"}"#);
    assert_eq!(admin.create(new).await.unwrap_err().code(), Some("TN050"));
    assert_eq!(admin.create(NewTenant::new(7).slug("No slug")).await.unwrap_err().code(), Some("TN053"));
    assert!(admin.create(NewTenant::new("no id")).await.unwrap_err().is_malformed_id());
    assert_eq!(admin.create(NewTenant::new(7u32)).await.unwrap().as_str(), "7");

    admin.suspend("o1", Some("unpaid")).await.unwrap();
    assert_eq!(found("o1").await.status, TenantStatus::Suspended);
    assert!(fixture.pool(1).tenant("o1").query("select 1", &[]).await.unwrap_err().is_suspended());
    admin.resume("o1", None).await.unwrap();
    fixture.pool(1).tenant("o1").query("select 1", &[]).await.unwrap();
    let why = "select reason from tenant.journal where action = 'suspend' and object = 'o1'";
    assert_eq!(fixture.superuser.value(why).await.as_deref(), Some("unpaid"));

    admin.rename("o1", "Other").await.unwrap();
    admin.change("o1", TenantChange::new().slug("o-1").plan(None).settings("{}")).await.unwrap();
    admin.change("o1", TenantChange::new()).await.unwrap();
    let record = found("o1").await;
    assert_eq!((record.slug.as_deref(), record.plan.as_deref()), (Some("o-1"), None));
    admin.change(7, TenantChange::new().slug("seven")).await.unwrap();
    assert!(admin.change(7, TenantChange::new().slug("o-1")).await.unwrap_err().is_unique_violation());
    assert_eq!(admin.change(7, TenantChange::new().slug("O 1")).await.unwrap_err().code(), Some("23514"));
    for error in [
        admin.suspend("nobody", None).await,
        admin.resume("nobody", None).await,
        admin.rename("nobody", "x").await,
        admin.create_with(NewTenant::new("no id"), async |_| Ok::<_, Error>(())).await,
    ] {
        let error = error.unwrap_err();
        assert!(error.is_unknown_tenant() || error.is_malformed_id(), "{error}");
    }

    // Who is no administrator, and whose connection says that it is somebody else.
    let app = TenantAdmin::new(fixture.pool(1));
    for refused in [
        app.create(NewTenant::new("x")).await.map(drop),
        app.suspend("acme", None).await,
        app.rename("acme", "x").await,
        app.create_with(NewTenant::new("x"), async |_| Ok::<_, Error>(())).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Some("42501"));
    }
    assert_eq!(
        fixture.superuser.value("select count(*) from tenant.tenants where id = 'x'").await.as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_what_is_in_them() {
    let (fixture, admin) = world("p_with").await;
    let count = async |tenant: &str| {
        let sql = format!("select count(*) from tenant.tenants where id = '{tenant}'");
        (fixture.superuser.value(&sql).await.unwrap() == "1", fixture.orders(tenant).await)
    };
    let made = admin.create_with(NewTenant::new("new"), async |tx| {
        assert_eq!(tx.tenant_id().map(|id| id.as_str()), Some("new"));
        tx.execute(INSERT, &[]).await?;
        Ok::<_, Error>(tx.query_one("select count(*) from orders", &[]).await?.get::<_, i64>(0))
    });
    assert_eq!(made.await.unwrap(), 1);
    assert_eq!(count("new").await, (true, 1));

    // Nothing of it where the closure fails, or where the tenant is there.
    let failed = admin.create_with(NewTenant::new("half"), async |tx| {
        tx.execute(INSERT, &[]).await?;
        tx.execute("select 1/0", &[]).await
    });
    assert_eq!(failed.await.unwrap_err().code(), Some("22012"));
    assert_eq!(count("half").await, (false, 0));
    let twice = admin.create_with(NewTenant::new("acme"), async |tx| tx.execute(INSERT, &[]).await);
    assert_eq!(twice.await.unwrap_err().code(), Some("TN050"));
    assert_eq!(count("acme").await, (true, 2));

    // Dropped at any await, it is not there, or there with all of it.
    for times in 0.. {
        let id = format!("dropped-{times}");
        let creation = admin.create_with(NewTenant::new(id.as_str()), async |tx| tx.execute(INSERT, &[]).await);
        let finished = poll_times(creation, times).await;
        fixture.nothing_is_left(&id).await;
        let (there, orders) = count(&id).await;
        assert_eq!(i64::from(there), orders, "{id}");
        assert!(there || !finished, "{id}");
        if finished {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_limited() {
    let (fixture, admin) = world("p_limits").await;
    let sqlx = pg_tenant_client::sqlx::TenantAdmin::new(fixture.sqlx_at(fixture.port(), &provisioning(&fixture), 1));
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let shown = async || {
        let sql = "select current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') || ' '
            || current_setting('work_mem') || ' ' || current_setting('transaction_read_only')";
        acme.query_one(sql, &[]).await.unwrap().get::<_, String>(0)
    };
    let before = shown().await;
    let limits = TenantLimits::new().statement_timeout(Duration::from_millis(1500)).work_mem_kb(128).read_only(true);
    admin.set_limits("acme", limits).await.unwrap();
    assert_eq!(shown().await, "1500ms 0 128kB on");
    assert_eq!(acme.execute(INSERT, &[]).await.unwrap_err().code(), Some("25006"));
    // All of them: what is not given is no limit.
    sqlx.set_limits("acme", TenantLimits::new().lock_timeout(Duration::from_secs(2))).await.unwrap();
    assert_eq!(shown().await, before.replacen(" 0 ", " 2s ", 1));
    let idle = TenantLimits::new().idle_in_transaction_session_timeout(Duration::from_secs(5));
    admin.set_limits("acme", idle).await.unwrap();
    let idle = acme.query_one("select current_setting('idle_in_transaction_session_timeout')", &[]).await.unwrap();
    assert_eq!(idle.get::<_, String>(0), "5s");
    let none = TenantLimits::new();
    for (out, code) in [(none.work_mem_kb(1), "TN051"), (none.lock_timeout(Duration::from_nanos(1)), "TN051")] {
        assert_eq!(admin.set_limits("acme", out).await.unwrap_err().code(), Some(code));
        assert_eq!(sqlx.set_limits("acme", out).await.unwrap_err().code(), Some(code));
    }
    assert!(admin.set_limits("nobody", none).await.unwrap_err().is_unknown_tenant());
    assert!(sqlx.set_limits("nobody", none).await.unwrap_err().is_unknown_tenant());
    sqlx.set_limits("acme", none).await.unwrap();
    assert_eq!(shown().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_looked_up() {
    let (fixture, _) = world("p_lookup").await;
    fixture
        .superuser
        .run(
            "create table keys (tenant_id text not null, id bigint generated always as identity primary key, key text unique);
             grant select, insert on keys to public; select tenant.protect('keys');
             select tenant.allow_lookup('keys', 'key', 'sign-in')",
        )
        .await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    pool.tenant("globex").execute("insert into keys (key) values ('k')", &[]).await.unwrap();
    let found = pool.lookup("keys", "key", "k").await.unwrap();
    assert_eq!(
        found.iter().map(|row| (row.tenant.as_str(), row.row_id.as_str())).collect::<Vec<_>>(),
        [("globex", "1")]
    );
    assert_eq!(sqlx.lookup("keys", "key", "k").await.unwrap(), found);
    assert_eq!(
        (pool.lookup("keys", "key", "x").await.unwrap(), sqlx.lookup("keys", "key", "x").await.unwrap()),
        (vec![], vec![])
    );
    for (table, column, code) in [("orders", "total", "TN056"), ("keys", "id", "TN056"), ("nothing", "key", "42P01")] {
        assert_eq!(pool.lookup(table, column, "1").await.unwrap_err().code(), Some(code));
        assert_eq!(sqlx.lookup(table, column, "1").await.unwrap_err().code(), Some(code));
    }
    assert_eq!((pool.status().size, sqlx.size()), (1, 1), "a question that fails costs no connection");
    fixture.nothing_is_left("lookups").await;
}
