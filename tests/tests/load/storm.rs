//! The tasks, and what interrupts them.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use pg_tenant_client::Error;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;

use crate::deed::{Deed, Driver};
use crate::ledger::Ledger;

const TASKS: u64 = 64;

/// Runs until then; a panic of a task is one of the caller.
pub async fn storm(driver: Arc<dyn Driver>, ledger: Arc<Ledger>, seed: u64, until: Instant) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (driver, ledger) = (Arc::clone(&driver), Arc::clone(&ledger));
            tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(seed.wrapping_add(task));
                while Instant::now() < until {
                    let deed = Deed::random(&mut rng, || ledger.key());
                    let ended = interrupted(driver.perform(&deed), &mut rng).await;
                    ledger.enter(&deed, ended);
                }
            })
        })
        .collect();
    for task in tasks {
        if let Err(error) = task.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Lets one in three calls be dropped, after some polls or after some time.
async fn interrupted(call: impl Future<Output = Result<(), Error>>, rng: &mut StdRng) -> Option<Result<(), Error>> {
    match rng.random_range(0..6) {
        0 => within_polls(call, rng.random_range(1..12)).await,
        1 => timeout(Duration::from_micros(rng.random_range(0..30_000)), call).await.ok(),
        _ => Some(call.await),
    }
}

async fn within_polls<T>(call: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut call = Box::pin(call);
    poll_fn(|cx| {
        polls -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
