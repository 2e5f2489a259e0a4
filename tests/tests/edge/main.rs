//! The tenant on its way through a program: from a request to tasks, other services, jobs, caches and files.

#[path = "../signed/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of signed entry")]
mod signed;

mod api; // an axum server with a database behind it

mod a_domain_is_believed;
mod a_file_is_elsewhere;
mod a_forged_token_is_taken;
mod a_header_is_forged;
mod a_job_has_no_tenant;
mod a_permission_is_not_asked_for;
mod a_request_is_believed;
mod a_request_is_not_charged;
mod a_session_is_believed;
mod a_task_has_the_wrong_tenant;
mod a_webhook_is_forged;
mod somebody_else_acts;
mod the_directory_is_wrong;
