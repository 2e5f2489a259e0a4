//! On whose behalf the transaction runs, and who works in that place: the settings `pg_tenant.actor`,
//! `pg_tenant.actor_role` and `pg_tenant.impersonator`, and their readers. They are written and end as `pg_tenant.id`
//! does ([`crate::pg::own_setting`]).

use crate::context::acting;
pub use crate::context::acting::{MAX_LEN, Name};
use crate::pg::backend_cell::BackendCell;
use crate::pg::own_setting::{self, Check, OwnSetting, Parsed, Text};
use crate::pg::row_function::Call;
use crate::pg::{activity, setting};
use crate::row_function;
use pgrx::pg_sys::{Datum, GucSource};
use std::ffi::{CStr, c_char};

const ACTOR: usize = 0;
const ROLE: usize = 1;
/// What `pg_tenant.actor_role` was called in 0.1.0: it shows the same value.
const FORMER_ROLE: usize = 2;
/// Who works in the place of the actor, by a grant.
const IMPERSONATOR: usize = 3;

static NOW: [BackendCell<Option<Name>>; 4] = [const { BackendCell::new(None) }; 4];
/// How often they were written: tells whether a copy is still true.
static WRITTEN: BackendCell<u64> = BackendCell::new(0);
static TEXTS: [Text; 4] = [const { Text::new() }; 4];
/// Whether [`set`] is writing at this moment: no other value is taken.
static WRITING: BackendCell<bool> = BackendCell::new(false);

/// A value of one of the settings.
#[derive(Clone, Copy)]
struct Of<const WHICH: usize>(Name);

impl<const WHICH: usize> Parsed for Of<WHICH> {
    fn parse(value: &CStr, source: GucSource::Type) -> Check<Self> {
        let ours = WRITING.get() && source == GucSource::PGC_S_SESSION;
        if value.count_bytes() > MAX_LEN || !(ours || own_setting::is_given_by_leader()) {
            return Check::Refused(Some(c"Enter with tenant.enter(id, actor) or tenant.enter_signed()."));
        }
        Check::Taken(Of(Name::new(value.to_bytes())))
    }

    fn assign(value: Option<Self>) {
        if let Some(Of(name)) = value.as_ref().filter(|_| WHICH == ACTOR) {
            activity::act(name.bytes());
        }
        NOW[WHICH].set(value.map(|Of(name)| name));
        WRITTEN.set(WRITTEN.get() + 1);
    }
}

/// Declares the settings.
pub fn init() {
    let setting = |which: usize, name, description, show| OwnSetting {
        name,
        description,
        written_by: c"Written by tenant.enter(id, actor) and tenant.enter_signed() only.",
        text: &TEXTS[which],
        show,
    };
    let actor = setting(ACTOR, c"pg_tenant.actor", c"On whose behalf the transaction runs.", Some(show_actor));
    own_setting::declare::<Of<ACTOR>>(actor);
    let role = setting(ROLE, c"pg_tenant.actor_role", c"In which role of the application.", None);
    own_setting::declare::<Of<ROLE>>(role);
    let impersonator = OwnSetting {
        name: c"pg_tenant.impersonator",
        description: c"Who works in the tenant by a grant, in the place of the actor.",
        written_by: c"Written by tenant.enter_as() only.",
        text: &TEXTS[IMPERSONATOR],
        show: None,
    };
    own_setting::declare::<Of<IMPERSONATOR>>(impersonator);
    let deprecated = c"Deprecated: shows pg_tenant.actor_role.";
    own_setting::declare::<Of<FORMER_ROLE>>(setting(FORMER_ROLE, c"pg_tenant.role", deprecated, Some(show_role)));
}

/// Whom a token says, or the caller has named.
extern "C-unwind" fn show_actor() -> *const c_char {
    match acting::actor() {
        Some(name) if NOW[ACTOR].get().is_none() => TEXTS[ACTOR].show(name.bytes()),
        _ => TEXTS[ACTOR].get(),
    }
}

extern "C-unwind" fn show_role() -> *const c_char {
    TEXTS[ROLE].get()
}

/// Names the actor and the role of the transaction, until it or the savepoint it stands in ends.
pub fn set(actor: Option<&str>, role: Option<&str>) {
    write([("pg_tenant.actor", actor), ("pg_tenant.actor_role", role)]);
}

/// Names who works in the place of the actor, likewise.
pub fn set_impersonator(impersonator: &str) {
    write([("pg_tenant.impersonator", Some(impersonator))]);
}

fn write<const N: usize>(settings: [(&str, Option<&str>); N]) {
    // Should set_local raise, WRITING stays set until the transaction ends; nothing but this function reaches the check
    // hooks with a value of a session, except a superuser's SET.
    WRITING.set(true);
    for (name, value) in settings {
        if let Some(value) = value {
            setting::set_local(name, value);
        }
    }
    WRITING.set(false);
}

/// On whose behalf the transaction runs.
pub fn actor() -> Option<String> {
    let name = NOW[ACTOR].get().or_else(acting::actor);
    name.map(|name| String::from_utf8_lossy(name.bytes()).into_owned())
}

/// The transaction has ended, whatever the stack of settings does after this.
pub fn clear() {
    NOW.iter().for_each(|name| name.set(None));
    WRITTEN.set(WRITTEN.get() + 1);
    WRITING.set(false);
}

fn read(call: Call, which: usize) -> Option<Datum> {
    NOW[which].get().map(|name| call.copy(WRITTEN.get(), || name))
}

row_function!(pg_tenant_current_actor, pg_finfo_pg_tenant_current_actor, |call| {
    let name = NOW[ACTOR].get().or_else(acting::actor);
    name.map(|name| call.copy(WRITTEN.get() + acting::written(), || name))
});
row_function!(pg_tenant_current_actor_role, pg_finfo_pg_tenant_current_actor_role, |call| read(call, ROLE));
row_function!(pg_tenant_current_impersonator, pg_finfo_pg_tenant_current_impersonator, |call| read(call, IMPERSONATOR));
// The name of 0.1.0, deprecated.
row_function!(pg_tenant_current_role, pg_finfo_pg_tenant_current_role, |call| read(call, ROLE));
