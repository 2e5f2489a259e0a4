//! Commands that run a query: CREATE TABLE AS, EXPLAIN.

use super::create::is_temporary;
use super::{Command, read};
use crate::pg::list;
use pgrx::pg_sys::{self, Node, NodeTag, ObjectType, Oid};

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn create_table_as(statement: &pg_sys::CreateTableAsStmt) -> Command {
    // SAFETY: parse analysis has made query a Query, or left an ExecuteStmt.
    unsafe {
        let materialized_view = statement.objtype == ObjectType::OBJECT_MATVIEW;
        let temporary = is_temporary((*statement.into).rel);
        let analyzed = (*statement.query).type_ == NodeTag::T_Query;
        let reads =
            if (materialized_view || !temporary) && analyzed { tables_read(statement.query) } else { Vec::new() };
        Command::CreateTableAs { materialized_view, temporary, reads }
    }
}

/// EXPLAIN, and what it explains where that is a command: EXPLAIN ANALYZE of a CREATE TABLE AS makes the table.
///
/// # Safety
/// As [`super::read`].
pub unsafe fn explained(query: *mut Node) -> Command {
    // SAFETY: what is explained is null, a Query, or a statement that parse analysis leaves as it is; an analyzed
    // command is as read() asks for.
    unsafe {
        let analyzed = !query.is_null() && (*query).type_ == NodeTag::T_Query;
        let command = if analyzed { (*query.cast::<pg_sys::Query>()).utilityStmt } else { std::ptr::null_mut() };
        let inner = if command.is_null() { Command::Other } else { read(command) };
        Command::Explain(Box::new(match inner {
            command @ Command::CreateTableAs { .. } => command,
            _ => Command::Other,
        }))
    }
}

/// Every relation that a query reads, through views too.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
unsafe fn tables_read(query: *mut Node) -> Vec<Oid> {
    // SAFETY: the rewriter scribbles on its input, so it gets a copy; the oid list is PostgreSQL's own.
    unsafe {
        let rewritten = pg_sys::QueryRewrite(pg_sys::copyObjectImpl(query.cast()).cast());
        let (mut oids, mut items, mut depends_on_row_security) = (std::ptr::null_mut(), std::ptr::null_mut(), false);
        pg_sys::extract_query_dependencies(rewritten.cast(), &mut oids, &mut items, &mut depends_on_row_security);
        list::oids(oids).collect()
    }
}

/// Whether a command is counted as a statement: not those that begin and end transactions, nor those that run a query
/// which is counted itself.
///
/// # Safety
/// The argument is a statement that PostgreSQL is about to run.
pub unsafe fn is_statement(node: *mut Node) -> bool {
    let others = [NodeTag::T_TransactionStmt, NodeTag::T_ExecuteStmt, NodeTag::T_DeclareCursorStmt];
    // SAFETY: the caller's promise.
    !others.contains(&unsafe { (*node).type_ })
}

/// Whether it is COPY into a table.
///
/// # Safety
/// As [`is_statement`].
pub unsafe fn is_copy_from(node: *mut Node) -> bool {
    // SAFETY: the caller's promise; the cast follows the node's tag.
    unsafe { (*node).type_ == NodeTag::T_CopyStmt && (*node.cast::<pg_sys::CopyStmt>()).is_from }
}
