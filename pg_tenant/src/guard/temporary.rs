//! Temporary objects: those that a transaction makes inside a tenant, and those that stand in front of other names.
//! They are judged when their command has run, by the schema they are in, however the command spelled it.
//!
//! PostgreSQL calls the object-access hook for each new object. An object that ends with the transaction is harmless: a
//! table with ON COMMIT DROP, and whatever depends on it.

use crate::context::current;
use crate::guard::in_tenant;
use crate::pg::report::{Outcome, Report};
use crate::pg::temporary::{self, Temporary};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};

thread_local! {
    /// Made in a tenant's transaction, or the system context, by the command that runs, and not judged yet. What an
    /// error has undone is not found any more when it is judged.
    static MADE: RefCell<Vec<(Oid, Oid)>> = const { RefCell::new(Vec::new()) };
    /// Tables of this transaction that go at its end.
    static ENDING: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
    /// Multirange types: no dependency leads to them from the temporary schema.
    static MULTIRANGES: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
    /// The command that runs says ON COMMIT DROP.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Makes room for the notes, before the first session: see pg/memory.rs.
pub fn init() {
    MADE.take();
    ENDING.take();
    MULTIRANGES.take();
}

/// A command begins. `ends` says whether what it creates ends with the transaction; none for a command that is a part
/// of another. Returns what [`ended`] needs. After an error the value may be wrong, until the next command sets it.
pub fn begins(ends: Option<bool>) -> bool {
    let around = ENDS.get();
    ENDS.set(ends.unwrap_or(around));
    around
}

/// The command is through.
pub fn ended(around: bool) {
    ENDS.set(around);
}

/// Whether there is a temporary schema for things to be made in.
pub fn may_be_made() -> bool {
    temporary::schema().is_some()
}

/// Something was made, maybe in the temporary schema.
pub fn made(class: Oid, object: Oid) {
    let is_relation = class == pg_sys::RelationRelationId;
    if ENDS.get() {
        if is_relation && temporary::read(class, object).is_some() {
            ENDING.with_borrow_mut(|tables| tables.push(object));
        }
        return;
    }
    if current::session_tenant().is_some() {
        return;
    }
    if current::is_set() || current::system().is_some() {
        // A temporary function can only be called by its qualified name.
        if class != pg_sys::ProcedureRelationId && temporary::read(class, object).is_some() {
            MADE.with_borrow_mut(|made| made.push((class, object)));
        }
    } else if temporary::is_multirange(class, object) && temporary::read(class, object).is_some() {
        MULTIRANGES.with_borrow_mut(|types| types.push(object));
    }
}

/// The command is through: refuses it if it made something that the next tenant on this connection would find.
pub fn check() -> Outcome<()> {
    let made = MADE.take();
    if made.is_empty() || !(in_tenant::here() || current::system().is_some()) {
        return Ok(());
    }
    let ending = ENDING.with_borrow(Clone::clone);
    let left = made.into_iter().filter_map(|(class, object)| temporary::read(class, object));
    let left: Vec<Temporary> = left.filter(|it| !temporary::goes_with(it.class, it.object, &ending)).collect();
    let is_relation = |it: &&Temporary| it.class == pg_sys::RelationRelationId;
    match left.iter().find(is_relation).or(left.first()) {
        Some(left) => Err(session_object_refused(left.what)),
        None => Ok(()),
    }
}

/// Refuses (`TN066`) to enter where a name without a schema would mean something that this session has made.
pub fn refuse_shadows() -> Outcome<()> {
    refuse(|_| true)
}

/// As [`refuse_shadows`], for the system context: only objects that run code where their name is used, that is types.
pub fn refuse_types() -> Outcome<()> {
    refuse(|class| class != pg_sys::RelationRelationId)
}

fn refuse(asked: impl Fn(Oid) -> bool) -> Outcome<()> {
    if !may_be_made() || current::session_tenant().is_some() {
        return Ok(());
    }
    let multiranges = MULTIRANGES.with_borrow(Clone::clone);
    let Some((temporary, other)) = temporary::in_front_of_another(&multiranges, asked) else { return Ok(()) };
    Err(Report::new(Refusal::ShadowedTable, format!("temporary {temporary} stands in front of {other}"))
        .detail("This session made it before it entered, and a statement that names no schema would mean it.")
        .hint(format!("Drop it, or close the connection and use another. What was meant may be {other}.")))
}

/// The transaction has ended.
pub fn transaction_ended() {
    ENDING.with_borrow_mut(Vec::clear);
    MADE.with_borrow_mut(Vec::clear);
}

fn session_object_refused(what: &str) -> Report {
    let whose = if current::system().is_some() { "the system context" } else { "this tenant's transaction" };
    Report::new(Refusal::SessionObjectRefused, format!("a temporary {what} would outlive {whose}"))
        .detail("The next tenant on this connection would find it, and it stands in front of other names.")
        .hint("Create a temporary table with on commit drop.")
}
