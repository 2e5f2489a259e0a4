//! Reading parse trees: what a utility command is about to do, as far as guards ask.

use crate::pg::list::{self, nodes};
use crate::pg::text::{owned, owned_opt};
use pgrx::pg_sys::AlterTableType as At;
use pgrx::pg_sys::{self, List, Node, NodeTag, ObjectType, Oid, RangeVar};

/// A utility command, as far as guards ask.
pub enum Command {
    /// ALTER TABLE.
    AlterTable { table: Oid, changes: Vec<Change> },
    /// ALTER, RENAME or DROP of an existing policy.
    ChangePolicy { table: Oid, policy: String },
    /// CREATE TRIGGER, RULE, INDEX or POLICY, or a RENAME, on a table.
    DefineOn { table: Oid, what: &'static str },
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW. The tables that it reads are known for the last only.
    CreateTableAs { materialized_view: bool, temporary: bool, reads: Vec<Oid> },
    /// LOCK TABLE in a mode that holds up who only reads or writes rows.
    Lock { tables: Vec<Oid> },
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
    Other,
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
                    _ => Command::Transaction,
                }
            }
            NodeTag::T_AlterTableStmt => {
                let statement = &*node.cast::<pg_sys::AlterTableStmt>();
                let changes = nodes(statement.cmds).map(|node| change(node.cast())).collect();
                Command::AlterTable { table: oid(statement.relation), changes }
            }
            NodeTag::T_AlterPolicyStmt => {
                let statement = &*node.cast::<pg_sys::AlterPolicyStmt>();
                Command::ChangePolicy { table: oid(statement.table), policy: owned(statement.policy_name) }
            }
            NodeTag::T_DropStmt => drop_policy(&*node.cast::<pg_sys::DropStmt>()),
            NodeTag::T_RenameStmt => rename(&*node.cast::<pg_sys::RenameStmt>()),
            NodeTag::T_CreatePolicyStmt => define((*node.cast::<pg_sys::CreatePolicyStmt>()).table, "a policy"),
            NodeTag::T_CreateTrigStmt => define((*node.cast::<pg_sys::CreateTrigStmt>()).relation, "a trigger"),
            NodeTag::T_RuleStmt => define((*node.cast::<pg_sys::RuleStmt>()).relation, "a rule"),
            NodeTag::T_IndexStmt => define((*node.cast::<pg_sys::IndexStmt>()).relation, "an index"),
            NodeTag::T_CreateTableAsStmt => create_table_as(&*node.cast::<pg_sys::CreateTableAsStmt>()),
            NodeTag::T_ExplainStmt => {
                let query = (*node.cast::<pg_sys::ExplainStmt>()).query;
                explained(if (*query).type_ == NodeTag::T_Query { query.cast() } else { std::ptr::null_mut() })
            }
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
            _ => Command::Other,
        }
    }
}

unsafe fn change(command: *mut pg_sys::AlterTableCmd) -> Change {
    // SAFETY: the caller's node is an AlterTableCmd.
    unsafe {
        let name = || owned((*command).name);
        match (*command).subtype {
            At::AT_DisableRowSecurity => Change::DisableRowSecurity,
            At::AT_NoForceRowSecurity => Change::NoForceRowSecurity,
            At::AT_DropColumn => Change::DropColumn(name()),
            At::AT_AlterColumnType => Change::AlterColumnType(name()),
            At::AT_DropNotNull => Change::DropNotNull(name()),
            _ => Change::Other,
        }
    }
}

unsafe fn drop_policy(statement: &pg_sys::DropStmt) -> Command {
    if statement.removeType != ObjectType::OBJECT_POLICY {
        return Command::Other;
    }
    // SAFETY: PostgreSQL's grammar gives one object: a list of names, the table's and last the policy's.
    unsafe {
        let Some(names) = nodes(statement.objects).next().map(|node| node.cast::<List>()) else {
            return Command::Other;
        };
        let Some(policy) = nodes(names).last().map(|node| string(node)) else { return Command::Other };
        let table = pg_sys::list_truncate(pg_sys::list_copy(names), list::length(names) as i32 - 1);
        Command::ChangePolicy { table: oid(pg_sys::makeRangeVarFromNameList(table)), policy }
    }
}

unsafe fn rename(statement: &pg_sys::RenameStmt) -> Command {
    // SAFETY: the statement's relation is a RangeVar or null.
    unsafe {
        match statement.renameType {
            ObjectType::OBJECT_POLICY => {
                Command::ChangePolicy { table: oid(statement.relation), policy: owned(statement.subname) }
            }
            _ if statement.relation.is_null() => Command::Other,
            _ => define(statement.relation, "a new name"),
        }
    }
}

unsafe fn define(relation: *mut RangeVar, what: &'static str) -> Command {
    // SAFETY: the caller's relation is a RangeVar.
    Command::DefineOn { table: unsafe { oid(relation) }, what }
}

unsafe fn create_table_as(statement: &pg_sys::CreateTableAsStmt) -> Command {
    // SAFETY: parse analysis has made query a Query, or left an ExecuteStmt.
    unsafe {
        let materialized_view = statement.objtype == ObjectType::OBJECT_MATVIEW;
        let target = &*(*statement.into).rel;
        let temporary =
            target.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP || owned(target.schemaname) == "pg_temp";
        let analyzed = (*statement.query).type_ == NodeTag::T_Query;
        let reads = if materialized_view && analyzed { tables_read(statement.query) } else { Vec::new() };
        Command::CreateTableAs { materialized_view, temporary, reads }
    }
}

/// EXPLAIN ANALYZE of a CREATE TABLE AS makes the table.
unsafe fn explained(query: *mut pg_sys::Query) -> Command {
    // SAFETY: the caller's query is null or a Query; what is explained was analyzed, as read() asks for.
    unsafe {
        if query.is_null() || (*query).utilityStmt.is_null() {
            return Command::Other;
        }
        match read((*query).utilityStmt) {
            command @ Command::CreateTableAs { .. } => command,
            _ => Command::Other,
        }
    }
}

/// Every relation that a query reads, through views too.
unsafe fn tables_read(query: *mut Node) -> Vec<Oid> {
    // SAFETY: the rewriter scribbles on its input, so it gets a copy; the oid list is PostgreSQL's own.
    unsafe {
        let rewritten = pg_sys::QueryRewrite(pg_sys::copyObjectImpl(query.cast()).cast());
        let (mut oids, mut items, mut depends_on_row_security) = (std::ptr::null_mut(), std::ptr::null_mut(), false);
        pg_sys::extract_query_dependencies(rewritten.cast(), &mut oids, &mut items, &mut depends_on_row_security);
        list::oids(oids).collect()
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

/// The text of a String node.
unsafe fn string(node: *mut Node) -> String {
    // SAFETY: names in parse trees are String nodes.
    unsafe { owned((*node.cast::<pg_sys::String>()).sval) }
}
