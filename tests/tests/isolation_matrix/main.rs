//! A role, on some kind of table, with some verb, in some context, sees or changes a row that is another tenant's.
//!
//! Every combination is run. What came out is compared with `expected/isolation_matrix.out` (`GOLDENS=write` writes
//! it), and, whatever that file says: with a tenant entered nobody sees or changes a row that is not that tenant's.

mod world;

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;

use futures_util::TryStreamExt;
use pg_tenant_tests::golden::Goldens;
use pg_tenant_tests::{Install, Session};
use tokio_postgres::{Error, SimpleQueryMessage};
use world::{KINDS, Kind, Role};

/// `{t}` is the table, `{a}` the tenant a.
const VERBS: [(&str, &str); 8] = [
    ("select", "select tenant_id::text from {t}"),
    ("insert", "insert into {t} (tenant_id, id) values ('{a}', 100)"),
    ("update", "update {t} set note = 'x'"),
    ("delete", "delete from {t}"),
    ("merge", "merge into {t} t using (values (1), (4)) v (id) on t.id = v.id when matched then delete"),
    ("copy to", "copy (select tenant_id from {t}) to stdout"),
    ("truncate", "truncate {t}"),
    ("lock", "lock table {t}"),
];

/// What a cell saw or changed: the tenants of the rows; or the SQLSTATE that it ended with.
type Cell = Result<Vec<String>, String>;

fn sqlstate(error: &Error) -> String {
    error.as_db_error().map_or_else(|| format!("{error}"), |e| e.code().code().to_owned())
}

async fn column(session: &Session, sql: &str) -> Result<Vec<String>, Error> {
    let value = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
        _ => None,
    };
    Ok(session.simple_query(sql).await?.into_iter().filter_map(value).collect())
}

async fn act(session: &Session, verb: &str, sql: &str) -> Result<Vec<String>, Error> {
    if verb == "copy to" {
        let (mut stream, mut text) = (pin!(session.copy_out(sql).await?), String::new());
        while let Some(chunk) = stream.try_next().await? {
            text += &String::from_utf8_lossy(&chunk);
        }
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let seen = column(session, sql).await?;
    Ok(if verb == "select" { seen } else { column(session, "select tenant_id from changes").await? })
}

/// What a cell's transaction has entered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Context {
    Own,
    Other,
    None,
    System,
    Write,
}

/// In the order of the columns, and their names.
const CONTEXTS: [(&str, Context); 5] = [
    ("own", Context::Own),
    ("other", Context::Other),
    ("none", Context::None),
    ("system", Context::System),
    ("write", Context::Write),
];

impl Context {
    fn tenant(self, kind: &Kind) -> Option<&'static str> {
        match self {
            Context::Own => Some(kind.tenants[0]),
            Context::Other => Some(kind.tenants[1]),
            _ => None,
        }
    }

    fn enter(self, role: &Role, kind: &Kind) -> String {
        match (self, self.tenant(kind)) {
            (_, Some(tenant)) if !role.grants.is_empty() => {
                let id = role.grants.get(tenant).expect("a grant of each tenant");
                format!("select tenant.enter_as('{id}')")
            }
            (_, Some(tenant)) => format!("select tenant.enter('{tenant}')"),
            (Context::System, _) => "select tenant.enter_system('the matrix')".into(),
            (Context::Write, _) => "select tenant.enter_system('the matrix', write => true)".into(),
            _ => String::new(),
        }
    }
}

async fn cell(session: &Session, enter: &str, verb: &str, sql: &str) -> Cell {
    session.run("begin").await;
    let entered = session.batch_execute(enter).await;
    let done = match entered {
        Ok(()) => act(session, verb, sql).await.map_err(|e| sqlstate(&e)),
        Err(e) => Err(format!("~{}", sqlstate(&e))),
    };
    session.run("rollback").await;
    done
}

/// `3a 2b`, `0`, or the SQLSTATE.
fn print(cell: &Cell, kind: &Kind) -> String {
    let rows = match cell {
        Err(sqlstate) => return sqlstate.clone(),
        Ok(rows) if rows.is_empty() => return "0".into(),
        Ok(rows) if rows.iter().any(|row| row == "all") => return "all".into(),
        Ok(rows) => rows,
    };
    let count = |tenant: &str| rows.iter().filter(|row| *row == tenant).count();
    let [a, b] = kind.tenants.map(count);
    assert_eq!(a + b, rows.len(), "rows of neither tenant: {rows:?}");
    [(a, 'a'), (b, 'b')].iter().filter(|(n, _)| *n > 0).map(|(n, t)| format!("{n}{t}")).collect::<Vec<_>>().join(" ")
}

/// What no golden can allow.
fn require_isolation(role: &Role, kind: &Kind, verb: &str, context: Context, cell: &Cell) {
    let Ok(rows) = cell else { return };
    let tenant = if role.bound { Some(kind.tenants[0]) } else { context.tenant(kind) };
    let foreign = match (tenant, context) {
        (_, Context::System | Context::Write) if !role.system => true,
        (_, Context::System) => !["select", "copy to", "lock"].contains(&verb),
        (_, Context::Write) => false,
        _ if !kind.protected => false,
        (Some(tenant), _) => verb == "truncate" || verb == "lock" || rows.iter().any(|row| row != tenant),
        (None, _) => !role.exempt && !rows.is_empty(),
    };
    assert!(!foreign, "{} {} {verb} with {context:?}: {rows:?}", role.name, kind.name);
}

#[tokio::test]
async fn a_row_is_seen_by_another_tenant() {
    let db = pg_tenant_tests::database("matrix").await;
    let roles = world::build(&db).await;
    let mut lines = String::from(
        "-- Rows seen or changed, by tenant (3a 2b), or the SQLSTATE; ~ where entering was refused already.
-- own: tenant a entered. other: tenant b. none: no tenant. insert writes a row of a; the bound role lives in a.
-- system: the system context entered for reading; write: for writing. The operator is a member of tenant_system.
-- support is a member of tenant_support alone, and enters by grants for writing.\n",
    );
    let mut cells = 0;
    for role in &roles {
        for kind in &KINDS {
            for (verb, sql) in VERBS {
                if verb == "merge" && kind.relation.starts_with('v') {
                    continue; // from 17 only
                }
                let sql = sql.replace("{t}", kind.relation).replace("{a}", kind.tenants[0]);
                let mut line = format!("{:9} {:17} {verb:8}", role.name, kind.name);
                for (name, context) in CONTEXTS {
                    let cell = cell(role.session(kind), &context.enter(role, kind), verb, &sql).await;
                    require_isolation(role, kind, verb, context, &cell);
                    line += &format!("  {name} {:6}", print(&cell, kind));
                    cells += 1;
                }
                lines += &format!("{}\n", line.trim_end());
            }
        }
    }
    println!("{lines}{cells} cells");
    compare(&lines);
}

fn compare(lines: &str) {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/isolation_matrix");
    let goldens = Goldens::new(dir, Install::current().major);
    let result =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("isolation_matrix.{}.out", Install::current().major));
    std::fs::write(&result, lines).expect("write the result");
    if std::env::var("GOLDENS").is_ok_and(|mode| mode == "write") {
        goldens.accept("isolation_matrix", &result);
    }
    if let Err(diff) = goldens.compare("isolation_matrix", &result) {
        panic!("{diff}");
    }
}

/// The golden itself: it has every role, kind and verb, and the cells without which it would say nothing.
#[test]
fn the_matrix_has_a_hole() {
    let golden = include_str!("expected/isolation_matrix.out");
    let words = |from: usize, to: usize| golden.lines().skip(4).map(|l| l[from..to].trim()).collect::<BTreeSet<_>>();
    assert_eq!(words(0, 9).len(), 9);
    assert_eq!(words(10, 27), KINDS.iter().map(|kind| kind.name).collect());
    assert_eq!(words(28, 36), VERBS.iter().map(|(verb, _)| *verb).collect());
    for telling in [
        "app       uuid table        select    own 3a      other 2b      none TN001",
        "app       uuid table        truncate  own TN031   other TN031   none TN031",
        "superuser uuid table        select    own TN011   other TN011   none 3a 2b",
        "operator  uuid table        select    own 3a      other 2b      none TN001   system 3a 2b   write 3a 2b",
        "operator  uuid table        delete    own 3a      other 2b      none TN001   system 25006   write 3a 2b",
        "app       uuid table        select    own 3a      other 2b      none TN001   system ~TN013  write ~TN013",
        "support   uuid table        select    own 3a      other 2b      none TN001   system ~42501  write ~42501",
        "app       unprotected table select    own 3a 2b   other 3a 2b   none 3a 2b",
    ] {
        assert!(golden.contains(telling), "{telling}");
    }
}
