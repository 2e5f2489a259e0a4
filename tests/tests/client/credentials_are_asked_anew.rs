//! Each new connection asks for its credentials, so that expired ones are replaced.
//!
//! Not through PgBouncer: it signs in at the server, with what its own configuration has.

use std::sync::{Arc, Mutex};

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Credentials, TenantPool};
use pg_tenant_tests::{Cluster, Options, Session};

/// Nobody but superusers gets in without a password.
async fn with_passwords() -> (&'static Cluster, pg_tenant_tests::Database<'static>, Session) {
    let cluster: &Cluster = Box::leak(Box::new(Cluster::start(Options::default())));
    let db = cluster.database("credentials").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let superuser = db.superuser().await;
    superuser
        .run(&format!("set password_encryption = 'scram-sha-256'; alter role {} password 'one'", db.roles.app))
        .await;
    let path = superuser.value("show hba_file").await.unwrap();
    let kept = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("local all {0} scram-sha-256\nhost all {0} all scram-sha-256\n{kept}", db.roles.app))
        .unwrap();
    superuser.run("select pg_reload_conf()").await;
    (cluster, db, superuser)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_connection_is_made() {
    let (_cluster, db, superuser) = with_passwords().await;
    let app = &db.roles.app;
    let (secret, asked) = (Arc::new(Mutex::new(Ok("one"))), Arc::new(Mutex::new(0)));
    let builder = TenantPool::builder(db.config("somebody")).max_size(4).credentials({
        let (secret, asked, app) = (Arc::clone(&secret), Arc::clone(&asked), app.clone());
        move || {
            *asked.lock().unwrap() += 1;
            let (secret, app) = (*secret.lock().unwrap(), app.clone());
            async move { secret.map(|password| Credentials::password(password).user(app)).map_err(str::to_owned) }
        }
    });
    let pool = builder.build().unwrap();
    pool.check().await.unwrap();
    let mut held = vec![pool.tenant("acme").begin().await.unwrap()];
    assert_eq!(*asked.lock().unwrap(), 1);

    superuser.run(&format!("alter role {app} password 'two'")).await;
    let error = pool.tenant("acme").begin().await.unwrap_err();
    assert!(error.code() == Some("28P01") && error.was_not_executed(), "{error:?}");
    *secret.lock().unwrap() = Ok("two");
    held.push(pool.tenant("acme").begin().await.unwrap());
    assert_eq!(*asked.lock().unwrap(), 3);

    *secret.lock().unwrap() = Err("the secret store is away");
    let error = pool.tenant("acme").begin().await.unwrap_err();
    assert!(error.was_not_executed() && error.to_string().contains("the secret store is away"), "{error:?}");
    for mut tx in held {
        tx.query("select 1", &[]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_given_to_a_pool_over_sqlx() {
    let (cluster, db, superuser) = with_passwords().await;
    let url = |password: &str| {
        let (app, port, name) = (&db.roles.app, cluster.port(), &db.name);
        format!("postgres://{app}:{password}@127.0.0.1:{port}/{name}").parse().unwrap()
    };
    let sqlx = SqlxPool::new(sqlx::postgres::PgPoolOptions::new().max_connections(2), url("one"));
    let _held = sqlx.tenant("acme").begin().await.unwrap();
    superuser.run(&format!("alter role {} password 'two'", db.roles.app)).await;
    let error = sqlx.tenant("acme").execute("select 1").await.unwrap_err();
    assert!(error.code() == Some("28P01") && error.was_not_executed(), "{error:?}");
    sqlx.clone().set_connect_options(url("two"));
    sqlx.tenant("acme").execute("select 1").await.unwrap();
}

#[test]
fn and_are_in_no_debug_output() {
    let text = format!("{:?}", Credentials::password("secret").user("somebody"));
    assert!(!text.contains("secret") && !text.contains("somebody"), "{text}");
}
