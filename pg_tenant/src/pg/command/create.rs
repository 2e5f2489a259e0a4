//! New objects: what is made, below which tables, and whether it outlives the transaction.

use super::{Change, change, oid, string};
use crate::pg::list::{self, nodes};
use crate::pg::text::owned_opt;
use pgrx::pg_sys::{self, List, Node, NodeTag, Oid, RangeVar};

/// What a CREATE makes.
pub struct New {
    pub what: &'static str,
    /// A table, which holds rows.
    pub table: bool,
    /// The tables that it is made after, and whether their defaults are taken along.
    pub like: Vec<(Oid, bool)>,
    /// The tables that it becomes a partition or child of.
    pub parents: Vec<Oid>,
    /// It would stand in the session's temporary schema.
    pub temporary: bool,
    /// It ends with the transaction.
    pub ends: bool,
}

/// Reads the creation of a table, view, sequence or type; none for anything else.
pub unsafe fn read(node: *mut Node) -> Option<New> {
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
                let ends = statement.oncommit == pg_sys::OnCommitAction::ONCOMMIT_DROP;
                Some(New { table: true, like, parents, ends, ..relation(statement.relation, "a table") })
            }
            NodeTag::T_ViewStmt => Some(relation((*node.cast::<pg_sys::ViewStmt>()).view, "a view")),
            NodeTag::T_CreateSeqStmt => Some(relation((*node.cast::<pg_sys::CreateSeqStmt>()).sequence, "a sequence")),
            NodeTag::T_CompositeTypeStmt => {
                Some(relation((*node.cast::<pg_sys::CompositeTypeStmt>()).typevar, "a type"))
            }
            NodeTag::T_CreateEnumStmt => Some(named((*node.cast::<pg_sys::CreateEnumStmt>()).typeName, "a type")),
            NodeTag::T_CreateRangeStmt => Some(named((*node.cast::<pg_sys::CreateRangeStmt>()).typeName, "a type")),
            NodeTag::T_CreateDomainStmt => {
                Some(named((*node.cast::<pg_sys::CreateDomainStmt>()).domainname, "a domain"))
            }
            // Functions and operators: the temporary schema is never searched for them.
            _ => None,
        }
    }
}

/// What a command which has run has made, or put below another table, if it did.
///
/// # Safety
/// As [`super::read`].
pub unsafe fn newcomer(node: *mut Node) -> Option<Oid> {
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

unsafe fn relation(name: *mut RangeVar, what: &'static str) -> New {
    // SAFETY: the caller's node is a RangeVar.
    unsafe {
        let declared = (*name).relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP;
        let temporary = declared || stands_in_temporary_schema((*name).schemaname);
        New { what, table: false, like: Vec::new(), parents: Vec::new(), temporary, ends: false }
    }
}

unsafe fn named(names: *mut List, what: &'static str) -> New {
    // SAFETY: the caller's list holds String nodes: a name, perhaps after a schema.
    unsafe {
        let mut schema = std::ptr::null();
        let first = nodes(names).next().filter(|_| list::length(names) > 1).map(|node| string(node));
        let copy = first.map(crate::pg::text::ctext);
        if let Some(copy) = copy {
            schema = copy.as_ptr();
        }
        let temporary = stands_in_temporary_schema(schema);
        New { what, table: false, like: Vec::new(), parents: Vec::new(), temporary, ends: false }
    }
}

/// Whether what is made in this schema, or where none is named in the first of the path, is temporary.
pub unsafe fn stands_in_temporary_schema(schema: *const std::ffi::c_char) -> bool {
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
