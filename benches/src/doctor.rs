//! (e) The doctor on a large schema: 1,000 protected tables, each with a foreign key to the one before, 200 views,
//! 10,000 grants to ten logins, 300 bound logins. Seconds of the whole answer, first in a session and then again.

use std::time::Instant;

use pg_tenant_tests::{Cluster, Options};

use crate::processor::Processor;
use crate::report::{Record, median};

const ROUNDS: usize = 7;

const SCHEMA: &str = "
    create extension pg_tenant;
    create role big_admin login in role tenant_admin;
    do $$ begin
        for i in 1 .. 10 loop execute format('create role big_app%s login in role tenant_user', i); end loop;
        for i in 1 .. 300 loop execute format('create role big_bound%s login in role tenant_user', i); end loop;
    end $$;
    select tenant.create('acme');
    select count(tenant.bind_role(format('big_bound%s', i), 'acme')) from generate_series(1, 300) i;
    do $$ begin
        for i in 1 .. 1000 loop
            execute format('create table t%s (tenant_id uuid, id bigint generated always as identity, other bigint,
                note text, primary key (tenant_id, id)%s)', i,
                case when i > 1 then format(', foreign key (tenant_id, other) references t%s (tenant_id, id)', i - 1) end);
            execute format('create index on t%s (tenant_id, note)', i);
            for j in 1 .. 10 loop execute format('grant select, insert, update, delete on t%s to big_app%s', i, j); end loop;
            if i % 5 = 0 then
                execute format('create view v%s with (security_invoker = true) as select * from t%s', i, i);
            end if;
        end loop;
    end $$;
    select count(tenant.protect(format('t%s', i)::regclass)) from generate_series(1, 1000) i";

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let cluster =
        Cluster::start(Options::default().set("shared_buffers", "512MB").set("max_locks_per_transaction", "4096"));
    let dba = cluster.superuser().await;
    dba.run(SCHEMA).await;
    dba.run("vacuum analyze").await;
    let (mut times, mut processor_times) = <([Vec<f64>; 2], [Vec<f64>; 2])>::default();
    for _ in 0..ROUNDS {
        let session = cluster.superuser().await;
        let processor = Processor::of(&session).await?;
        for nth in 0..2 {
            let (asked, used) = (Instant::now(), processor.used()?);
            session.query_one("select count(*) from tenant.doctor()", &[]).await?;
            times[nth].push(asked.elapsed().as_secs_f64());
            processor_times[nth].push(processor.used()? - used);
        }
    }
    for (unit, [first, again]) in [("s", times), ("processor_s", processor_times)] {
        record.add(unit, "doctor_1000_tables_10000_grants", "first", median(first));
        record.add(unit, "doctor_1000_tables_10000_grants", "again", median(again));
    }
    Ok(())
}
