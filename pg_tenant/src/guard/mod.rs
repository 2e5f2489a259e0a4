//! What must not happen. PostgreSQL calls a hook; the hook asks a guard; the guard refuses or lets pass. One small
//! function for each kind of statement.
//!
//! - [`hook`]: all hook chaining, and the order of decide, previous hook, check.
//! - [`executor`]: statements that touch a protected table; [`exempt`] says who works without a tenant, [`refusals`]
//!   what is said to the others.
//! - [`fence`]: plans that would read a protected table around its fence.
//! - [`referential`]: foreign keys, which PostgreSQL checks outside row-level security.
//! - [`conflict`]: the WHERE of ON CONFLICT, which PostgreSQL asks before the policy.
//! - [`utility`]: each kind of command, and which guard it goes to.
//! - [`alter`]: commands that redefine a table, or weaken its protection.
//! - [`outlives`]: cursors, statements and notifications that would outlive the transaction.
//! - [`setting`]: our settings, given away or stored.
//! - [`in_tenant`]: what a tenant's transaction may not define.
//! - [`create`]: new tables, views, triggers and temporary objects.
//! - [`maintenance`]: commands that work on whole tables, whoever's rows are in them.
//! - [`weakened`]: what a command has made of a protected table.
//! - [`truncate`], [`lost_fence`], [`changed`], [`foreign_key`], [`function`]: what only the object-access hook sees;
//!   `function::list` names functions, [`ready`] notes which calls were made ready before the tenant was entered.
//! - [`folded`]: what PostgreSQL computes once and keeps across transactions.
//! - [`triggered`]: functions that run as triggers.
//! - [`held`], [`hidden`]: relations that hold every tenant's rows and are no tables, and catalogs that show them.
//! - [`login`]: replication connections, which no statement's hook sees.
//! - [`channel`]: NOTIFY, on whose channels, and what is sent.
//! - [`messages`]: the server's log, sent to the client.
//! - [`role_change`]: what is stored for roles and is in force in later logins.
//! - [`temporary`]: temporary objects, by where they stand.

pub mod alter;
pub mod changed;
pub mod channel;
pub mod conflict;
pub mod create;
pub mod executor;
pub mod exempt;
pub mod fence;
pub mod folded;
pub mod foreign_key;
pub mod function;
pub mod held;
pub mod hidden;
pub mod hook;
pub mod in_tenant;
pub mod login;
pub mod lost_fence;
pub mod maintenance;
pub mod messages;
pub mod outlives;
pub mod ready;
pub mod referential;
pub mod refusals;
pub mod role_change;
pub mod setting;
pub mod temporary;
pub mod triggered;
pub mod truncate;
pub mod utility;
pub mod weakened;
