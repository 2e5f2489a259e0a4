//! Random programs of transactions, savepoints and entries, on the server and on a model of thirty lines: they differ.

use std::sync::OnceLock;

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};
use proptest::prelude::*;
use tokio::runtime::Runtime;

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Enter(&'static str),
    Savepoint(u8),
    RollbackTo(u8),
    Release(u8),
    Commit,
    Rollback,
    Read,
    Fail,
}
use Step::*;

fn step() -> impl Strategy<Value = Step> {
    let tenant = prop_oneof![Just(A), Just(B)];
    prop_oneof![
        3 => Just(Begin), 4 => tenant.prop_map(Enter), 3 => (0..3u8).prop_map(Savepoint), 3 => (0..3u8).prop_map(RollbackTo),
        1 => (0..3u8).prop_map(Release), 1 => Just(Commit), 1 => Just(Rollback), 6 => Just(Read), 1 => Just(Fail),
    ]
}

fn sql(step: Step) -> String {
    match step {
        Begin => "begin".into(),
        Enter(tenant) => format!("select tenant.enter('{tenant}')"),
        Savepoint(n) => format!("savepoint s{n}"),
        RollbackTo(n) => format!("rollback to s{n}"),
        Release(n) => format!("release s{n}"),
        Commit => "commit".into(),
        Rollback => "rollback".into(),
        Read => "select distinct tenant_id from orders".into(),
        Fail => "select 1/0".into(),
    }
}

type Tenant = Option<&'static str>;

#[derive(Default)]
struct Transaction {
    failed: bool,
    sealed: Tenant,
    tenant: Tenant,
    saved: Vec<(u8, Tenant)>,
}

/// What the server must answer: a tenant whose orders are read, nothing, or an SQLSTATE.
fn expect(model: &mut Option<Transaction>, step: Step) -> Result<Tenant, &'static str> {
    let Some(tx) = model else {
        return match step {
            Begin => {
                *model = Some(Transaction::default());
                Ok(None)
            }
            Savepoint(_) | RollbackTo(_) | Release(_) => Err("25P01"),
            Read => Err("TN001"),
            Fail => Err("22012"),
            Enter(_) | Commit | Rollback => Ok(None), // an entry of its own ends with its statement
        };
    };
    let place = |n, tx: &Transaction| tx.saved.iter().rposition(|(name, _)| *name == n);
    let answer = match step {
        Commit | Rollback => {
            *model = None;
            return Ok(None);
        }
        RollbackTo(n) => place(n, tx).ok_or("3B001").map(|at| {
            tx.tenant = tx.saved[at].1;
            tx.saved.truncate(at + 1);
            tx.failed = false;
            None
        }),
        _ if tx.failed => Err("25P02"),
        Begin => Ok(None), // a warning
        Fail => Err("22012"),
        Enter(tenant) if tx.sealed.is_none_or(|sealed| sealed == tenant) => {
            (tx.sealed, tx.tenant) = (Some(tenant), Some(tenant));
            Ok(None)
        }
        Enter(_) => Err("TN005"),
        Savepoint(n) => {
            tx.saved.push((n, tx.tenant));
            Ok(None)
        }
        Release(n) => place(n, tx).ok_or("3B001").map(|at| {
            tx.saved.truncate(at);
            None
        }),
        Read => tx.tenant.map(Some).ok_or("TN001"),
    };
    tx.failed |= answer.is_err();
    answer
}

async fn observe(session: &Session, step: Step) -> Result<Option<String>, String> {
    match session.simple_query(&sql(step)).await {
        Err(e) => Err(e.as_db_error().map_or_else(|| e.to_string(), |e| e.code().code().into())),
        Ok(messages) => Ok(messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) if matches!(step, Read) => row.get(0).map(str::to_owned),
            _ => None,
        })),
    }
}

fn server() -> &'static (Runtime, Session) {
    static SERVER: OnceLock<(Runtime, Session)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let session = runtime.block_on(async { shop("model").await.app().await });
        (runtime, session)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 500, ..ProptestConfig::default() })]
    #[test]
    fn on_a_random_program(program in prop::collection::vec(step(), 1..30)) {
        let (runtime, app) = server();
        runtime.block_on(app.batch_execute("rollback")).expect("rollback");
        let mut model = None;
        for (at, &step) in program.iter().enumerate() {
            let observed = runtime.block_on(observe(app, step));
            let expected = expect(&mut model, step);
            prop_assert_eq!(observed, expected.map(|t| t.map(str::to_owned)).map_err(str::to_owned), "step {}", at);
        }
    }
}
