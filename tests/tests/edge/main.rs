//! The tenant on its way through a program: from a request to tasks, other services, jobs, caches and files.

#[path = "../signed/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of signed entry")]
mod signed;

mod a_forged_token_is_taken;
mod a_task_has_the_wrong_tenant;
mod somebody_else_acts;
