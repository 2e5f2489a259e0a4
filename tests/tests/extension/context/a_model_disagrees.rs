//! Random programs of transactions, savepoints and entries have the same outcome on the server and in a model of forty
//! lines.

use std::sync::OnceLock;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};
use proptest::prelude::*;
use tokio::runtime::Runtime;

/// What a transaction is in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Context {
    Tenant(&'static str),
    System { write: bool },
}
use Context::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Enter(Context),
    Savepoint(u8),
    RollbackTo(u8),
    Release(u8),
    Commit,
    Rollback,
    Read,
    Write,
    Fail,
}
use Step::*;

fn step() -> impl Strategy<Value = Step> {
    let tenant = prop_oneof![Just(A), Just(B)].prop_map(Tenant);
    let context = prop_oneof![2 => tenant, 1 => any::<bool>().prop_map(|write| System { write })];
    prop_oneof![
        3 => Just(Begin), 4 => context.prop_map(Enter), 3 => (0..3u8).prop_map(Savepoint), 3 => (0..3u8).prop_map(RollbackTo),
        1 => (0..3u8).prop_map(Release), 1 => Just(Commit), 1 => Just(Rollback), 5 => Just(Read), 2 => Just(Write), 1 => Just(Fail),
    ]
}

fn sql(step: Step) -> String {
    match step {
        Begin => "begin".into(),
        Enter(Tenant(tenant)) => format!("select tenant.enter('{tenant}')"),
        Enter(System { write }) => format!("select tenant.enter_system('a test', write => {write})"),
        Savepoint(n) => format!("savepoint s{n}"),
        RollbackTo(n) => format!("rollback to s{n}"),
        Release(n) => format!("release s{n}"),
        Commit => "commit".into(),
        Rollback => "rollback".into(),
        Read => "select string_agg(distinct tenant_id::text, ' ') from orders".into(),
        Write => "update orders set note = note".into(),
        Fail => "select 1/0".into(),
    }
}

#[derive(Default)]
struct Transaction {
    failed: bool,
    sealed: Option<Context>,
    context: Option<Context>,
    saved: Vec<(u8, Option<Context>)>,
}

/// What the server must answer: whose orders are read, nothing, or an SQLSTATE.
fn expect(model: &mut Option<Transaction>, step: Step) -> Result<Option<String>, &'static str> {
    let Some(tx) = model else {
        return match step {
            Begin => {
                *model = Some(Transaction::default());
                Ok(None)
            }
            Savepoint(_) | RollbackTo(_) | Release(_) => Err("25P01"),
            Read | Write => Err("TN001"),
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
            tx.context = tx.saved[at].1;
            tx.saved.truncate(at + 1);
            tx.failed = false;
            None
        }),
        _ if tx.failed => Err("25P02"),
        Begin if tx.sealed.is_some() => Err("TN017"),
        Begin => Ok(None), // a warning
        Fail => Err("22012"),
        Enter(context) if tx.sealed.is_none_or(|sealed| sealed == context) => {
            (tx.sealed, tx.context) = (Some(context), Some(context));
            Ok(None)
        }
        Enter(Tenant(_)) if matches!(tx.sealed, Some(Tenant(_))) => Err("TN005"),
        Enter(_) => Err("TN014"),
        Savepoint(n) => {
            tx.saved.push((n, tx.context));
            Ok(None)
        }
        Release(n) => place(n, tx).ok_or("3B001").map(|at| {
            tx.saved.truncate(at);
            None
        }),
        Read => match tx.context {
            None => Err("TN001"),
            Some(Tenant(tenant)) => Ok(Some(tenant.to_owned())),
            Some(System { .. }) => Ok(Some(format!("{A} {B}"))),
        },
        Write => match tx.context {
            None => Err("TN001"),
            Some(System { write: false }) => Err("25006"),
            Some(Tenant(_) | System { write: true }) => Ok(None),
        },
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

/// May enter tenants and the system context.
async fn operator() -> (Database<'static>, Session) {
    let db = shop("model").await;
    let operator = format!("regress_{}_operator", db.name);
    db.superuser()
        .await
        .run(&format!(
            "create role {operator} login; grant tenant_user, tenant_system to {operator};
             grant select, update on orders to {operator}, tenant_system"
        ))
        .await;
    let session = db.connect(&operator).await;
    (db, session)
}

fn server() -> &'static (Runtime, Database<'static>, Session) {
    static SERVER: OnceLock<(Runtime, Database<'static>, Session)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (db, session) = runtime.block_on(async { operator().await });
        (runtime, db, session)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 500, ..ProptestConfig::default() })]
    #[test]
    fn on_a_random_program(program in prop::collection::vec(step(), 1..30)) {
        let (runtime, _, session) = server();
        runtime.block_on(session.batch_execute("rollback")).expect("rollback");
        let mut model = None;
        for (at, &step) in program.iter().enumerate() {
            let observed = runtime.block_on(observe(session, step));
            let expected = expect(&mut model, step);
            prop_assert_eq!(observed, expected.map_err(str::to_owned), "step {}", at);
        }
        // The last one must not stay open: nothing of the server's would be sealed until this process ends.
        runtime.block_on(session.batch_execute("rollback")).expect("rollback");
    }
}
