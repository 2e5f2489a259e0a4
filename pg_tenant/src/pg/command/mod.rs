//! Reading parse trees: what a utility command is about to do, as far as guards ask.

mod alter;
mod create;
mod query;

use crate::pg::list::nodes;
use crate::pg::text::{owned, owned_opt};
use alter::{alter_type, change, define, drop_policy, rename};
pub use create::{New, newcomer};
use pgrx::pg_sys::{self, Node, NodeTag, ObjectType, Oid, RangeVar};
use query::{create_table_as, explained};

/// A utility command, as far as guards ask.
pub enum Command {
    /// ALTER TABLE.
    AlterTable { table: Oid, changes: Vec<Change> },
    /// ALTER, RENAME or DROP of an existing policy.
    ChangePolicy { table: Oid, policy: String },
    /// CREATE RULE, INDEX or POLICY, a RENAME, CLUSTER and the like: a command on one table or an index of it.
    DefineOn { table: Oid, what: &'static str },
    /// VACUUM of tables, ANALYZE; no table stands for all. (VACUUM of all does not run in a transaction.)
    Maintain { tables: Vec<Oid> },
    /// CREATE TRIGGER.
    CreateTrigger { table: Oid },
    /// CREATE of a table, view, sequence or type.
    Create(New),
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW. The tables that it reads are known for the last only.
    CreateTableAs { materialized_view: bool, temporary: bool, ends: bool, reads: Vec<Oid> },
    /// EXPLAIN, and of what.
    Explain(Box<Command>),
    /// COPY between a table and a program or a file of the server.
    CopyFile,
    /// LOCK TABLE in a mode that holds up who only reads or writes rows.
    Lock { tables: Vec<Oid> },
    /// ALTER DOMAIN; ALTER TYPE of an enum.
    AlterType { changed: Oid, what: &'static str },
    /// DECLARE … WITH HOLD.
    HoldCursor,
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// PREPARE, by SQL.
    PrepareStatement,
    /// LISTEN.
    Listen,
    /// SET, RESET.
    Set,
    /// NOTIFY.
    Notify,
    /// DISCARD ALL.
    DiscardAll,
    /// GRANT SET or ALTER SYSTEM ON PARAMETER.
    GrantOnParameter { parameters: Vec<String> },
    /// ALTER ROLE ALL SET, ALTER DATABASE … SET.
    StoreSetting { parameter: String, of: &'static str },
    /// COMMIT, ROLLBACK and the like: runs in failed transactions too, so nothing may be looked up.
    Transaction,
    /// Anything else.
    Other,
}

/// One change of an ALTER TABLE.
pub enum Change {
    DisableRowSecurity,
    NoForceRowSecurity,
    DropColumn(String),
    AlterColumnType(String),
    DropNotNull(String),
    /// DETACH PARTITION of this one.
    Detach(Oid),
    /// ATTACH PARTITION of another; the table itself is the parent.
    Attach,
    /// INHERIT from this parent.
    Inherit(Oid),
    NoInherit,
    Other,
}

/// Reads a utility command.
///
/// # Safety
/// `node` is the utility statement of a `PlannedStmt`, valid during the call, in a transaction that can read catalogs
/// unless it is a transaction statement.
pub unsafe fn read(node: *mut Node, context: pg_sys::ProcessUtilityContext::Type) -> Command {
    // SAFETY: each cast follows the node's tag; lists and strings belong to the statement.
    unsafe {
        match (*node).type_ {
            NodeTag::T_TransactionStmt => {
                let statement = &*node.cast::<pg_sys::TransactionStmt>();
                match statement.kind {
                    pg_sys::TransactionStmtKind::TRANS_STMT_PREPARE => Command::PrepareTransaction,
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
            NodeTag::T_DropStmt => drop_policy(&*node.cast::<pg_sys::DropStmt>()),
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
            NodeTag::T_ClusterStmt => define((*node.cast::<pg_sys::ClusterStmt>()).relation, "CLUSTER"),
            NodeTag::T_ReindexStmt => define((*node.cast::<pg_sys::ReindexStmt>()).relation, "REINDEX"),
            NodeTag::T_AlterObjectSchemaStmt => {
                define((*node.cast::<pg_sys::AlterObjectSchemaStmt>()).relation, "SET SCHEMA")
            }
            NodeTag::T_VacuumStmt => {
                let statement = &*node.cast::<pg_sys::VacuumStmt>();
                let table = |node: *mut Node| oid((*node.cast::<pg_sys::VacuumRelation>()).relation);
                match nodes(statement.rels).map(table).collect::<Vec<_>>() {
                    tables if tables.is_empty() && statement.is_vacuumcmd => Command::Other,
                    tables => Command::Maintain { tables },
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
                let relations = statement.relations;
                Command::Lock { tables: nodes(relations).map(|node| oid(node.cast())).collect() }
            }
            NodeTag::T_DeclareCursorStmt => {
                let options = (*node.cast::<pg_sys::DeclareCursorStmt>()).options;
                if options & pg_sys::CURSOR_OPT_HOLD as i32 != 0 { Command::HoldCursor } else { Command::Other }
            }
            NodeTag::T_PrepareStmt => Command::PrepareStatement,
            NodeTag::T_ListenStmt => Command::Listen,
            NodeTag::T_VariableSetStmt => Command::Set,
            NodeTag::T_NotifyStmt => Command::Notify,
            NodeTag::T_DiscardStmt => match (*node.cast::<pg_sys::DiscardStmt>()).target {
                pg_sys::DiscardMode::DISCARD_ALL => Command::DiscardAll,
                _ => Command::Other,
            },
            NodeTag::T_GrantStmt => {
                let statement = &*node.cast::<pg_sys::GrantStmt>();
                if statement.objtype != ObjectType::OBJECT_PARAMETER_ACL || !statement.is_grant {
                    return Command::Other;
                }
                Command::GrantOnParameter { parameters: nodes(statement.objects).map(|node| string(node)).collect() }
            }
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
            // Part of another command: the sequence of a column, which ends with its table.
            NodeTag::T_CreateSeqStmt if context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND => {
                Command::Other
            }
            _ => create::read(node).map_or(Command::Other, Command::Create),
        }
    }
}

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

/// The same, and for an index the table it belongs to.
unsafe fn table(relation: *mut RangeVar) -> Oid {
    // SAFETY: as above; with missing_ok the lookup does not raise for what is no index.
    unsafe {
        let oid = oid(relation);
        let table = pg_sys::IndexGetRelation(oid, true);
        if table == Oid::INVALID { oid } else { table }
    }
}

/// The text of a String node.
unsafe fn string(node: *mut Node) -> String {
    // SAFETY: names in parse trees are String nodes.
    unsafe { owned((*node.cast::<pg_sys::String>()).sval) }
}
