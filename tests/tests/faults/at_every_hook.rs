//! An error, a cancel or the end of the session, on either side of every hook and in the callbacks of transactions.

use crate::library::{Points, server};
use crate::program::PROGRAMS;
use crate::sweep::{Fault, stage, sweep};

async fn at_every_point(points: Points, step: usize) {
    let cluster = server(points);
    let db = stage(&cluster, "points").await;
    sweep(&cluster, &db, PROGRAMS, Fault::Error, step).await;
    sweep(&cluster, &db, PROGRAMS, Fault::Cancel, 3 * step).await;
    sweep(&cluster, &db, PROGRAMS, Fault::Terminate, 7 * step).await;
}

#[tokio::test]
async fn within_it() {
    at_every_point(Points::Within, 1).await;
}

#[tokio::test]
async fn around_it() {
    at_every_point(Points::Around, 2).await;
}
