//! `pgtenant stats` and `pgtenant activity`: what each tenant costs, and who is in what.

use clap::{Args, ValueEnum};

use crate::ask::Common;
use crate::wire::Fault;

/// What is shown of the statistics.
#[derive(Args)]
pub struct Stats {
    /// Those who have most of it first.
    #[arg(long, value_enum, default_value = "processor-ms")]
    by: By,
    /// Of the last so many seconds (at most 600), and not since the beginning.
    #[arg(long, value_name = "SECONDS")]
    last: Option<u32>,
    /// How many at most.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// A column of the statistics.
#[derive(Clone, Copy, ValueEnum)]
pub enum By {
    Transactions,
    RowsRead,
    RowsWritten,
    ExecutionMs,
    ProcessorMs,
    WalBytes,
    Refusals,
    LastSeen,
}

/// Shows the statistics.
pub async fn run(common: &Common, stats: &Stats) -> Result<(), Fault> {
    let session = common.session().await?;
    let name = stats.by.to_possible_value().map(|value| value.get_name().replace('-', "_")).unwrap_or_default();
    let who = "coalesce(tenant_id, '(' || context || ')') as tenant";
    let limit = stats.limit.to_string();
    let nothing = "nothing was counted";
    match stats.last {
        None => {
            let sql = format!(
                "select {who}, transactions, rollbacks, selects + inserts + updates + deletes + other_statements as statements,
                    rows_read, rows_written, execution_ms, processor_ms, wal_bytes, refusals, last_seen
                 from tenant.stat_tenants where transactions > 0 order by {name} desc, 1 limit $1::text::integer"
            );
            session.show(&sql, &[Some(&limit)], nothing).await
        }
        Some(seconds) => {
            let kept = ["transactions", "rows_read", "rows_written", "execution_ms", "processor_ms"];
            if !kept.contains(&&*name) {
                return Err(Fault::Usage(format!("--last knows {}, not {name}", kept.join(", "))));
            }
            let sql = format!(
                "select {who}, sum(transactions) as transactions, sum(statements) as statements, sum(rows_read) as rows_read,
                    sum(rows_written) as rows_written, round(sum(execution_ms)::numeric, 3) as execution_ms,
                    round(sum(processor_ms)::numeric, 3) as processor_ms
                 from tenant.stat_tenants_recent where step > now() - make_interval(secs => $2::text::integer + 10)
                 group by tenant_id, context order by sum({name}) desc, 1 limit $1::text::integer"
            );
            session.show(&sql, &[Some(&limit), Some(&seconds.to_string())], nothing).await
        }
    }
}

/// Shows the sessions.
pub async fn activity(common: &Common) -> Result<(), Fault> {
    let sql =
        "select pid, coalesce(tenant_id, '(' || context || ')') as tenant, actor, role_name, application_name, state,
            date_trunc('milliseconds', clock_timestamp() - transaction_start)::text as age, wait_event
        from tenant.activity where pid <> pg_backend_pid() order by transaction_start nulls last, pid";
    common.session().await?.show(sql, &[], "nobody is connected").await
}
