//! All hook chaining, a file for each subsystem of PostgreSQL's. A hook decides, calls the previous hook (or
//! PostgreSQL's own function) exactly once, and checks.
//!
//! The previous hook is a bare call outside any guard: users' errors pass through these frames by longjmp with their
//! SQLSTATE, CONTEXT and constraint names intact. So a hook's frame never holds anything to drop across that call.

mod access; // objects made, altered, dropped and used
mod call; // functions of users, at each call
mod executor; // queries made ready, and run
mod lifetime; // ends of transactions and savepoints
mod login; // authenticated clients
mod permission; // the relations of a statement
mod planner; // queries before and after planning
mod utility; // commands

/// Puts our hooks in front of those that are there.
pub fn init() {
    utility::init();
    permission::init();
    executor::init();
    planner::init();
    access::init();
    call::init();
    login::init();
    lifetime::init();
}
