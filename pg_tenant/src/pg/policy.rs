//! Reading policies from the catalog and recognising the tenant fence among them.
//!
//! A fence is a restrictive policy FOR ALL TO PUBLIC whose USING, and WITH CHECK where it has one, is just
//! `column = tenant.current_…() and tenant.is_current(column)`. The equality is there for the planner, which may take it
//! out of a plan again; the function decides. The fence of 0.1.0 was the equality alone: it is recognised, so that it is
//! guarded and can be mended. Functions are recognised by the address of their code ([`crate::pg::own_function`]).
//!
//! Where rows of nobody are everybody's to read, USING is
//! `(column = tenant.current_…() or column is null) and tenant.is_current_or_shared(column)`, WITH CHECK is as above, and
//! two more restrictive policies TO PUBLIC, FOR UPDATE and FOR DELETE, say in USING what is said above: PostgreSQL asks
//! WITH CHECK of the new row alone.

use crate::pg::catalog::{self, Row};
use crate::pg::membership::{self, Member};
use crate::pg::own_function::{self, Own};
use crate::pg::plans::is_false;
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
    /// Those, and rows of nobody, whose tenant column is null, to read: three policies, of which this one is FOR ALL.
    OrShared,
    /// What is left of those three: the tenant may write rows of nobody, or reads more than its own.
    Torn,
    /// The tenant's own rows, said by the equality alone, as 0.1.0 made it: the planner can lose it.
    Former,
    /// The rows whose keys the tenant's part of a join table has; to be read only.
    Membership(Member),
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

    /// Where the keys of the tenant's rows are, in a table of this form.
    pub fn membership(&self) -> Option<Member> {
        self.form.membership()
    }
}

impl Form {
    /// Whether a fence that becomes `now` shows more than before, or may: another join table has other members.
    pub fn is_weaker(self, now: Form) -> bool {
        let rank = |form| match form {
            Form::Own => 0,
            Form::OrShared => 1,
            Form::Torn => 2,
            Form::Former => 3,
            Form::Membership(_) => 4,
        };
        rank(now) > rank(self) || self.membership().is_some() && self != now
    }

    fn membership(self) -> Option<Member> {
        match self {
            Form::Membership(member) => Some(member),
            Form::Own | Form::OrShared | Form::Torn | Form::Former => None,
        }
    }
}

/// What a restrictive policy to PUBLIC has to do with a fence.
struct Part {
    command: Command,
    name: Option<String>,
    policy: Oid,
    said: Condition,
}

/// What a policy is for, as far as fences are made of such.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    All,
    Update,
    Delete,
}

impl Part {
    fn fence(&self, form: Form) -> Fence {
        let Condition { column, reader, .. } = self.said;
        let given = if self.said.membership().is_some() { "tenant_membership" } else { "tenant_isolation" };
        let ours = self.name.as_deref() == Some(given);
        Fence { policy: self.policy, column, reader, form, ours, alone: false }
    }
}

/// The fence of this table that `tenant.protect` made, or another one, if it has any.
pub fn fence(relation: Oid) -> Option<Fence> {
    let fences = fences(relation);
    let alone = fences.len() == 1;
    let rank = |fence: &Fence| (fence.is_former(), fence.form == Form::Torn, !fence.ours, fence.policy.to_u32());
    let first = fences.into_iter().min_by_key(rank);
    first.map(|fence| Fence { alone, ..fence })
}

/// All fences of this table: whoever owns it may have added some. One that is torn only where there is no other.
pub fn fences(relation: Oid) -> Vec<Fence> {
    let parts = parts(relation);
    let for_all = parts.iter().filter(|part| part.command == Command::All);
    let (mut torn, whole): (Vec<_>, Vec<_>) =
        for_all.map(|part| part.fence(form(part, &parts))).partition(|fence| fence.form == Form::Torn);
    if !whole.is_empty() {
        return whole;
    }
    if torn.is_empty() {
        torn.extend(parts.first().map(|part| part.fence(Form::Torn)));
    }
    torn.truncate(1);
    torn
}

/// Every policy that protects the table: its fences, and what they are nothing without.
fn guarded(relation: Oid) -> Vec<(Part, Form)> {
    let parts = parts(relation);
    let forms: Vec<_> = parts.iter().map(|part| form(part, &parts)).collect();
    let shared: Vec<_> =
        parts.iter().filter(|part| part.said.form == Form::OrShared).map(|it| it.said.column).collect();
    let both = parts.into_iter().zip(forms);
    both.filter(|(part, _)| part.command == Command::All || shared.contains(&part.said.column)).collect()
}

/// As [`fences`], and the policies that they are nothing without: those that no command may take.
pub fn guarded_fences(relation: Oid) -> Vec<Fence> {
    guarded(relation).into_iter().map(|(part, form)| part.fence(form)).collect()
}

fn form(part: &Part, parts: &[Part]) -> Form {
    let of = |command| parts.iter().any(|it| it.command == command && it.said.column == part.said.column);
    match part.said.form {
        Form::OrShared if !(of(Command::Update) && of(Command::Delete)) => Form::Torn,
        form => form,
    }
}

fn parts(relation: Oid) -> Vec<Part> {
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

/// Whether the table's policy of this name is a fence of it, or what one is nothing without.
pub fn is_fence(relation: Oid, policy: &str) -> bool {
    guarded(relation).iter().any(|(part, _)| part.name.as_deref() == Some(policy))
}

/// The fence that this policy is, or is a part of, and the table it is on.
pub fn fence_of(policy: Oid) -> Option<(Oid, Fence)> {
    let table = table_of(policy)?;
    guarded_fences(table).into_iter().find(|fence| fence.policy == policy).map(|fence| (table, fence))
}

/// The conditions of all fences, as the catalog has them: the table is the range table's first entry. None of a table that
/// its tenants do not write.
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
    // Of a command of its own none is a fence by itself, and only the tenant's own rows make one. Of several tenants' rows
    // none is let in.
    let is_part = match said.form {
        Form::Own => true,
        Form::Membership(_) => command == Command::All && never_checks(row),
        Form::OrShared | Form::Torn | Form::Former => command == Command::All,
    };
    is_part.then(|| Part { command, name: name(row), policy: row.oid(POLOID), said })
}

/// What a fence says.
#[derive(Clone, Copy)]
struct Condition {
    column: i16,
    reader: Reader,
    /// Any but Torn.
    form: Form,
}

impl Condition {
    fn membership(&self) -> Option<Member> {
        self.form.membership()
    }
}

/// The tenant's condition, where it is all that the policy says: in USING, and in WITH CHECK if there is one. Where USING
/// shows rows of nobody, WITH CHECK has to be there and to say that only the tenant's own are written.
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

/// Matches `column = reader()`, `is_current(column)` and both of one column, and the same for rows of nobody as well:
/// `is_current_or_shared(column)` and `column = reader() or column is null`.
unsafe fn tenant_condition(node: *mut Node) -> Option<Condition> {
    // SAFETY: the caller's node is whole; each cast follows a check of the tag.
    unsafe {
        if let Some((column, reader)) = equality(node) {
            return Some(Condition { column, reader, form: Form::Former });
        }
        if let Some(decided) = decides(node) {
            return Some(decided);
        }
        let both = pair(node, pg_sys::BoolExprType::AND_EXPR)?;
        let says = |(leads, function): (*mut Node, *mut Node)| {
            let decided = decides(function)?;
            let led = match decided.form {
                Form::OrShared => equality_or_null(leads),
                _ => equality(leads),
            };
            (led == Some((decided.column, decided.reader))).then_some(decided)
        };
        says(both).or_else(|| says((both.1, both.0)))
    }
}

/// Matches `is_current(column)` and `is_current_or_shared(column)` of a policy.
unsafe fn decides(node: *mut Node) -> Option<Condition> {
    // SAFETY: the caller's promise.
    unsafe {
        let (form, (var, reader)) = match is_current(node) {
            Some(found) => (Form::Own, found),
            None => (Form::OrShared, is_current_or_shared(node)?),
        };
        Some(Condition { column: own_column(var)?, reader, form })
    }
}

/// Matches `column = reader() or column is null` of a policy.
unsafe fn equality_or_null(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let either = unsafe { tenant_equality_or_null(node) }.filter(|either| either.exact)?;
    Some((own_column(either.column)?, either.reader))
}

/// The two parts of what AND, or OR, puts together, where it is two.
unsafe fn pair(node: *mut Node, by: pg_sys::BoolExprType::Type) -> Option<(*mut Node, *mut Node)> {
    // SAFETY: the cast follows a check of the tag.
    unsafe {
        if (*node).type_ != NodeTag::T_BoolExpr || (*node.cast::<pg_sys::BoolExpr>()).boolop != by {
            return None;
        }
        let mut parts = list::nodes((*node.cast::<pg_sys::BoolExpr>()).args);
        let both = (parts.next()?, parts.next()?);
        parts.next().is_none().then_some(both)
    }
}

/// Matches `column = reader()` of a policy.
unsafe fn equality(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let equality = unsafe { tenant_equality(node) }.filter(|equality| equality.exact)?;
    Some((own_column(equality.column)?, equality.reader))
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

/// Matches `column = reader() or column is null`.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn tenant_equality_or_null(node: *mut Node) -> Option<Equality> {
    // SAFETY: the cast follows a check of the tag.
    unsafe {
        let (first, second) = pair(node, pg_sys::BoolExprType::OR_EXPR)?;
        let either = |equality, null: *mut Node| {
            let equality = tenant_equality(equality)?;
            let is_null = (*null).type_ == NodeTag::T_NullTest && {
                let test = &*null.cast::<pg_sys::NullTest>();
                test.nulltesttype == pg_sys::NullTestType::IS_NULL
                    && column(test.arg.cast()).is_some_and(|var| pg_sys::equal(var.cast(), equality.column.cast()))
            };
            is_null.then_some(equality)
        };
        either(first, second).or_else(|| either(second, first))
    }
}

/// Matches `is_current(column)`, of a policy or a plan.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_current(node: *mut Node) -> Option<(*const pg_sys::Var, Reader)> {
    // SAFETY: the caller's promise.
    match unsafe { call_on_column(node) }? {
        (Own::IsCurrent(reader), var) => Some((var, reader)),
        _ => None,
    }
}

/// Matches `is_current_or_shared(column)`, of a policy or a plan.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_current_or_shared(node: *mut Node) -> Option<(*const pg_sys::Var, Reader)> {
    // SAFETY: the caller's promise.
    match unsafe { call_on_column(node) }? {
        (Own::IsCurrentOrShared(reader), var) => Some((var, reader)),
        _ => None,
    }
}

/// A call of one of our functions with a column as its only argument.
unsafe fn call_on_column(node: *mut Node) -> Option<(Own, *const pg_sys::Var)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        let own = own_function::of(call.funcid)?;
        let mut args = list::nodes(call.args);
        let (Some(argument), None) = (args.next(), args.next()) else { return None };
        column(argument).map(|var| (own, var))
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
