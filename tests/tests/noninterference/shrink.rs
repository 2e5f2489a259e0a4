//! What tells the worlds apart, without what came before it in the program.

use futures_util::future::join;
use pg_tenant_tests::Session;

use crate::compare::{difference, perform};
use crate::generator::Statement;

/// The difference of the last attack alone, if that is one.
pub async fn shrunk(program: &[Statement], tenant: &str, (one, two): (&Session, &Session)) -> Option<String> {
    let undo = [Statement::frame("rollback")];
    for at in program.iter().enumerate().filter(|(_, s)| s.sql == "savepoint attack").map(|(at, _)| at) {
        join(perform(one, &undo), perform(two, &undo)).await;
        let end = program[at..].iter().position(|s| s.sql == "rollback to attack").unwrap_or(0);
        let first = |s: &&Statement| {
            s.frame && ["begin", "set local", "select tenant.enter"].iter().any(|word| s.sql.starts_with(word))
        };
        let before = program[..at].iter().take_while(|s| !s.sql.starts_with("savepoint")).filter(first);
        let short: Vec<_> = before.chain(&program[at..at + end]).cloned().collect();
        let (crowded, sparse) = join(perform(one, &short), perform(two, &short)).await;
        if let Some(what) = difference(&short, tenant, &crowded, &sparse) {
            return Some(what);
        }
    }
    None
}
