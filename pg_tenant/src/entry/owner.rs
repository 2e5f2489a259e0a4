//! Entering the system context as the owner of tables.

use crate::context::owner::CONTEXT;
use crate::context::refusals::context_sealed;
use crate::context::seal::{self, Entered};
use crate::context::{current, owner, session_state};
use crate::entry::{pristine, system};
use crate::guard::temporary;
use crate::pg::report::Outcome;
use crate::pg::text::ctext;
use crate::pg::{lifted, role, transaction};
use crate::registry::Limits;
use pg_tenant_core::SystemContext;
use std::hash::{BuildHasher, BuildHasherDefault};

/// Whether this session may enter it now. Refuses as [`system::admit`], and (`TN015`) a transaction that is read-only.
pub fn admit(reason: Option<&str>) -> Outcome<system::SystemEntry> {
    let reason = system::require_reason(reason)?;
    system::require_permission()?;
    match seal::sealed() {
        None => {}
        Some(sealed) if sealed == CONTEXT => {}
        Some(Entered::System(_)) => {
            return Err(context_sealed("enter the system context as an owner", "the system context"));
        }
        Some(Entered::Tenant(id)) => {
            return Err(context_sealed("enter the system context as an owner", &format!("tenant \"{id}\"")));
        }
    }
    pristine::refuse_held_cursor("the system context", "every tenant's rows")?;
    temporary::refuse_types()?;
    if transaction::is_read_only() {
        return Err(system::system_read_only());
    }
    let (login, user) = (role::name(role::session_user()), role::name(role::current_user()));
    let log = ctext(format!("role \"{login}\" enters the system context of pg_tenant as owner \"{user}\": {reason}"));
    let this = BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one((role::current_user().to_u32(), reason));
    Ok(system::SystemEntry { context: SystemContext::Owner, journal: owner::is_to_be_journalled(this), log })
}

/// Enters.
pub fn take() {
    session_state::share();
    seal::seal(CONTEXT, None);
    current::set(CONTEXT, Limits::NONE);
    lifted::forget_plans();
}
