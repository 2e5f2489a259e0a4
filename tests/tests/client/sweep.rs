//! Poll a call *i* times, drop it, ask another connection what is left; then *i* + 1, until the call finishes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use pg_tenant_client::TenantPool;
use pg_tenant_client::sqlx::TenantPool as SqlxPool;

use super::fixture::{Fixture, PATIENCE};
use super::proxy::Proxy;

pub type Call<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// In which tenant, and as which role: "none" is the login itself.
const WHERE: &str = "select concat_ws(' ', tenant.current_id(), current_setting('role'))";

/// Polls `call` at most `times` times, as often as it is woken, and drops it. Whether it finished.
pub async fn poll_times(call: impl Future, times: usize) -> bool {
    let mut call = Box::pin(call);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A slow wire, so that every await is one that waits.
async fn slow_wire(fixture: &Fixture) -> Proxy {
    Proxy::start(fixture.port(), Duration::from_micros(300)).await
}

/// Waits until the wire carries no more than the pool's connections. PgBouncer 1.18 may be asked to cancel what has
/// ended meanwhile, and then cancels what its session does next, for whomever.
async fn nothing_is_under_way(wire: &Proxy, size: impl Fn() -> usize, after: &str) {
    let since = Instant::now();
    while wire.open() > size() {
        assert!(since.elapsed() < PATIENCE, "{after}: {} connections of {} clients", wire.open(), size());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// With a new pool each time, so that connecting and preparing are swept too, and with one that is warm.
///
/// The pools are the operator's: the system context is swept as tenants are, and who asks next enters a tenant.
pub async fn sweep(name: &str, call: impl for<'a> Fn(&'a TenantPool) -> Call<'a>) {
    let fixture = Fixture::new(name).await;
    let wire = slow_wire(&fixture).await;
    let new_pool = || fixture.pool_of(fixture.config_at(wire.port, &fixture.operator), 2);
    for warm in [false, true] {
        let kept = new_pool();
        for times in 0.. {
            let after = format!("{name}, warm: {warm}, dropped after {times} polls");
            let pool = if warm { kept.clone() } else { new_pool() };
            if warm {
                call(&pool).await;
            }
            let finished = poll_times(call(&pool), times).await;
            fixture.nothing_is_left(&after).await;
            nothing_is_under_way(&wire, || pool.status().size, &after).await;
            // Every slot is there, and what it holds belongs to whoever asks.
            let mut lent = [pool.tenant("acme").begin().await, pool.tenant("acme").begin().await];
            for tx in &mut lent {
                let tx = tx.as_mut().unwrap_or_else(|e| panic!("{after}: no slot: {e}"));
                let row = tx.query_one(WHERE, &[]).await;
                let row = row.unwrap_or_else(|e| panic!("{after}: {e}"));
                assert_eq!(row.get::<_, &str>(0), "acme none", "{after}");
            }
            drop(lent);
            if finished {
                assert!(times > usize::from(!warm), "{after}: it never waited");
                break;
            }
        }
    }
}

/// The same over sqlx.
pub async fn sweep_sqlx(name: &str, call: impl for<'a> Fn(&'a SqlxPool) -> Call<'a>) {
    let fixture = Fixture::new(name).await;
    let wire = slow_wire(&fixture).await;
    let new_pool = || fixture.sqlx_at(wire.port, &fixture.operator, 2);
    for warm in [false, true] {
        let kept = new_pool();
        for times in 0.. {
            let after = format!("{name}, warm: {warm}, dropped after {times} polls");
            let pool = if warm { kept.clone() } else { new_pool() };
            if warm {
                call(&pool).await;
            }
            let finished = poll_times(call(&pool), times).await;
            fixture.nothing_is_left(&after).await;
            nothing_is_under_way(&wire, || pool.size() as usize, &after).await;
            let mut lent = [pool.tenant("acme").begin().await, pool.tenant("acme").begin().await];
            for tx in &mut lent {
                let tx = tx.as_mut().unwrap_or_else(|e| panic!("{after}: no slot: {e}"));
                let id: Result<String, _> = sqlx::query_scalar(WHERE).fetch_one(tx).await;
                assert_eq!(id.unwrap_or_else(|e| panic!("{after}: {e}")), "acme none", "{after}");
            }
            drop(lent);
            fixture.nothing_is_left(&format!("{after}, then a dropped transaction")).await;
            if !warm {
                pool.close().await;
            }
            if finished {
                assert!(times > 1, "{after}: it never waited");
                break;
            }
        }
    }
}
