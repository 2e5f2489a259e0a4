//! In transaction mode, a setting of one client does not reach the next one on the same server connection.

use pg_tenant_tests::{Cluster, Database, Line, PgBouncer, Session};

/// One server connection for everybody, which stays however long nobody asks for it.
const SHARED: [(&str, &str); 3] =
    [("pool_mode", "transaction"), ("default_pool_size", "1"), ("server_idle_timeout", "3600")];

const ORDERS: &str = "create table orders (tenant_id text not null, total int);
    insert into orders values ('acme', 1), ('globex', 2)";

async fn two(bouncer: &PgBouncer, db: &Database<'_>) -> (Session, Session) {
    let config = bouncer.config(&db.name, &db.roles.app);
    (Session::connect(&config).await, Session::connect(&config).await)
}

/// The usual idiom, on stock PostgreSQL: the hole.
#[tokio::test]
async fn on_stock() {
    let db = Cluster::shared().plain_database("leak_stock").await;
    let owner = db.owner().await;
    owner.run(ORDERS).await;
    owner
        .run(
            "alter table orders enable row level security; alter table orders force row level security;
             create policy own on orders using (tenant_id = current_setting('app.tenant', true))",
        )
        .await;
    for line in [Line::Old, Line::New] {
        let bouncer = PgBouncer::start(Cluster::shared(), line, &SHARED);
        let (acme, other) = two(&bouncer, &db).await;
        acme.run("select set_config('app.tenant', 'acme', false)").await;
        let seen = other.rows("select tenant_id from orders").await;
        assert_eq!(
            seen,
            [[Some("acme".to_owned())]],
            "{line:?}: another client, who has set nothing, sees acme's orders"
        );
    }
}

/// The same two clients with pg_tenant.
#[tokio::test]
async fn with_pg_tenant() {
    let db = Cluster::shared().database("leak_ours").await;
    db.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    db.owner().await.run(ORDERS).await;
    db.superuser().await.run("select tenant.protect('orders')").await;
    for line in [Line::Old, Line::New] {
        let bouncer = PgBouncer::start(Cluster::shared(), line, &SHARED);
        let (acme, other) = two(&bouncer, &db).await;
        let pid = "select pg_backend_pid()";
        assert_eq!(acme.value(pid).await, other.value(pid).await, "{line:?}: they share one server connection");
        for enter in [
            "select tenant.enter('acme')",
            "begin; select tenant.enter('acme'); select from orders; commit",
            "begin; select tenant.enter('acme'); rollback",
            "select set_config('app.tenant', 'acme', false)",
        ] {
            acme.run(enter).await;
            other.expect_error("TN001", "select tenant_id from orders").await;
            other.run("begin; select tenant.enter('globex')").await;
            let seen = other.rows("select tenant_id from orders").await;
            assert_eq!(seen, [[Some("globex".to_owned())]], "{line:?}, after {enter}");
            other.run("commit").await;
        }
        acme.expect_error("42501", "select set_config('pg_tenant.id', 'acme', false)").await;
        other.expect_error("TN001", "select tenant_id from orders").await;
    }
}
