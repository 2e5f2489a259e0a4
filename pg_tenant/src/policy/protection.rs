//! What the catalog says of a table: protected, not, or protected with a gap.
//!
//! The mark of protection is the fence in `pg_policy` itself ([`crate::pg::policy`]), so a dump carries it and a rename
//! does not lose it. The verdict is remembered by oid until relcache invalidation says that the table has changed. That an
//! unprotected hierarchy is one is forgotten when a table of it changes ([`hierarchies`]); what rests on other things
//! than its tables, when any table does.

mod hierarchies;

use crate::pg::journal_row::{self, LastWord};
use crate::pg::policy::{self, Fence, Form};
use crate::pg::{defaults, extension, folding, hierarchy, invalidation, relation, rewrite, shared_row};
use pgrx::pg_sys::Oid;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// At most this many verdicts are remembered.
const CAPACITY: usize = 65_536;
/// Oids below this belong to PostgreSQL itself.
const FIRST_NORMAL_OID: u32 = 16_384;

/// How a table is protected.
#[derive(Clone, Copy)]
pub enum Protection {
    /// Not protected.
    None,
    /// By this fence.
    Fenced(Fence),
    /// Meant to be, but a policy does not reach every row: no statement may touch it.
    Broken(Gap),
    /// It holds rows that no policy can cover, and nobody has declared that every tenant may see them.
    Uncovered(Rows),
    /// A temporary relation with the name of this protected table, found before it.
    Shadows(Oid),
    /// It is no table, or not the application's, and holds what belongs to every tenant.
    Held(Held),
}

/// What holds rows of every tenant, or tells of them, and has no policies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A TOAST table: the long values of another table.
    Toast,
    /// A sequence, read as a table.
    Sequence,
    /// `pg_statistic`, `pg_statistic_ext_data`.
    Statistics,
    /// `pg_largeobject`.
    LargeObjects,
    /// `pg_authid`, `pg_user_mapping`: what other logins are authenticated by.
    Secrets,
    /// A table of the extension's own.
    Own,
}

/// Rows that no policy can cover.
#[derive(Clone, Copy)]
pub enum Rows {
    /// A materialized view over this protected table.
    Of(Oid),
    /// A foreign table.
    Foreign,
}

/// Why the policies of a table do not reach every row.
#[derive(Clone, Copy)]
pub enum Gap {
    /// Row-level security is not enabled: policies are ignored.
    NotEnabled,
    /// It is not forced: the owner is exempt.
    NotForced,
    /// The table has no fence, a table above it has one: this partition or child can be read around it.
    UnderProtected(Oid),
    /// The table has no fence, a table below it has one: reading this one reads around it.
    OverProtected(Oid),
    /// The table is reached by membership through this one, which is not protected by a tenant column.
    Through(Oid),
    /// The table has no fence and has had one, or a table of its name: it came back without.
    Lost(Sign),
    /// Of the three policies that show rows of nobody to every tenant, and keep them from writing, not all are there.
    Torn(Fence),
}

/// What tells that a table has lost its fence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The journal's last word on a table of this name is that it was protected.
    Journal,
    /// A column's default reads the current tenant.
    Default,
    /// Row-level security is forced, and there is nothing to force.
    Forced,
}

/// What invalidations did since a verdict was begun: one number for each table would be too much to keep.
type Epoch = u64;

thread_local! {
    static EPOCH: Cell<Epoch> = const { Cell::new(0) };
    static VERDICTS: RefCell<FxHashMap<Oid, Protection>> = RefCell::new(FxHashMap::default());
    /// Verdicts that rest on what no invalidation names, each with the epoch it was made in.
    static OF_THE_EPOCH: RefCell<FxHashMap<Oid, (Epoch, Protection)>> = RefCell::new(FxHashMap::default());
    /// Tables that changed while [`VERDICTS`] was borrowed; none in practice, since no borrow spans a call.
    static FORGET_ALL: Cell<bool> = const { Cell::new(false) };
}

/// Listens for changes of tables.
pub fn init() {
    // Used here once: see pg/memory.rs.
    VERDICTS.take();
    OF_THE_EPOCH.take();
    hierarchies::init();
    invalidation::on_relation_change(|changed| {
        folding::relation_changed(changed);
        EPOCH.set(EPOCH.get() + 1);
        hierarchies::relation_changed(changed);
        VERDICTS.with(|verdicts| match (verdicts.try_borrow_mut(), changed) {
            (Ok(mut verdicts), Some(table)) => drop(verdicts.remove(&table)),
            (Ok(mut verdicts), None) => verdicts.clear(),
            (Err(_), _) => FORGET_ALL.set(true),
        });
    });
    // The names of its tables are others then: see [`lost`].
    invalidation::on_schema_change(|| {
        EPOCH.set(EPOCH.get() + 1);
        hierarchies::relation_changed(None);
        FORGET_ALL.set(true);
    });
}

/// How this relation is protected.
pub fn of(table: Oid) -> Protection {
    if u32::from(table) < FIRST_NORMAL_OID {
        return of_postgres(table.into()).map_or(Protection::None, Protection::Held);
    }
    match remembered(table).unwrap_or_else(|| find(table)) {
        // Asked of both tables each time: neither is told when the other changes.
        Protection::Fenced(fence) if let Some(through) = open_through(table, fence) => {
            Protection::Broken(Gap::Through(through))
        }
        verdict => verdict,
    }
}

/// The join table, not protected by a tenant column, of a table that is reached by membership.
fn open_through(table: Oid, fence: Fence) -> Option<Oid> {
    let open = |fence: &Fence| {
        let through = fence.membership()?.through;
        match remembered(through).unwrap_or_else(|| find(through)) {
            Protection::Fenced(of_its_own) if of_its_own.form == Form::Own => None,
            _ => Some(through),
        }
    };
    match fence.alone {
        true => open(&fence),
        false => policy::fences(table).iter().find_map(open),
    }
}

/// All fences of the table, whether or not it has a gap.
pub fn fences(table: Oid) -> Vec<Fence> {
    if fence(table).is_some() { policy::fences(table) } else { Vec::new() }
}

/// The fences that a plan must have where it reads the table under its policies. Where the table has a gap, the
/// executor's check refuses whatever reads it.
pub fn fences_in_plan(table: Oid) -> Vec<Fence> {
    match of(table) {
        Protection::Fenced(fence) if fence.alone => vec![fence],
        Protection::Fenced(_) => policy::fences(table),
        _ => Vec::new(),
    }
}

/// The table's fence, whether or not it has a gap.
pub fn fence(table: Oid) -> Option<Fence> {
    match of(table) {
        Protection::Fenced(fence) => Some(fence),
        Protection::None | Protection::Uncovered(_) | Protection::Shadows(_) | Protection::Held(_) => None,
        Protection::Broken(_) => policy::fence(table),
    }
}

/// What PostgreSQL's own relations hold; the last arm are the TOAST tables of its catalogs.
fn of_postgres(relation: u32) -> Option<Held> {
    match relation {
        2619 | 3429 => Some(Held::Statistics),
        2613 => Some(Held::LargeObjects),
        1260 | 1418 => Some(Held::Secrets),
        2840 | 2966 | 3430 | 3439 | 4171 | 4173 | 4175 | 4183 => Some(Held::Toast),
        _ => None,
    }
}

fn remembered(table: Oid) -> Option<Protection> {
    VERDICTS
        .with_borrow_mut(|verdicts| {
            if FORGET_ALL.replace(false) {
                verdicts.clear();
            }
            verdicts.get(&table).copied()
        })
        .or_else(|| hierarchies::is_unprotected(table).then_some(Protection::None))
        .or_else(|| {
            OF_THE_EPOCH.with_borrow(|verdicts| {
                verdicts.get(&table).and_then(|&(epoch, verdict)| (epoch == EPOCH.get()).then_some(verdict))
            })
        })
}

fn find(table: Oid) -> Protection {
    // No borrow is held here: catalog reads deliver invalidations.
    let before = EPOCH.get();
    let Some(class) = relation::class(table) else { return Protection::None };
    let (verdict, rests_on) = if class.is_materialized_view() {
        (materialized(table), RestsOn::More)
    } else if let Some(held) = held(table, class) {
        (Protection::Held(held), RestsOn::Itself)
    } else if !class.has_rows_of_tables() {
        (Protection::None, RestsOn::Itself)
    } else if let Some(fence) = policy::fence(table) {
        let verdict = match (class.row_security, class.forced) {
            (false, _) => Protection::Broken(Gap::NotEnabled),
            (true, false) => Protection::Broken(Gap::NotForced),
            _ if fence.form == Form::Torn => Protection::Broken(Gap::Torn(fence)),
            (true, true) => Protection::Fenced(fence),
        };
        (verdict, RestsOn::Itself)
    } else {
        let above = hierarchy::ancestors(table);
        let below = if class.has_children { hierarchy::descendants(table) } else { Vec::new() };
        let fenced = |tables: &[Oid]| tables.iter().copied().find(|&table| policy::fence(table).is_some());
        let sign = lost(table, class);
        let verdict = match (fenced(&above), fenced(&below), sign) {
            (Some(parent), ..) => Protection::Broken(Gap::UnderProtected(parent)),
            (_, Some(child), _) => Protection::Broken(Gap::OverProtected(child)),
            _ if class.is_foreign_table() && !shared_row::is_there(table) => Protection::Uncovered(Rows::Foreign),
            (.., Some(sign)) if !shared_row::is_there(table) => Protection::Broken(Gap::Lost(sign)),
            _ => Protection::None,
        };
        let rests_on = if class.is_foreign_table() || sign.is_some() || !matches!(verdict, Protection::None) {
            RestsOn::More
        } else if above.is_empty() && below.is_empty() {
            RestsOn::Itself
        } else {
            RestsOn::Hierarchy([above, below].concat())
        };
        (verdict, rests_on)
    };
    // Not remembered: it depends on the search path.
    if class.temporary && matches!(verdict, Protection::None) {
        return shadowed(table).map_or(verdict, Protection::Shadows);
    }
    if EPOCH.get() == before {
        remember(table, verdict, rests_on);
    }
    verdict
}

/// What tells that this table without a fence once had one, however it was made again: restored alone, copied, renamed
/// into place. Asked once for each table that is not protected; nothing where the extension is not.
fn lost(table: Oid, class: relation::Class) -> Option<Sign> {
    // Where it is enabled, PostgreSQL shows what the policies that are there show, and nothing where there is none.
    if class.row_security || class.temporary || !class.is_table() || !extension::is_complete() {
        return None;
    }
    match journal_row::last_word(&relation::name(table)) {
        LastWord::Protected => Some(Sign::Journal),
        _ if defaults::read_tenant(table) => Some(Sign::Default),
        // Unprotected on purpose: FORCE is what it had before.
        LastWord::Unprotected => None,
        LastWord::None => (class.forced && !policy::has_any(table)).then_some(Sign::Forced),
    }
}

fn held(relation: Oid, class: relation::Class) -> Option<Held> {
    if class.is_toast() {
        Some(Held::Toast)
    } else if class.is_sequence() && !class.temporary {
        Some(Held::Sequence)
    } else if class.is_table() && extension::owns_table(relation) {
        Some(Held::Own)
    } else {
        None
    }
}

fn materialized(view: Oid) -> Protection {
    let held = rewrite::relations_under(view).into_iter().find(|&table| policy::fence(table).is_some());
    match held {
        Some(table) if !shared_row::is_there(view) => Protection::Uncovered(Rows::Of(table)),
        _ => Protection::None,
    }
}

/// The protected table that this temporary relation stands in front of.
fn shadowed(temporary: Oid) -> Option<Oid> {
    relation::namesakes(temporary).into_iter().find(|&table| policy::fence(table).is_some())
}

/// What must not have changed for a verdict to be true.
enum RestsOn {
    /// The table.
    Itself,
    /// These tables as well: nothing of the hierarchy is protected.
    Hierarchy(Vec<Oid>),
    /// Shared tables, the journal, the hierarchy: any table.
    More,
}

fn remember(table: Oid, verdict: Protection, rests_on: RestsOn) {
    match rests_on {
        RestsOn::Itself => VERDICTS.with_borrow_mut(|verdicts| {
            if verdicts.len() >= CAPACITY {
                verdicts.clear();
            }
            verdicts.insert(table, verdict);
        }),
        RestsOn::Hierarchy(tables) => hierarchies::remember(table, &tables),
        RestsOn::More => OF_THE_EPOCH.with_borrow_mut(|verdicts| {
            if verdicts.len() >= CAPACITY {
                verdicts.clear();
            }
            verdicts.insert(table, (EPOCH.get(), verdict));
        }),
    }
}
