//! The server does not learn which request a transaction works on: the journal's lines do not say it. Over both
//! drivers.

use pg_tenant_client::{RequestId, ambient};

use super::fixture::Fixture;

const NAMED: &str = "select current_setting('pg_tenant.request_id')";

fn request(text: &str) -> RequestId {
    text.parse().expect("a request's id")
}

#[tokio::test]
async fn to_the_transaction() {
    let fixture = Fixture::new("requests_named").await;
    let (pool, over_sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let handle = pool.tenant("acme").request_id(request("it's one"));
    assert_eq!(handle.query_one(NAMED, &[]).await.expect("a row").get::<_, &str>(0), "it's one");
    let row = over_sqlx.tenant("acme").request_id(request("two")).query_one(NAMED).await.expect("a row");
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "two");
    // It ends with the transaction, and the connection is lent again.
    assert_eq!(pool.tenant("globex").query_one(NAMED, &[]).await.expect("a row").get::<_, &str>(0), "");
    let of_task = ambient::scope_request(request("three"), async {
        assert_eq!(ambient::request_id(), Some(request("three")));
        let row = pool.tenant("acme").query_one(NAMED, &[]).await.expect("a row");
        let own = pool.tenant("acme").request_id(request("own")).query_one(NAMED, &[]).await.expect("a row");
        (row.get::<_, String>(0), own.get::<_, String>(0))
    });
    assert_eq!(of_task.await, ("three".to_owned(), "own".to_owned()));
    assert_eq!(ambient::request_id(), None);
}

/// Before the system context is entered, whose line is written as it is.
#[tokio::test]
async fn to_the_system_context() {
    let fixture = Fixture::new("requests_of_system").await;
    let pool = fixture.operators(1);
    let system = pg_tenant_client::danger::system(&pool, "a report").write().request_id(request("report-7"));
    system.execute("select 1", &[]).await.expect("entered");
    let line = "select request_id from tenant.journal where action = 'enter_system'";
    assert_eq!(fixture.superuser.value(line).await.as_deref(), Some("report-7"));
}
