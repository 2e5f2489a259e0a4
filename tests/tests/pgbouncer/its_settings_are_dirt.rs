//! PgBouncer sets application_name, TimeZone and their like on the server's connections, as its clients asked when they
//! connected: a session that carries nothing else is pristine.

use pg_tenant_tests::{Cluster, Line, PgBouncer, Session};

#[tokio::test]
async fn to_enter_pristine() {
    let cluster = Cluster::shared();
    let db = cluster.database("its_settings").await;
    db.admin().await.run("select tenant.create('acme')").await;
    // What the server says by default is not what the clients ask for.
    db.superuser().await.run(&format!("alter database {} set timezone = 'Europe/Paris'", db.name)).await;
    for (line, mode) in
        [(Line::Old, "transaction"), (Line::Old, "session"), (Line::New, "transaction"), (Line::New, "session")]
    {
        let bouncer = PgBouncer::start(cluster, line, &[("pool_mode", mode), ("default_pool_size", "1")]);
        for name in ["shop", "billing", "", "shop"] {
            let mut config = bouncer.config(&db.name, &db.roles.app);
            if !name.is_empty() {
                config.application_name(name);
            }
            let client = Session::connect(&config).await;
            client.run("begin; select tenant.enter_pristine('acme'); commit").await;
            drop(client);
            // sqlx asks for a time zone and a style of dates.
            let url: sqlx::postgres::PgConnectOptions = bouncer.url(&db.name, &db.roles.app).parse().expect("a URL");
            let mut client = sqlx::ConnectOptions::connect(&url).await.expect("connect with sqlx");
            let entered = "begin; select tenant.enter_pristine('acme'), current_setting('TimeZone'); commit";
            let row = sqlx::raw_sql(entered).fetch_one(&mut client).await;
            let row = row.unwrap_or_else(|e| panic!("{line:?} in {mode} mode, after {name:?}: {e}"));
            assert_eq!(sqlx::Row::get::<&str, _>(&row, 1), "UTC", "{line:?} in {mode} mode");
            sqlx::Connection::close(client).await.expect("close");
        }
    }
}
