//! Whoever a transaction works for is known to the server, as the member that it is, and asked for a permission in the
//! round trip of what needs it.
//!
//! Not through PgBouncer: it changes a setting of the login, which sessions behind a pooler learn only when they begin.

use std::time::Duration;

use pg_tenant_client::{Refusal, Tenant};

use super::fixture::{Fixture, INSERT};
use super::proxy::Proxy;

const WHO: &str = "select concat_ws(' ', tenant.current_actor(), tenant.current_member_role())";

async fn people(name: &str) -> Fixture {
    let fixture = Fixture::new(name).await;
    fixture
        .superuser
        .run(
            "select tenant.define_role('clerk', 1), tenant.define_role('owner', 9, array['invoice.write']);
             select tenant.add_member('acme', 'ann', 'owner'), tenant.add_member('acme', 'o''hara \\', 'clerk')",
        )
        .await;
    fixture
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = people("act_pg").await;
    let wire = Proxy::start(fixture.port(), Duration::from_millis(5)).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.operator), 1);
    let who = async |tenant: Tenant| pool.tenant(&tenant).query_one(WHO, &[]).await.unwrap().get::<_, String>(0);
    let acme: Tenant = "acme".parse().unwrap();
    assert_eq!(who(acme.clone()).await, "");
    assert_eq!(who(acme.clone().with_actor("ann")).await, "ann owner");
    assert_eq!(who(acme.clone().with_actor("o'hara \\")).await, "o'hara \\ clerk");
    assert_eq!(who(acme.clone().with_actor("eve")).await, "eve");

    let ann = pool.tenant("acme").actor("ann");
    ann.execute(INSERT, &[]).await.unwrap();
    let mut tx = ann.begin().await.unwrap();
    wire.round_trips();
    tx.require("invoice.write");
    tx.execute(INSERT, &[]).await.unwrap();
    tx.require("invoice.write");
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "it is asked for with the statement");
    assert!(tx.can("invoice.write").await.unwrap() && tx.has_role("clerk").await.unwrap());
    tx.commit().await.unwrap();

    let clerk = pool.tenant("acme").actor("o'hara \\");
    let before = fixture.superuser.value("select count(*) from orders").await;
    for first in [true, false] {
        let mut tx = clerk.begin().await.unwrap();
        if !first {
            assert!(!tx.can("invoice.write").await.unwrap() && !tx.has_role("owner").await.unwrap());
        }
        tx.require("invoice.write");
        let refused = tx.execute(INSERT, &[]).await.unwrap_err();
        assert!(refused.is_not_permitted() && !refused.is_not_member(), "{refused}");
        tx.rollback().await.unwrap();
    }
    assert_eq!(fixture.superuser.value("select count(*) from orders").await, before);
    let unheard_of = clerk.begin().await.unwrap().can("invoice.wirte").await.unwrap_err();
    assert_eq!(unheard_of.refusal(), Some(Refusal::UnknownPermission));

    wire.round_trips();
    for malformed in ["", "a\nb", "a\0b"] {
        let error = pool.tenant("acme").actor(malformed).query(WHO, &[]).await.unwrap_err();
        assert!(error.code() == Some("TN141") && error.was_not_executed(), "{error}");
    }
    assert_eq!(wire.round_trips(), 0);

    fixture.superuser.run(&format!("alter role {} set pg_tenant.require_member = on", fixture.db.roles.app)).await;
    let members = fixture.pool(1);
    members.tenant("acme").actor("ann").query(WHO, &[]).await.unwrap();
    for stranger in [members.tenant("acme").actor("eve"), members.tenant("acme")] {
        let refused = stranger.query(WHO, &[]).await.unwrap_err();
        assert!(refused.is_not_member() && !refused.is_not_permitted(), "{refused}");
    }
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = people("act_sqlx").await;
    let pool = fixture.sqlx(1);
    let mut tx = pool.tenant("acme").actor("ann").begin().await.unwrap();
    let who: String = sqlx::query_scalar(WHO).fetch_one(&mut tx).await.unwrap();
    assert_eq!(who, "ann owner");
    tx.require("invoice.write").await.unwrap();
    assert!(tx.can("invoice.write").await.unwrap() && tx.has_role("clerk").await.unwrap());
    tx.rollback().await.unwrap();
    let mut tx = pool.tenant("acme").actor("o'hara \\").begin().await.unwrap();
    assert!(!tx.can("invoice.write").await.unwrap() && !tx.has_role("owner").await.unwrap());
    let refused = tx.require("invoice.write").await.unwrap_err();
    assert!(refused.is_not_permitted(), "{refused}");
    drop(tx);
    let error = pool.tenant("acme").actor("a\nb").begin().await.unwrap_err();
    assert_eq!(error.code(), Some("TN141"));
}
