//! A year of events of 200 tenants, shuffled, sent twice, lost and sent again, by four sessions of which some are
//! killed, has the outcome of a model that goes through them in order.

use std::sync::Arc;

use pg_tenant_tests::{Database, Session};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::fixture::{billed, day, event};

const GRACE: i64 = 7;
const READ_ONLY: i64 = 14;

#[derive(Clone)]
struct Said {
    id: String,
    tenant: usize,
    subscription: usize,
    day: i64,
    what: What,
}

#[derive(Clone)]
enum What {
    Is(&'static str, i64),
    Paid(i64),
    Failed,
    Ended,
}

impl Said {
    fn sql(&self) -> String {
        let whose = format!(r#""customer": "cus_{0}", "subscription": "sub_{0}_{1}""#, self.tenant, self.subscription);
        let (kind, more) = match self.what {
            What::Is(plan, until) => {
                ("subscription", format!(r#", "status": "active", "plan": "{plan}", "paid_until": {}"#, day_of(until)))
            }
            What::Paid(until) => ("invoice_paid", format!(r#", "paid_until": {}"#, day_of(until))),
            What::Failed => ("payment_failed", String::new()),
            What::Ended => ("subscription_ended", String::new()),
        };
        event(&self.id, day_of(self.day), kind, &(whose + &more))
    }
}

/// The same second for the whole test.
fn day_of(days: i64) -> i64 {
    static TODAY: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    TODAY.get_or_init(|| day(0)) + days * 86_400
}

/// What happened to a tenant in a year, in order; at most one event a day.
fn year(tenant: usize, random: &mut StdRng) -> Vec<Said> {
    let mut said = Vec::new();
    let (mut subscription, mut at) = (0, -365 + random.random_range(0..20));
    let mut say = |day, subscription, what| {
        said.push(Said { id: format!("evt_{tenant}_{}", said.len()), tenant, subscription, day, what });
    };
    say(at, subscription, What::Is("basic", at + 30));
    while at < -32 {
        at += 30;
        match random.random_range(0..20) {
            0..12 => say(at, subscription, What::Paid(at + 30)),
            12..14 => say(at, subscription, What::Is(if random.random() { "pro" } else { "basic" }, at + 30)),
            14..18 => {
                say(at, subscription, What::Failed);
                if random.random() {
                    at += random.random_range(1..25);
                    say(at, subscription, What::Paid(at + 30));
                }
            }
            18 => {
                say(at, subscription, What::Ended);
                subscription += 1;
                at += 1;
                say(at, subscription, What::Is("pro", at + 30));
            }
            _ => {
                say(at, subscription, What::Ended);
                break;
            }
        }
    }
    said
}

/// The model: the last subscription, day by day.
fn expected(said: &[Said]) -> String {
    let (mut plan, mut until, mut due, mut ended) = ("", i64::MIN, None, false);
    for one in said {
        match one.what {
            What::Is(is, paid) => (plan, until, due, ended) = (is, paid, None, false),
            What::Paid(paid) => (until, due) = (until.max(paid), None),
            What::Failed => due = due.or(Some(one.day)),
            What::Ended => ended = true,
        }
    }
    if ended {
        return format!("suspended {plan} ended");
    }
    let lapsed = (until <= 0).then_some(until);
    match [due, lapsed].into_iter().flatten().min() {
        None => format!("active {plan} active"),
        Some(since) if -since < GRACE => format!("active {plan} past_due"),
        Some(since) if -since < GRACE + READ_ONLY => format!("read_only {plan} past_due"),
        Some(_) => format!("suspended {plan} past_due"),
    }
}

async fn deliver(db: &Database<'static>, role: &str, events: Vec<Said>) {
    let mut session: Session = db.connect(role).await;
    for one in events {
        while let Err(error) = session.batch_execute(&one.sql()).await {
            // It was killed: the provider sends it again.
            let code = error.code().map(|code| code.code().to_owned());
            assert!(matches!(code.as_deref(), None | Some("57P01")), "{error:?}");
            session = db.connect(role).await;
        }
    }
}

async fn replay(name: &str, tenants: usize, kills: usize) {
    let (db, admin, _hook) = billed(name).await;
    let db = Arc::new(db);
    let role = format!("regress_{}_hook", db.name);
    let mut random = StdRng::seed_from_u64(12);
    admin.run(&format!("select tenant.create('t' || n) from generate_series(0, {}) n", tenants - 1)).await;
    // Some are linked before their events come, others after.
    let link = format!(
        "select tenant.link_billing_customer('t' || n, 'stripe', 'cus_' || n) from generate_series(0, {}) n",
        tenants - 1
    );
    admin.run(&format!("{link} where n % 3 <> 0")).await;
    let years: Vec<Vec<Said>> = (0..tenants).map(|tenant| year(tenant, &mut random)).collect();
    let all: Vec<Said> = years.iter().flatten().cloned().collect();
    let mut sent: Vec<Said> = all.iter().filter(|_| random.random_range(0..5) > 0).cloned().collect();
    sent.extend(all.iter().filter(|_| random.random_range(0..5) == 0).cloned());
    sent.shuffle(&mut random);
    // What was lost comes at last, with all else again where it is one in ten.
    let mut again: Vec<Said> = all
        .iter()
        .filter(|one| !sent.iter().any(|other| other.id == one.id) || random.random_range(0..10) == 0)
        .cloned()
        .collect();
    again.shuffle(&mut random);
    for (round, events) in [sent, again].into_iter().enumerate() {
        let parts: Vec<Vec<Said>> = (0..4).map(|part| events.iter().skip(part).step_by(4).cloned().collect()).collect();
        let deliveries = futures_util::future::join_all(parts.into_iter().map(|part| deliver(&db, &role, part)));
        let kill = async {
            let boss = db.superuser().await;
            for _ in 0..kills {
                tokio::time::sleep(std::time::Duration::from_millis(150)).await;
                boss.run(&format!("select pg_terminate_backend(pid) from (select pid from pg_stat_activity where usename = '{role}' order by random() limit 1) p")).await;
            }
        };
        futures_util::join!(deliveries, kill);
        if round == 0 {
            admin.run(&format!("{link} where n % 3 = 0")).await;
        }
    }
    let mut wrong = Vec::new();
    for (tenant, said) in years.iter().enumerate() {
        let is = super::fixture::state(&admin, &format!("t{tenant}")).await;
        if is != expected(said) {
            wrong.push(format!("t{tenant} is {is}, and the model {}", expected(said)));
        }
    }
    assert!(wrong.is_empty(), "{} of {tenants}: {wrong:#?}", wrong.len());
    let count = admin.value("select count(*) from tenant.billing_events where outcome <> 'unmatched'").await;
    assert_eq!(count, Some(all.len().to_string()), "each event once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_year() {
    let kills = std::env::var("BILLING_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3);
    replay("billing_year", 200, kills).await;
}
