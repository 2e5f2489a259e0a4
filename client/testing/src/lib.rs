//! The test that finds the most bugs, for an API of one's own: two tenants with data that overlap, every
//! route called by each with the ids of the other, all not found.
//!
//! ```no_run
//! # async fn test() {
//! use pg_tenant_testing::{Caller, Http, Route, assert_isolated};
//!
//! let acme = Caller::new("acme").bearer("acme's token").id("project", "17").marker("acme's secret plan");
//! let globex = Caller::new("globex").bearer("globex's token").id("project", "42").marker("globex's secret plan");
//! let routes = [
//!     Route::get("/projects"),
//!     Route::get("/projects/{project}"),
//!     Route::post("/tasks").json(r#"{"project": {project}, "title": "x"}"#),
//!     Route::delete("/projects/{project}"),
//! ];
//! assert_isolated(Http::at("http://127.0.0.1:8080"), [&acme, &globex], &routes).await;
//! # }
//! ```
//!
//! # What is asked of each route, in order
//!
//! 1. With ids of the other tenant, each one and all together, it answers 404 (or as [`Route::refused`] says), and just
//!    as it does for an id that does not exist: same status, same body. After a call that could write, what the other
//!    tenant reads is what it was.
//! 2. With the tenant's own ids it succeeds: else the test would prove nothing.
//! 3. No answer holds a [marker](Caller::marker) of the other; a list, also one below an id, holds none of its ids, and
//!    one that takes no id something of one's own.
//!
//! Routes are called in the order in which they are given, so what deletes comes last.

mod caller;
mod findings;
mod leaks;
mod route;
mod run;
mod target;

pub use caller::Caller;
pub use findings::{Finding, Leak};
pub use route::Route;
pub use run::{Report, isolation};
pub use target::{Answer, Http, InProcess, Target};

/// Calls every route as [described above](self), and panics with all that it finds.
///
/// # Panics
/// Where tenants are not kept apart, and where that could not be found out.
pub async fn assert_isolated(api: impl Target, callers: [&Caller; 2], routes: &[Route]) {
    let report = isolation(api, callers, routes).await;
    assert!(report.is_isolated(), "{report}");
}
