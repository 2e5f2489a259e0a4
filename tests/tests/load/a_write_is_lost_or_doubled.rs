//! Under load no write is lost, doubled or in another tenant, and no transaction, tenant or slot is left behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deed::Driver;
use crate::ledger::Ledger;
use crate::over_sqlx::OverSqlx;
use crate::over_tokio_postgres::OverTokioPostgres;
use crate::server::Server;
use crate::storm::storm;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tokio_postgres() {
    let server = Server::new("load_pg").await;
    let driver = Arc::new(OverTokioPostgres::new(&server));
    weather(&server, driver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let server = Server::new("load_sqlx").await;
    let driver = Arc::new(OverSqlx::new(&server));
    weather(&server, driver).await;
}

async fn weather(server: &Server, driver: Arc<dyn Driver>) {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")));
    let (seed, seconds) = (number("SEED").unwrap_or_else(rand::random), number("LOAD_SECONDS").unwrap_or(60));
    println!("SEED={seed} LOAD_SECONDS={seconds}");
    let (ledger, until) = (Arc::new(Ledger::default()), Instant::now() + Duration::from_secs(seconds));
    let storm = storm(Arc::clone(&driver), Arc::clone(&ledger), seed, until);
    let ((), terminated) = tokio::join!(storm, server.trouble(seed, until));
    for ((shape, outcome), count) in ledger.outcomes() {
        println!("{count:>7} {shape:?}: {outcome}");
    }
    println!("{terminated:>7} backends terminated");

    server.nothing_is_left().await.unwrap_or_else(|left| panic!("{left}"));
    // The last connections that were terminated or cut may be noticed only now. A lost slot lets its caller wait.
    let mut broken = 0;
    let slots = loop {
        match driver.every_slot().await {
            Ok(slots) => break slots,
            Err(error) if error.is_closed() && broken < 16 => broken += 1,
            Err(error) => panic!("a slot is lost: {error}"),
        }
    };
    for slot in slots {
        assert_eq!(slot, "id= role=none", "a tenant or a role was left on a connection");
    }
    server.nothing_is_left().await.unwrap_or_else(|left| panic!("{left}"));
    let differences = ledger.differs(&server.superuser).await;
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    // It was a storm.
    for outcome in ["done", "dropped", "closed"] {
        assert!(ledger.how_many(outcome) > 0, "no call was {outcome}");
    }
    assert!(terminated > 0);
}
