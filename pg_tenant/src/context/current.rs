//! Where the current tenant stands, or the system context.
//!
//! It is the parsed value of the setting `pg_tenant.id` ([`crate::pg::own_setting`]), which policies read once per
//! statement or row. Only the setting's assign hook and the end of the transaction write it. No value is taken but
//! those that [`set`] asks for and those that ALTER ROLE … SET has stored: what a superuser writes with SET has passed
//! no registry.

use crate::context::acting::{self, Acting};
use crate::context::refusals;
use crate::context::seal::Entered;
use crate::pg::backend_cell::BackendCell;
use crate::pg::own_setting::{self, Check, OwnSetting, Parsed, SEPARATOR, Text};
use crate::pg::policy::Reader;
use crate::pg::row_function::TextDatum;
use crate::pg::{activity, folding, replication, setting};
use crate::registry::Limits;
use pg_tenant_core::{SystemContext, TenantId};
use pgrx::pg_sys::GucSource;
use std::ffi::{CStr, c_char};

/// The current tenant in every form that a policy may ask for; in a system context, none of them.
#[derive(Clone, Copy)]
pub struct Current {
    entered: Option<Entered>,
    bound: bool,
    limits: Limits,
    pub has_id: bool,
    pub has_uuid: bool,
    pub has_bigint: bool,
    pub bigint: i64,
    pub uuid: [u8; 16],
    pub text: TextDatum<{ TenantId::MAX_LEN }>,
}

const NO_TENANT: Current = Current {
    entered: None,
    bound: false,
    limits: Limits::NONE,
    has_id: false,
    has_uuid: false,
    has_bigint: false,
    bigint: 0,
    uuid: [0; 16],
    text: TextDatum::EMPTY,
};

static CURRENT: BackendCell<Current> = BackendCell::new(NO_TENANT);
/// How often it was written: tells whether a copy of it is still true.
static WRITTEN: BackendCell<u64> = BackendCell::new(0);
/// What the session began with: the tenant of a bound role, else none. Every transaction ends in it.
static SESSION: BackendCell<Current> = BackendCell::new(NO_TENANT);
/// The last transaction that entered a tenant was a statement by itself, in autocommit.
static ENDED_WITH_ITS_STATEMENT: BackendCell<bool> = BackendCell::new(false);
/// What [`set`] is writing at this moment.
static WRITING: BackendCell<Option<(Entered, Limits, Acting)>> = BackendCell::new(None);
/// The setting's text.
static TEXT: Text = Text::new();

/// Declares `pg_tenant.id`.
pub fn init() {
    own_setting::declare::<Value>(OwnSetting {
        name: c"pg_tenant.id",
        description: c"The tenant of this transaction.",
        written_by: c"Written by tenant.enter() only.",
        text: &TEXT,
        show: Some(show),
    });
}

/// Every way of reading the setting by SQL comes here.
extern "C-unwind" fn show() -> *const c_char {
    folding::touch();
    TEXT.shown()
}

/// The current tenant in every form, for what is called for each row.
#[inline]
pub fn now() -> Current {
    CURRENT.get()
}

/// Changes whenever [`now`] does.
#[inline]
pub fn written() -> u64 {
    WRITTEN.get()
}

fn write(current: Current) {
    CURRENT.set(current);
    match current.entered {
        Some(Entered::Tenant(id)) => activity::enter(activity::TENANT, id.as_str()),
        Some(Entered::System(_)) => activity::enter(activity::SYSTEM, ""),
        None => activity::enter(activity::NOTHING, ""),
    }
    WRITTEN.set(WRITTEN.get() + 1);
}

/// The current tenant.
pub fn tenant() -> Option<TenantId> {
    match entered() {
        Some(Entered::Tenant(id)) => Some(id),
        _ => None,
    }
}

/// The system context, where the transaction is in it. What it allows is for [`crate::context::system`] to say.
pub fn system() -> Option<SystemContext> {
    match entered() {
        Some(Entered::System(context)) => Some(context),
        _ => None,
    }
}

/// The current tenant, or the system context.
pub fn entered() -> Option<Entered> {
    CURRENT.get().entered
}

/// Whether there is a current tenant: for hooks that run for every function of a statement.
#[inline]
pub fn is_set() -> bool {
    CURRENT.get().has_id
}

/// The tenant that the session's role is bound to.
pub fn session_tenant() -> Option<TenantId> {
    match SESSION.get().entered {
        Some(Entered::Tenant(id)) => Some(id),
        _ => None,
    }
}

/// Whether the last tenant that this session entered ended at once, with the statement that entered it.
pub fn ended_with_its_statement() -> bool {
    ENDED_WITH_ITS_STATEMENT.get()
}

/// Whether the current tenant came with the login, and not by an entry of this transaction.
pub fn is_bound() -> bool {
    CURRENT.get().bound
}

/// The limits that came with the current tenant.
pub fn limits() -> Limits {
    CURRENT.get().limits
}

/// Whether the current tenant id has a value of the type that this reader returns.
pub fn has_value(reader: Reader) -> bool {
    let current = CURRENT.get();
    match reader {
        Reader::Uuid => current.has_uuid,
        Reader::Bigint => current.has_bigint,
        Reader::Text => current.has_id,
    }
}

/// Makes this what the transaction has entered, until it or the savepoint it stands in ends.
pub fn set(entered: Entered, limits: Limits) {
    write_setting(entered.as_str(), (entered, limits, Acting::NOBODY));
}

/// As [`set`], with who acts in it: `text` says it, for parallel workers.
pub fn set_acting(entered: Entered, limits: Limits, acting: Acting, text: &str) {
    write_setting(&format!("{}{SEPARATOR}{text}", entered.as_str()), (entered, limits, acting));
}

fn write_setting(value: &str, writing: (Entered, Limits, Acting)) {
    // Should set_local raise, WRITING stays set; nothing but this function reaches the check hook with a value of a
    // session, except a superuser's SET to the very tenant that was being entered.
    WRITING.set(Some(writing));
    setting::set_local("pg_tenant.id", value);
    WRITING.set(None);
    folding::let_go();
}

/// The transaction is in nothing from now on: for [`crate::context::test_mode`] alone.
pub fn leave() {
    setting::set_local("pg_tenant.id", "");
    folding::let_go();
}

/// The transaction has ended; `with_its_statement` says of one that entered something whether it was one statement, in
/// autocommit. Nothing here can fail.
pub fn end(with_its_statement: Option<bool>) {
    write(SESSION.get());
    WRITING.set(None);
    if let Some(with_its_statement) = with_its_statement {
        ENDED_WITH_ITS_STATEMENT.set(with_its_statement);
    }
}

impl Current {
    fn new(entered: Entered, bound: bool, limits: Limits) -> Self {
        let current = Current { entered: Some(entered), bound, limits, ..NO_TENANT };
        let Entered::Tenant(id) = entered else { return current };
        let (uuid, bigint) = (id.uuid(), id.bigint());
        Current {
            has_id: true,
            has_uuid: uuid.is_some(),
            has_bigint: bigint.is_some(),
            uuid: uuid.unwrap_or_default(),
            bigint: bigint.unwrap_or_default(),
            text: TextDatum::new(id.as_str().as_bytes()),
            ..current
        }
    }
}

/// A value of the setting.
#[derive(Clone, Copy)]
struct Value {
    current: Current,
    acting: Acting,
}

impl Parsed for Value {
    fn parse(value: &CStr, source: GucSource::Type) -> Check<Self> {
        let Ok(value) = value.to_str() else { return Check::Refused(None) };
        let (id, acts) = value.split_once(SEPARATOR).map_or((value, None), |(id, acts)| (id, Some(acts)));
        let Some(entered) = Entered::from_setting(id) else { return Check::Refused(None) };
        let from_role = matches!(source, GucSource::PGC_S_USER | GucSource::PGC_S_DATABASE_USER);
        if from_role && replication::is_connection() {
            return Check::EndsSession(refusals::bound_replication_refused());
        }
        let may_be_stored =
            matches!(entered, Entered::Tenant(_)) && acts.is_none() && (from_role || source == GucSource::PGC_S_TEST);
        let (limits, acting) = match WRITING.get() {
            Some((writing, limits, acting)) if writing == entered && source == GucSource::PGC_S_SESSION => {
                (limits, acting)
            }
            _ if may_be_stored => (Limits::NONE, Acting::NOBODY),
            _ if own_setting::is_given_by_leader() => (Limits::NONE, acts.map_or(Acting::NOBODY, Acting::from_text)),
            _ => {
                let hint = c"Enter a tenant with tenant.enter(), bind a role to one with tenant.bind_role().";
                return Check::Refused(Some(hint));
            }
        };
        Check::Taken(Value { current: Current::new(entered, from_role, limits), acting })
    }

    fn assign(value: Option<Self>) {
        let Value { current, acting } = value.unwrap_or(Value { current: NO_TENANT, acting: Acting::NOBODY });
        write(current);
        acting::assign(acting);
        if current.bound {
            SESSION.set(current);
        }
    }
}
