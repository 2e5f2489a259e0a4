//! The attacks, in the order in which they are told: the tenant is overwritten, it outlives its request, the policy is
//! weakened, the planner loses it, the rows are reached on another path, and what stock PostgreSQL stops by itself.

mod context;
mod held;
mod path;
mod plan;
mod policy;
mod session;

use super::Attack;

/// The attack of this name.
pub fn named(name: &str) -> &'static Attack {
    all().find(|attack| attack.name == name).unwrap_or_else(|| panic!("no attack is named {name:?}"))
}

/// Every attack.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    [context::ATTACKS, session::ATTACKS, policy::ATTACKS, plan::ATTACKS, path::ATTACKS, held::ATTACKS]
        .into_iter()
        .flatten()
}
