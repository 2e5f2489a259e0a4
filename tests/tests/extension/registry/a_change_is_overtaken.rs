//! A change and an entry cross each other: a tenant is entered after its suspension was committed, or refused after it
//! was resumed. And a change of one tenant makes sessions forget the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pg_tenant_tests::shop::{A, B, shop, shop_on};
use pg_tenant_tests::{Cluster, Options};

const TENANTS: usize = 3;

/// Of one tenant: odd while it is being changed; halved, how often it was: even then it is active.
type Moves = Arc<[AtomicU64; TENANTS]>;

#[tokio::test]
async fn however_they_cross() {
    let db = shop("crossing").await;
    let ids: Vec<String> = (0..TENANTS).map(|n| format!("t{n}")).collect();
    for id in &ids {
        db.admin().await.run(&format!("select tenant.create('{id}')")).await;
    }
    let moves: Moves = Arc::default();
    let mut readers = Vec::new();
    for isolation in ["read committed", "repeatable read", "read committed"] {
        let (app, moves, ids) = (db.app().await, Arc::clone(&moves), ids.clone());
        app.run(&format!("set default_transaction_isolation = '{isolation}'")).await;
        readers.push(tokio::spawn(async move {
            let (mut judged, mut n) = (0, 0);
            while moves.iter().any(|m| m.load(SeqCst) < 2 * 120) {
                n = (n + 1) % TENANTS;
                let before = moves[n].load(SeqCst);
                let entered = app.batch_execute(&format!("begin; select tenant.enter('{}'); commit", ids[n])).await;
                if entered.is_err() {
                    app.batch_execute("rollback").await.expect("roll back");
                }
                if before % 2 == 0 && moves[n].load(SeqCst) == before {
                    let active = (before / 2) % 2 == 0;
                    assert_eq!(entered.is_ok(), active, "{}: {before}: {entered:?}", ids[n]);
                    judged += 1;
                }
            }
            judged
        }));
    }
    let writer = db.admin().await;
    for round in 0..120 * TENANTS {
        let n = round % TENANTS;
        let verb = if (moves[n].fetch_add(1, SeqCst) / 2).is_multiple_of(2) { "suspend" } else { "resume" };
        writer.run(&format!("select tenant.{verb}('{}')", ids[n])).await;
        moves[n].fetch_add(1, SeqCst);
        tokio::task::yield_now().await;
    }
    for reader in readers {
        assert!(reader.await.expect("a reader") > 50, "too little was judged");
    }
}

/// What a transaction has written and takes back was never there for the next one, nor for itself.
#[tokio::test]
async fn by_a_change_that_is_taken_back() {
    let db = shop("taken_back").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.admin)).await;
    let admin = db.admin().await;
    let enter = format!("select tenant.enter('{A}')");
    admin.run(&enter).await;
    for undo in ["rollback", "rollback to s; select 1; commit"] {
        admin.run(&format!("begin; savepoint s; select tenant.suspend('{A}')")).await;
        admin.expect_error("TN003", &enter).await;
        admin.run("rollback to s").await;
        admin.run(&format!("select tenant.suspend('{A}')")).await;
        admin.run(undo).await;
        admin.run(&format!("begin; {enter}; commit")).await;
    }
    // One that fails in the statement that made it, with the tenant looked at in between.
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    let fails = format!(
        "do $$ begin update tenant.tenants set status = 'active' where id = '{A}'; perform tenant.enter('{A}'); raise 'no'; end $$"
    );
    admin.expect_error("P0001", &fails).await;
    admin.expect_error("TN003", &enter).await;
    db.app().await.refused_inside("TN003", A, "select 1").await;
}

/// With the registry locked against everybody only what is remembered can be entered.
#[tokio::test]
async fn or_forgets_what_it_is_not_of() {
    // More than 256 changes in a transaction are told to the whole server: other tests make them.
    let cluster = Cluster::start(Options::default());
    let db = shop_on(&cluster, "others").await;
    let (app, admin, boss) = (db.app().await, db.admin().await, db.superuser().await);
    app.run("set lock_timeout = '100ms'").await;
    for tenant in [A, B] {
        app.inside(tenant, "table orders").await;
    }
    admin.run("insert into tenant.tenants (id) select 'many' || n from generate_series(1, 200) n").await;
    admin.run(&format!("select tenant.set_limits('{B}', work_mem => '1MB'), tenant.create('another')")).await;
    boss.run("begin; lock table tenant.tenants in access exclusive mode").await;
    app.inside(A, "table orders").await;
    app.refused_inside("55P03", B, "select 1").await;
    boss.run("rollback").await;
    assert_eq!(app.inside_value(B, "show work_mem").await.as_deref(), Some("1MB"));

    // More at once than a transaction keeps in mind: all are looked at again.
    admin.run("update tenant.tenants set plan = 'gold'").await;
    boss.run("begin; lock table tenant.tenants in access exclusive mode").await;
    app.refused_inside("55P03", A, "select 1").await;
    boss.run("rollback").await;
}

/// A session that has entered thousands of tenants does not begin anew with the next.
#[tokio::test]
async fn or_forgets_them_all_at_once() {
    // More than 256 changes in a transaction are told to the whole server: other tests make them.
    let cluster = Cluster::start(Options::default());
    let db = shop_on(&cluster, "thousands").await;
    let (app, admin, boss) = (db.app().await, db.admin().await, db.superuser().await);
    admin.run("insert into tenant.tenants (id) select 'm' || n from generate_series(1, 4200) n").await;
    app.run("set lock_timeout = '100ms'").await;
    app.inside(A, "table orders").await;
    for n in 1..=4200 {
        app.run(&format!("select tenant.enter('m{n}')")).await;
    }
    boss.run("begin; lock table tenant.tenants in access exclusive mode").await;
    for tenant in [A, "m1", "m4200"] {
        app.run(&format!("select tenant.enter('{tenant}')")).await;
    }
    app.refused_inside("55P03", B, "select 1").await;
    boss.run("rollback").await;
}
