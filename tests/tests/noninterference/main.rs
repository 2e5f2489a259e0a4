//! Two-world noninterference: what a tenant sees does not depend on what other tenants have.
//!
//! Two databases have the same rows of the tenants that are watched and different ones of all others. A seeded
//! generator writes programs; each runs as the same tenant in both, and everything that comes back must be equal. Left
//! out is what is known to tell (`pg_tenant/SECURITY.md`): time, EXPLAIN, where a row lies, sequences and keys that all
//! tenants share.

mod lane; // who works: tenants, ids, roles
mod tables; // what statements are about
mod vaults; // what attacks are about
mod world; // two databases

mod frames; // around statements: transactions, settings, savepoints, PREPARE
mod generator; // a seeded source of programs
mod reads;
mod told; // what PostgreSQL tells of sizes, counters, locks and sessions
mod writes;

mod attacks; // an attacker's statements, rolled back
mod shapes;
mod vocabulary;

mod compare; // what came back, and the first difference
mod run;
mod shrink;
mod unplanned; // a defect of PostgreSQL's planner, which is no difference // lanes and strangers at the same time

mod a_leak_goes_unseen;
mod a_program_tells_them_apart;
mod what_is_hidden_tells;
