//! A public call that waits is not in the cancellation sweep.
//!
//! What there is to sweep stands in the list of the public API; a call is swept where a test that runs a sweep makes it.

use std::path::Path;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client");
const API: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/api/current.txt");

/// Calls that no sweep makes, and why a dropped one leaves nothing.
const EXEMPT: [(&str, &str); 3] = [
    ("ambient::scope", "polls the caller's own future and holds nothing"),
    ("RowStream::poll_next", "the sweeps of query_stream poll it"),
    ("sqlx::TenantPool::close", "sqlx's own; nothing may follow it"),
];

/// The name of a call that waits, without its generics and arguments.
fn waiting(line: &str) -> Option<String> {
    let waits = ["async fn ", "future::BoxFuture<", "stream::BoxStream<", "::poll_next(", "-> impl core::future"];
    let line = line.strip_prefix("pub ").filter(|line| waits.iter().any(|how| line.contains(how)))?;
    let name = line.split_once("fn ")?.1.replace("&'c mut ", "").replace("<'_>", "").replace("pg_tenant_client::", "");
    Some(name.split(['<', '(']).next()?.to_owned())
}

struct Sweep {
    sqlx: bool,
    system: bool,
    body: String,
}

fn sweeps() -> Vec<Sweep> {
    let files = std::fs::read_dir(HERE).expect("this directory").map(|entry| entry.expect("an entry").path());
    let texts = files.map(|path| std::fs::read_to_string(path).expect("a source")).collect::<Vec<_>>();
    let tests = texts.iter().flat_map(|text| text.split("#[tokio::test").skip(1));
    let swept = tests.filter(|body| body.contains(" sweep(\"") || body.contains(" sweep_sqlx(\""));
    let sweep = |body: &str| Sweep {
        sqlx: body.contains(" sweep_sqlx(\""),
        system: body.contains("danger::system("),
        body: body.to_owned(),
    };
    swept.map(sweep).collect()
}

/// How the source of a sweep makes this call.
fn made(call: &str) -> (bool, bool, Vec<String>) {
    let name = call.rsplit("::").next().unwrap_or(call);
    let on = |receivers: &[&str]| receivers.iter().map(|receiver| format!("{receiver}.{name}(")).collect();
    let (sqlx, system) = (call.starts_with("sqlx::"), call.contains("SystemTx"));
    let ways = match call.trim_start_matches("sqlx::").trim_start_matches("danger::").split("::").next() {
        _ if name == "fetch_many" => vec![".fetch_all(&mut tx)".to_owned()],
        _ if name == "fetch_optional" => vec![".fetch_optional(&mut tx)".to_owned()],
        _ if name == "prepare_with" => vec!["tx.prepare(".to_owned()],
        Some("TenantTx" | "SystemTx") => on(&["tx"]),
        Some("TxBuilder") => on(&["globex", "pool.tenant(\"globex\")"]),
        Some("SystemTxBuilder") => on(&["system", "system.write()", "danger::system(pool, \"a sweep\")"]),
        Some("TenantPool") => on(&["pool"]),
        _ => vec![format!("{call}(")],
    };
    (sqlx, system, ways)
}

#[test]
fn it_is_in_the_list() {
    let api = std::fs::read_to_string(Path::new(API)).expect("the list of the public API: make api");
    let calls: Vec<String> = api.lines().filter_map(waiting).collect();
    assert!(calls.len() > 50, "of {} calls most were not read", calls.len());
    let sweeps = sweeps();
    let is_swept = |call: &String| {
        let (sqlx, system, ways) = made(call);
        sweeps
            .iter()
            .filter(|sweep| (sweep.sqlx, sweep.system) == (sqlx, system))
            .any(|sweep| ways.iter().any(|way| sweep.body.contains(way)))
    };
    let exempt = |call: &String| EXEMPT.iter().any(|(name, _)| name == call);
    let missing: Vec<&String> = calls.iter().filter(|&call| !exempt(call) && !is_swept(call)).collect();
    assert!(
        missing.is_empty(),
        "add a sweep of {missing:?} to tests/tests/client/cancelled_*.rs, or an exemption here"
    );
    for (name, _) in EXEMPT {
        assert!(calls.iter().any(|call| call == name), "{name} is exempt and no call");
    }
}
