//! Every public call that waits is in the cancellation sweep and under load.
//!
//! What there is to sweep stands in the list of the public API; a call is swept where a test that runs a sweep makes
//! it.
//!
//! Not through PgBouncer: reads sources, and asks no server.

use std::path::Path;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client");
const LOAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load");
const API: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/api/current.txt");

/// Calls that neither makes, and why a dropped one leaves nothing.
const EXEMPT: [(&str, &str); 61] = [
    ("TenantTx::query_typed", "goes the way of query and execute; tests/orms drops it half-way"),
    ("TenantTx::execute_typed", "likewise"),
    ("TenantHandle::query_typed", "likewise"),
    ("TenantHandle::execute_typed", "likewise"),
    ("danger::SystemTx::query_typed", "goes the way of query and execute"),
    ("danger::SystemTx::execute_typed", "likewise"),
    ("danger::SystemTxBuilder::query_typed", "likewise"),
    ("danger::SystemTxBuilder::execute_typed", "likewise"),
    ("ambient::scope", "polls the caller's own future and holds nothing"),
    ("ambient::scope_request", "likewise"),
    ("RowStream::poll_next", "the sweeps of query_stream poll it"),
    ("CopyOutStream::poll_next", "the sweeps of copy_out poll it"),
    ("TenantExecutor", "the calls of the types that it stands for"),
    ("sqlx::TenantExecutor", "likewise"),
    ("X", "likewise, of what it borrows"),
    ("TenantTx::run", "savepoint, as a TenantExecutor"),
    ("sqlx::TenantTx::run", "likewise"),
    ("admin::TenantAdmin", "makes other tenants each time: tenants_are_made.rs drops it at every await"),
    ("sqlx::TenantAdmin", "likewise"),
    ("admin::Support", "each call is one statement, sent as TenantAdmin sends its own"),
    ("onboarding::Onboarding", "one statement each, as TenantAdmin's; tests/onboarding drops one at every await"),
    ("onboarding::Runner", "its worker is killed at every step: tests/onboarding"),
    ("onboarding::RunningRunner", "waits for a task of its own, which a drop ends"),
    ("edge::NamedTenant::from_request_parts", "reads what a layer has put there, and waits for nothing"),
    ("edge::AsyncProof", "the application's own future"),
    ("P", "likewise, of a Proof, which waits for nothing"),
    ("Envelope", "run polls the caller's own future and holds nothing"),
    (
        "TenantListener",
        "its connection is its own, in a task of its own; whether a dropped call listens is the caller's to ask",
    ),
    ("directory::Listener::listening", "looks at a flag; the connection is the listener's own"),
    ("Tenant::from_request_parts", "reads what a layer has put there, and waits for nothing"),
    ("edge::Resolved::from_request_parts", "likewise, as CurrentTenantRecord"),
    ("TenantHandle::from_request_parts", "likewise"),
    ("sqlx::TenantHandle::from_request_parts", "likewise"),
    ("objects::TenantStore", "the object store's own streams"),
    ("pg_tenant_testing::isolation", "has no connection"),
    ("pg_tenant_testing::assert_isolated", "has no connection"),
    ("jobs::Worker", "it is killed at random: tests/jobs"),
    ("jobs::RunningWorker", "waits for a task of its own, which a drop ends"),
    ("jobs::Scheduler", "it is killed at random: tests/jobs"),
    ("jobs::RunningScheduler", "waits for a task of its own, which a drop ends"),
    ("TenantTx::enqueue", "goes the way of query_one"),
    ("TenantTx::enqueue_with", "likewise"),
    ("TenantTx::enqueue_many", "goes the way of query"),
    ("danger::SystemTx::enqueue_system", "goes the way of query_one"),
    ("sqlx::TenantTx::enqueue", "goes the way of fetch_one"),
    ("sqlx::TenantTx::enqueue_with", "likewise"),
    ("sqlx::TenantTx::enqueue_many", "goes the way of fetch_all"),
    ("keys::TenantKeys", "query and execute of the caller's transaction, and the key service, which has no connection"),
    ("TenantTx::can", "goes the way of query_one"),
    ("TenantTx::has_role", "likewise"),
    ("sqlx::TenantTx::can", "goes the way of fetch_one"),
    ("sqlx::TenantTx::has_role", "likewise"),
    ("sqlx::TenantTx::require", "likewise"),
    ("TenantTx::consume", "goes the way of query_one"),
    ("sqlx::TenantTx::consume", "goes the way of fetch_one"),
    ("TenantHandle::secret", "query_one; then it waits for the application's own source and holds no connection"),
    ("sqlx::TenantHandle::secret", "likewise"),
    ("secrets::Secrets::resolve", "the application's own source, and no connection"),
    ("directory::Directory::by_domain", "goes the way of by_slug"),
    ("TenantPool::drain", "only waits for others; nothing may follow it"),
    ("sqlx::TenantPool::close", "sqlx's own; nothing may follow it"),
];

/// The name of a call that waits, without its generics and arguments.
fn waiting(line: &str) -> Option<String> {
    let waits = ["async fn ", "future::BoxFuture<", "stream::BoxStream<", "::poll_next(", "-> impl core::future"];
    let line = line.strip_prefix("pub ").filter(|line| waits.iter().any(|how| line.contains(how)))?;
    let name = line.split_once("fn ")?.1.replace("<'_>", "").replace("pg_tenant_client::", "");
    let name = ["&'c mut ", "&mut "].iter().fold(name.as_str(), |name, borrowed| name.trim_start_matches(borrowed));
    let name =
        if name.contains("::fetch_") || name.contains("::prepare_") { name } else { name.trim_start_matches('&') };
    Some(name.split(['<', '(']).next()?.to_owned())
}

/// A source that makes calls.
struct Source {
    sqlx: bool,
    system: bool,
    body: String,
}

fn sweeps() -> Vec<Source> {
    let files = std::fs::read_dir(HERE).expect("this directory").map(|entry| entry.expect("an entry").path());
    let texts = files.map(|path| std::fs::read_to_string(path).expect("a source")).collect::<Vec<_>>();
    let tests = texts.iter().flat_map(|text| text.split("#[tokio::test").skip(1));
    let swept = tests.filter(|body| body.contains(" sweep(\"") || body.contains(" sweep_sqlx(\""));
    let sweep = |body: &str| Source {
        sqlx: body.contains(" sweep_sqlx(\""),
        system: body.contains("danger::system("),
        body: body.to_owned(),
    };
    swept.map(sweep).collect()
}

fn load() -> Vec<Source> {
    let source = |(sqlx, name): (bool, &str)| {
        let text = std::fs::read_to_string(Path::new(LOAD).join(name)).expect("a source");
        let (tenant, system) = text.split_once("async fn act_in_system").expect("two parts");
        [(false, tenant), (true, system)].map(|(system, body)| Source { sqlx, system, body: body.to_owned() })
    };
    [(false, "over_tokio_postgres.rs"), (true, "over_sqlx.rs")].into_iter().flat_map(source).collect()
}

/// How a source makes this call.
fn made(call: &str) -> (bool, bool, Vec<String>) {
    let name = call.rsplit("::").next().unwrap_or(call);
    let on = |receivers: &[&str]| receivers.iter().map(|receiver| format!("{receiver}.{name}(")).collect();
    let (sqlx, system) = (call.contains("sqlx::"), call.contains("SystemTx"));
    let ways = match call.trim_start_matches("sqlx::").trim_start_matches("danger::").split("::").next() {
        // What begins and ends by itself is borrowed as an executor.
        _ if call.starts_with("&'c ") => {
            let way = match name {
                "fetch_many" => ".fetch_all(&",
                "fetch_optional" => ".fetch_optional(&",
                _ => "prepare(",
            };
            ["globex", "tenant", "system"]
                .iter()
                .map(|on| match name {
                    "prepare_with" => format!("(&{on}).{way}"),
                    _ => format!("{way}{on})"),
                })
                .collect()
        }
        _ if name == "fetch_many" => vec![".fetch_all(&mut tx)".to_owned()],
        _ if name == "fetch_optional" => vec![".fetch_optional(&mut tx)".to_owned()],
        _ if name == "prepare_with" => vec!["tx.prepare(".to_owned()],
        Some("TenantTx" | "SystemTx") => on(&["tx"]),
        Some("TenantHandle") => on(&["globex", "pool.tenant(\"globex\")", "tenant"]),
        Some("SystemTxBuilder") => on(&["system", "system.write()", "danger::system(pool, \"a sweep\")"]),
        Some("RetryingTx") => on(&["retrying"]),
        Some("TenantPool") => on(&["pool", "self.0"]),
        Some("directory") => on(&["directory"]),
        _ => vec![format!("{call}(")],
    };
    (sqlx, system, ways)
}

/// Whether this is the call of that name, or one of the type.
fn is_of(call: &str, name: &str) -> bool {
    call.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The calls that none of these makes.
fn missing(sources: &[Source]) -> Vec<String> {
    let api = std::fs::read_to_string(Path::new(API)).expect("the list of the public API: make api");
    let calls: Vec<String> = api.lines().filter_map(waiting).collect();
    assert!(calls.len() > 50, "of {} calls most were not read", calls.len());
    for (name, _) in EXEMPT {
        assert!(calls.iter().any(|call| is_of(call, name)), "{name} is exempt and no call");
    }
    let is_made = |call: &String| {
        let (sqlx, system, ways) = made(call);
        let mut sources = sources.iter().filter(|source| (source.sqlx, source.system) == (sqlx, system));
        sources.any(|source| ways.iter().any(|way| source.body.contains(way)))
    };
    let exempt = |call: &String| EXEMPT.iter().any(|(name, _)| is_of(call, name));
    calls.into_iter().filter(|call| !exempt(call) && !is_made(call)).collect()
}

#[test]
fn by_the_sweep() {
    let missing = missing(&sweeps());
    assert!(missing.is_empty(), "sweep {missing:?} in tests/tests/client/cancelled_*.rs, or exempt it here");
}

#[test]
fn under_load() {
    let missing = missing(&load());
    assert!(missing.is_empty(), "call {missing:?} in tests/tests/load/over_*.rs, or exempt it here");
}
