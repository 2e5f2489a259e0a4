//! Random programs of three sessions that consume, give back, roll back and commit, under limits that change, have the
//! outcome of a model: what is committed is what was counted, nothing goes beyond a limit, and nobody is refused who
//! would not go beyond it.

use std::sync::OnceLock;

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::A;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::fixture::{consume, metered, stripes_are_sound, used};

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Consume(usize, i64),
    Savepoint(usize),
    RollbackTo(usize),
    Commit(usize),
    Rollback(usize),
    Limit(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let of = 0..3usize;
    prop_oneof![
        4 => of.clone().prop_map(Step::Begin),
        10 => (of.clone(), 1..30i64).prop_map(|(session, amount)| Step::Consume(session, amount)),
        1 => of.clone().prop_map(Step::Savepoint),
        1 => of.clone().prop_map(Step::RollbackTo),
        3 => of.clone().prop_map(Step::Commit),
        1 => of.prop_map(Step::Rollback),
        1 => (0..400i64).prop_map(Step::Limit),
    ]
}

/// A session's transaction: what it has consumed, and had at its savepoint.
#[derive(Clone, Copy, Default)]
struct Open {
    consumed: i64,
    saved: Option<i64>,
}

async fn run(steps: &[Step]) {
    let (db, admin, _app) = metered("usage_model").await;
    let mut limit = 100;
    let mut committed = 0;
    let sessions: Vec<Session> = vec![db.app().await, db.app().await, db.app().await];
    let mut open: [Option<Open>; 3] = [None; 3];
    for step in steps {
        let in_flight: i64 = open.iter().flatten().map(|open| open.consumed).sum();
        match *step {
            Step::Begin(at) if open[at].is_none() => {
                sessions[at].run(&format!("begin; select tenant.enter('{A}'); set local lock_timeout = '50 ms'")).await;
                open[at] = Some(Open::default());
            }
            Step::Consume(at, amount) => {
                let Some(mut mine) = open[at] else { continue };
                sessions[at].run("savepoint one").await;
                match sessions[at].batch_execute(&consume(amount)).await {
                    Ok(()) => {
                        assert!(committed + in_flight + amount <= limit.max(committed + in_flight), "beyond {limit}");
                        mine.consumed += amount;
                        sessions[at].run("release one").await;
                    }
                    Err(error) => {
                        let code = error.code().expect("the server's").code().to_owned();
                        let others = in_flight - mine.consumed;
                        match &*code {
                            "TN171" => assert!(committed + mine.consumed + amount > limit, "{amount} of {limit}"),
                            // It would wait for what another has in flight.
                            "55P03" => assert!(others > 0),
                            _ => panic!("{code}"),
                        }
                        sessions[at].run("rollback to one; release one").await;
                    }
                }
                open[at] = Some(mine);
            }
            Step::Savepoint(at) => {
                if let Some(mine) = &mut open[at] {
                    sessions[at].run("savepoint s").await;
                    mine.saved = Some(mine.consumed);
                }
            }
            Step::RollbackTo(at) => {
                if let Some(mine) = &mut open[at]
                    && let Some(saved) = mine.saved
                {
                    sessions[at].run("rollback to s").await;
                    mine.consumed = saved;
                }
            }
            Step::Commit(at) => {
                if let Some(mine) = open[at].take() {
                    sessions[at].run("commit").await;
                    committed += mine.consumed;
                }
            }
            Step::Rollback(at) => {
                if open[at].take().is_some() {
                    sessions[at].run("rollback").await;
                }
            }
            Step::Limit(to) => {
                admin.run(&format!("select tenant.set_quota('{A}', 'api_calls', {to})")).await;
                limit = to;
            }
            Step::Begin(_) => {}
        }
        assert_eq!(used(&admin, "api_calls").await, committed.to_string(), "after {step:?}");
        stripes_are_sound(&db).await;
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn of_what_is_used(steps in prop::collection::vec(step(), 10..80)) {
        runtime().block_on(run(&steps));
    }
}
