//! How a table is protected.

use crate::pg::policy::Fence;
use pgrx::pg_sys::Oid;

/// How a table is protected.
#[derive(Clone, Copy)]
pub enum Protection {
    /// Not protected.
    None,
    /// By this fence.
    Fenced(Fence),
    /// Meant to be protected, but a policy does not reach every row: no statement may use the table.
    Broken(Gap),
    /// It holds rows that no policy can cover, and nobody has declared that every tenant may see them.
    Uncovered(Rows),
    /// A temporary relation with the name of this protected table, found before it.
    Shadows(Oid),
    /// No table of an application; it holds data of all tenants.
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
    /// The table, or one with its name, had a fence and has none now: it was restored or copied without it.
    Lost(Sign),
    /// Shared rows need three policies, which show them to every tenant and keep tenants from writing them; one is
    /// missing.
    Torn(Fence),
}

/// How it is known that a table has lost its fence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The journal's last word on a table of this name is that it was protected.
    Journal,
    /// A column's default reads the current tenant.
    Default,
    /// Row-level security is forced, and there is nothing to force.
    Forced,
}
