-- Jobs: work for tenants, and for the system, that is queued by a transaction and done by workers.
--
-- A job's tenant is that of the transaction that has queued it, and never changes. Workers learn which tenant a job is
-- of, and its kind; the rest is read inside that tenant.
--
-- Who claims goes by tenant.job_queues, of which a tenant has a line for each lane, and never looks at the jobs of a
-- tenant whose turn it is not. Only those who claim write it: a transaction that queues jobs reads its line, and where
-- that says that nobody looks, leaves a line of its own in tenant_internal.job_wakes. So nobody who queues waits for
-- anybody, however long transactions are. A line that said otherwise when it was read, and does not any more when the
-- job is committed, is found by a look at all jobs, every five seconds (tend.sql).
--
-- Locks, in this order: kinds with a limit; what tends (an advisory lock that is only tried); lines of job_queues,
-- which are waited for only by who has none, or who tends; jobs, which are skipped where they are locked.

create table tenant.job_kinds (
    kind text collate "C" primary key check (kind ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    lane text collate "C" not null default 'default' check (lane ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,62}$'),
    priority smallint not null default 0,
    max_attempts integer not null default 20 check (max_attempts between 1 and 1000),
    -- How long an attempt may take; workers end it then.
    time_limit interval check (time_limit > interval '0'),
    -- Pause before the second attempt; it doubles with each one, up to max_backoff.
    backoff interval not null default '10 s' check (backoff >= interval '0'),
    max_backoff interval not null default '1 h' check (max_backoff >= backoff),
    -- How many run at once, in all and of one tenant.
    concurrency integer check (concurrency > 0),
    tenant_concurrency integer check (tenant_concurrency > 0),
    -- It has, or had, such a limit: its jobs are claimed apart.
    has_part boolean not null default false,
    -- How long finished ones stay, to be looked at. Null: they go at once.
    keep interval check (keep > interval '0'),
    changed_at timestamptz not null default now()
);
comment on table tenant.job_kinds is 'Kinds of jobs that differ from what holds for all: lane, priority, attempts, pauses, time limit, how many at once.';
grant select on tenant.job_kinds to tenant_admin, tenant_worker;
select pg_catalog.pg_extension_config_dump('tenant.job_kinds', '');

create table tenant.jobs (
    id bigint generated always as identity primary key,
    -- Null: the system's.
    tenant_id text collate "C",
    kind text collate "C" not null,
    lane text collate "C" not null,
    -- Kinds of which only so many run at once are claimed apart, so that nobody steps over those that wait: their
    -- name, else ''.
    part text collate "C" not null default '',
    priority smallint not null,
    state text collate "C" not null default 'ready' check (state in ('ready', 'scheduled', 'running', 'failed', 'done', 'dead')),
    -- Attempts are numbered for good; tries are those that count, since the job was queued or retried.
    attempt integer not null default 0,
    tries integer not null default 0,
    max_attempts integer not null,
    run_at timestamptz not null,
    lease_until timestamptz,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    worker text,
    key text,
    -- The W3C trace context of who has queued it.
    trace text,
    -- The system's: why the system context is entered.
    reason text,
    payload jsonb not null,
    result jsonb,
    last_error text
)
-- Lines change state twice and go: vacuum comes often, for its own sake and for the indexes below, whose dead entries
-- every claim would step over.
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
comment on table tenant.jobs is 'Jobs of tenants and of the system, with their payloads. Nobody but superusers reads it; tenant.my_jobs and tenant.job_counts show what may be seen.';
-- Without a policy, so that a right to read everything shows nothing of it, but to who takes dumps.
alter table tenant.jobs enable row level security;
create index jobs_ready on tenant.jobs (lane, (coalesce(tenant_id, '')), part, priority, run_at, id) where state = 'ready';
create index jobs_later on tenant.jobs (run_at) where state in ('scheduled', 'failed');
create index jobs_running on tenant.jobs (lease_until) where state = 'running';
create index jobs_of_tenant on tenant.jobs ((coalesce(tenant_id, '')), id);
create unique index jobs_key on tenant.jobs ((coalesce(tenant_id, '')), kind, key)
    where key is not null and state in ('ready', 'scheduled', 'running', 'failed');
create index jobs_over on tenant.jobs (finished_at) where state in ('done', 'dead');
select pg_catalog.pg_extension_config_dump('tenant.jobs', '');
select pg_catalog.pg_extension_config_dump('tenant.jobs_id_seq', '');

create table tenant.job_queues (
    lane text collate "C",
    -- '': the system's.
    tenant_id text collate "C",
    -- Who has used less of the workers is next: it grows with each job that is claimed, by less where the weight is
    -- more.
    virtual_time double precision not null default 0,
    -- When it is looked at again. Infinity: when a job is queued.
    next_at timestamptz not null default now(),
    -- How often in succession there was nothing, or nothing was left. At 0 those who claim come again by themselves;
    -- else whoever queues a job wakes them.
    misses smallint not null default 0,
    primary key (lane, tenant_id)
)
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
comment on table tenant.job_queues is 'Whose turn it is in each lane: the lowest virtual time of those with jobs.';
create index job_queues_turn on tenant.job_queues (lane, virtual_time) where next_at < 'infinity';
create index job_queues_resting on tenant.job_queues (lane, virtual_time) where next_at = 'infinity';
grant select on tenant.job_queues to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.job_queues', '');

-- Tenants' shares that differ from those of their plans: quota job_weight, and job_concurrency for how many run at
-- once.
create table tenant.job_weights (
    tenant_id text collate "C" primary key,
    weight real check (weight between 0.01 and 1000),
    concurrency integer check (concurrency > 0)
);
comment on table tenant.job_weights is 'How large a tenant''s share of the workers is beside others'', and how many of its jobs run at once, where that is not its plan''s.';
grant select on tenant.job_weights to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.job_weights', '');

-- Lines are left and taken; nothing is lost with them, see above.
create table tenant_internal.job_wakes (lane text not null, tenant_id text not null, run_at timestamptz not null)
    with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
comment on table tenant_internal.job_wakes is 'Queues that have jobs again.';
create table tenant_internal.job_look (looked_at timestamptz not null, lane text collate "C" not null default '',
    tenant_id text collate "C" not null default '') with (fillfactor = 50);
comment on table tenant_internal.job_look is 'When all queues were last looked at, and how far the look that is under way has come.';
insert into tenant_internal.job_look values ('-infinity');

create function tenant_internal.refuse_job(message text, detail text, hint text) returns void
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using errcode = 'TN161', message = message, detail = detail, hint = hint;
end
$$;
revoke all on function tenant_internal.refuse_job(text, text, text) from public;

-- Of a tenant that is active again the jobs go on; of one that was purged none is left.
create function tenant_internal.tenant_has_jobs() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.status = 'purged' then
        delete from tenant.jobs j where coalesce(j.tenant_id, '') = new.id;
        delete from tenant.job_queues q where q.tenant_id = new.id;
        delete from tenant.job_weights w where w.tenant_id = new.id;
    else
        insert into tenant_internal.job_wakes select q.lane, q.tenant_id, now() from tenant.job_queues q where q.tenant_id = new.id;
        perform pg_notify('pg_tenant_jobs', '');
    end if;
    return null;
end
$$;
revoke all on function tenant_internal.tenant_has_jobs() from public;
create trigger tenant_has_jobs after update on tenant.tenants for each row
    when (new.status <> old.status and new.status in ('active', 'purged')) execute function tenant_internal.tenant_has_jobs();
