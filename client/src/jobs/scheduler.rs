//! The scheduler: one of those that run has the lead, and queues the jobs of schedules that are due.

use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, Socket};

use super::connect::Connector;
use super::cron::{CatchUp, Due, due};
use crate::listener::connection::Next;
use crate::wire::backoff::Backoff;

/// Queues the jobs of schedules (`tenant.define_schedule`) when they are due. Any number of processes may run one: the
/// first that asks has the lead for as long as its connection lasts, and the others wait for it.
///
/// It has a connection of its own, to the server itself and not through a pooler in transaction mode, with a login that
/// was granted `tenant_worker`. Each due time is fired once, in parts of some hundred tenants; where a scheduler dies
/// half-way, the next one goes on from there.
#[must_use = "nothing is queued until start() or run_until()"]
#[derive(Debug)]
pub struct Scheduler {
    connector: Connector,
    poll: Duration,
    batch: i32,
}

struct Schedule {
    name: String,
    cron: String,
    zone: String,
    catch_up: CatchUp,
    last: SystemTime,
    /// A due time that is fired in parts, and is not complete.
    firing: Option<SystemTime>,
}

const LEAD: &str = "select tenant.lead_schedules()";
const READ: &str = "select name, cron, time_zone, catch_up, last_due, firing, clock_timestamp()
    from tenant.schedules where enabled order by name";
const FIRE: &str = "select complete from tenant.fire_schedule($1, $2, $3, $4)";
const SKIP: &str = "select tenant.skip_schedule($1, $2, $3)";

impl Scheduler {
    /// On a connection of its own, without encryption.
    pub fn new(config: Config) -> Scheduler {
        Scheduler::new_tls(config, NoTls)
    }

    /// As [`new`](Self::new), encrypted.
    pub fn new_tls<T>(config: Config, tls: T) -> Scheduler
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Scheduler { connector: Connector::new(config, tls), poll: Duration::from_secs(5), batch: 500 }
    }

    /// How often it looks whether schedules have changed, and whether it has the lead; 5 seconds by default. What is
    /// due is queued when it is due.
    pub fn poll(mut self, pause: Duration) -> Self {
        self.poll = pause;
        self
    }

    /// For how many tenants jobs are queued in one transaction, from 1 to 10,000; 500 by default.
    pub fn batch(mut self, tenants: u16) -> Self {
        self.batch = i32::from(tenants.clamp(1, 10_000));
        self
    }

    /// Works until `stop` is done. Where the server is away it waits until that is back.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut backoff = Backoff::new();
        loop {
            let session = async {
                let Some((client, mut ear)) = self.connector.connect().await else { return false };
                // Whoever waits for an answer is told when the connection ends.
                let driven = tokio::spawn(async move { while !matches!(ear.next().await, Ok(Next::End) | Err(_)) {} });
                if let Err(error) = self.serve(&client).await {
                    let code = error.code().map(|code| code.code().to_owned());
                    tracing::warn!(target: "pg_tenant_client", code, "the scheduler was interrupted");
                }
                driven.abort();
                true
            };
            tokio::select! {
                () = &mut stop => return,
                connected = session => if connected { backoff = Backoff::new() },
            }
            tokio::select! {
                () = &mut stop => return,
                () = sleep(backoff.next().max(Duration::from_millis(200))) => {}
            }
        }
    }

    async fn serve(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        loop {
            let leads: bool = client.query_typed_one(LEAD, &[]).await?.try_get(0)?;
            let pause = if leads { self.turn(client).await? } else { self.poll };
            sleep(pause).await;
        }
    }

    /// Fires what is due, and says when to look again.
    async fn turn(&self, client: &Client) -> Result<Duration, tokio_postgres::Error> {
        let mut pause = self.poll;
        for row in client.query_typed(READ, &[]).await? {
            let schedule = Schedule {
                name: row.try_get(0)?,
                cron: row.try_get(1)?,
                zone: row.try_get(2)?,
                catch_up: CatchUp::read(row.try_get(3)?).unwrap_or(CatchUp::Once),
                last: row.try_get(4)?,
                firing: row.try_get(5)?,
            };
            pause = pause.min(self.attend(client, &schedule, row.try_get(6)?).await?);
        }
        Ok(pause)
    }

    /// `now` is the server's clock.
    async fn attend(
        &self,
        client: &Client,
        schedule: &Schedule,
        now: SystemTime,
    ) -> Result<Duration, tokio_postgres::Error> {
        let Schedule { name, cron, zone, catch_up, last, firing } = schedule;
        let next = match firing {
            Some(time) => Ok(Due::Fire(*time)),
            None => due(cron, zone, *catch_up, *last, now),
        };
        match next {
            Ok(Due::Fire(time)) => {
                let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
                    (name, Type::TEXT),
                    (&time, Type::TIMESTAMPTZ),
                    (last, Type::TIMESTAMPTZ),
                    (&self.batch, Type::INT4),
                ];
                while !client.query_typed_one(FIRE, &params).await?.try_get::<_, bool>(0)? {}
                // There may be another one that was missed.
                Ok(Duration::ZERO)
            }
            Ok(Due::Skip(time)) => {
                let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
                    [(name, Type::TEXT), (&time, Type::TIMESTAMPTZ), (last, Type::TIMESTAMPTZ)];
                client.query_typed(SKIP, &params).await?;
                Ok(Duration::ZERO)
            }
            Ok(Due::Later(time)) => {
                let wait = time.and_then(|time| time.duration_since(now).ok());
                Ok(wait.unwrap_or(self.poll))
            }
            Err(why) => {
                tracing::warn!(target: "pg_tenant_client", schedule = name, why, "a schedule cannot be read");
                Ok(self.poll)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_within_its_bounds() {
        let of = |tenants| Scheduler::new(Config::new()).batch(tenants).batch;
        assert_eq!([of(0), of(1), of(700), of(u16::MAX)], [1, 1, 700, 10_000]);
    }
}
