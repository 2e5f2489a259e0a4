//! Rows of `pg_policy`: which of them is a fence, or a part of one.

use super::condition::{Condition, tenant_condition};
use super::expression::required_permission;
use super::{Fence, Form, POLICY, Reader};
use crate::pg::catalog::{self, Row};
use crate::pg::membership;
use crate::pg::oids;
use crate::pg::plans::is_false;
use crate::pg::text;
use pgrx::pg_sys::{self, Node, Oid};

const POLICY_BY_OID: Oid = oids::PolicyOidIndexId;
const POLICY_BY_RELATION: Oid = oids::PolicyPolrelidPolnameIndexId;
const POLOID: i16 = 1;
const POLNAME: i16 = 2;
const POLRELID: i16 = 3;
const POLCMD: i16 = 4;
const POLPERMISSIVE: i16 = 5;
const POLROLES: i16 = 6;
const POLQUAL: i16 = 7;
const POLWITHCHECK: i16 = 8;

/// What a restrictive policy to PUBLIC has to do with a fence.
pub(super) struct Part {
    pub command: Command,
    pub name: Option<String>,
    policy: Oid,
    pub said: Condition,
}

/// What a policy is for, as far as fences are made of such.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    All,
    Update,
    Delete,
}

impl Part {
    pub fn fence(&self, form: Form) -> Fence {
        let Condition { column, reader, .. } = self.said;
        let given = if self.said.membership().is_some() { "tenant_membership" } else { "tenant_isolation" };
        let ours = self.name.as_deref() == Some(given);
        Fence { policy: self.policy, column, reader, form, ours, alone: false }
    }
}

pub(super) fn parts(relation: Oid) -> Vec<Part> {
    let mut found = Vec::new();
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| found.extend(read(row)));
    found
}

/// Whether the table has any policy.
pub fn has_any(relation: Oid) -> bool {
    let mut found = false;
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |_| found = true);
    found
}

/// The table that this policy is on.
pub fn table_of(policy: Oid) -> Option<Oid> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| found = Some(row.oid(POLRELID)));
    found
}

/// The conditions of all fences, as the catalog has them: the table is the range table's first entry. None of a table
/// that its tenants do not write.
pub fn fence_conditions(relation: Oid) -> Vec<*mut Node> {
    let mut found = Vec::new();
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| {
        let for_all = read(row).filter(|part| part.command == Command::All && part.said.membership().is_none());
        found.extend(for_all.and_then(|_| expression(row, POLQUAL)));
    });
    // SAFETY: whole node trees of our own.
    found.iter().for_each(|&node| unsafe { pg_sys::fix_opfuncids(node) });
    found
}

/// What a command on a table takes.
#[derive(Clone)]
pub struct Requirement {
    /// The command, as the right that it takes.
    pub right: u64,
    pub permission: String,
}

/// The permissions that restrictive policies to PUBLIC require for writing the table.
pub fn requirements(relation: Oid) -> Vec<Requirement> {
    let mut found = Vec::new();
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| found.extend(requirement(row)));
    found
}

fn requirement(row: Row) -> Option<Requirement> {
    let (right, condition) = match row.get(POLCMD)?.value() as u8 {
        b'a' => (pg_sys::ACL_INSERT, POLWITHCHECK),
        b'w' => (pg_sys::ACL_UPDATE, POLQUAL),
        b'd' => (pg_sys::ACL_DELETE, POLQUAL),
        _ => return None,
    };
    if row.get(POLPERMISSIVE)?.value() != 0 || !is_to_public(row) {
        return None;
    }
    // SAFETY: expression() gives a whole node tree.
    let permission = unsafe { required_permission(expression(row, condition)?) }?;
    Some(Requirement { right: right.into(), permission })
}

fn name(row: Row) -> Option<String> {
    // SAFETY: polname is a Name: NUL-terminated, and valid while the scan stands on the row.
    row.get(POLNAME).map(|name| unsafe { text::owned(name.cast_mut_ptr()) })
}

fn read(row: Row) -> Option<Part> {
    let command = match row.get(POLCMD)?.value() as u8 {
        b'*' => Command::All,
        b'w' => Command::Update,
        b'd' => Command::Delete,
        _ => return None,
    };
    if row.get(POLPERMISSIVE)?.value() != 0 || !is_to_public(row) {
        return None;
    }
    let said = condition(row)?;
    // A policy for one command is no fence by itself; it must admit own rows only. A membership fence must admit no
    // writes.
    let is_part = match said.form {
        Form::Own => true,
        Form::Membership(_) => command == Command::All && never_checks(row),
        Form::OrShared | Form::Torn | Form::Former => command == Command::All,
    };
    is_part.then(|| Part { command, name: name(row), policy: row.oid(POLOID), said })
}

/// The tenant's condition, where it is all that the policy says: in USING, and in WITH CHECK if there is one. Where
/// USING shows rows of nobody, WITH CHECK has to be there and to say that only the tenant's own are written.
fn condition(row: Row) -> Option<Condition> {
    let using = expression(row, POLQUAL)?;
    // SAFETY: expression() gives a whole node tree.
    if let Some((column, member)) = unsafe { membership::in_policy(using) } {
        // Every tenant has a value for it: the join table's own fence asks for the right one.
        return Some(Condition { column, reader: Reader::Text, form: Form::Membership(member) });
    }
    // SAFETY: as above.
    let condition = unsafe { tenant_condition(using) }?;
    let check = expression(row, POLWITHCHECK);
    if condition.form == Form::OrShared {
        // SAFETY: as above.
        let written = check.and_then(|check| unsafe { tenant_condition(check) });
        let own =
            |it: Condition| it.form == Form::Own && (it.column, it.reader) == (condition.column, condition.reader);
        let reads = row.get(POLCMD)?.value() as u8 == b'r';
        return (written.is_some_and(own) || reads).then_some(condition);
    }
    // SAFETY: both are whole node trees.
    check.is_none_or(|check| unsafe { pg_sys::equal(using.cast(), check.cast()) }).then_some(condition)
}

/// Whether what is written under the policy is refused, whatever it is.
fn never_checks(row: Row) -> bool {
    // SAFETY: expression() gives a whole node tree.
    expression(row, POLWITHCHECK).is_some_and(|check| unsafe { is_false(check) })
}

/// The form of the tenant's condition, where the policy says that and nothing else; it need not be a fence.
pub fn condition_form(policy: Oid) -> Option<Form> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| found = condition(row));
    found.map(|condition| condition.form)
}

/// The tenant column of a policy, fence or not, that says the equality alone, as 0.1.0 made them.
pub fn former_column(policy: Oid) -> Option<i16> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| found = condition(row));
    found.filter(|condition| condition.form == Form::Former).map(|condition| condition.column)
}

fn is_to_public(row: Row) -> bool {
    let Some(datum) = row.get(POLROLES) else { return false };
    // SAFETY: polroles is an oid[]; one dimension and no nulls are checked, so its data begins where the header ends.
    unsafe {
        let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        if (*array).ndim != 1 || (*array).dataoffset != 0 {
            return false;
        }
        let dims = array.add(1).cast::<i32>();
        let roles = std::slice::from_raw_parts(dims.add(2).cast::<Oid>(), *dims as usize);
        roles.contains(&Oid::INVALID)
    }
}

fn expression(row: Row, column: i16) -> Option<*mut Node> {
    let datum = row.get(column)?;
    // SAFETY: pg_node_tree is a text; stringToNode parses what PostgreSQL itself has written.
    Some(unsafe { pg_sys::stringToNode(pg_sys::text_to_cstring(datum.cast_mut_ptr())) }.cast())
}
