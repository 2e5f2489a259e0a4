//! A cancel, a timeout, the end of a session or an error at any moment leaves no tenant behind and does not bring the
//! server down.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::{join, join_all};
use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Cluster, Database, Session, describe};

/// What a session does again and again; any statement may be the one that is hit.
const WORK: &[&str] = &[
    "begin; select tenant.enter('{t}'); select tenant_id from orders; commit",
    "begin; select tenant.enter('{t}'); savepoint s; update orders set note = note; rollback to s;
     select o.tenant_id from orders o, generate_series(1, 20000) i where i % 7 = 0 limit 3; commit",
    "select tenant.enter('{t}'); select tenant_id from orders where pg_sleep(0.002) is not null",
    "begin; set local statement_timeout = 3; select tenant.enter('{t}'); select tenant_id from orders where pg_sleep(0.001) is not null;
     rollback",
    "begin; select tenant.enter('{t}'); declare c cursor for select tenant_id from orders; fetch 2 from c; select retried(5); commit",
    "begin; select tenant.enter('{t}'); select retried(3); set local statement_timeout = 2; select pg_sleep(1)",
];

/// An error that is caught within a tenant, with entries in between.
const RETRIED: &str = "create function retried(times int) returns int language plpgsql as $$
    begin
        for i in 1 .. times loop
            begin
                perform tenant.enter(tenant.current_id()), count(*), pg_sleep(0.001) from orders;
                perform 1 / (i - i);
            exception when division_by_zero then null;
            end;
        end loop;
        return times;
    end $$";

/// So many of each end work; whether they come is not a matter of time.
const CANCELS: u32 = 150;
const TERMINATIONS: u32 = 25;

#[derive(Default)]
struct Hits {
    cancelled: AtomicU32,
    terminated: AtomicU32,
}

impl Hits {
    fn enough(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) >= CANCELS && self.terminated.load(Ordering::Relaxed) >= TERMINATIONS
    }

    /// Whether the connection lives on after this error.
    fn count(&self, error: &tokio_postgres::Error, sql: &str) -> bool {
        match error.as_db_error().map(|e| e.code().code()) {
            Some("57014") => self.cancelled.fetch_add(1, Ordering::Relaxed),
            Some("57P01") => {
                self.terminated.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            None => return false,
            _ => panic!("{sql}\n{}", describe(error)),
        };
        true
    }
}

#[tokio::test]
async fn at_random_moments() {
    let db = shop("hit").await;
    db.superuser().await.run(RETRIED).await;
    let hits = Hits::default();
    let sessions = join_all([A, B, A].into_iter().map(|tenant| works(&db, tenant, &hits)));
    join(sessions, strikes(&db, &hits)).await;
    let log = Cluster::shared().log();
    let crashed = log.lines().find(|line| line.contains("was terminated by signal") || line.contains("PANIC"));
    assert_eq!(crashed, None, "the server crashed");
}

async fn works(db: &Database<'_>, tenant: &str, hits: &Hits) {
    let mut session = db.app().await;
    for work in WORK.iter().cycle() {
        if hits.enough() {
            return;
        }
        let sql = work.replace("{t}", tenant);
        let lives = match session.simple_query(&sql).await {
            Ok(messages) => {
                own(messages, tenant, &sql);
                true
            }
            Err(error) => hits.count(&error, &sql),
        };
        if !lives || !nothing_is_left(&session, hits, &sql).await {
            session = db.app().await;
        }
    }
}

/// No row names another tenant.
fn own(messages: Vec<tokio_postgres::SimpleQueryMessage>, tenant: &str, sql: &str) {
    let other = if tenant == A { B } else { A };
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            assert_ne!(row.get(0), Some(other), "{sql}");
        }
    }
}

/// Looks again where the look itself is hit; false where the connection is gone.
async fn nothing_is_left(session: &Session, hits: &Hits, after: &str) -> bool {
    loop {
        let look = async {
            session.batch_execute("rollback").await?;
            session.query_one("select tenant.current_id()", &[]).await
        };
        match look.await {
            Ok(row) => assert_eq!(row.get::<_, Option<&str>>(0), None, "after {after}"),
            Err(error) if hits.count(&error, "the look") => continue,
            Err(_) => return false,
        }
        let Err(error) = session.batch_execute("select from orders").await else {
            panic!("no tenant, but rows: {after}")
        };
        match error.as_db_error().map(|e| e.code().code()) {
            Some("TN001") => return true,
            _ if hits.count(&error, "the look") => {}
            _ => return false,
        }
    }
}

/// Cancels a session at a time, and ends every eighth.
async fn strikes(db: &Database<'_>, hits: &Hits) {
    let superuser = db.superuser().await;
    for n in 0_u32.. {
        if hits.enough() {
            return;
        }
        let how = if n % 8 == 7 { "pg_terminate_backend" } else { "pg_cancel_backend" };
        let strike = format!(
            "select {how}(pid), pg_sleep(random() * 0.008) from (select pid from pg_stat_activity
                where datname = '{}' and usename = '{}' and state = 'active' order by random() limit 1) s",
            db.name, db.roles.app
        );
        superuser.run(&strike).await;
    }
}

/// The steps of a function; an error is raised before each in turn, and after the last.
const STEPS: &[&str] = &[
    "perform tenant.enter('{a}')",
    "perform count(*) from orders",
    "insert into orders (id) values (100)",
    "begin perform tenant.enter('{a}'); perform 1 / 0; exception when division_by_zero then null; end",
    "begin perform tenant.enter('{b}'); exception when others then null; end",
    "for o in select id from orders loop update orders set note = 'x' where id = o.id; end loop",
    "execute 'select tenant.current_id()'",
];

#[tokio::test]
async fn at_every_step_of_a_function() {
    let db = shop("raised").await;
    let (superuser, app) = (db.superuser().await, db.app().await);
    for at in 0..=STEPS.len() {
        let (before, after) = STEPS.split_at(at);
        let body = [before, &["raise division_by_zero"], after].concat().join("; ").replace("{a}", A).replace("{b}", B);
        let function = format!(
            "create or replace function steps() returns int language plpgsql as $$
             declare o record; begin {body}; return 1; end $$"
        );
        superuser.run(&function).await;
        for call in
            ["select steps()", "begin; savepoint s; select steps()", "begin; do $$ begin perform steps(); end $$"]
        {
            app.expect_error("22012", call).await;
            app.run("rollback").await;
            assert_eq!(app.value("select tenant.current_id()").await, None, "an error before step {at}: {call}");
            app.expect_error("TN001", "select from orders").await;
        }
    }
    assert_eq!(superuser.value("select count(*) from orders").await.as_deref(), Some("5"));
}
