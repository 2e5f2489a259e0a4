//! The SQL reference (`pg_tenant/README.md`) says something that is not so, or is silent on something that is there:
//! its SQL is run, and every function, view, setting and SQLSTATE has its heading or row, in one order.

#[path = "reference/order.rs"]
mod order;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use pg_tenant_core::Refusal;
use pg_tenant_tests::{Cluster, Install, Session, database, describe};

const README: &str = include_str!("../../pg_tenant/README.md");

/// A statement of a block, and the SQLSTATE it is refused with, if it is.
struct Statement {
    sql: String,
    error: Option<String>,
}

#[tokio::test]
async fn an_example_does_what_it_says() {
    let db = Cluster::shared().plain_database("reference").await;
    let mut sessions: HashMap<String, Session> = HashMap::new();
    let blocks = README.split("\n```sql\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    let mut run = 0;
    for block in blocks {
        let role = block.strip_prefix("-- as ").and_then(|rest| rest.lines().next()).unwrap_or("postgres");
        if !sessions.contains_key(role) {
            sessions.insert(role.to_owned(), db.connect(role).await);
        }
        let session = &sessions[role];
        for Statement { sql, error } in statements(block) {
            match (session.batch_execute(&sql).await, error) {
                (Ok(()), None) => {}
                (Ok(()), Some(code)) => panic!("as {role}: {sql}\nwas not refused; the reference says {code}"),
                (Err(e), code) if e.code().map(|c| c.code()) == code.as_deref() => {}
                (Err(e), code) => panic!("as {role}: {sql}\nthe reference says {code:?}\n{}", describe(&e)),
            }
            run += 1;
        }
    }
    assert!(run > 50, "the reference has examples: {run}");
}

fn statements(block: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut sql = String::new();
    for line in block.lines() {
        if let Some(code) = line.strip_prefix("-- error: ") {
            statements.last_mut().expect("a statement before its error").error = Some(code.to_owned());
            continue;
        }
        sql += line;
        sql.push('\n');
        if line.split(" --").next().unwrap_or_default().trim_end().ends_with(';') {
            statements.push(Statement { sql: std::mem::take(&mut sql), error: None });
        }
    }
    assert!(sql.trim().is_empty(), "a statement without its end: {sql}");
    statements
}

/// The names in headings that begin with this: `tenant.` or `pg_tenant.`.
fn headings(prefix: &str) -> BTreeSet<String> {
    let heading = format!("### `{prefix}");
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    README.lines().filter_map(|line| Some(name(line.strip_prefix(&heading)?))).collect()
}

async fn names(session: &Session, sql: &str) -> BTreeSet<String> {
    session.rows(sql).await.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn everything_of_schema_tenant_has_a_heading() {
    let db = database("headings").await;
    let boss = db.superuser().await;
    let objects = "select proname from pg_proc where pronamespace = 'tenant'::regnamespace
        union select relname from pg_class where relnamespace = 'tenant'::regnamespace and relkind in ('r', 'v', 'm', 'p')";
    assert_eq!(headings("tenant."), names(&boss, objects).await);
    let settings = "select split_part(name, '.', 2) from pg_settings where name like 'pg_tenant.%'";
    assert_eq!(headings("pg_tenant."), names(&boss, settings).await);
    let roles = "select substr(rolname, 8) from pg_roles where rolname like 'tenant\\_%'";
    assert_eq!(headings("tenant_"), names(&boss, roles).await);
}

#[tokio::test]
async fn a_signature_or_a_default_is_another() {
    let db = database("signatures").await;
    let boss = db.superuser().await;
    for name in headings("tenant.") {
        let heading = README.lines().find(|line| line.starts_with(&format!("### `tenant.{name}("))).unwrap_or_default();
        let overloads = format!(
            "select pg_get_function_arguments(oid) from pg_proc where proname = '{name}' and pronamespace = 'tenant'::regnamespace"
        );
        for arguments in names(&boss, &overloads).await {
            for argument in arguments.split(", ") {
                let plain = argument.replace("DEFAULT", "default").replace("NULL", "null").replace("::text", "");
                let plain = plain.replace("::tenant.key_form", "");
                let plain = plain
                    .replace("::name", "")
                    .replace("::regclass[]", "")
                    .replace("::jsonb", "")
                    .replace("::numeric", "")
                    .replace("::integer", "")
                    .replace("null::bigint", "null")
                    .replace("::real", "")
                    .replace("null::timestamp with time zone", "null")
                    .replace("null::date", "null")
                    .replace("null[]", "null")
                    .replace("'{}'[]", "'{}'")
                    .replace("IN ", "");
                let one_of_several = plain.split_once(' ').is_some_and(|(name, kind)| {
                    heading.contains(&format!("{name} ")) && heading.contains(&format!(" | {kind}"))
                });
                let typed = plain.split(" default ").next().is_some_and(|typed| heading.contains(typed))
                    && plain.contains("interval");
                assert!(heading.contains(&plain) || one_of_several || typed, "{name}: {plain} is not in {heading}");
            }
        }
    }
    // The last words on a setting are its default.
    for name in headings("pg_tenant.") {
        let text = README.split(&format!("### `pg_tenant.{name}`\n")).nth(1).and_then(|rest| rest.split("\n#").next());
        let words =
            text.and_then(|text| text.split("\n```").next()).map(|text| text.replace('\n', " ")).expect("a text");
        let boot = boss.value(&format!("select boot_val from pg_settings where name = 'pg_tenant.{name}'")).await;
        let boot = boot.filter(|boot| !boot.is_empty()).map_or("empty".into(), |boot| format!("`{boot}`"));
        assert!(words.trim_end().ends_with(&format!("Default {boot}.")), "{name}: {words}");
    }
}

#[test]
fn a_sqlstate_has_no_row() {
    let rows: Vec<&str> = README.lines().filter(|line| line.starts_with("| TN")).collect();
    let row = |r: &Refusal| format!("| {} | {} | {} |", r.code(), r.condition(), r.summary());
    assert_eq!(rows, Refusal::ALL.iter().map(row).collect::<Vec<_>>());
}

/// `create extension` fails where a declared symbol is missing; the other way round nobody would notice.
#[tokio::test]
async fn each_symbol_of_the_library_has_its_declaration() {
    let db = database("symbols").await;
    let boss = db.superuser().await;
    let declared = "select prosrc from pg_proc
        where pronamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and prolang = 13";
    let declared = names(&boss, declared).await;
    let library: PathBuf = Install::current().pkglibdir.join("pg_tenant.so");
    let bytes = std::fs::read(&library).expect("read the library");
    let prefix = b"pg_finfo_";
    let exported: BTreeSet<String> = bytes
        .windows(prefix.len())
        .enumerate()
        .filter(|(_, window)| window == prefix)
        .map(|(at, _)| &bytes[at + prefix.len()..])
        .map(|rest| {
            rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').map(|&b| char::from(b)).collect()
        })
        .filter(|name: &String| name.starts_with("pg_tenant_"))
        .collect();
    assert_eq!(exported, declared);
}
