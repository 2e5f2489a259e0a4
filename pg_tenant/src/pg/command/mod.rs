//! Reading parse trees: what a utility command is about to do, as far as guards ask.

mod alter;
mod create;
mod kinds;
mod query;

use crate::pg::list::nodes;
use crate::pg::parts;
use crate::pg::text::{owned, owned_opt};
use alter::{alter_type, change, define, dropped, rename};
pub use create::{New, ends_with_transaction, new_child};
pub use kinds::{Change, Command};
use pgrx::pg_sys::{self, Node, NodeTag, ObjectType, Oid, RangeVar};
use query::{create_table_as, explained};
pub use query::{is_copy_from, is_statement};
use std::ffi::CStr;

/// Whether this is COMMIT PREPARED.
///
/// # Safety
/// As [`read`].
pub unsafe fn commits_prepared(node: *mut Node) -> bool {
    // SAFETY: the cast follows the node's tag.
    unsafe {
        (*node).type_ == NodeTag::T_TransactionStmt
            && (*node.cast::<pg_sys::TransactionStmt>()).kind == pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED
    }
}

/// Reads a utility command.
///
/// # Safety
/// `node` is the utility statement of a `PlannedStmt`, valid during the call, in a transaction that can read catalogs
/// unless it is a transaction statement.
pub unsafe fn read(node: *mut Node) -> Command {
    // SAFETY: each cast follows the node's tag; lists and strings belong to the statement.
    unsafe {
        match (*node).type_ {
            NodeTag::T_TransactionStmt => {
                let statement = &*node.cast::<pg_sys::TransactionStmt>();
                match statement.kind {
                    pg_sys::TransactionStmtKind::TRANS_STMT_PREPARE => Command::PrepareTransaction,
                    pg_sys::TransactionStmtKind::TRANS_STMT_BEGIN | pg_sys::TransactionStmtKind::TRANS_STMT_START => {
                        Command::Begin
                    }
                    _ => Command::Transaction,
                }
            }
            NodeTag::T_AlterTableStmt => {
                let statement = &*node.cast::<pg_sys::AlterTableStmt>();
                let changes = nodes(statement.cmds).map(|node| change(node.cast())).collect();
                Command::AlterTable { table: table(statement.relation), changes }
            }
            NodeTag::T_AlterPolicyStmt => {
                let statement = &*node.cast::<pg_sys::AlterPolicyStmt>();
                Command::ChangePolicy { table: oid(statement.table), policy: owned(statement.policy_name) }
            }
            NodeTag::T_DropStmt => dropped(&*node.cast::<pg_sys::DropStmt>()),
            NodeTag::T_RenameStmt => rename(&*node.cast::<pg_sys::RenameStmt>()),
            NodeTag::T_CreatePolicyStmt => define((*node.cast::<pg_sys::CreatePolicyStmt>()).table, "CREATE POLICY"),
            NodeTag::T_CreateTrigStmt => {
                Command::CreateTrigger { table: oid((*node.cast::<pg_sys::CreateTrigStmt>()).relation) }
            }
            NodeTag::T_RuleStmt => define((*node.cast::<pg_sys::RuleStmt>()).relation, "CREATE RULE"),
            NodeTag::T_IndexStmt => define((*node.cast::<pg_sys::IndexStmt>()).relation, "CREATE INDEX"),
            NodeTag::T_CreateTableAsStmt => create_table_as(&*node.cast::<pg_sys::CreateTableAsStmt>()),
            NodeTag::T_ExplainStmt => explained((*node.cast::<pg_sys::ExplainStmt>()).query),
            NodeTag::T_CopyStmt => {
                let statement = &*node.cast::<pg_sys::CopyStmt>();
                if statement.is_program || !statement.filename.is_null() { Command::CopyFile } else { Command::Other }
            }
            NodeTag::T_ClusterStmt => on_table_or_all((*node.cast::<pg_sys::ClusterStmt>()).relation, "CLUSTER"),
            NodeTag::T_ReindexStmt => on_table_or_all((*node.cast::<pg_sys::ReindexStmt>()).relation, "REINDEX"),
            NodeTag::T_AlterSeqStmt => {
                Command::AlterSequence { sequence: oid((*node.cast::<pg_sys::AlterSeqStmt>()).sequence) }
            }
            NodeTag::T_RefreshMatViewStmt => {
                Command::Refresh { view: oid((*node.cast::<pg_sys::RefreshMatViewStmt>()).relation) }
            }
            NodeTag::T_CreatePublicationStmt | NodeTag::T_AlterPublicationStmt => {
                Command::Publish { what: "a publication" }
            }
            NodeTag::T_CreateSubscriptionStmt | NodeTag::T_AlterSubscriptionStmt | NodeTag::T_DropSubscriptionStmt => {
                Command::Publish { what: "a subscription" }
            }
            NodeTag::T_CommentStmt => of_kind((*node.cast::<pg_sys::CommentStmt>()).objtype),
            NodeTag::T_AlterOwnerStmt => of_kind((*node.cast::<pg_sys::AlterOwnerStmt>()).objectType),
            NodeTag::T_SecLabelStmt => of_kind((*node.cast::<pg_sys::SecLabelStmt>()).objtype),
            NodeTag::T_ImportForeignSchemaStmt => Command::ImportForeignSchema,
            NodeTag::T_AlterObjectSchemaStmt => {
                define((*node.cast::<pg_sys::AlterObjectSchemaStmt>()).relation, "SET SCHEMA")
            }
            NodeTag::T_VacuumStmt => {
                let statement = &*node.cast::<pg_sys::VacuumStmt>();
                let table = |node: *mut Node| oid((*node.cast::<pg_sys::VacuumRelation>()).relation);
                match nodes(statement.rels).map(table).collect::<Vec<_>>() {
                    tables if !tables.is_empty() => Command::Maintain { tables },
                    _ if statement.is_vacuumcmd => Command::MaintainAll { what: "VACUUM" },
                    _ => Command::MaintainAll { what: "ANALYZE" },
                }
            }
            NodeTag::T_AlterDomainStmt => {
                alter_type((*node.cast::<pg_sys::AlterDomainStmt>()).typeName, "ALTER DOMAIN")
            }
            NodeTag::T_AlterEnumStmt => alter_type((*node.cast::<pg_sys::AlterEnumStmt>()).typeName, "ALTER TYPE"),
            NodeTag::T_LockStmt => {
                let statement = &*node.cast::<pg_sys::LockStmt>();
                if statement.mode <= pg_sys::RowExclusiveLock as i32 {
                    return Command::Other;
                }
                let named = |node: *mut Node| (oid(node.cast()), (*node.cast::<RangeVar>()).inh);
                Command::Lock { tables: nodes(statement.relations).map(named).collect() }
            }
            NodeTag::T_DeclareCursorStmt => {
                let statement = &*node.cast::<pg_sys::DeclareCursorStmt>();
                if statement.options & pg_sys::CURSOR_OPT_HOLD as i32 == 0 {
                    return Command::Other;
                }
                Command::HoldCursor { name: CStr::from_ptr(statement.portalname).to_owned() }
            }
            NodeTag::T_PrepareStmt => {
                let name = CStr::from_ptr((*node.cast::<pg_sys::PrepareStmt>()).name).to_owned();
                Command::PrepareStatement { name }
            }
            NodeTag::T_ListenStmt => {
                Command::Listen { channel: owned((*node.cast::<pg_sys::ListenStmt>()).conditionname) }
            }
            NodeTag::T_UnlistenStmt if (*node.cast::<pg_sys::UnlistenStmt>()).conditionname.is_null() => {
                Command::UnlistenAll
            }
            NodeTag::T_VariableSetStmt if names_the_request(node) => Command::Other,
            NodeTag::T_VariableSetStmt => Command::Set,
            NodeTag::T_NotifyStmt => {
                let statement = &*node.cast::<pg_sys::NotifyStmt>();
                let has_payload = !statement.payload.is_null() && *statement.payload != 0;
                Command::Notify { channel: owned(statement.conditionname), has_payload }
            }
            NodeTag::T_DiscardStmt => match (*node.cast::<pg_sys::DiscardStmt>()).target {
                pg_sys::DiscardMode::DISCARD_ALL => Command::DiscardAll,
                _ => Command::Other,
            },
            NodeTag::T_GrantStmt => {
                let statement = &*node.cast::<pg_sys::GrantStmt>();
                if statement.objtype == ObjectType::OBJECT_LARGEOBJECT {
                    return Command::LargeObject;
                }
                if statement.objtype != ObjectType::OBJECT_PARAMETER_ACL || !statement.is_grant {
                    return Command::Other;
                }
                Command::GrantOnParameter { parameters: nodes(statement.objects).map(|node| string(node)).collect() }
            }
            NodeTag::T_GrantRoleStmt => Command::ChangeRole { what: "GRANT or REVOKE of a role" },
            NodeTag::T_DropOwnedStmt => Command::ChangeOwned { what: "DROP OWNED" },
            NodeTag::T_ReassignOwnedStmt => Command::ChangeOwned { what: "REASSIGN OWNED" },
            NodeTag::T_AlterRoleSetStmt => {
                // For one role it is what bind_role does, and what pg_dumpall writes; only a superuser can.
                let statement = &*node.cast::<pg_sys::AlterRoleSetStmt>();
                if !statement.role.is_null() {
                    return Command::Other;
                }
                store_setting(statement.setstmt, "every role")
            }
            NodeTag::T_AlterDatabaseSetStmt => {
                store_setting((*node.cast::<pg_sys::AlterDatabaseSetStmt>()).setstmt, "a database")
            }
            _ => create::read(node).unwrap_or(Command::Other),
        }
    }
}

/// # Safety
/// The argument is null or a valid part of the statement that [`read`] was given.
unsafe fn store_setting(statement: *mut pg_sys::VariableSetStmt, of: &'static str) -> Command {
    // SAFETY: the caller's node is a VariableSetStmt.
    unsafe {
        use pg_sys::VariableSetKind::*;
        match ((*statement).kind, owned_opt((*statement).name)) {
            (VAR_SET_VALUE | VAR_SET_CURRENT, Some(parameter)) => Command::StoreSetting { parameter, of },
            _ => Command::Other,
        }
    }
}

/// The relation's oid, or InvalidOid where there is none: PostgreSQL itself will say so.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`read`] was given.
unsafe fn oid(relation: *mut RangeVar) -> Oid {
    if relation.is_null() {
        return Oid::INVALID;
    }
    // SAFETY: a lookup without a lock and without a callback; with MISSING_OK it does not raise for a missing relation.
    unsafe {
        let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
        pg_sys::RangeVarGetRelidExtended(relation, pg_sys::NoLock as i32, missing_ok, None, std::ptr::null_mut())
    }
}

/// The same, and for an index, a TOAST table or a column's sequence the table it belongs to.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`read`] was given.
unsafe fn table(relation: *mut RangeVar) -> Oid {
    // SAFETY: as above.
    parts::holder(unsafe { oid(relation) })
}

/// A command on this table, or on all where none is named.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`read`] was given.
unsafe fn on_table_or_all(relation: *mut RangeVar, what: &'static str) -> Command {
    // SAFETY: the caller's relation is a RangeVar or null.
    if relation.is_null() { Command::MaintainAll { what } } else { unsafe { define(relation, what) } }
}

/// SET LOCAL of a setting that ends with the transaction and tells nothing: poolers need not look for what it left.
///
/// # Safety
/// The argument is a VariableSetStmt.
unsafe fn names_the_request(node: *mut Node) -> bool {
    // SAFETY: the caller's promise; the name is null or NUL-terminated.
    unsafe {
        let set = &*node.cast::<pg_sys::VariableSetStmt>();
        set.is_local && !set.name.is_null() && CStr::from_ptr(set.name) == c"pg_tenant.request_id"
    }
}

/// A command that is judged for the kind of its object alone.
fn of_kind(kind: ObjectType::Type) -> Command {
    match kind {
        ObjectType::OBJECT_LARGEOBJECT => Command::LargeObject,
        ObjectType::OBJECT_ROLE => Command::ChangeRole { what: "a comment on a role, or a label of it," },
        ObjectType::OBJECT_DATABASE => Command::ChangeRole { what: "a change of a database" },
        ObjectType::OBJECT_PUBLICATION => Command::Publish { what: "a publication" },
        ObjectType::OBJECT_SUBSCRIPTION => Command::Publish { what: "a subscription" },
        _ => Command::Other,
    }
}

/// The text of a String node.
///
/// # Safety
/// The argument is null or a valid part of the statement that [`read`] was given.
unsafe fn string(node: *mut Node) -> String {
    // SAFETY: names in parse trees are String nodes.
    unsafe { owned((*node.cast::<pg_sys::String>()).sval) }
}
