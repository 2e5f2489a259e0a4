//! Function calls, as the executor initialises them and as the fast-path protocol names them. Only here are large
//! objects, statistics and advisory locks seen, which are neither tables nor commands.
//!
//! The hook runs for every operator of every statement, so the kind of a function is looked up once per session. It
//! runs when an expression is initialised, which may be before the tenant is entered: see [`ready`]. A function of an
//! extension is also judged at each call, by the hooks of the function manager.
//!
//! Where side channels are hidden, the plan calls our own function instead of one that would show something, and
//! [`answer`] says what it returns. A call that the plan pass did not find is judged here, and refused.

mod list;

use self::list::Kind;
use crate::context::current;
use crate::context::session_state;
use crate::guard::{channel, held, ready};
use crate::gucs::{self, SideChannels};
use crate::pg::answering::Answer;
use crate::pg::oids;
use crate::pg::plans::Answering;
use crate::pg::proc::Source;
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, invalidation, proc, role};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{self, Oid};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// How many oids belong to PostgreSQL itself; their functions never change.
const FIRST_NORMAL_OID: usize = oids::FIRST_NORMAL as usize;
/// At most this many functions of users are remembered.
const CAPACITY: usize = 65_536;

thread_local! {
    /// [`Kind`] by oid; 0 where it was not looked up yet.
    static BUILTIN: [Cell<u8>; FIRST_NORMAL_OID] = const { [const { Cell::new(0) }; FIRST_NORMAL_OID] };
    static OTHERS: RefCell<FxHashMap<Oid, Facts>> = RefCell::new(FxHashMap::default());
    static EPOCH: Cell<u64> = const { Cell::new(0) };
}

/// What is remembered of a function of users.
#[derive(Clone, Copy)]
pub struct Facts {
    kind: Kind,
    /// It is declared IMMUTABLE.
    pub immutable: bool,
    /// Its text reads settings.
    pub reads_settings: bool,
}

impl Facts {
    const NONE: Facts = Facts { kind: Kind::Harmless, immutable: false, reads_settings: false };

    fn of(source: Source) -> Facts {
        let kind = if source.in_c { list::symbol(&source.text) } else { Kind::Harmless };
        let reads_settings = source.immutable && source.text.to_lowercase().contains("current_setting");
        Facts { kind, immutable: source.immutable, reads_settings }
    }
}

/// Listens for changes of functions.
pub fn init() {
    // Used here once: see pg/memory.rs.
    OTHERS.take();
    invalidation::on_function_change(|| EPOCH.set(EPOCH.get() + 1));
}

/// Whether the function is one of PostgreSQL itself that is known to be harmless: then nothing else is to be asked.
pub fn passes(function: Oid) -> bool {
    let oid = u32::from(function) as usize;
    oid < FIRST_NORMAL_OID && BUILTIN.with(|kinds| kinds[oid].get()) == Kind::Harmless as u8
}

/// Whether the function is none of PostgreSQL's own.
pub fn is_of_users(function: Oid) -> bool {
    oids::is_of_users(function)
}

/// Whether each single call of this function of an extension must be judged. Not for triggers and methods of
/// TABLESAMPLE, which are judged where they are used.
pub fn is_judged_at_call(function: Oid) -> bool {
    kind(function).is_refused() && !proc::is_called_by_the_executor(function)
}

/// Whether the function takes from the session's random numbers, or sets where they begin: `random`, `setseed`,
/// `random_normal`, `array_shuffle`, `array_sample`.
pub fn is_random(function: Oid) -> bool {
    matches!(u32::from(function), 1598 | 1599 | 6212 | 6215 | 6216 | 6339..=6341)
}

/// Judges a call inside a tenant's transaction, and notes what may set a setting in any, and what is made ready for a
/// call with no tenant.
pub fn judge(function: Oid) -> Outcome<()> {
    let kind = kind(function);
    if kind == Kind::Foreign {
        session_state::touch_settings();
    }
    if current::is_set() {
        return verdict(function, kind);
    }
    if kind == Kind::Answers || kind.is_refused() && !is_of_users(function) {
        ready::note(function);
    }
    Ok(())
}

/// Refuses to enter a tenant inside a statement that could still call a function that was noted.
pub fn refuse_running() -> Outcome<()> {
    ready::running().map_or(Ok(()), in_tenant)
}

/// Judges a call inside a tenant.
pub fn in_tenant(function: Oid) -> Outcome<()> {
    let kind = kind(function);
    // Rows may have been read before the tenant was entered.
    if kind == Kind::Answers && !gucs::side_channels_allowed() && extension::is_installed() {
        return Err(side_channel_refused(
            "what was opened with no tenant and reads sizes, counters, locks or sessions",
        ));
    }
    verdict(function, kind)
}

/// Which calls of a statement that is being planned are replaced, so that [`answer`] decides. None for a superuser with
/// no tenant, whose plans should show the functions that are called.
pub fn answered() -> Option<fn(Oid) -> bool> {
    if !current::is_set() && role::is_superuser_session() {
        return None;
    }
    Some(if gucs::side_channels() == SideChannels::hide { is_answered } else { is_notify })
}

/// Of functions that tell, and of `pg_notify`.
fn is_answered(function: Oid) -> bool {
    is_notify(function) || !passes(function) && kind(function).is_hidden()
}

fn is_notify(function: Oid) -> bool {
    u32::from(function) == pg_sys::F_PG_NOTIFY
}

/// Our functions that answer, where this database has them.
pub fn answering() -> Option<Answering> {
    Some(Answering { one: proc::of_any("hidden")?, set: proc::of_any("hidden_set")? })
}

/// What a call of this function gives.
pub fn answer(function: Oid) -> Outcome<Answer> {
    if is_notify(function) {
        return Ok(if channel::is_judged() { Answer::Notify(channel::judge) } else { Answer::Called });
    }
    let kind = kind(function);
    if !current::is_set() || !kind.is_hidden() || is_told(kind) {
        return Ok(Answer::Called);
    }
    if gucs::side_channels() == SideChannels::refuse {
        return verdict(function, kind).map(|()| Answer::Nothing);
    }
    Ok(match u32::from(function) {
        pg_sys::F_PG_STAT_GET_ACTIVITY => Answer::OwnSession,
        pg_sys::F_PG_LOCK_STATUS => Answer::OwnLocks,
        _ => Answer::Nothing,
    })
}

/// Whether this session may see in its tenants what this kind of functions shows.
fn is_told(kind: Kind) -> bool {
    match kind {
        Kind::Remembers => gucs::side_channels_allowed() || !session_state::is_shared(),
        Kind::Counts => held::may_read_sequences(role::current_user()),
        _ => gucs::side_channels_allowed(),
    }
}

fn verdict(function: Oid, kind: Kind) -> Outcome<()> {
    if !kind.is_refused() || !extension::is_installed() {
        return Ok(());
    }
    let name = proc::name(function);
    match kind {
        Kind::Remembers if !is_told(kind) => Err(side_channel_refused_of_session(&name)),
        Kind::SideChannel | Kind::Disturbs | Kind::Counts if !is_told(kind) => {
            Err(side_channel_refused(&format!("function {name}")))
        }
        Kind::SharedName if gucs::guards() => Err(shared_name_refused(&name)),
        Kind::BypassesPolicies if gucs::guards() => Err(function_refused(&format!("function {name}"))),
        _ => Ok(()),
    }
}

fn kind(function: Oid) -> Kind {
    let oid = u32::from(function) as usize;
    if oid < FIRST_NORMAL_OID {
        let kind = list::builtin(&proc::name(function));
        BUILTIN.with(|kinds| kinds[oid].set(kind as u8));
        return kind;
    }
    facts(function).kind
}

/// What is known of a function of users.
pub fn facts(function: Oid) -> Facts {
    thread_local! { static SEEN: Cell<u64> = const { Cell::new(0) } }
    let now = EPOCH.get();
    if SEEN.replace(now) != now {
        OTHERS.take();
    }
    if let Some(facts) = OTHERS.with_borrow(|others| others.get(&function).copied()) {
        return facts;
    }
    // No borrow is held here: the lookup delivers invalidations.
    let facts = proc::source(function).map_or(Facts::NONE, Facts::of);
    if EPOCH.get() == now {
        OTHERS.with_borrow_mut(|others| {
            if others.len() >= CAPACITY {
                others.clear();
            }
            others.insert(function, facts);
        });
    }
    facts
}

/// The refusal of a statement that tells of other tenants.
pub fn side_channel_refused(what: &str) -> Report {
    Report::new(Refusal::SideChannelRefused, format!("{what} is refused in a tenant's transaction"))
        .detail("It tells of other tenants' rows or sessions: how many, how large, how busy.")
        .hint("Use it with no tenant entered. A superuser allows it to a role: alter role ... set pg_tenant.side_channels = allow;")
}

fn side_channel_refused_of_session(name: &str) -> Report {
    Report::new(Refusal::SideChannelRefused, format!("function {name} is refused in a tenant's transaction"))
        .detail("Another tenant has used this session before, and statements prepared then show its literals.")
        .hint("Ask with no tenant entered, or in a session that has known no other tenant.")
}

/// The refusal of a name that all tenants share.
pub fn shared_name_refused(what: &str) -> Report {
    Report::new(Refusal::SharedNameRefused, format!("{what} is refused in a tenant's transaction"))
        .detail("Its keys and channels are those of every tenant in the database.")
        .hint("Use tenant.advisory_lock(), tenant.try_advisory_lock() or tenant.notify(): their names are the tenant's own.")
}

/// The refusal of what works on rows that no policy covers.
pub fn function_refused(what: &str) -> Report {
    Report::new(Refusal::FunctionRefused, format!("{what} is refused in a tenant's transaction"))
        .detail("It works on rows, files, sequences or sessions of every tenant, and no policy applies to it.")
        .hint("Call it in a transaction that has entered no tenant; keep tenants' large values in columns of protected tables.")
}
