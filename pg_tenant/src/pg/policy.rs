//! Reading policies from the catalog and recognising the tenant fence among them.
//!
//! A fence is a restrictive policy FOR ALL TO PUBLIC whose USING, and WITH CHECK where it has one, is just
//! `column = tenant.current_…() and tenant.is_current(column)`. The equality is there for the planner, which may take it
//! out of a plan again; the function decides. The fence of 0.1.0 was the equality alone: it is recognised, so that it is
//! guarded and can be mended. Functions are recognised by the address of their code ([`crate::pg::own_function`]).

use crate::pg::catalog::{self, Row};
use crate::pg::own_function::{self, Own};
use crate::pg::{list, text};
use pgrx::pg_sys::{self, Node, NodeTag, Oid};

/// The catalog `pg_policy`.
pub const POLICY: Oid = Oid::from_u32(3256);
const POLICY_BY_OID: Oid = Oid::from_u32(3257);
const POLICY_BY_RELATION: Oid = Oid::from_u32(3258);
const POLOID: i16 = 1;
const POLNAME: i16 = 2;
const POLRELID: i16 = 3;
const POLCMD: i16 = 4;
const POLPERMISSIVE: i16 = 5;
const POLROLES: i16 = 6;
const POLQUAL: i16 = 7;
const POLWITHCHECK: i16 = 8;

/// Which of our functions reads the current tenant, and so in which type the table is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Uuid,
    Bigint,
    Text,
}

/// What a fence lets a tenant reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The tenant's own rows.
    Own,
    /// The same, said by the equality alone, as 0.1.0 made it: the planner can lose it.
    Former,
}

/// A tenant fence of a table.
#[derive(Clone, Copy)]
pub struct Fence {
    pub policy: Oid,
    pub column: i16,
    pub reader: Reader,
    pub form: Form,
    /// The table has no other.
    pub alone: bool,
    /// It has the name that `tenant.protect` gives.
    ours: bool,
}

impl Fence {
    /// Whether the planner can lose it.
    pub fn is_former(&self) -> bool {
        self.form == Form::Former
    }
}

/// The fence of this table that `tenant.protect` made, or another one, if it has any.
pub fn fence(relation: Oid) -> Option<Fence> {
    let fences = fences(relation);
    let alone = fences.len() == 1;
    let first = fences.into_iter().min_by_key(|fence| (fence.is_former(), !fence.ours, fence.policy.to_u32()));
    first.map(|fence| Fence { alone, ..fence })
}

/// All fences of this table: whoever owns it may have added some.
pub fn fences(relation: Oid) -> Vec<Fence> {
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

/// Whether the table's policy of this name is a fence of it.
pub fn is_fence(relation: Oid, policy: &str) -> bool {
    let mut found = false;
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| {
        found |= name(row).as_deref() == Some(policy) && read(row).is_some();
    });
    found
}

/// The fence that this policy is, and the table it is on.
pub fn fence_of(policy: Oid) -> Option<(Oid, Fence)> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| {
        found = read(row).map(|fence| (row.oid(POLRELID), fence));
    });
    found
}

/// The conditions of all fences, as the catalog has them: the table is the range table's first entry.
pub fn fence_conditions(relation: Oid) -> Vec<*mut Node> {
    let mut found = Vec::new();
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| {
        found.extend(read(row).and_then(|_| expression(row, POLQUAL)));
    });
    // SAFETY: whole node trees of our own.
    found.iter().for_each(|&node| unsafe { pg_sys::fix_opfuncids(node) });
    found
}

fn name(row: Row) -> Option<String> {
    // SAFETY: polname is a Name: NUL-terminated, and valid while the scan stands on the row.
    row.get(POLNAME).map(|name| unsafe { text::owned(name.cast_mut_ptr()) })
}

fn read(row: Row) -> Option<Fence> {
    let permissive = row.get(POLPERMISSIVE)?.value() != 0;
    let for_all = row.get(POLCMD)?.value() as u8 == b'*';
    if permissive || !for_all || !is_to_public(row) {
        return None;
    }
    let Condition { column, reader, form } = condition(row)?;
    let ours = name(row).as_deref() == Some("tenant_isolation");
    Some(Fence { policy: row.oid(POLOID), column, reader, form, ours, alone: false })
}

/// What a fence says.
#[derive(Clone, Copy)]
struct Condition {
    column: i16,
    reader: Reader,
    form: Form,
}

/// The tenant's condition, where it is all that the policy says: in USING, and in WITH CHECK if there is one.
fn condition(row: Row) -> Option<Condition> {
    let using = expression(row, POLQUAL)?;
    // SAFETY: expression() gives a whole node tree.
    let condition = unsafe { tenant_condition(using) }?;
    if let Some(check) = expression(row, POLWITHCHECK) {
        // SAFETY: both are whole node trees.
        if !unsafe { pg_sys::equal(using.cast(), check.cast()) } {
            return None;
        }
    }
    Some(condition)
}

/// Whether the policy says the tenant's condition and nothing else, in either form; it need not be a fence.
pub fn is_condition(policy: Oid) -> bool {
    let mut found = false;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| found = condition(row).is_some());
    found
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

/// Matches `column = reader()`, `is_current(column)` and both of one column.
unsafe fn tenant_condition(node: *mut Node) -> Option<Condition> {
    // SAFETY: the caller's node is whole; each cast follows a check of the tag.
    unsafe {
        if let Some((column, reader)) = equality(node) {
            return Some(Condition { column, reader, form: Form::Former });
        }
        if let Some((column, reader)) = current(node) {
            return Some(Condition { column, reader, form: Form::Own });
        }
        if (*node).type_ != NodeTag::T_BoolExpr {
            return None;
        }
        let both = &*node.cast::<pg_sys::BoolExpr>();
        let mut parts = list::nodes(both.args);
        let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else { return None };
        let says = |a, b| equality(a).is_some_and(|said| current(b) == Some(said));
        let (column, reader) = current(second).or_else(|| current(first))?;
        (both.boolop == pg_sys::BoolExprType::AND_EXPR && (says(first, second) || says(second, first)))
            .then_some(Condition { column, reader, form: Form::Own })
    }
}

/// Matches `column = reader()` of a policy.
unsafe fn equality(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let equality = unsafe { tenant_equality(node) }.filter(|equality| equality.exact)?;
    Some((own_column(equality.column)?, equality.reader))
}

/// Matches `is_current(column)` of a policy.
unsafe fn current(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let (var, reader) = unsafe { is_current(node) }?;
    Some((own_column(var)?, reader))
}

/// A column of the policy's own table.
fn own_column(var: *const pg_sys::Var) -> Option<i16> {
    // SAFETY: the callers matched a Var.
    let var = unsafe { &*var };
    (var.varlevelsup == 0 && var.varattno > 0).then_some(var.varattno)
}

/// `column = reader()`, in a policy or a plan.
pub struct Equality {
    pub column: *const pg_sys::Var,
    pub reader: Reader,
    /// It compares as the column itself does: not under another collation.
    pub exact: bool,
}

/// Matches `column = reader()`.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn tenant_equality(node: *mut Node) -> Option<Equality> {
    const EQUALITIES: [u32; 5] =
        [pg_sys::F_UUID_EQ, pg_sys::F_TEXTEQ, pg_sys::F_INT8EQ, pg_sys::F_INT48EQ, pg_sys::F_INT28EQ];
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_OpExpr {
            return None;
        }
        let op = &*node.cast::<pg_sys::OpExpr>();
        let mut args = list::nodes(op.args);
        let (Some(left), Some(right), None) = (args.next(), args.next(), args.next()) else { return None };
        let right = under_label(right);
        if (*right).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let Some(Own::Reads(reader)) = own_function::of((*right.cast::<pg_sys::FuncExpr>()).funcid) else {
            return None;
        };
        // The operator is PostgreSQL's own: who makes another over the same function is not taken for the fence.
        let own = op.opno.to_u32() < 16_384 && EQUALITIES.contains(&u32::from(pg_sys::get_opcode(op.opno)));
        let column = column(left).filter(|_| own)?;
        Some(Equality { column, reader, exact: op.inputcollid == (*column).varcollid })
    }
}

/// Matches `is_current(column)`, of a policy or a plan.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_current(node: *mut Node) -> Option<(*const pg_sys::Var, Reader)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        let Some(Own::IsCurrent(reader)) = own_function::of(call.funcid) else { return None };
        let mut args = list::nodes(call.args);
        let (Some(argument), None) = (args.next(), args.next()) else { return None };
        column(argument).map(|var| (var, reader))
    }
}

/// A column, perhaps relabelled from varchar to text.
unsafe fn column(node: *mut Node) -> Option<*const pg_sys::Var> {
    // SAFETY: the cast follows a check of the node's tag.
    unsafe {
        let node = under_label(node);
        ((*node).type_ == NodeTag::T_Var).then_some(node.cast())
    }
}

/// What a change of type or collation, which costs nothing, is made of.
unsafe fn under_label(node: *mut Node) -> *mut Node {
    // SAFETY: the cast follows a check of the node's tag.
    unsafe {
        match (*node).type_ {
            NodeTag::T_RelabelType => (*node.cast::<pg_sys::RelabelType>()).arg.cast(),
            _ => node,
        }
    }
}
