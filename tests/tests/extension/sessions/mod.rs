//! Sessions: those that a role is bound to a tenant in, and what one transaction leaves for the next.

mod a_bound_role_leaves;
mod a_bound_session_is_in_the_way;
mod a_transaction_is_lent;
mod it_replicates;
mod residue_is_lent;
mod residue_is_undone;
mod the_wrong_role_is_bound;
