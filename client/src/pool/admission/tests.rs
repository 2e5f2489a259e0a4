use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand::RngExt;

use super::{Admission, Share};
use crate::error::Error;
use crate::error::limit::Limit;
use crate::pool::limits::{LimitPolicy, Limits, Rate};
use crate::tenant::token::Token;

fn tenant(id: &str) -> Share {
    Share::Tenant(id.parse().unwrap())
}

fn admission(connections: usize, limits: impl LimitPolicy) -> Admission {
    Admission::new(connections, Some(Arc::new(limits)))
}

/// Polls once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn refused(admission: &Admission, share: Share) -> Error {
    match poll(pin!(admission.admit(share, None))) {
        Poll::Ready(Err(error)) => error,
        Poll::Ready(Ok(_)) => panic!("admitted"),
        Poll::Pending => panic!("waits"),
    }
}

#[tokio::test]
async fn a_tenant_has_all_of_an_idle_pool_and_no_more_than_its_limit() {
    let free = admission(3, Limits::new());
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(free.admit(tenant("acme"), None).await.unwrap());
    }
    assert!(poll(pin!(free.admit(tenant("acme"), None))).is_pending());

    let limited = admission(3, Limits::new().connections(2).waiting(1));
    let held = [limited.admit(tenant("acme"), None).await.unwrap(), limited.admit(tenant("acme"), None).await.unwrap()];
    let mut waits = pin!(limited.admit(tenant("acme"), None));
    assert!(poll(waits.as_mut()).is_pending(), "though one is free");
    let error = refused(&limited, tenant("acme"));
    assert_eq!(error.limit(), Some(Limit::Waiting));
    assert!(error.retry_after().is_some() && !error.is_timeout());
    limited.admit(tenant("globex"), None).await.unwrap();
    drop(held);
    assert!(poll(waits.as_mut()).is_ready());
    assert_eq!(refused(&admission(1, Limits::new().connections(0)), tenant("acme")).limit(), Some(Limit::Connections));
}

#[tokio::test]
async fn a_call_that_waited_in_vain_is_told_why() {
    let zero = Duration::ZERO;
    let limited = admission(2, Limits::new().connections(1).acquire_timeout(zero));
    let _held = limited.admit(tenant("acme"), None).await.unwrap();
    let error = limited.admit(tenant("acme"), None).await.err().unwrap();
    assert!(error.is_timeout() && error.limit() == Some(Limit::Connections) && error.retry_after().is_some());
    let _other = limited.admit(tenant("globex"), None).await.unwrap();
    let error = limited.admit(tenant("initech"), None).await.err().unwrap();
    assert!(error.is_timeout() && !error.is_limited(), "the pool is full, whatever its limit: {error}");
    assert_eq!(limited.waiting(), 0);
}

#[tokio::test]
async fn a_rate_refuses_at_once_and_takes_nothing() {
    let slow = admission(1, Limits::new().rate(Rate::per_minute(1)));
    drop(slow.admit(tenant("acme"), None).await.unwrap());
    let error = refused(&slow, tenant("acme"));
    assert_eq!(error.limit(), Some(Limit::Rate));
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(50)), "{error}");
    assert_eq!(slow.counts(), (0, 0));
    slow.admit(tenant("globex"), None).await.unwrap();
}

/// More at once than there are nanoseconds to count them in.
#[tokio::test]
async fn a_burst_without_end_is_one() {
    for rate in [Rate::per_minute(1), Rate::per_second(1), Rate::per_second(u32::MAX)] {
        let pool = admission(1, Limits::new().rate(rate.burst(u32::MAX)));
        for _ in 0..1000 {
            drop(pool.admit(tenant("acme"), None).await.unwrap());
        }
        assert_eq!(pool.counts(), (0, 0));
    }
}

#[tokio::test]
async fn limits_change_for_those_who_wait() {
    let pool = admission(2, Limits::new().connections(1));
    let _held = pool.admit(tenant("acme"), None).await.unwrap();
    let mut waits = pin!(pool.admit(tenant("acme"), None));
    assert!(poll(waits.as_mut()).is_pending());
    pool.set_policy(Arc::new(Limits::new().connections(2)));
    assert!(poll(waits.as_mut()).is_ready());
}

#[tokio::test]
async fn a_closed_pool_lets_nobody_wait() {
    let pool = admission(1, Limits::new());
    let held = pool.admit(tenant("acme"), None).await.unwrap();
    let mut waits = pin!(pool.admit(tenant("globex"), None));
    assert!(poll(waits.as_mut()).is_pending());
    pool.close();
    assert!(matches!(poll(waits.as_mut()), Poll::Ready(Err(error)) if error.is_closed()));
    assert!(refused(&pool, tenant("acme")).is_closed());
    drop(held);
    assert_eq!((pool.counts(), pool.waiting()), ((0, 0), 0));
}

#[tokio::test]
async fn a_token_counts_against_its_tenant_only_once_the_server_has_said_so() {
    let pool = admission(4, |_: &_| Limits::new().connections(1));
    let (token, acme) = (Token::new("signed"), "acme".parse().unwrap());
    assert_eq!(pool.share_of(&token), Share::Unnamed);
    let mut first = pool.admit(pool.share_of(&token), None).await.unwrap();
    first.learn(&token, acme);
    assert_eq!(pool.share_of(&token), Share::Tenant(acme));
    assert!(poll(pin!(pool.admit(Share::Tenant(acme), None))).is_pending(), "the first is acme's now");
    drop(first);
    pool.admit(Share::Tenant(acme), None).await.unwrap();
    assert_eq!(pool.counts(), (0, 0));
}

#[tokio::test]
async fn what_a_tenant_left_running_counts_against_it_alone() {
    let pool = admission(1, |_: &_| Limits::new().connections(1));
    let mut left = pool.admit(tenant("acme"), None).await.unwrap();
    left.release_slot();
    drop(pool.admit(tenant("globex"), None).await.unwrap());
    assert!(poll(pin!(pool.admit(tenant("acme"), None))).is_pending());
    drop(left);
    drop(pool.admit(tenant("acme"), None).await.unwrap());
    assert_eq!(pool.counts(), (0, 0));
}

/// A waiting call is dropped before, between and after it is served, at every poll.
#[tokio::test]
async fn a_dropped_call_leaves_nothing() {
    for polls in 0..3 {
        for served in [false, true] {
            let pool = admission(1, Limits::new());
            let held = pool.admit(tenant("acme"), None).await.unwrap();
            let mut next = Box::pin(pool.admit(tenant("initech"), None));
            let mut waits = Box::pin(pool.admit(tenant("globex"), None));
            for _ in 0..polls {
                assert!(poll(waits.as_mut()).is_pending());
            }
            assert!(poll(next.as_mut()).is_pending());
            if served {
                drop(held);
                drop(waits);
            } else {
                drop(waits);
                drop(held);
            }
            assert!(poll(next.as_mut()).is_ready(), "polled {polls} times, served: {served}: the next was not woken");
            drop(next);
            assert_eq!((pool.counts(), pool.waiting()), ((0, 0), 0));
        }
    }
}

/// Threads that ask, are dropped at any poll, and hold for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_nothing_leaks_and_nobody_is_forgotten() {
    const CONNECTIONS: usize = 5;
    let pool =
        admission(CONNECTIONS, |id: &_| Limits::new().connections(if *id == "t0".parse().unwrap() { 2 } else { 4 }));
    let (lent, greedy) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Vec::new();
    for task in 0..64 {
        let (pool, lent, greedy) = (pool.clone(), lent.clone(), greedy.clone());
        tasks.push(tokio::spawn(async move {
            let mut admitted = 0;
            for round in 0..500 {
                let id = if task < 32 { 0 } else { (task + round) % 9 };
                let polls = rand::rng().random_range(0..4);
                let mut call = Box::pin(pool.admit(tenant(&format!("t{id}")), None));
                // Every third call is waited for; the rest is dropped after a few polls, woken or not.
                let permit = if round % 3 == 0 {
                    Some(call.await.unwrap())
                } else {
                    let mut left = polls;
                    poll_fn(|cx| match call.as_mut().poll(cx) {
                        Poll::Ready(permit) => Poll::Ready(Some(permit.unwrap())),
                        Poll::Pending if left == 0 => Poll::Ready(None),
                        Poll::Pending => {
                            left -= 1;
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        }
                    })
                    .await
                };
                if let Some(mut permit) = permit {
                    admitted += 1;
                    assert!(lent.fetch_add(1, Ordering::SeqCst) < CONNECTIONS);
                    let own = usize::from(id == 0);
                    assert!(greedy.fetch_add(own, Ordering::SeqCst) < 2 || own == 0);
                    tokio::task::yield_now().await;
                    greedy.fetch_sub(own, Ordering::SeqCst);
                    lent.fetch_sub(1, Ordering::SeqCst);
                    if polls == 3 {
                        permit.release_slot();
                    }
                }
            }
            admitted
        }));
    }
    let mut admitted = 0;
    for task in tasks {
        admitted += tokio::time::timeout(Duration::from_secs(60), task).await.expect("somebody was not woken").unwrap();
    }
    assert!(admitted >= 64 * 167);
    assert_eq!((pool.counts(), pool.waiting()), ((0, 0), 0));
}
