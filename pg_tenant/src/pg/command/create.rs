//! New tables: below which others, and whether they outlive the transaction.

use super::{Change, Command, change, oid};
use crate::pg::list::{self, nodes};
use crate::pg::text::owned_opt;
use pgrx::pg_sys::{self, Node, NodeTag, Oid, RangeVar};

/// What a CREATE TABLE makes.
pub struct New {
    /// The tables that it is made after, and whether their defaults are taken along.
    pub like: Vec<(Oid, bool)>,
    /// The tables that it becomes a partition or child of.
    pub parents: Vec<Oid>,
    /// It would stand in the session's temporary schema.
    pub temporary: bool,
}

/// Reads the creation of a table or a view; none for anything else.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn read(node: *mut Node) -> Option<Command> {
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*node).type_ {
            NodeTag::T_CreateStmt | NodeTag::T_CreateForeignTableStmt => {
                // A foreign table's statement begins with a table's.
                let statement = &*node.cast::<pg_sys::CreateStmt>();
                let parents = nodes(statement.inhRelations).map(|parent| oid(parent.cast())).collect();
                let like = nodes(statement.tableElts).filter(|&element| (*element).type_ == NodeTag::T_TableLikeClause);
                let like = like.map(|clause| {
                    let clause = &*clause.cast::<pg_sys::TableLikeClause>();
                    (oid(clause.relation), clause.options & pg_sys::TableLikeOption::CREATE_TABLE_LIKE_DEFAULTS != 0)
                });
                let like = like.collect();
                Some(Command::Create(New { like, parents, temporary: is_temporary(statement.relation) }))
            }
            NodeTag::T_ViewStmt => Some(Command::CreateView),
            _ => None,
        }
    }
}

/// Whether what a command makes ends with the transaction; none for a part of another one that does not say.
///
/// # Safety
/// As [`super::read`].
pub unsafe fn ends_with_transaction(node: *mut Node, context: pg_sys::ProcessUtilityContext::Type) -> Option<bool> {
    let drops = |action: pg_sys::OnCommitAction::Type| Some(action == pg_sys::OnCommitAction::ONCOMMIT_DROP);
    // SAFETY: each cast follows the node's tag; what is explained is null or a Query where it makes a table.
    unsafe {
        match (*node).type_ {
            NodeTag::T_CreateStmt => drops((*node.cast::<pg_sys::CreateStmt>()).oncommit),
            NodeTag::T_CreateTableAsStmt => drops((*(*node.cast::<pg_sys::CreateTableAsStmt>()).into).onCommit),
            NodeTag::T_ExplainStmt => {
                let query = (*node.cast::<pg_sys::ExplainStmt>()).query;
                let analyzed = !query.is_null() && (*query).type_ == NodeTag::T_Query;
                let command = if analyzed { (*query.cast::<pg_sys::Query>()).utilityStmt } else { query };
                let makes = !command.is_null() && (*command).type_ == NodeTag::T_CreateTableAsStmt;
                if makes { ends_with_transaction(command, context) } else { Some(false) }
            }
            _ if context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND => None,
            _ => Some(false),
        }
    }
}

/// What a command which has run has made, or put below another table, if it did.
///
/// # Safety
/// As [`super::read`].
pub unsafe fn new_child(node: *mut Node) -> Option<Oid> {
    // SAFETY: each cast follows the node's tag. What the command wrote becomes visible first.
    unsafe {
        if !matches!(
            (*node).type_,
            NodeTag::T_CreateStmt
                | NodeTag::T_CreateForeignTableStmt
                | NodeTag::T_CreateTableAsStmt
                | NodeTag::T_AlterTableStmt
                | NodeTag::T_ViewStmt
        ) {
            return None;
        }
        pg_sys::CommandCounterIncrement();
        match (*node).type_ {
            NodeTag::T_CreateStmt | NodeTag::T_CreateForeignTableStmt => {
                Some(oid((*node.cast::<pg_sys::CreateStmt>()).relation))
            }
            NodeTag::T_CreateTableAsStmt => Some(oid((*(*node.cast::<pg_sys::CreateTableAsStmt>()).into).rel)),
            NodeTag::T_AlterTableStmt => {
                let statement = &*node.cast::<pg_sys::AlterTableStmt>();
                nodes(statement.cmds).find_map(|command| match change(command.cast()) {
                    Change::Attach => {
                        let command = &*command.cast::<pg_sys::AlterTableCmd>();
                        Some(oid((*command.def.cast::<pg_sys::PartitionCmd>()).name))
                    }
                    Change::Inherit(_) => Some(oid(statement.relation)),
                    _ => None,
                })
            }
            NodeTag::T_ViewStmt => Some(oid((*node.cast::<pg_sys::ViewStmt>()).view)),
            _ => None,
        }
    }
}

/// Whether the name is that of a temporary relation.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn is_temporary(name: *mut RangeVar) -> bool {
    // SAFETY: the caller's node is a RangeVar.
    unsafe {
        (*name).relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP || stands_in_temporary_schema((*name).schemaname)
    }
}

/// Whether what is made in this schema, or where none is named in the first of the path, is temporary.
///
/// # Safety
/// `schema` is null or a NUL-terminated text.
unsafe fn stands_in_temporary_schema(schema: *const std::ffi::c_char) -> bool {
    // SAFETY: the schema is null or a NUL-terminated text; lookups with missing_ok.
    unsafe {
        match owned_opt(schema) {
            Some(name) if name == "pg_temp" => true,
            Some(_) => pg_sys::isTempNamespace(pg_sys::get_namespace_oid(schema, true)),
            None => {
                let path = pg_sys::fetch_search_path(false);
                list::oids(path).next().is_some_and(|first| pg_sys::isTempNamespace(first))
            }
        }
    }
}
