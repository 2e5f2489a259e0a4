//! One peer, some tasks, for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;

use super::peer::{Peer, Point};

/// What every key must return.
pub(crate) type Expected = Arc<HashMap<i64, Point>>;

/// What one peer did in one round.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Seconds that each call took.
    pub(crate) latencies: Vec<f64>,
}

/// Lets `tasks` tasks call until `long` is over, one call after the other. Each call reads `statements` of `keys`, and
/// fails where its rows are not the expected ones.
pub(crate) async fn measure(
    peer: &Arc<dyn Peer>,
    tasks: usize,
    statements: usize,
    keys: &Arc<Vec<i64>>,
    expected: &Expected,
    long: Duration,
) -> anyhow::Result<Round> {
    let start = Instant::now();
    let worker = |task: usize| {
        let (peer, keys, expected) = (Arc::clone(peer), Arc::clone(keys), Arc::clone(expected));
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut at = task * 7919;
            while start.elapsed() < long {
                let wanted: Vec<i64> = (at..at + statements).map(|n| keys[n % keys.len()]).collect();
                at += statements;
                let asked = Instant::now();
                let points = peer.read(&wanted).await?;
                latencies.push(asked.elapsed().as_secs_f64());
                check(&wanted, &points, &expected)?;
            }
            anyhow::Ok(latencies)
        })
    };
    let done = try_join_all((0..tasks).map(worker)).await?;
    let seconds = start.elapsed().as_secs_f64();
    let latencies: Vec<f64> = done.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat();
    Ok(Round { per_second: latencies.len() as f64 / seconds, latencies })
}

pub(super) fn check(wanted: &[i64], points: &[Point], expected: &HashMap<i64, Point>) -> anyhow::Result<()> {
    anyhow::ensure!(wanted.len() == points.len(), "{} rows for {} keys", points.len(), wanted.len());
    for (key, point) in wanted.iter().zip(points) {
        let right = expected.get(key).with_context(|| format!("no key {key}"))?;
        anyhow::ensure!(point == right, "{point:?} is not {right:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_row_is_noticed() {
        let point = |id| Point { id, amount: 1, note: "a".into() };
        let expected = HashMap::from([(1, point(1)), (2, point(2))]);
        assert!(check(&[1, 2], &[point(1), point(2)], &expected).is_ok());
        assert!(check(&[1, 2], &[point(2), point(1)], &expected).is_err());
        assert!(check(&[1, 2], &[point(1)], &expected).is_err());
        assert!(check(&[3], &[point(3)], &expected).is_err());
    }
}
