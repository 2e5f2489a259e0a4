//! Who acts in the tenant, and as what member of it. It comes with the setting `pg_tenant.id`, and ends with it:
//! entering for an actor costs no setting more than entering.

use crate::people::{Bits, MAX_NAME, Role};
use crate::pg::activity;
use crate::pg::backend_cell::BackendCell;
use crate::pg::own_setting::SEPARATOR;
use crate::pg::row_function::TextDatum;

/// The longest actor and role, in bytes: that of `pg_tenant_token`.
pub const MAX_LEN: usize = 255;

pub type Name = TextDatum<MAX_LEN>;

/// The role in which the actor is a member: its rank, what it may, its name.
#[derive(Clone, Copy)]
pub struct Member {
    pub rank: i32,
    pub permissions: Bits,
    pub role: TextDatum<MAX_NAME>,
}

/// The actor whom `tenant.enter(id, actor)` has named (one that a token says stands in [`crate::context::identity`]),
/// and as what it is a member, whoever has named it.
#[derive(Clone, Copy)]
pub struct Acting {
    pub actor: Option<Name>,
    pub member: Option<Member>,
}

static NOW: BackendCell<Acting> = BackendCell::new(Acting::NOBODY);
/// How often it was written: tells whether a copy is still true.
static WRITTEN: BackendCell<u64> = BackendCell::new(0);

impl Member {
    pub fn new(role: &Role) -> Member {
        Member { rank: role.rank, permissions: role.permissions, role: TextDatum::new(role.name.as_bytes()) }
    }

    /// Reads what [`Role::text`] says.
    fn from_text(text: &str) -> Option<Member> {
        let mut parts = text.splitn(3, ' ');
        let rank = parts.next()?.parse().ok()?;
        let permissions = Bits::from_text(parts.next()?)?;
        let role = parts.next().filter(|role| role.len() <= MAX_NAME)?;
        Some(Member { rank, permissions, role: TextDatum::new(role.as_bytes()) })
    }
}

impl Acting {
    pub const NOBODY: Acting = Acting { actor: None, member: None };

    /// As [`Acting::from_text`] reads it: the member's role, then the actor.
    pub fn text(role: Option<&Role>, actor: Option<&str>) -> String {
        format!("{}{SEPARATOR}{}", role.map_or("", |role| &role.text), actor.unwrap_or(""))
    }

    pub fn from_text(text: &str) -> Acting {
        let (member, actor) = text.split_once(SEPARATOR).unwrap_or((text, ""));
        let actor = Some(actor).filter(|actor| !actor.is_empty()).map(|actor| Name::new(actor.as_bytes()));
        Acting { actor, member: Member::from_text(member) }
    }
}

/// The member who acts, if it is one.
#[inline]
pub fn member() -> Option<Member> {
    NOW.get().member
}

/// The actor whom no token has named.
#[inline]
pub fn actor() -> Option<Name> {
    NOW.get().actor
}

/// Changes whenever it does.
#[inline]
pub fn written() -> u64 {
    WRITTEN.get()
}

/// For the assign hook of `pg_tenant.id`, and the end of the transaction: can neither fail nor allocate.
pub fn assign(acting: Acting) {
    let is_nobody = |acting: &Acting| acting.actor.is_none() && acting.member.is_none();
    if is_nobody(&acting) && is_nobody(&NOW.get()) {
        return;
    }
    NOW.set(acting);
    activity::act(acting.actor.as_ref().map_or(b"", Name::bytes));
    WRITTEN.set(WRITTEN.get() + 1);
}
