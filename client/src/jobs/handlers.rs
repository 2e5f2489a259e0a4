//! What a worker does for each kind of jobs that it knows.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use super::context::{JobTx, OutsideJob, SystemJobTx};
use super::job::Job;
use crate::worker::WorkError;

type Ending = Pin<Box<dyn Future<Output = Result<(), WorkError>> + Send>>;
/// What is done with what it is given, and the job as JSON.
pub(super) type Handle<G> = Arc<dyn Fn(G, &str) -> Ending + Send + Sync>;

/// Where a kind of jobs is done.
#[derive(Clone)]
pub(super) enum Handler {
    Tenant(Handle<JobTx>),
    System(Handle<SystemJobTx>),
    Outside(Handle<OutsideJob>),
}

/// By kind.
pub(super) type Handlers = BTreeMap<&'static str, Handler>;

/// Without the types of the job and the future.
pub(super) fn handle<G, J, F, Fut>(handler: F) -> Handle<G>
where
    G: Send + 'static,
    J: Job,
    F: Fn(G, J) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), WorkError>> + Send + 'static,
{
    Arc::new(move |given, payload| match serde_json::from_str::<J>(payload) {
        Ok(job) => Box::pin(handler(given, job)),
        // Another version of the program may read it: it is tried again.
        Err(why) => {
            let why = WorkError::new(format!("the job cannot be read as a \"{}\": {why}", J::KIND));
            Box::pin(async move {
                drop(given);
                Err(why)
            })
        }
    })
}
