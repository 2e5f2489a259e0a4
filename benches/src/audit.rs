//! (i) Statements on an audited table, beside the same table with a plain row trigger that writes both rows as jsonb
//! into a table, and beside one that has neither: what of a statement's time is the journal's. All in one transaction
//! each, undone.

use pg_tenant_tests::{Cluster, Options, Session};

use crate::processor::Processor;
use crate::report::{Record, median};
use crate::world::APP;

const ROUNDS: usize = 21;
/// How many rows a statement changes.
const SIZES: [(&str, u32); 2] = [("1000_rows", 1000), ("1_row", 1)];
/// The tables: with no trigger, with `tenant.audit`, with a row trigger.
const TABLES: [&str; 3] = ["bare", "told", "by_row"];

const STAGE: &str = "
    create function by_row() returns trigger language plpgsql security definer as $$
    begin
        insert into log (relation, operation, was, is_now, by) values (tg_table_name, tg_op,
            case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end, session_user);
        return null;
    end $$;
    create table log (id bigint generated always as identity primary key, at timestamptz default now(), relation name, operation text,
        was jsonb, is_now jsonb, by name);
    select tenant.create('acme');";

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default().set("shared_buffers", "256MB").set("max_wal_size", "4GB"));
    let dba = cluster.superuser().await;
    dba.run(&format!("create role {APP} login; create extension pg_tenant; grant tenant_user to {APP}; {STAGE}")).await;
    for table in TABLES {
        dba.run(&format!(
            "create table {table} (tenant_id text not null, id int, name text, amount numeric, state text, at timestamptz, note text, ref uuid,
                 primary key (tenant_id, id));
             insert into {table} select 'acme', i, 'name ' || i, i * 1.5, 'open', now(), repeat('x', 40), gen_random_uuid()
                 from generate_series(1, 10000) i;
             select tenant.protect('{table}'); grant select, insert, update, delete on {table} to {APP}"
        ))
        .await;
    }
    dba.run(
        "select tenant.audit('told');
         create trigger t after insert or update or delete on by_row for each row execute function by_row()",
    )
    .await;
    dba.run("vacuum analyze").await;
    let session = Session::connect(&cluster.config("postgres", APP)).await;
    let processor = Processor::of(&session).await?;
    processor.keep()?;
    for (size, rows) in SIZES {
        for (name, sql) in [
            ("update", format!("update {{t}} set amount = amount + 1, state = 'closed' where id <= {rows}")),
            (
                "insert",
                format!(
                    "insert into {{t}} (id, name, amount, state, at, note) select i, 'n', 1, 'open', now(), 'x' from generate_series(20001, 20000 + {rows}) i"
                ),
            ),
            ("delete", format!("delete from {{t}} where id <= {rows}")),
        ] {
            let mut each: [Vec<f64>; 3] = Default::default();
            for round in 0..=ROUNDS {
                for nth in 0..TABLES.len() {
                    let nth = (nth + round) % TABLES.len();
                    let took = time(&session, &processor, &sql.replace("{t}", TABLES[nth]), rows).await?;
                    if round > 0 {
                        each[nth].push(took);
                    }
                }
            }
            let [bare, told, by_row] = each.map(median);
            let workload = format!("audit_{name}_{size}");
            record.add("times", &workload, "overhead_of_a_row_trigger", (told - bare) / (by_row - bare));
            record.add("times", &workload, "without_journal", told / bare);
            record.add("times", &format!("row_trigger_{name}_{size}"), "without_journal", by_row / bare);
        }
    }
    Ok(())
}

/// Seconds of the processor that a statement takes, in a tenant; it is undone.
async fn time(session: &Session, processor: &Processor, sql: &str, rows: u32) -> anyhow::Result<f64> {
    const TIMES: u32 = 5;
    let mut took = 0.0;
    for _ in 0..TIMES {
        session.run("begin; select tenant.enter('acme')").await;
        let before = processor.used()?;
        let done = session.execute(sql, &[]).await?;
        took += processor.used()? - before;
        session.run("rollback").await;
        anyhow::ensure!(done == u64::from(rows), "{sql}: {done} rows");
    }
    Ok(took / f64::from(TIMES))
}
