//! Readers and writers of every tenant at once, through both pools, and futures that are dropped anywhere.

use std::future::{Future, poll_fn};
use std::io::IsTerminal;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use pg_tenant_client::{TenantPool, sqlx as client_sqlx};
use sqlx::postgres::PgPoolOptions;
use tokio::time::{Instant, sleep, timeout};

use crate::data::{self, TENANTS};
use crate::work::{Pool, Request};
use crate::world::{APP, World};
use crate::{heading, table};

/// Connections in each pool; twice as many requests want one.
const CONNECTIONS: usize = 6;

#[derive(Default)]
struct Tally {
    requests: AtomicU64,
    dropped: AtomicU64,
    read: AtomicU64,
    foreign: AtomicU64,
    written: AtomicU64,
    collisions: AtomicU64,
    stop: AtomicBool,
    errors: Mutex<Vec<String>>,
}

/// Returns what was wrong.
pub async fn run(world: &World, seconds: f64) -> anyhow::Result<Vec<String>> {
    heading(&format!(
        "1. {} tenants at once, through both pools, for {seconds} s; one request in four is dropped",
        TENANTS.len()
    ));
    let options = PgPoolOptions::new().max_connections(CONNECTIONS as u32);
    let pools = [
        ("deadpool", Pool::Deadpool(TenantPool::builder(world.config(APP)).max_size(CONNECTIONS).build()?)),
        ("sqlx", Pool::Sqlx(client_sqlx::TenantPool::new(options, world.url(APP).parse()?))),
    ];
    let tallies: [Arc<Tally>; 2] = Default::default();
    let mut workers = Vec::new();
    for (tally, (_, pool)) in tallies.iter().zip(&pools) {
        for tenant in 0..TENANTS.len() {
            workers.push(tokio::spawn(worker(pool.clone(), tenant, Arc::clone(tally))));
        }
    }
    progress(&tallies, seconds).await;
    tallies.iter().for_each(|tally| tally.stop.store(true, Relaxed));
    for worker in workers {
        worker.await?;
    }

    let mut wrong = Vec::new();
    let mut report = table(&[
        "pool",
        "requests",
        "dropped",
        "rows read",
        "rows written",
        "collisions",
        "foreign rows",
        "lost slots",
    ]);
    for (tally, (name, pool)) in tallies.iter().zip(&pools) {
        let lost = timeout(Duration::from_secs(60), every_slot(pool)).await;
        let foreign = tally.foreign.load(Relaxed);
        let [requests, dropped, read, written, collisions] =
            [&tally.requests, &tally.dropped, &tally.read, &tally.written, &tally.collisions]
                .map(|n| n.load(Relaxed).to_string());
        let slots = if matches!(lost, Ok(Ok(_))) { "0" } else { "some" };
        report.add_row([
            name.to_string(),
            requests,
            dropped,
            read,
            written,
            collisions,
            foreign.to_string(),
            slots.into(),
        ]);
        if foreign > 0 {
            wrong.push(format!("{name}: {foreign} rows of other tenants were read"));
        }
        if !matches!(lost, Ok(Ok(_))) {
            wrong.push(format!("{name}: not every connection can be lent again: {lost:?}"));
        }
        wrong.extend(tally.errors.lock().unwrap_or_else(|e| e.into_inner()).drain(..));
    }
    println!("{report}");
    wrong.extend(left(world).await?);
    Ok(wrong)
}

async fn worker(pool: Pool, tenant: usize, tally: Arc<Tally>) {
    let id = data::id(tenant);
    while !tally.stop.load(Relaxed) {
        let request = match rand::random_range(0..10) {
            0..4 => Request::Read,
            4..6 => Request::Join,
            6..9 => Request::Write,
            _ => Request::ChangesItsMind,
        };
        let key = rand::random_range(1..60_000);
        tally.requests.fetch_add(1, Relaxed);
        let call = pool.serve(id, request, key);
        let done = match rand::random_range(0..8) {
            0 => drop_at(rand::random_range(1..12), call).await,
            1 => timeout(Duration::from_millis(rand::random_range(0..4)), call).await.ok(),
            _ => Some(call.await),
        };
        match done {
            None => {
                tally.dropped.fetch_add(1, Relaxed);
            }
            Some(Ok(done)) => {
                tally.read.fetch_add(done.read.len() as u64, Relaxed);
                tally.foreign.fetch_add(done.read.iter().filter(|owner| **owner != id).count() as u64, Relaxed);
                tally.written.fetch_add(done.written, Relaxed);
            }
            Some(Err(error)) if error.is_retryable() => {
                tally.collisions.fetch_add(1, Relaxed);
            }
            Some(Err(error)) => tally.errors.lock().unwrap_or_else(|e| e.into_inner()).push(error.to_string()),
        }
    }
}

/// Polls so many times, then drops.
async fn drop_at<T>(polls: u32, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut left) = (pin!(call), polls);
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// Takes every connection of the pool at the same time.
async fn every_slot(pool: &Pool) -> Result<(), pg_tenant_client::Error> {
    let all = (0..CONNECTIONS).map(|_| async {
        match pool {
            Pool::Deadpool(pool) => pool.tenant(data::id(0)).query("select pg_sleep(0.2)", &[]).await.map(drop),
            Pool::Sqlx(pool) => pool.tenant(data::id(0)).query(sqlx::query("select pg_sleep(0.2)")).await.map(drop),
        }
    });
    try_join_all(all).await.map(drop)
}

/// What is left on the server, asked from another connection.
async fn left(world: &World) -> anyhow::Result<Vec<String>> {
    let dba = world.session("postgres").await;
    let in_transaction = "select count(*) from pg_stat_activity where usename = $1 and xact_start is not null";
    let until = Instant::now() + Duration::from_secs(60);
    let mut open: i64 = dba.query_one(in_transaction, &[&APP]).await?.get(0);
    while open > 0 && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
        open = dba.query_one(in_transaction, &[&APP]).await?.get(0);
    }
    let misplaced =
        "select count(*) filter (where o_clerk <> tenant_id::text), count(*) from orders where o_clerk like '%-%-%'";
    let row = dba.query_one(misplaced, &[]).await?;
    let (misplaced, marked): (i64, i64) = (row.get(0), row.get(1));
    println!(
        "connections left in a transaction: {open}; rows written by another tenant than their own: {misplaced} of {marked}"
    );
    let mut wrong = Vec::new();
    if open > 0 {
        wrong.push(format!("{open} connections were left in a transaction"));
    }
    if misplaced > 0 || marked == 0 {
        wrong.push(format!("{misplaced} of {marked} rows were written by another tenant"));
    }
    Ok(wrong)
}

/// A bar on a terminal, else a line now and then.
async fn progress(tallies: &[Arc<Tally>; 2], seconds: f64) {
    let (start, whole) = (Instant::now(), Duration::from_secs_f64(seconds));
    let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(whole.as_millis() as u64));
    let style = ProgressStyle::with_template("{wide_bar} {msg}").expect("a template");
    bar.iter().for_each(|bar| bar.set_style(style.clone()));
    let mut said = 0;
    while start.elapsed() < whole {
        sleep(Duration::from_millis(100)).await;
        let sum = |what: fn(&Tally) -> &AtomicU64| tallies.iter().map(|tally| what(tally).load(Relaxed)).sum::<u64>();
        let now =
            format!("{} rows read, {} foreign, {} dropped", sum(|t| &t.read), sum(|t| &t.foreign), sum(|t| &t.dropped));
        match &bar {
            Some(bar) => {
                bar.set_position(start.elapsed().as_millis() as u64);
                bar.set_message(now);
            }
            None if start.elapsed().as_secs() / 2 > said => {
                said = start.elapsed().as_secs() / 2;
                println!("{:>3} s: {now}", said * 2);
            }
            None => {}
        }
    }
    bar.iter().for_each(|bar| bar.finish_and_clear());
}
