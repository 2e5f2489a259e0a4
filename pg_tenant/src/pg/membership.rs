//! The fence of a table whose rows belong to several tenants:
//!
//! ```sql
//! id = any (array(select m.user_id from members m)) and tenant.is_member(id in (select m.user_id from members m))
//! ```
//!
//! The join table is protected itself, so the subselects give the current tenant's members. They do not look at the
//! row: a statement asks each once. The array leads the planner to an index of the key; the function decides, by a hash
//! table.

use crate::pg::list::{length, nodes};
use crate::pg::node::under_label;
use crate::pg::oids;
use crate::pg::own_function::{self, Own};
use pgrx::pg_sys::{self, Node, NodeTag, Oid, ParamKind, Query, RTEKind, SubLinkType, SubPlan, Var};

/// The column of a join table that has the keys of the tenant's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub through: Oid,
    pub column: i16,
}

/// Matches the fence in a policy, with the array or without: its key column, and where the keys come from.
///
/// # Safety
/// `node` is a whole node tree, as the catalog has it.
pub unsafe fn in_policy(node: *mut Node) -> Option<(i16, Member)> {
    // SAFETY: the caller's node; the cast follows a check of its tag.
    unsafe {
        if (*node).type_ != NodeTag::T_BoolExpr {
            return asks(node);
        }
        let both = &*node.cast::<pg_sys::BoolExpr>();
        let mut parts = nodes(both.args);
        let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else { return None };
        let leads = |a, b| asks(b).filter(|&asked| lists(a) == Some(asked));
        let is_and = both.boolop == pg_sys::BoolExprType::AND_EXPR;
        leads(first, second).or_else(|| leads(second, first)).filter(|_| is_and)
    }
}

/// Matches `is_member(key in (select …))` of a policy.
///
/// # Safety
/// `node` is a valid node.
unsafe fn asks(node: *mut Node) -> Option<(i16, Member)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        let argument = argument(node)?;
        if (*argument).type_ != NodeTag::T_SubLink {
            return None;
        }
        let link = &*argument.cast::<pg_sys::SubLink>();
        let (key, given) = equality(link.testexpr)?;
        let is_first = given.paramkind == ParamKind::PARAM_SUBLINK && given.paramid == 1;
        if link.subLinkType != SubLinkType::ANY_SUBLINK || !is_first {
            return None;
        }
        Some((own_column(key)?, member(&*link.subselect.cast::<Query>())?))
    }
}

/// Matches `key = any (array(select …))` of a policy.
///
/// # Safety
/// `node` is a valid node.
unsafe fn lists(node: *mut Node) -> Option<(i16, Member)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        let (key, array) = any_of(node)?;
        if (*array).type_ != NodeTag::T_SubLink {
            return None;
        }
        let link = &*array.cast::<pg_sys::SubLink>();
        if link.subLinkType != SubLinkType::ARRAY_SUBLINK {
            return None;
        }
        Some((own_column(key)?, member(&*link.subselect.cast::<Query>())?))
    }
}

/// A column of the policy's own table.
///
/// # Safety
/// `var` is a valid Var.
unsafe fn own_column(var: *const Var) -> Option<i16> {
    // SAFETY: the callers matched a Var.
    let var = unsafe { &*var };
    (var.varno == 1 && var.varlevelsup == 0 && var.varattno > 0).then_some(var.varattno)
}

/// What asks for members in a plan.
pub struct Asked {
    pub key: *const Var,
    pub subplan: *const SubPlan,
}

/// Matches `is_member(key in (subplan))`, where the subplan takes nothing from the row.
///
/// # Safety
/// `node` is a node of a finished plan.
pub unsafe fn in_plan(node: *mut Node) -> Option<Asked> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        let argument = argument(node)?;
        if (*argument).type_ != NodeTag::T_SubPlan {
            return None;
        }
        let subplan = argument.cast::<SubPlan>();
        let SubPlan { subLinkType, testexpr, paramIds, parParam, args, .. } = *subplan;
        let (key, given) = equality(testexpr)?;
        let is_its = length(paramIds) == 1
            && crate::pg::list::integers(paramIds).next() == Some(given.paramid)
            && given.paramkind == ParamKind::PARAM_EXEC;
        let by_itself = length(parParam) == 0 && length(args) == 0;
        (subLinkType == SubLinkType::ANY_SUBLINK && is_its && by_itself).then_some(Asked { key, subplan })
    }
}

/// Matches `key = any ($n)` in a plan: the key and the number of the parameter.
///
/// # Safety
/// As [`in_plan`].
pub unsafe fn listed_in_plan(node: *mut Node) -> Option<(*const Var, i32)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        let (key, array) = any_of(node)?;
        if (*array).type_ != NodeTag::T_Param {
            return None;
        }
        let given = &*array.cast::<pg_sys::Param>();
        (given.paramkind == ParamKind::PARAM_EXEC).then_some((key, given.paramid))
    }
}

/// The argument of `is_member`.
///
/// # Safety
/// `node` is a valid node.
unsafe fn argument(node: *mut Node) -> Option<*mut Node> {
    // SAFETY: the cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        (own_function::of(call.funcid) == Some(Own::IsMember)).then(|| nodes(call.args).next()).flatten()
    }
}

/// Whether the operator is an equality of PostgreSQL's own.
fn is_equality(operator: Oid) -> bool {
    const EQUALITIES: [u32; 11] = [
        pg_sys::F_UUID_EQ,
        pg_sys::F_TEXTEQ,
        pg_sys::F_INT8EQ,
        pg_sys::F_INT84EQ,
        pg_sys::F_INT82EQ,
        pg_sys::F_INT48EQ,
        pg_sys::F_INT4EQ,
        pg_sys::F_INT42EQ,
        pg_sys::F_INT28EQ,
        pg_sys::F_INT24EQ,
        pg_sys::F_INT2EQ,
    ];
    // SAFETY: a catalog lookup.
    !oids::is_of_users(operator) && EQUALITIES.contains(&u32::from(unsafe { pg_sys::get_opcode(operator) }))
}

/// Matches `column = any (array)`, by such an equality.
///
/// # Safety
/// `node` is a valid node.
unsafe fn any_of(node: *mut Node) -> Option<(*const Var, *mut Node)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_ScalarArrayOpExpr {
            return None;
        }
        let op = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
        let mut args = nodes(op.args).map(|node| under_label(node));
        let (Some(left), Some(right), None) = (args.next(), args.next(), args.next()) else { return None };
        (op.useOr && is_equality(op.opno) && (*left).type_ == NodeTag::T_Var).then_some((left.cast(), right))
    }
}

/// Matches `column = parameter`, by such an equality.
///
/// # Safety
/// `node` is a valid node.
unsafe fn equality(node: *mut Node) -> Option<(*const Var, pg_sys::Param)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if node.is_null() || (*node).type_ != NodeTag::T_OpExpr {
            return None;
        }
        let op = &*node.cast::<pg_sys::OpExpr>();
        let mut args = nodes(op.args).map(|node| under_label(node));
        let (Some(left), Some(right), None) = (args.next(), args.next(), args.next()) else { return None };
        if !is_equality(op.opno) || (*left).type_ != NodeTag::T_Var || (*right).type_ != NodeTag::T_Param {
            return None;
        }
        Some((left.cast(), *right.cast::<pg_sys::Param>()))
    }
}

/// Matches `select m.column from through m`, and nothing else.
fn member(query: &Query) -> Option<Member> {
    let more = [
        query.cteList,
        query.returningList,
        query.groupClause,
        query.groupingSets,
        query.windowClause,
        query.distinctClause,
        query.sortClause,
        query.rowMarks,
    ];
    let more_nodes = [query.utilityStmt, query.havingQual, query.limitOffset, query.limitCount, query.setOperations];
    let plain = more.iter().all(|&list| length(list) == 0)
        && more_nodes.iter().all(|node| node.is_null())
        && !(query.hasAggs || query.hasWindowFuncs || query.hasTargetSRFs || query.hasSubLinks);
    if query.commandType != pg_sys::CmdType::CMD_SELECT || !plain || query.jointree.is_null() {
        return None;
    }
    // SAFETY: a query's lists and join tree; each cast follows a check of the node's tag.
    unsafe {
        let from = &*query.jointree;
        let (mut tables, mut columns) = (nodes(query.rtable), nodes(query.targetList));
        let (Some(table), None) = (tables.next(), tables.next()) else { return None };
        let (Some(target), None) = (columns.next(), columns.next()) else { return None };
        let entry = &*table.cast::<pg_sys::RangeTblEntry>();
        let given = (*target.cast::<pg_sys::TargetEntry>()).expr.cast::<Node>();
        let is_table = entry.rtekind == RTEKind::RTE_RELATION && entry.tablesample.is_null() && entry.inh;
        let is_joined = length(from.fromlist) == 1
            && from.quals.is_null()
            && nodes(from.fromlist).all(|from| (*from).type_ == NodeTag::T_RangeTblRef);
        let given = under_label(given);
        if !is_table || !is_joined || (*given).type_ != NodeTag::T_Var {
            return None;
        }
        let var = &*given.cast::<Var>();
        (var.varno == 1 && var.varlevelsup == 0 && var.varattno > 0)
            .then_some(Member { through: entry.relid, column: var.varattno })
    }
}
