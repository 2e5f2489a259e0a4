//! As `tenants_are_made`, over sqlx.
//!
//! Not through PgBouncer: its calls are one message each, or go the way of `run`, which other modules send through it.

use pg_tenant_client::admin::{NewTenant, TenantChange, TenantLimits};
use pg_tenant_client::{Error, sqlx as over_sqlx};

use super::fixture::INSERT;
use super::sweep::poll_times;
use super::tenants_are_made::{provisioning, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_over_sqlx() {
    let (fixture, _) = world("p_sqlx").await;
    let admin = over_sqlx::TenantAdmin::new(fixture.sqlx_at(fixture.port(), &provisioning(&fixture), 1));
    let told = async |id: &str| {
        let sql = "select concat_ws(' ', status, name, slug, plan, settings) from tenant.tenants where id = ";
        fixture.superuser.value(&format!("select ({sql}'{id}')")).await
    };
    let new = NewTenant::new("o1").name("O'Neil \\ Co").slug("o1").plan("free").settings("{}");
    assert_eq!(admin.create(new.clone()).await.unwrap().as_str(), "o1");
    assert_eq!(told("o1").await.unwrap(), r"active O'Neil \ Co o1 free {}");
    assert_eq!(admin.create(new).await.unwrap_err().code(), Some("TN050"));
    assert!(admin.create(NewTenant::new("no id")).await.unwrap_err().is_malformed_id());
    admin.suspend("o1", Some("unpaid")).await.unwrap();
    assert!(told("o1").await.unwrap().starts_with("suspended"));
    admin.resume("o1", None).await.unwrap();
    let why = "select reason from tenant.journal where action = 'suspend' and object = 'o1'";
    assert_eq!(fixture.superuser.value(why).await.as_deref(), Some("unpaid"));
    admin.rename("o1", "Other").await.unwrap();
    admin.change("o1", TenantChange::new().slug("o-1").plan(None).settings("{}")).await.unwrap();
    admin.change("o1", TenantChange::new()).await.unwrap();
    assert_eq!(told("o1").await.as_deref(), Some("active Other o-1 {}"));
    for error in [
        admin.suspend("nobody", None).await,
        admin.resume("nobody", None).await,
        admin.rename("nobody", "x").await,
        admin.rename("no id", "x").await,
    ] {
        let error = error.unwrap_err();
        assert!(error.is_unknown_tenant() || error.is_malformed_id(), "{error}");
    }

    // A tenant and what is in it: both or neither, wherever it stops.
    let insert = async |tx: &mut over_sqlx::TenantTx| {
        assert_eq!(tx.tenant_id().as_str().split('-').next(), Some("new"));
        sqlx::query(INSERT).execute(&mut *tx).await?;
        Ok::<_, Error>(())
    };
    admin.create_with(NewTenant::new("new"), insert).await.unwrap();
    assert_eq!((told("new").await.is_some(), fixture.orders("new").await), (true, 1));
    let failed = admin.create_with(NewTenant::new("half"), async |tx| {
        sqlx::query(INSERT).execute(&mut *tx).await?;
        sqlx::query("select 1/0").execute(&mut *tx).await?;
        Ok::<_, Error>(())
    });
    assert_eq!(failed.await.unwrap_err().code(), Some("22012"));
    assert_eq!((told("half").await.is_some(), fixture.orders("half").await), (false, 0));
    let twice = admin.create_with(NewTenant::new("acme"), async |_| Ok::<_, Error>(()));
    assert_eq!(twice.await.unwrap_err().code(), Some("TN050"));
    for times in 0.. {
        let id = format!("new-{times}");
        let finished = poll_times(admin.create_with(NewTenant::new(id.as_str()), insert), times).await;
        fixture.nothing_is_left(&id).await;
        let (there, orders) = (told(&id).await.is_some(), fixture.orders(&id).await);
        assert_eq!(i64::from(there), orders, "{id}");
        assert!(there || !finished, "{id}");
        if finished {
            break;
        }
    }

    // Who is no administrator.
    let app = over_sqlx::TenantAdmin::new(fixture.sqlx(1));
    for refused in [
        app.create(NewTenant::new("x")).await.map(drop),
        app.suspend("acme", None).await,
        app.rename("acme", "x").await,
        app.set_limits("acme", TenantLimits::new()).await,
        app.create_with(NewTenant::new("x"), async |_| Ok::<_, Error>(())).await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Some("42501"), "{error}");
    }
    assert_eq!(told("x").await, None);
}
