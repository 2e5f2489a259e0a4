//! pg_tenant: PostgreSQL itself keeps tenants apart. There is no statement without a tenant: a transaction has none
//! (and is refused), one tenant, or an explicit, audited system context.
//!
//! ```text
//!  select tenant.enter('acme') ──► api ──► entry (may it?) ──► registry (known? active?) ──► context (seal, current)
//!                    statement ──► guard::hook ──► guard::executor · utility  ◄── context::current
//!                                       │ allowed             └── policy::protection (fenced? gaps?)
//!                                       ▼
//!       policy: tenant_id = tenant.current_uuid() and tenant.is_current(tenant_id)   (row-level security, context::readers)
//!                                       ▼
//!                    plan ──► guard::fence: the call first in every scan, or no plan
//!                                       ▼
//!           end of transaction ──► context::lifetime: no tenant
//! ```
//!
//! The rooms, each using only those before it (`tests/tests/house.rs` has the list): [`pg`], safe wrappers over
//! PostgreSQL; [`gucs`], the settings; [`registry`], which tenants exist, and their limits; [`people`], who is a member
//! of which; [`policy`], how a table is protected; [`signed`], tokens and keys; [`context`], what the transaction has
//! entered; [`stats`], what each tenant costs; [`admission`], who is let in and how fast; [`guard`], what must not
//! happen; [`entry`], the ways into a tenant and the system context; [`api`], the SQL functions.
//!
//! SQL lives in `sql/schema/`, rules without PostgreSQL in `core/`. `unsafe` lives in `pg/`, `guard/hook/` and
//! `gucs.rs`.

mod admission;
mod api;
mod context;
mod entry;
mod guard;
mod gucs;
mod people;
mod pg;
mod policy;
mod registry;
mod signed;
mod stats;

pgrx::pg_module_magic!();

/// Called when the library is loaded: all of it at preload, nothing of it otherwise.
///
/// Outside preload it must not raise, since pg_upgrade LOADs every library. Functions called then refuse with `TN010`.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    if !pg::preload::in_progress() {
        return;
    }
    pg::memory::init();
    pg::shared_memory::init();
    gucs::init();
    gucs::init_signed();
    gucs::init_locks();
    gucs::init_lookups();
    gucs::init_test_mode();
    gucs::init_people();
    gucs::init_impersonation();
    gucs::init_request_id();
    gucs::init_statistics();
    gucs::init_admission();
    context::locks::init();
    context::current::init();
    context::lifetime::init();
    context::identity::init();
    context::impersonation::init();
    pg::own_function::init(&context::readers::FUNCTIONS);
    pg::statement::init();
    gucs::reserve_prefix();
    registry::init();
    people::init();
    pg::lookups::init();
    pg::activity::init();
    pg::refused::init(context::current::tenant);
    policy::protection::init();
    guard::function::init();
    guard::lost_fence::init();
    guard::weakened::init();
    context::session_state::init();
    pg::folding::init();
    guard::ready::init();
    guard::temporary::init();
    signed::init();
    stats::init();
    admission::init();
    guard::hook::init();
    pg::preload::done();
}
