//! What a tenant fence is, once it is recognised.

use crate::pg::membership::Member;
use pgrx::pg_sys::Oid;

/// Which of our functions reads the current tenant, and so in which type the table is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Uuid,
    Bigint,
    Text,
}

/// What a fence lets a tenant reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The tenant's own rows.
    Own,
    /// Those, and shared rows (whose tenant column is null) for reading: three policies, of which this one is FOR ALL.
    OrShared,
    /// Shared rows with one of the three policies missing: the tenant may write shared rows, or reads more than it
    /// should.
    Torn,
    /// The tenant's own rows, said by the equality alone, as 0.1.0 made it: the planner can lose it.
    Former,
    /// The rows whose keys the tenant's part of a join table has; to be read only.
    Membership(Member),
}

/// A tenant fence of a table.
#[derive(Clone, Copy)]
pub struct Fence {
    pub policy: Oid,
    pub column: i16,
    pub reader: Reader,
    pub form: Form,
    /// The table has no other.
    pub alone: bool,
    /// It has the name that `tenant.protect` gives.
    pub(super) ours: bool,
}

impl Fence {
    /// Whether the planner can lose it.
    pub fn is_former(&self) -> bool {
        self.form == Form::Former
    }

    /// Where the keys of the tenant's rows are, in a table of this form.
    pub fn membership(&self) -> Option<Member> {
        self.form.membership()
    }
}

impl Form {
    /// Whether a fence that becomes `now` shows more than before, or may: another join table has other members.
    pub fn is_weaker(self, now: Form) -> bool {
        let rank = |form| match form {
            Form::Own => 0,
            Form::OrShared => 1,
            Form::Torn => 2,
            Form::Former => 3,
            Form::Membership(_) => 4,
        };
        rank(now) > rank(self) || self.membership().is_some() && self != now
    }

    pub(super) fn membership(self) -> Option<Member> {
        match self {
            Form::Membership(member) => Some(member),
            Form::Own | Form::OrShared | Form::Torn | Form::Former => None,
        }
    }
}
