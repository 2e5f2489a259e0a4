//! What a session carries from one transaction to the next, and a pool must not lend to another tenant.
//!
//! Settings and temporary objects are read from PostgreSQL itself; settings only if one may have been set since they
//! were last found clean (by SET, by `set_config`, or by C code, which no hook sees). Cursors WITH HOLD and prepared
//! statements cannot be listed cheaply: the utility hook notes their names, and PostgreSQL is asked whether they still
//! exist. It removes a cursor with its transaction or savepoint, but not if COMMIT fails after filling it. LISTEN
//! cannot be looked up: the note is removed where PostgreSQL undoes the LISTEN, and by UNLISTEN * and DISCARD ALL.

use crate::pg::session_settings::{self, HANDED_ON, Settings};
use crate::pg::{relation, session, transaction};
use pg_tenant_core::TenantId;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::ffi::CString;

/// What the utility hook notes.
#[derive(PartialEq, Eq)]
pub enum Kind {
    None,
    HeldCursor(CString),
    PreparedStatement(CString),
    Listen,
}

impl Kind {
    fn is_there(&self) -> bool {
        match self {
            Self::HeldCursor(name) => session::has_held_cursor(name),
            Self::PreparedStatement(name) => session::has_prepared_statement(name),
            Self::None | Self::Listen => false,
        }
    }
}

/// `TopSubTransactionId`: in no savepoint.
const OUTERMOST: u32 = 1;

/// Whether the session listens.
#[derive(Clone, Copy)]
struct Listens {
    /// It did so when this transaction began.
    already: bool,
    /// It will from the commit of this transaction on: the number of the outermost savepoint with a LISTEN that was not
    /// undone. Later savepoints have higher numbers, also those that were released into it.
    from_commit: Option<u32>,
    /// It will not any more: DISCARD ALL, UNLISTEN *.
    discarded: bool,
}

impl Listens {
    const NOT: Self = Self { already: false, from_commit: None, discarded: false };

    fn at_commit(self) -> bool {
        self.already && !self.discarded || self.from_commit.is_some()
    }
}

/// Whose statements the session remembers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Nobodys,
    Of(TenantId),
    /// More than one tenant's, or those of the system context.
    Several,
}

thread_local! {
    /// Cursors WITH HOLD and prepared statements; some of them may not exist any more.
    static NOTED: RefCell<Vec<Kind>> = const { RefCell::new(Vec::new()) };
    static LISTENS: Cell<Listens> = const { Cell::new(Listens::NOT) };
    /// SET, `set_config` or C code of another extension ran since the settings were last found clean. True at first:
    /// what was set before the first look is not known.
    static SETTINGS_TOUCHED: Cell<bool> = const { Cell::new(true) };
    /// The same in this transaction, or a cursor of this transaction may still call it.
    static TOUCHED_NOW: Cell<bool> = const { Cell::new(false) };
    /// `random` or `setseed` ran since the random state was last renewed; and in this transaction.
    static SEED_TOUCHED: Cell<bool> = const { Cell::new(false) };
    static SEED_TOUCHED_NOW: Cell<bool> = const { Cell::new(false) };
    /// Tables of others' rows that LOCK has locked in this transaction.
    static LOCKED: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
    /// Whether each of `HANDED_ON` was last set in a transaction without a tenant.
    static FROM_OUTSIDE: Cell<[bool; HANDED_ON.len()]> = const { Cell::new([true; HANDED_ON.len()]) };
    /// The last tenant that this session has entered.
    static LAST: Cell<Option<TenantId>> = const { Cell::new(None) };
    static MEMORY: Cell<Memory> = const { Cell::new(Memory::Nobodys) };
}

/// Makes room for the notes, before the first session: see pg/memory.rs.
pub fn init() {
    LOCKED.take();
    NOTED.take();
}

/// The session goes over to this tenant. After another one, `lastval` and `currval` are forgotten and the random state
/// is renewed, so that nothing of the other tenant can be seen or predicted.
pub fn hand_over(id: TenantId) {
    let last = LAST.replace(Some(id));
    if last.is_some_and(|last| last != id) {
        session::forget_sequences();
    }
    MEMORY.set(match MEMORY.get() {
        Memory::Nobodys => Memory::Of(id),
        Memory::Of(tenant) if tenant != id => Memory::Several,
        memory => memory,
    });
    if SEED_TOUCHED.get() && last != Some(id) {
        session::forget_random_state();
        SEED_TOUCHED.set(SEED_TOUCHED_NOW.get());
    }
}

/// The session enters the system context: what it remembers from now on may be any tenant's.
pub fn share() {
    MEMORY.set(Memory::Several);
}

/// Whether what the session remembers may be another tenant's than the current one's.
pub fn is_shared() -> bool {
    MEMORY.get() == Memory::Several
}

/// `random` or `setseed` runs, or is made ready to.
pub fn touch_seed() {
    SEED_TOUCHED.set(true);
    SEED_TOUCHED_NOW.set(true);
}

/// LOCK locks the table, with no tenant entered yet.
pub fn note_lock(table: Oid) {
    LOCKED.with_borrow_mut(|locked| locked.push(table));
}

/// A table that LOCK has locked in this transaction, where it is still locked: a savepoint may have let go of it.
pub fn locked_table() -> Option<Oid> {
    LOCKED.with_borrow(|locked| locked.iter().copied().find(|&table| relation::is_locked_for_others(table)))
}

/// The session makes one of these.
pub fn note(kind: Kind) {
    match kind {
        Kind::None => {}
        Kind::Listen => {
            let (listens, savepoint) = (LISTENS.get(), transaction::savepoint());
            let outermost = listens.from_commit.map_or(savepoint, |noted| noted.min(savepoint));
            LISTENS.set(Listens { from_commit: Some(outermost), ..listens });
        }
        // Asking PostgreSQL raises no error: a borrow may go across it.
        named => NOTED.with_borrow_mut(|noted| {
            noted.retain(|noted| *noted != named && noted.is_there());
            noted.push(named);
        }),
    }
}

/// SET, `set_config` or somebody's C code runs, for the session or not.
pub fn touch_settings() {
    SETTINGS_TOUCHED.set(true);
    TOUCHED_NOW.set(true);
}

/// Whether a cursor WITH HOLD was declared in this transaction: its rows are not fetched yet.
pub fn holds_cursor() -> bool {
    let is_unfilled = |noted: &Kind| matches!(noted, Kind::HeldCursor(name) if session::has_unfilled_cursor(name));
    NOTED.with_borrow(|noted| noted.iter().any(is_unfilled))
}

/// The transaction is about to commit, and its settings still stand. `entered` says whether it has entered a tenant or
/// the system context: then whatever it sets for the session counts as left behind.
pub fn transaction_commits(entered: bool) {
    // Settings that C code sets are not noted, so inside a tenant PostgreSQL is always asked.
    if entered || TOUCHED_NOW.get() {
        let mut from_outside = FROM_OUTSIDE.get();
        for (from_outside, set_now) in from_outside.iter_mut().zip(session_settings::handed_on_now()) {
            *from_outside = if set_now { !entered } else { *from_outside };
        }
        FROM_OUTSIDE.set(from_outside);
    }
}

/// The savepoint is undone.
pub fn savepoint_undone(savepoint: u32) {
    let listens = LISTENS.get();
    LISTENS.set(Listens { from_commit: listens.from_commit.filter(|&noted| noted < savepoint), ..listens });
}

/// The transaction has ended.
pub fn transaction_ended(committed: bool) {
    let listens = LISTENS.get();
    LISTENS.set(Listens { already: if committed { listens.at_commit() } else { listens.already }, ..Listens::NOT });
    TOUCHED_NOW.set(false);
    SEED_TOUCHED_NOW.set(false);
    LOCKED.with_borrow_mut(Vec::clear);
}

/// UNLISTEN * ends every LISTEN when it commits. In a savepoint it is not noted, since it may be undone.
pub fn unlisten() {
    if transaction::savepoint() == OUTERMOST {
        LISTENS.set(Listens { from_commit: None, discarded: true, ..LISTENS.get() });
    }
}

/// DISCARD ALL has removed what was noted; a LISTEN ends when it commits.
pub fn forget() {
    unlisten();
    MEMORY.set(Memory::Nobodys);
}

/// Something that the session carries, in words for a DETAIL, or nothing.
pub fn find() -> Option<String> {
    let named = NOTED.with_borrow(|noted| match noted.iter().find(|noted| noted.is_there()) {
        Some(Kind::PreparedStatement(_)) => Some("a statement prepared with PREPARE"),
        Some(_) => Some("a cursor WITH HOLD"),
        None => None,
    });
    if let Some(what) = named.or(LISTENS.get().at_commit().then_some("a LISTEN")) {
        return Some(what.into());
    }
    if SETTINGS_TOUCHED.get() {
        match session_settings::settings(FROM_OUTSIDE.get()) {
            Settings::Set(name) => return Some(format!("setting \"{name}\" set for the session")),
            Settings::CleanSoFar => {}
            Settings::Clean => SETTINGS_TOUCHED.set(TOUCHED_NOW.get()),
        }
    }
    session::has_temporary_objects().then(|| "temporary objects".into())
}
