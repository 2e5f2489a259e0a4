//! A limit is never passed, however many consume at once and whatever becomes of them: they commit, roll back, are
//! killed. What is committed is counted, once.
//!
//! `KILLS=100 SEED=…` kills as often (`make fuzz`).

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fixture::{consume, metered, stripes_are_sound, used};
use pg_tenant_tests::shop::{A, stock_shop};

/// What PostgreSQL does without: who counts and then inserts, or reads and then writes, passes the limit.
#[tokio::test]
async fn as_those_of_applications_are() {
    let db = stock_shop("usage_stock").await;
    let (one, two) = (db.owner().await, db.owner().await);
    one.run("create table quota (used int); insert into quota values (99); create table calls (n int); insert into calls select 1 from generate_series(1, 99)").await;
    for session in [&one, &two] {
        session.run("begin").await;
        assert_eq!(session.value("select count(*) < 100 from calls").await.as_deref(), Some("t"));
        assert_eq!(session.value("select used from quota where used < 100").await.as_deref(), Some("99"));
    }
    one.run("insert into calls values (1); update quota set used = 100; commit").await;
    two.run("insert into calls values (1); update quota set used = 100; commit").await;
    assert_eq!(one.value("select count(*) from calls").await.as_deref(), Some("101"), "one more than 100");
    assert_eq!(one.value("select used from quota").await.as_deref(), Some("100"), "one update was lost");
}

#[tokio::test]
async fn one_by_one() {
    let (db, admin, app) = metered("usage_one").await;
    for n in 1..=100 {
        assert_eq!(app.inside_value(A, &consume(1)).await, Some(n.to_string()));
    }
    app.refused_inside("TN171", A, &consume(1)).await;
    app.inside(A, &consume(0)).await;
    assert_eq!(used(&admin, "api_calls").await, "100");
    stripes_are_sound(&db).await;
}

/// What has not committed counts as if it had, and can be had again when it is rolled back.
#[tokio::test]
async fn by_what_is_in_flight() {
    let (db, admin, app) = metered("usage_flight").await;
    app.inside(A, &consume(70)).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let session = db.app().await;
        session
            .run(&format!("begin; select tenant.enter('{A}'); set local lock_timeout = '10 s'; {}", consume(1)))
            .await;
        open.push(session);
    }
    assert_eq!(used(&admin, "api_calls").await, "70");
    // 20 are left, and who asks for more waits for those in flight.
    app.run(&format!("begin; select tenant.enter('{A}'); set local lock_timeout = '300 ms'")).await;
    app.expect_error("55P03", &consume(21)).await;
    app.run("rollback").await;
    for session in &open {
        session.run("rollback").await;
    }
    app.inside(A, &consume(30)).await;
    app.refused_inside("TN171", A, &consume(1)).await;
    stripes_are_sound(&db).await;
}

/// Far from the limit, transactions that stay open hold up nobody.
#[tokio::test]
async fn or_others_are_held_up() {
    let (db, admin, app) = metered("usage_convoy").await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', 1000000)")).await;
    app.inside(A, &consume(1)).await;
    let mut open = Vec::new();
    for _ in 0..15 {
        let session = db.app().await;
        session.run(&format!("begin; select tenant.enter('{A}'); {}", consume(1))).await;
        open.push(session);
    }
    app.run(&format!("begin; select tenant.enter('{A}'); set local lock_timeout = '1 ms'; {}; commit", consume(1)))
        .await;
    for session in &open {
        session.run("commit").await;
    }
    assert_eq!(used(&admin, "api_calls").await, "17");
    stripes_are_sound(&db).await;
}

#[tokio::test]
async fn in_a_storm() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(42);
    let (db, admin, app) = metered("usage_storm").await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', 3000)")).await;
    db.owner().await.run("create table done (tenant_id text, n int)").await;
    let (boss, app_role) = (db.superuser().await, &db.roles.app);
    boss.run("select tenant.protect('done')").await;
    let mut rng = StdRng::seed_from_u64(seed);
    let workers: Vec<_> = (0..24)
        .map(|worker| {
            let config = db.config(&db.roles.app);
            let mut rng = StdRng::seed_from_u64(seed ^ (worker + 1));
            tokio::spawn(async move {
                let (mut refused, mut client) = (0, None);
                while refused < 3 {
                    let session = match client.take() {
                        Some(session) => session,
                        None => pg_tenant_tests::Session::connect(&config).await,
                    };
                    let (n, twice, end) = (
                        rng.random_range(1..8),
                        rng.random_bool(0.2),
                        if rng.random_bool(0.2) { "rollback" } else { "commit" },
                    );
                    let again = if twice {
                        format!("; insert into done (n) values (1); {}", consume(1))
                    } else {
                        String::new()
                    };
                    let work = format!(
                        "begin; select tenant.enter('{A}'); {}; insert into done (n) values ({n}){again}; {end}",
                        consume(n)
                    );
                    match session.batch_execute(&work).await {
                        Ok(()) => client = Some(session),
                        Err(error) => match error.code().map(|code| code.code().to_owned()).as_deref() {
                            // A deadlock is possible for who consumes twice.
                            Some(code @ ("TN171" | "40P01")) => {
                                refused += usize::from(code == "TN171");
                                // It may be killed here, too.
                                client = session.batch_execute("rollback").await.is_ok().then_some(session);
                            }
                            None | Some("57P01") => {}
                            Some(code) => panic!("{code}: {error}"),
                        },
                    }
                }
            })
        })
        .collect();
    for _ in 0..kills {
        tokio::time::sleep(std::time::Duration::from_millis(rng.random_range(5..60))).await;
        let kill = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{app_role}' and query like '%consume%' order by random() limit 1"
        );
        boss.rows(&kill).await;
    }
    for worker in workers {
        worker.await.expect("a worker");
    }
    let done = db.backup().await.value("set row_security = off; select sum(n) from done").await.expect("a sum");
    assert_eq!(used(&admin, "api_calls").await, done, "what was committed is what was counted");
    let done: i64 = done.parse().expect("a number");
    assert!((2993..=3000).contains(&done), "all of it was to be had, and no more: {done}");
    stripes_are_sound(&db).await;
    drop(app);
}

/// A limit that was lowered is in force at once, and so is one that was raised.
#[tokio::test]
async fn after_it_was_lowered() {
    let (db, admin, app) = metered("usage_lowered").await;
    app.inside(A, &consume(50)).await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', 40)")).await;
    app.refused_inside("TN171", A, &consume(1)).await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', 52)")).await;
    app.inside(A, &consume(1)).await;
    app.refused_inside("TN171", A, &consume(2)).await;
    admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', null)")).await;
    app.inside(A, &consume(100_000)).await;
    admin.run(&format!("select tenant.clear_quota('{A}', 'api_calls')")).await;
    app.refused_inside("TN171", A, &consume(1)).await;
    stripes_are_sound(&db).await;
}

/// A savepoint that is rolled back has consumed nothing, nor has a prepared transaction that is.
#[tokio::test]
async fn by_what_was_undone() {
    let (db, admin, app) = metered("usage_undone").await;
    app.inside(A, &format!("{}; savepoint s; {}; rollback to s; {}", consume(40), consume(60), consume(60))).await;
    assert_eq!(used(&admin, "api_calls").await, "100");
    app.refused_inside("TN171", A, &consume(1)).await;
    stripes_are_sound(&db).await;
}

/// In repeatable read, who cannot see what others have used since fails, and does not count wrongly.
#[tokio::test]
async fn with_an_older_snapshot() {
    let (db, admin, app) = metered("usage_snapshot").await;
    app.inside(A, &consume(90)).await;
    let older = db.app().await;
    older.run(&format!("begin isolation level repeatable read; select tenant.enter('{A}'); select 1")).await;
    app.inside(A, &consume(6)).await;
    older.expect_error("40001", &consume(10)).await;
    older.run("rollback").await;
    older.run(&format!("begin isolation level serializable; select tenant.enter('{A}'); {}; commit", consume(4))).await;
    assert_eq!(used(&admin, "api_calls").await, "100");
    stripes_are_sound(&db).await;
}
