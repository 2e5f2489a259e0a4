//! Reading policies from the catalog and recognising the tenant fence among them.
//!
//! The fence is a restrictive policy FOR ALL TO PUBLIC whose USING, and WITH CHECK where it has one, is just
//! `column = tenant.current_…()`. The reader is recognised by the address of its code: neither names nor schemas count.

use crate::context::slot;
use crate::pg::catalog::{self, Row};
use crate::pg::{list, proc, text};
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

/// The tenant fence of a table.
#[derive(Clone, Copy)]
pub struct Fence {
    pub policy: Oid,
    pub column: i16,
    pub reader: Reader,
}

/// The fence of this table, if it has one.
pub fn fence(relation: Oid) -> Option<Fence> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| found = found.or_else(|| read(row)));
    found
}

/// Every fence of this table.
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

/// Whether the table's policy of this name is its fence.
pub fn is_fence(relation: Oid, policy: &str) -> bool {
    let mut found = false;
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| {
        // SAFETY: polname is a Name: NUL-terminated, and valid while the scan stands on the row.
        let name = row.get(POLNAME).map(|name| unsafe { text::owned(name.cast_mut_ptr()) });
        found |= name.as_deref() == Some(policy) && read(row).is_some();
    });
    found
}

/// The fence's condition, as the catalog has it: the table is the range table's first entry.
pub fn fence_equality(relation: Oid) -> Option<*mut Node> {
    let mut found = None;
    catalog::scan(POLICY, POLICY_BY_RELATION, &[(POLRELID, relation)], |row| {
        found = found.or_else(|| read(row).and_then(|_| expression(row, POLQUAL)));
    });
    // SAFETY: a whole node tree of our own.
    found.inspect(|&node| unsafe { pg_sys::fix_opfuncids(node) })
}

/// Whether a condition of a plan is a fence's.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_fence_equality(node: *mut Node) -> bool {
    // SAFETY: the caller's promise.
    unsafe { tenant_equality(node) }.is_some()
}

fn read(row: Row) -> Option<Fence> {
    let permissive = row.get(POLPERMISSIVE)?.value() != 0;
    let for_all = row.get(POLCMD)?.value() as u8 == b'*';
    if permissive || !for_all || !is_to_public(row) {
        return None;
    }
    let (column, reader) = equality(row)?;
    Some(Fence { policy: row.oid(POLOID), column, reader })
}

/// The tenant's equality, where it is all that the policy says: in USING, and in WITH CHECK if there is one.
fn equality(row: Row) -> Option<(i16, Reader)> {
    let using = expression(row, POLQUAL)?;
    // SAFETY: expression() gives a whole node tree.
    let equality = unsafe { tenant_equality(using) }?;
    if let Some(check) = expression(row, POLWITHCHECK) {
        // SAFETY: both are whole node trees.
        if !unsafe { pg_sys::equal(using.cast(), check.cast()) } {
            return None;
        }
    }
    Some(equality)
}

/// Whether the policy says the tenant's equality and nothing else; it need not be the fence.
pub fn is_equality(policy: Oid) -> bool {
    let mut found = false;
    catalog::scan(POLICY, POLICY_BY_OID, &[(POLOID, policy)], |row| found = equality(row).is_some());
    found
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

/// Matches `column = reader()`.
unsafe fn tenant_equality(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_OpExpr {
            return None;
        }
        let op = &*node.cast::<pg_sys::OpExpr>();
        let function = u32::from(pg_sys::get_opcode(op.opno));
        let equalities = [pg_sys::F_UUID_EQ, pg_sys::F_TEXTEQ, pg_sys::F_INT8EQ, pg_sys::F_INT48EQ, pg_sys::F_INT28EQ];
        let mut args = list::nodes(op.args);
        let (Some(left), Some(right), None) = (args.next(), args.next(), args.next()) else { return None };
        if !equalities.contains(&function) {
            return None;
        }
        Some((own_column(left)?, reader(right)?))
    }
}

/// A column of the policy's own table, perhaps relabelled from varchar to text.
unsafe fn own_column(mut node: *mut Node) -> Option<i16> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ == NodeTag::T_RelabelType {
            node = (*node.cast::<pg_sys::RelabelType>()).arg.cast();
        }
        if (*node).type_ != NodeTag::T_Var {
            return None;
        }
        let var = &*node.cast::<pg_sys::Var>();
        (var.varlevelsup == 0 && var.varattno > 0).then_some(var.varattno)
    }
}

unsafe fn reader(node: *mut Node) -> Option<Reader> {
    // SAFETY: the cast follows a check of the tag. fmgr_info loads a C function's library, so it is called only for a
    // function whose symbol is one of ours.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let called = (*node.cast::<pg_sys::FuncExpr>()).funcid;
        let (_, reader, address) = *slot::READERS.iter().find(|r| proc::symbol(called).as_deref() == Some(r.0))?;
        let mut info = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(called, &mut info);
        info.fn_addr.is_some_and(|found| std::ptr::fn_addr_eq(found, address)).then_some(reader)
    }
}
