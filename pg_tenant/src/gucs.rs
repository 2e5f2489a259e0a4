//! Every setting that people set, and why it exists. Those that only our own code writes are declared where they are
//! written: `pg_tenant.id` in `context/current.rs`, `pg_tenant.actor` and `actor_role` in `context/identity.rs`. The
//! prefix `pg_tenant` is reserved: a misspelt setting is an error.

use pg_tenant_token::Rules;
use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use std::ffi::{CStr, CString};

/// What happens to a statement that touches a protected table with no tenant.
#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types, missing_docs)]
pub enum Strict {
    on,
    log,
    off,
}

/// Set it to `log` to find the statements that `on` would refuse. Policies apply in every mode: a statement that is not
/// refused sees no row.
static STRICT: GucSetting<Strict> = GucSetting::<Strict>::new(Strict::on);

/// Turn it off where tenants are registered in another system only.
static REQUIRE_REGISTERED: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Turn it off for maintenance that must change a policy, such as `pg_restore --clean`. Our own functions turn it off
/// for their own commands.
static GUARDS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Turn it on for a role (`ALTER ROLE … SET`): an application server that is taken over then reaches only the tenants
/// whose tokens it holds.
static REQUIRE_SIGNED: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Turn it on for a role: who is no active member of a tenant, or is not named, does not enter it.
static REQUIRE_MEMBER: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Turn it on where no one person may decide to look into a tenant: somebody else approves first.
static IMPERSONATION_APPROVAL: GucSetting<bool> = GucSetting::<bool>::new(false);

/// How long one grant lets support into a tenant, whatever was asked for. In seconds.
static MAX_IMPERSONATION: GucSetting<i32> = GucSetting::<i32>::new(3600);

/// What the role that a token says counts beside the role that the actor has as a member.
#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types, missing_docs)]
pub enum TokenRole {
    ignored,
    at_least,
    at_most,
}

/// Set it to `at_least` where the issuer of tokens may raise a member's role, or to `at_most` where a token may narrow
/// it.
static TOKEN_ROLE: GucSetting<TokenRole> = GucSetting::<TokenRole>::new(TokenRole::ignored);

/// The keys are in a file, since members of pg_read_all_settings can read the value of every setting.
/// `GUC_SUPERUSER_ONLY` hides the path as well. PGC_SIGHUP: no session, role or startup packet can bring its own keys.
static JWKS_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// A token of another issuer, or one that was made for another service, is refused.
static JWT_ISSUER: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static JWT_AUDIENCE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// The names of the claims, for issuers whose claims have other names.
static JWT_TENANT_CLAIM: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"tenant_id"));
static JWT_ACTOR_CLAIM: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"sub"));
static JWT_ROLE_CLAIM: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"role"));

/// How many seconds the clocks of issuer and server may differ.
static JWT_LEEWAY: GucSetting<i32> = GucSetting::<i32>::new(5);

/// What happens to a new table that belongs to a protected one.
#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types, missing_docs)]
pub enum NewTables {
    protect,
    warn,
    refuse,
    allow,
}

/// Change it where another tool protects partitions, or where nobody may add any.
static NEW_TABLES: GucSetting<NewTables> = GucSetting::<NewTables>::new(NewTables::protect);

/// What happens to a statement that shows how many rows other tenants have, or what they are doing.
#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types, missing_docs)]
pub enum SideChannels {
    hide,
    refuse,
    allow,
}

/// Set it to `allow` for a developer's role that reads plans inside a tenant, or to `refuse` for tools that should get
/// an error instead of an incomplete answer.
static SIDE_CHANNELS: GucSetting<SideChannels> = GucSetting::<SideChannels>::new(SideChannels::hide);

/// Raise it for an application whose transactions take many advisory locks. The server has room for
/// `max_locks_per_transaction` times its sessions, for locks of all kinds together.
static MAX_ADVISORY_LOCKS: GucSetting<i32> = GucSetting::<i32>::new(64);

/// Raise it for a sign-in service that looks up more often, or set it to 0 for a role that must not look up at all. It
/// limits guesses of e-mail addresses, however many sessions the role opens.
static MAX_LOOKUPS_PER_MINUTE: GucSetting<i32> = GucSetting::<i32>::new(600);

/// Each takes 160 bytes of shared memory; 0 keeps no statistics. Those beyond are counted together.
static MAX_TRACKED_TENANTS: GucSetting<i32> = GucSetting::<i32>::new(10_000);

/// Turn it off to see what statistics cost.
static STATISTICS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Set it where so many transactions at once are more than the server does well: then tenants wait for their turn, by
/// weight, and one that has many does not keep the others out.
static MAX_ACTIVE: GucSetting<i32> = GucSetting::<i32>::new(0);

/// How long a transaction waits to be let in, in milliseconds.
static ADMISSION_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(1000);

/// Turn it on where logs are searched by tenant. It is off, since a DETAIL that is there is changed.
static LOG_TENANT: GucSetting<bool> = GucSetting::<bool>::new(false);

/// For databases of test suites that run each test in a transaction and roll it back. Set in postgresql.conf or for a
/// database; a session cannot set it.
static TEST_MODE: GucSetting<bool> = GucSetting::<bool>::new(false);

/// An application names the request that it works on, for the journal's lines. Every role may set it: it tells who
/// reads the journal where else to look, and decides nothing.
static REQUEST_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// The longest, in bytes.
const LONGEST_REQUEST_ID: usize = 128;

/// `pg_tenant.strict`.
pub fn strict() -> Strict {
    STRICT.get()
}

/// `pg_tenant.require_registered`.
pub fn require_registered() -> bool {
    REQUIRE_REGISTERED.get()
}

/// `pg_tenant.guards`.
pub fn guards() -> bool {
    GUARDS.get()
}

/// `pg_tenant.require_signed`.
pub fn require_signed() -> bool {
    REQUIRE_SIGNED.get()
}

/// `pg_tenant.impersonation_approval`.
pub fn impersonation_approval() -> bool {
    IMPERSONATION_APPROVAL.get()
}

/// `pg_tenant.max_impersonation`, in microseconds.
pub fn max_impersonation_us() -> i64 {
    i64::from(MAX_IMPERSONATION.get()) * 1_000_000
}

/// `pg_tenant.require_member`.
pub fn require_member() -> bool {
    REQUIRE_MEMBER.get()
}

/// `pg_tenant.token_role`.
pub fn token_role() -> TokenRole {
    TOKEN_ROLE.get()
}

/// `pg_tenant.jwks_file`; none where it is empty.
pub fn jwks_file() -> Option<String> {
    text(&JWKS_FILE)
}

/// What tokens must say: `pg_tenant.jwt_…`.
pub fn token_rules() -> Rules {
    Rules {
        issuer: text(&JWT_ISSUER),
        audience: text(&JWT_AUDIENCE),
        tenant_claim: text(&JWT_TENANT_CLAIM).unwrap_or_default(),
        actor_claim: text(&JWT_ACTOR_CLAIM),
        role_claim: text(&JWT_ROLE_CLAIM),
        leeway: u32::try_from(JWT_LEEWAY.get()).unwrap_or(0),
    }
}

fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    setting.get().map(|text| text.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}

/// `pg_tenant.new_tables`.
pub fn new_tables() -> NewTables {
    NEW_TABLES.get()
}

/// `pg_tenant.max_advisory_locks`.
pub fn max_advisory_locks() -> usize {
    usize::try_from(MAX_ADVISORY_LOCKS.get()).unwrap_or(0)
}

/// `pg_tenant.max_lookups_per_minute`; none where it is -1.
pub fn max_lookups_per_minute() -> Option<u64> {
    u64::try_from(MAX_LOOKUPS_PER_MINUTE.get()).ok()
}

/// `pg_tenant.side_channels`.
pub fn side_channels() -> SideChannels {
    SIDE_CHANNELS.get()
}

/// Whether `pg_tenant.side_channels` is `allow`.
pub fn side_channels_allowed() -> bool {
    SIDE_CHANNELS.get() == SideChannels::allow
}

/// `pg_tenant.test_mode`.
pub fn test_mode() -> bool {
    TEST_MODE.get()
}

/// `pg_tenant.max_tracked_tenants`.
pub fn max_tracked_tenants() -> usize {
    usize::try_from(MAX_TRACKED_TENANTS.get()).unwrap_or(0)
}

/// `pg_tenant.statistics`.
pub fn statistics() -> bool {
    STATISTICS.get()
}

/// `pg_tenant.max_active`.
pub fn max_active() -> u32 {
    u32::try_from(MAX_ACTIVE.get()).unwrap_or(0)
}

/// `pg_tenant.admission_timeout`, in milliseconds.
pub fn admission_timeout() -> u32 {
    u32::try_from(ADMISSION_TIMEOUT.get()).unwrap_or(0)
}

/// Declares the settings of [`crate::admission`].
pub fn init_admission() {
    GucRegistry::define_int_guc(
        c"pg_tenant.max_active",
        c"How many transactions of tenants run at once.",
        c"Others wait for pg_tenant.admission_timeout, by weight; 0 is no limit.",
        &MAX_ACTIVE,
        0,
        65_536,
        GucContext::Sighup,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"pg_tenant.admission_timeout",
        c"How long a transaction waits to be let into its tenant.",
        c"Where as many run as may. 0 refuses at once.",
        &ADMISSION_TIMEOUT,
        0,
        600_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
}

/// `pg_tenant.log_tenant`.
pub fn log_tenant() -> bool {
    LOG_TENANT.get()
}

/// Declares the settings of [`crate::stats`].
pub fn init_statistics() {
    GucRegistry::define_int_guc(
        c"pg_tenant.max_tracked_tenants",
        c"For how many tenants statistics are kept.",
        c"Each takes 160 bytes of shared memory; 0 keeps none. Those beyond are counted together.",
        &MAX_TRACKED_TENANTS,
        0,
        1_000_000,
        GucContext::Postmaster,
        GucFlags::empty(),
    );
    GucRegistry::define_bool_guc(
        c"pg_tenant.statistics",
        c"What each tenant costs is counted.",
        c"",
        &STATISTICS,
        GucContext::Sighup,
        GucFlags::empty(),
    );
    GucRegistry::define_bool_guc(
        c"pg_tenant.log_tenant",
        c"Each line of the server's log says which tenant its transaction has entered.",
        c"As the first line of DETAIL, in text, CSV and JSON; clients are not told.",
        &LOG_TENANT,
        GucContext::Suset,
        GucFlags::empty(),
    );
}

/// Declares the settings of what is refused and hidden.
pub fn init() {
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_enum_guc(
        c"pg_tenant.strict",
        c"What happens to a statement that touches a protected table with no tenant.",
        c"on refuses it, log warns, off says nothing. Policies apply in every mode.",
        &STRICT,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_bool_guc(
        c"pg_tenant.require_registered",
        c"Only tenants in the registry can be entered.",
        c"When off, unknown tenants can be entered too; suspended ones still cannot.",
        &REQUIRE_REGISTERED,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_bool_guc(
        c"pg_tenant.guards",
        c"Commands that would weaken the protection of a table are refused.",
        c"Turn it off for maintenance, in one session and for as long as it takes.",
        &GUARDS,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_enum_guc(
        c"pg_tenant.new_tables",
        c"What becomes of a new table that belongs to a protected one.",
        c"protect protects it at once, warn does and warns of other tables with a tenant column, refuse refuses it, \
          allow leaves it closed until somebody protects it.",
        &NEW_TABLES,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_enum_guc(
        c"pg_tenant.side_channels",
        c"Whether a tenant's transaction may read plans, sizes and statistics.",
        c"hide answers with nothing, or with what is the session's own, refuse refuses, allow lets pass. EXPLAIN is \
          refused but by allow.",
        &SIDE_CHANNELS,
        context,
        flags,
    );
}

/// Declares the setting of [`crate::context::test_mode`].
pub fn init_test_mode() {
    // SAFETY: called once, from _PG_init; the hook follows PostgreSQL's rules for hooks.
    unsafe {
        GucRegistry::define_bool_guc_with_hooks(
            c"pg_tenant.test_mode",
            c"A savepoint ends what it has entered, and owners may TRUNCATE: for test suites alone.",
            c"Each session says so with a warning, and the doctor calls it an error.",
            &TEST_MODE,
            GucContext::Suset,
            GucFlags::empty(),
            Some(of_server_or_database),
            None,
            None,
        );
    }
}

/// Accepts a value from postgresql.conf, the command line or a database, and none that a role or a session sets.
unsafe extern "C-unwind" fn of_server_or_database(
    _: *mut bool,
    _: *mut *mut std::ffi::c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    use pg_sys::GucSource::{PGC_S_CLIENT, PGC_S_DATABASE_USER, PGC_S_SESSION, PGC_S_USER};
    let refused = matches!(source, PGC_S_CLIENT | PGC_S_DATABASE_USER | PGC_S_SESSION | PGC_S_USER);
    if refused {
        // SAFETY: static text.
        unsafe {
            pg_sys::GUC_check_errhint_string =
                c"Set it in postgresql.conf, or for a database that tests use: alter database ... set pg_tenant.test_mode = on;"
                    .as_ptr()
                    .cast_mut();
        }
    }
    !refused
}

/// Declares the setting of [`crate::context::locks`].
pub fn init_locks() {
    GucRegistry::define_int_guc(
        c"pg_tenant.max_advisory_locks",
        c"How many advisory locks of its own a tenant's transaction may take.",
        c"Counted by name, until the end of the transaction.",
        &MAX_ADVISORY_LOCKS,
        0,
        65_536,
        GucContext::Suset,
        GucFlags::empty(),
    );
}

/// Declares the setting of [`crate::context::lookup`].
pub fn init_lookups() {
    GucRegistry::define_int_guc(
        c"pg_tenant.max_lookups_per_minute",
        c"How often a login role may look tenants up by one key in a minute.",
        c"In all its sessions together; -1 is no limit.",
        &MAX_LOOKUPS_PER_MINUTE,
        -1,
        1_000_000,
        GucContext::Suset,
        GucFlags::empty(),
    );
}

/// Declares the settings of [`crate::entry::impersonation`].
pub fn init_impersonation() {
    GucRegistry::define_bool_guc(
        c"pg_tenant.impersonation_approval",
        c"An impersonation is approved by a second person before it opens the tenant.",
        c"Another login than the one that asked: tenant.approve_impersonation().",
        &IMPERSONATION_APPROVAL,
        GucContext::Suset,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"pg_tenant.max_impersonation",
        c"How long an impersonation lasts at most.",
        c"Those that are open already end by it, too.",
        &MAX_IMPERSONATION,
        1,
        604_800,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
}

/// Declares the settings of [`crate::people`].
pub fn init_people() {
    GucRegistry::define_bool_guc(
        c"pg_tenant.require_member",
        c"Tenants are entered by their active members only.",
        c"For roles: ALTER ROLE ... SET. The actor is then named by tenant.enter(id, actor) or by a token.",
        &REQUIRE_MEMBER,
        GucContext::Suset,
        GucFlags::empty(),
    );
    GucRegistry::define_enum_guc(
        c"pg_tenant.token_role",
        c"What a token's role counts beside the role that the actor has as a member.",
        c"ignored: nothing. at_least: the higher of both. at_most: the lower of both.",
        &TOKEN_ROLE,
        GucContext::Suset,
        GucFlags::empty(),
    );
}

/// Declares `pg_tenant.request_id`.
pub fn init_request_id() {
    // SAFETY: called once, from _PG_init; the hook follows PostgreSQL's rules for hooks.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"pg_tenant.request_id",
            c"The request that the transaction works on, for the journal.",
            c"Set it with SET LOCAL or set_config(..., true).",
            &REQUEST_ID,
            GucContext::Userset,
            GucFlags::empty(),
            Some(is_request_id),
            None,
            None,
        );
    }
}

/// Accepts a plain text of bounded length.
unsafe extern "C-unwind" fn is_request_id(
    value: *mut *mut std::ffi::c_char,
    _: *mut *mut std::ffi::c_void,
    _: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a null or NUL-terminated value; the hint is static text. Nothing here raises or is
    // dropped.
    unsafe {
        if (*value).is_null() {
            return true;
        }
        let text = CStr::from_ptr(*value);
        let taken = text.count_bytes() <= LONGEST_REQUEST_ID && text.to_str().is_ok_and(pg_tenant_core::is_plain);
        if !taken {
            pg_sys::GUC_check_errhint_string =
                c"It has at most 128 bytes, and no control characters, line breaks or marks of direction."
                    .as_ptr()
                    .cast_mut();
        }
        taken
    }
}

/// Declares the settings of signed entry. All but the first come from postgresql.conf or ALTER SYSTEM.
pub fn init_signed() {
    GucRegistry::define_bool_guc(
        c"pg_tenant.require_signed",
        c"Tenants are entered with a signed token only.",
        c"For roles: ALTER ROLE ... SET. A token must then be passed as a parameter.",
        &REQUIRE_SIGNED,
        GucContext::Suset,
        GucFlags::empty(),
    );
    let texts: [(&'static CStr, &'static CStr, &'static CStr, &'static GucSetting<Option<CString>>); 6] = [
        (
            c"pg_tenant.jwks_file",
            c"The file with the keys that tokens are verified with (JWKS).",
            c"Read again on reload.",
            &JWKS_FILE,
        ),
        (c"pg_tenant.jwt_issuer", c"The claim iss that tokens must have.", c"Empty: any.", &JWT_ISSUER),
        (
            c"pg_tenant.jwt_audience",
            c"What the claim aud of tokens must name.",
            c"Empty: tokens that name an audience are refused.",
            &JWT_AUDIENCE,
        ),
        (c"pg_tenant.jwt_tenant_claim", c"The claim that names the tenant.", c"", &JWT_TENANT_CLAIM),
        (c"pg_tenant.jwt_actor_claim", c"The claim that names the actor.", c"Empty: none is read.", &JWT_ACTOR_CLAIM),
        (c"pg_tenant.jwt_role_claim", c"The claim that names the role.", c"Empty: none is read.", &JWT_ROLE_CLAIM),
    ];
    for (name, short, long, setting) in texts {
        let flags = if name == c"pg_tenant.jwks_file" { GucFlags::SUPERUSER_ONLY } else { GucFlags::empty() };
        GucRegistry::define_string_guc(name, short, long, setting, GucContext::Sighup, flags);
    }
    GucRegistry::define_int_guc(
        c"pg_tenant.jwt_leeway",
        c"By how much clocks may differ when a token's times are checked.",
        c"",
        &JWT_LEEWAY,
        0,
        300,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// Reserves the prefix; after every setting is declared.
pub fn reserve_prefix() {
    // SAFETY: called once, from _PG_init.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"pg_tenant".as_ptr()) };
}
