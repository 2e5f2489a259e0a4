//! Changes of tables and policies that are there.

use super::{Change, Command, of_kind, oid, string, table};
use crate::pg::list::{self, nodes};
use crate::pg::text::owned;
use pgrx::pg_sys::AlterTableType as At;
use pgrx::pg_sys::{self, List, ObjectType, RangeVar};

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn change(command: *mut pg_sys::AlterTableCmd) -> Change {
    // SAFETY: the caller's node is an AlterTableCmd.
    unsafe {
        let name = || owned((*command).name);
        let partition = || oid((*(*command).def.cast::<pg_sys::PartitionCmd>()).name);
        match (*command).subtype {
            At::AT_DisableRowSecurity => Change::DisableRowSecurity,
            At::AT_NoForceRowSecurity => Change::NoForceRowSecurity,
            At::AT_DropColumn => Change::DropColumn(name()),
            At::AT_AlterColumnType => Change::AlterColumnType(name()),
            At::AT_DropNotNull => Change::DropNotNull(name()),
            At::AT_DetachPartition | At::AT_DetachPartitionFinalize => Change::Detach(partition()),
            At::AT_AttachPartition => Change::Attach,
            At::AT_AddInherit => Change::Inherit(oid((*command).def.cast())),
            At::AT_DropInherit => Change::NoInherit,
            _ => Change::Other,
        }
    }
}

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn dropped(statement: &pg_sys::DropStmt) -> Command {
    if statement.removeType != ObjectType::OBJECT_POLICY {
        return of_kind(statement.removeType);
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

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn rename(statement: &pg_sys::RenameStmt) -> Command {
    // SAFETY: the statement's relation is a RangeVar or null.
    unsafe {
        match statement.renameType {
            ObjectType::OBJECT_POLICY => {
                Command::ChangePolicy { table: oid(statement.relation), policy: owned(statement.subname) }
            }
            kind if statement.relation.is_null() => of_kind(kind),
            _ => define(statement.relation, "RENAME"),
        }
    }
}

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn define(relation: *mut RangeVar, what: &'static str) -> Command {
    // SAFETY: the caller's relation is a RangeVar.
    Command::DefineOn { table: unsafe { table(relation) }, what }
}

/// # Safety
/// The argument is null or a valid part of the statement that [`super::read`] was given.
pub unsafe fn alter_type(names: *mut List, what: &'static str) -> Command {
    // SAFETY: the caller's list names a type; with missing_ok the lookup gives InvalidOid where there is none.
    unsafe {
        let name = pg_sys::makeTypeNameFromNameList(names);
        Command::AlterType { changed: pg_sys::LookupTypeNameOid(std::ptr::null_mut(), name, true), what }
    }
}
