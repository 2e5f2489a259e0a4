//! The replicas of a pool, and which of them is asked now.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pool::written::Written;
use crate::wire::lsn::Lsn;

/// How old what a replica answers may be, where nothing else was said.
pub(crate) const LAG: Duration = Duration::from_secs(10);
/// How long a connection of a replica is waited for. Then the primary is asked.
pub(crate) const WAIT: Duration = Duration::from_secs(1);
/// How long a replica is left alone that could not be used; it doubles, up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a replica is not asked for a position that it had not reached.
const BEHIND: Duration = Duration::from_millis(20);

/// What came of a read that a replica was to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did.
    Served,
    /// It had not come as far as the read must see.
    Behind,
    /// What it has is too old.
    Lagging,
    /// It has become a primary.
    Promoted,
    /// It refused the tenant, or ended the read: the primary decides.
    Refused,
    /// It could not be reached.
    Away,
}

impl Outcome {
    /// For metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Served => "replica",
            Outcome::Behind => "behind",
            Outcome::Lagging => "lagging",
            Outcome::Promoted => "promoted",
            Outcome::Refused => "refused",
            Outcome::Away => "away",
        }
    }
}

/// `P` is the pool of one server.
pub(crate) struct Replicas<P> {
    servers: Vec<Server<P>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    max_lag: Duration,
    pub(crate) written: Written,
}

struct Server<P> {
    pool: P,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    away_until: Option<Instant>,
    pause: Duration,
    /// It had not reached this position at that time.
    behind: Option<(Lsn, Instant)>,
}

impl<P: Clone> Replicas<P> {
    pub(crate) fn new(pools: Vec<P>, max_lag: Duration) -> Replicas<P> {
        let server = |pool| Server { pool, state: Mutex::default() };
        let servers = pools.into_iter().map(server).collect();
        Replicas { servers, turn: AtomicUsize::new(0), max_lag, written: Written::default() }
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = &P> {
        self.servers.iter().map(|server| &server.pool)
    }

    /// The next in turn that may be of use to a read that must see what was written until `needs`, with its number.
    pub(crate) fn choose(&self, needs: Lsn) -> Option<(usize, P)> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let (now, count) = (Instant::now(), self.servers.len());
        (0..count).map(|n| first.wrapping_add(n) % count).find_map(|at| {
            let server = &self.servers[at];
            let mut state = server.lock();
            if state.behind.is_some_and(|(lsn, since)| needs >= lsn && now.duration_since(since) < BEHIND) {
                return None;
            }
            match state.away_until {
                Some(until) if now < until => return None,
                // One call looks whether it is back; the others do not wait for it.
                Some(_) => state.away_until = Some(now + WAIT),
                None => {}
            }
            Some((at, server.pool.clone()))
        })
    }

    /// What came of a read there.
    pub(crate) fn note(&self, at: usize, outcome: Outcome, needs: Lsn) {
        let Some(server) = self.servers.get(at) else { return };
        let mut state = server.lock();
        match outcome {
            Outcome::Served => *state = State::default(),
            Outcome::Behind => {
                (state.away_until, state.pause) = (None, Duration::ZERO);
                state.behind = Some((needs, Instant::now()));
            }
            Outcome::Refused => (state.away_until, state.pause) = (None, Duration::ZERO),
            Outcome::Lagging | Outcome::Promoted | Outcome::Away => {
                state.pause = (state.pause * 2).clamp(PAUSE, LONGEST_PAUSE);
                state.away_until = Some(Instant::now() + state.pause);
            }
        }
    }

    /// An expression that fails where this server, or what it has, will not do.
    pub(crate) fn check(&self, needs: Lsn) -> String {
        let lag = self.max_lag.as_millis();
        let bounded = lag < 100_000_000_000_000;
        let lag = if bounded { lag } else { 0 };
        let ahead = "pg_catalog.pg_last_wal_receive_lsn() operator(pg_catalog.>) pg_catalog.pg_last_wal_replay_lsn()";
        let age = "pg_catalog.clock_timestamp() operator(pg_catalog.-) pg_catalog.pg_last_xact_replay_timestamp()";
        let fresh = "pg_catalog.current_setting('transaction_isolation') operator(pg_catalog.=) 'read committed'";
        let must = needs != Lsn::default();
        format!(
            "cast(case when not pg_catalog.pg_is_in_recovery() then '{SAYS_PROMOTED}' \
             when {must} and (not {fresh} \
                or pg_catalog.pg_last_wal_replay_lsn() operator(pg_catalog.<) '{needs}'::pg_catalog.pg_lsn) then '{SAYS_BEHIND}' \
             when {bounded} and ({ahead} or not exists (select from pg_catalog.pg_stat_wal_receiver)) \
                and coalesce({age} operator(pg_catalog.>) '{lag} ms'::pg_catalog.interval, true) then '{SAYS_LAGGING}' \
             else '0/0' end as pg_catalog.pg_lsn)"
        )
    }
}

const SAYS_PROMOTED: &str = "pg_tenant: the replica is promoted";
const SAYS_BEHIND: &str = "pg_tenant: the replica is behind";
const SAYS_LAGGING: &str = "pg_tenant: the replica lags";

/// What the message of an error says of a check that failed.
pub(crate) fn outcome_of(message: &str) -> Option<Outcome> {
    let said = [(SAYS_PROMOTED, Outcome::Promoted), (SAYS_BEHIND, Outcome::Behind), (SAYS_LAGGING, Outcome::Lagging)];
    said.into_iter().find(|(text, _)| message.contains(text)).map(|(_, outcome)| outcome)
}

impl<P> Server<P> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_take_turns_and_one_that_is_away_is_left_out() {
        let replicas = Replicas::new(vec!["a", "b"], LAG);
        let none = Lsn::default();
        let next = || replicas.choose(none).map(|(_, pool)| pool);
        assert_eq!([next(), next(), next()], [Some("a"), Some("b"), Some("a")]);
        replicas.note(1, Outcome::Away, none);
        assert_eq!([next(), next()], [Some("a"), Some("a")]);
        replicas.note(0, Outcome::Lagging, none);
        assert_eq!(next(), None);
        replicas.note(0, Outcome::Served, none);
        assert_eq!(next(), Some("a"));
    }

    #[test]
    fn one_that_is_behind_serves_who_needs_less() {
        let replicas = Replicas::new(vec!["a"], LAG);
        let (less, more) = ("0/1".parse().unwrap(), "0/2".parse().unwrap());
        replicas.note(0, Outcome::Behind, more);
        assert!(replicas.choose(more).is_none() && replicas.choose(less).is_some());
    }
}
