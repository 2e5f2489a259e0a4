//! The example people start from (`client/examples/axum_saas`), over real HTTP, and the test it is tested with.

mod example; // the program, on a database of its own

mod a_leak_is_not_seen;
mod a_tenant_reaches_another;
mod it_believes_anybody;
mod it_does_not_work;
mod it_is_run;
