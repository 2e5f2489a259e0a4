//! The server has no memory left, for PostgreSQL or for Rust: the statement fails, or the session ends, and no other.

use crate::library::{Points, server};
use crate::program::{PROGRAMS, Program, Role};
use crate::sweep::{Fault, stage, sweep};

#[tokio::test]
async fn in_a_guard() {
    let cluster = server(Points::Around);
    let db = stage(&cluster, "memory").await;
    sweep(&cluster, &db, PROGRAMS, Fault::Malloc, 1).await;
}

/// What is no tenant id, no token and no reason is not copied whole to say so: more than the reserve has room for.
#[tokio::test]
async fn for_an_argument_that_is_far_too_long() {
    let cluster = server(Points::Around);
    let db = stage(&cluster, "argument").await;
    let program = |name, role, ends, sql| Program { name, role, ends, sql };
    let programs = [
        program("an id", Role::App, "TN004", "select tenant.enter(repeat('x', 50000000))"),
        program("a token", Role::App, "TN092", "select tenant.enter_signed(repeat('x', 50000000))"),
        program("a reason", Role::Operator, "TN100", "select tenant.enter_system(repeat('x', 50000000))"),
    ];
    sweep(&cluster, &db, &programs, Fault::Malloc, 1).await;
}
