//! A job is done by two workers, or by one whose time is over.

use std::collections::BTreeSet;

use super::fixture::{claim, enqueue, let_time_pass, state, workshop};

/// The usual code: whoever reads a job that is ready does it. Two read the same.
#[tokio::test]
async fn on_stock_two_claim_the_same() {
    let (db, _) = workshop("stock_twice").await;
    let owner = db.owner().await;
    owner.run("create table queue (id int primary key, state text); insert into queue values (1, 'ready')").await;
    let (one, other) = (db.owner().await, db.owner().await);
    for session in [&one, &other] {
        session.run("begin").await;
        assert_eq!(session.value("select id from queue where state = 'ready'").await.as_deref(), Some("1"));
    }
    for session in [one, other] {
        session.run("update queue set state = 'done' where id = 1; commit").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_many_at_once() {
    let (db, _) = workshop("at_once").await;
    let app = db.app().await;
    for tenant in ["acme", "globex"] {
        app.inside(tenant, "select tenant.enqueue_many('mail', array_fill('{}'::jsonb, array[100]))").await;
    }
    let login = super::fixture::worker_of(&db);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let worker = db.connect(&login).await;
        workers.spawn(async move {
            let mut ids = Vec::new();
            loop {
                let claims = claim(&worker, ", at_most => 3").await;
                if claims.is_empty() {
                    break ids;
                }
                for one in claims {
                    one.perform(&worker).await;
                    ids.push(one.id);
                }
            }
        });
    }
    let all: Vec<i64> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    let done = "set row_security = off; select count(*) from done";
    assert_eq!(db.backup().await.value(done).await.as_deref(), Some("200"));
    assert_eq!(db.superuser().await.value("select count(*) from tenant.jobs").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn by_one_whose_time_is_over() {
    let (db, worker) = workshop("late").await;
    let id = enqueue(&db.app().await, "acme", "'mail'").await;
    let late = claim(&worker, "").await.remove(0);
    assert_eq!((late.id, late.attempt), (id, 1));
    assert_eq!(claim(&worker, "").await, [], "it is somebody's");
    worker.run("begin; select tenant.enter('acme')").await;
    worker.run(&format!("{}; insert into done (job) values ({id})", late.call("take_job", ""))).await;
    let_time_pass(&db).await;
    let other = db.connect(&super::fixture::worker_of(&db)).await;
    let next = claim(&other, "").await.remove(0);
    assert_eq!((next.id, next.attempt), (id, 2));
    let refused = worker.expect_error("TN160", &late.call("finish_job", "")).await;
    assert_eq!(refused.detail(), Some("The job is running, and its last attempt is 2."));
    worker.run("rollback").await;
    for (function, rest) in [("fail_job", ", 'late'"), ("release_job", ""), ("take_job", "")] {
        worker.expect_error("TN160", &late.call(function, rest)).await;
    }
    assert_eq!(worker.value("select count(*) from tenant.extend_jobs('{1}', '{1}')").await.as_deref(), Some("0"));
    next.perform(&other).await;
    assert_eq!(state(&db, id).await, None);
    other.expect_error("TN160", &next.call("fail_job", ", 'late'")).await;
}

/// A worker says that it lives while its transaction is open.
#[tokio::test]
async fn not_while_its_worker_lives() {
    let (db, worker) = workshop("lives").await;
    let app = db.app().await;
    for _ in 0..2 {
        enqueue(&app, "acme", "'mail'").await;
    }
    let claims = claim(&worker, ", at_most => 2, lease => '1 s'").await;
    worker.run("begin; select tenant.enter('acme')").await;
    worker.run(&claims[0].call("take_job", "")).await;
    let beside = db.connect(&super::fixture::worker_of(&db)).await;
    let [one, two] = [claims[0].id, claims[1].id];
    let extend =
        format!("select array_agg(e order by e) from tenant.extend_jobs('{{{one},{two}}}', '{{1,1}}', '1 h') e");
    assert_eq!(beside.value(&extend).await, Some(format!("{{{one},{two}}}")));
    // What is being finished, and so is locked, is not lost either, and nobody waits for it.
    worker.run(&claims[0].call("finish_job", "")).await;
    assert_eq!(beside.value(&extend).await, Some(format!("{{{one},{two}}}")));
    worker.run("commit").await;
    assert_eq!(beside.value(&extend).await, Some(format!("{{{two}}}")));
}

/// The last attempt is the last, whatever ended it; an operator begins anew.
#[tokio::test]
async fn more_often_than_it_may() {
    let (db, worker) = workshop("dead").await;
    let app = db.app().await;
    let id = enqueue(&app, "acme", "'mail', max_attempts => 3").await;
    let first = claim(&worker, "").await.remove(0);
    assert_eq!(worker.value(&first.call("fail_job", ", 'no route'")).await.as_deref(), Some("failed"));
    assert_eq!(claim(&worker, "").await, [], "it waits");
    let_time_pass(&db).await;
    // What was given back does not count.
    let second = claim(&worker, "").await.remove(0);
    worker.run(&second.call("release_job", "")).await;
    for _ in 0..2 {
        assert_eq!(claim(&worker, "").await.len(), 1);
        let_time_pass(&db).await;
    }
    assert_eq!(claim(&worker, "").await, []);
    assert_eq!(state(&db, id).await.as_deref(), Some("dead"));
    let admin = db.admin().await;
    let dead = "select kind || ' ' || attempt || ' ' || tries from tenant.dead_jobs";
    assert_eq!(admin.value(dead).await.as_deref(), Some("mail 4 3"));
    admin.expect_error("TN029", &format!("select tenant.retry_job({id}, '')")).await;
    admin.run(&format!("select tenant.retry_job({id}, 'the route is back')")).await;
    let again = claim(&worker, "").await.remove(0);
    assert_eq!(again.attempt, 5);
    again.perform(&worker).await;
    admin.expect_error("TN161", &format!("select tenant.retry_job({id}, 'once more')")).await;
    // Nor beside one that has its key by now; which key it is, is the tenant's.
    let id = enqueue(&app, "acme", "'mail', key => 'IBAN CH93', max_attempts => 1").await;
    worker.run(&claim(&worker, "").await[0].call("fail_job", ", 'no route'")).await;
    enqueue(&app, "acme", "'mail', key => 'IBAN CH93'").await;
    let refused = admin.expect_error("TN161", &format!("select tenant.retry_job({id}, 'once more')")).await;
    assert!(!format!("{refused:?}").contains("CH93"), "{refused:?}");
    enqueue(&app, "acme", "'mail'").await;
    let hopeless = claim(&worker, "").await.remove(0);
    let given_up = hopeless.call("fail_job", ", 'no such address', give_up => true");
    assert_eq!(worker.value(&given_up).await.as_deref(), Some("dead"));
}
