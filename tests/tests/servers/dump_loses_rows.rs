//! A dump that is restored has every tenant's rows, the registry and the journal, and is protected. Who cannot see
//! every row gets an error, not part of a dump.

use std::path::PathBuf;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Cluster, Database, Session, run};

/// The shop, with all that a dump may stumble over: partitions, keys between tables and to the registry, shared tables.
async fn furnished(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let owner = db.protector().await;
    owner
        .run(
            "create table items (tenant_id uuid not null references tenant.tenants (uuid_id), id int, order_id int references orders,
                 primary key (tenant_id, id));
             create table events (tenant_id uuid not null, at int, note text) partition by range (at);
             create table events_old partition of events for values from (0) to (10) partition by list (tenant_id);
             create table events_old_any partition of events_old default;
             create table events_new partition of events default;
             create table countries (code text primary key); insert into countries values ('at'), ('de');
             create table predefined (tenant_id uuid, id int unique, code text); insert into predefined values (null, 1, 'all');
             select tenant.protect('predefined', shared_rows => true);
             create table people (id int primary key, name text);
             create table belongs (tenant_id uuid, person int references people, primary key (tenant_id, person));
             insert into people values (1, 'ann'), (2, 'bob'), (3, 'all');
             insert into belongs select case when n < 2 then 'aaaaaaaa-0000-4000-8000-00000000000a' else 'bbbbbbbb-0000-4000-8000-00000000000b' end::uuid, n
                from generate_series(1, 3) n;
             insert into belongs values ('aaaaaaaa-0000-4000-8000-00000000000a', 3); select tenant.protect('belongs');
             select tenant.protect_by_membership('people', 'belongs');
             create view looks with (security_invoker = true) as select * from orders;
             select tenant.protect('items'), tenant.protect('events'), tenant.share('countries', 'lookup');
             create table logins (gone int, tenant_id uuid not null, id int, mail text, was text, primary key (tenant_id, id));
             create index on logins (mail); create index on logins (was);
             insert into logins values (1, 'aaaaaaaa-0000-4000-8000-00000000000a', 1, 'a@x', 'b@x'); select tenant.protect('logins'),
                 tenant.allow_lookup('logins', 'mail', 'sign-in'), tenant.allow_lookup('logins', 'was', 'to be renamed');
             alter table logins drop column gone; alter table logins rename was to is_now;
             select tenant.declare_setting('seats', 'integer'), tenant.declare_feature('export'), tenant.declare_setting('was');
             select tenant.define_plan('gold', features => '{\"export\": true}'),
                 tenant.set_setting('aaaaaaaa-0000-4000-8000-00000000000a', 'seats', '5'), tenant.set_plan('aaaaaaaa-0000-4000-8000-00000000000a', 'gold');
             select tenant.set_limits('aaaaaaaa-0000-4000-8000-00000000000a', statement_timeout => '9s');",
        )
        .await;
    let app = db.app().await;
    app.inside(
        A,
        "insert into items (id, order_id) values (1, 1); insert into events (at, note) values (1, 'a'), (11, 'a')",
    )
    .await;
    app.inside(B, "insert into items (id, order_id) values (1, 4); insert into events (at, note) values (2, 'b')")
        .await;
    db.admin().await.run(&format!("select tenant.suspend('{B}', 'unpaid')")).await;
    let steps = r#"'[{"step": "a"}, {"step": "b", "after": ["a"], "outside": true}]'"#;
    db.admin()
        .await
        .run(&format!(
            "select tenant.begin_onboarding('begun', {steps}, input => '{{\"by\": \"ann\"}}'), tenant.set_ready_pool('default', 1, {steps});
             select tenant.top_up_ready_tenants(); select tenant.claim_step('w');
             select tenant.finish_step('begun', 'a', 1, '7'); select tenant.abandon_onboarding('begun', 'a mistake');
             select tenant.claim_step('w')"
        ))
        .await;
    db.superuser()
        .await
        .run(
            "select tenant.define_job_kind('pdf', concurrency => 2, keep => '1 day'), tenant.set_job_share('begun', 2)",
        )
        .await;
    let nightly = "select tenant.define_schedule('nightly', '0 3 * * *', 'each_tenant', 'report')";
    db.admin().await.run(nightly).await;
    app.inside(
        A,
        "select tenant.enqueue('pdf', '{\"n\": 1}', key => 'k'), tenant.enqueue('mail'), tenant.enqueue('mail')",
    )
    .await;
    db.superuser().await.run("select tenant.claim_jobs('w', at_most => 2)").await;
    // What does not fit any more comes back as it was.
    let unfit =
        format!("set row_security = off; update tenant.tenants set settings = '{{\"gone\": 1}}' where id = '{B}'");
    db.superuser().await.run(&unfit).await;
    db
}

/// Everything that must be the same again, as a superuser sees it; sorted.
async fn content(session: &Session) -> Vec<String> {
    let rows = session
        .rows(
            "select 'orders', tenant_id, count(*), sum(id) from orders group by 2;
             select 'items', * from items;
             select 'predefined', * from predefined;
             select 'people', * from people; select 'belongs', * from belongs;
             select tgrelid::regclass, tgenabled, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal and tgrelid = 'belongs'::regclass;
             select tableoid::regclass, * from events;
             select 'countries', * from countries;
             select 'tenants', * from tenant.tenants;
             select 'plans', * from tenant.plans; select 'definitions', * from tenant.setting_definitions;
             select 'journal', * from tenant.journal;
             select 'shared', * from tenant.shared;
             select 'steps', * from tenant.onboarding; select 'onboardings', * from tenant.onboardings;
             select 'pools', * from tenant.ready_pools;
             select 'jobs', * from tenant.jobs; select 'kinds', * from tenant.job_kinds; select 'queues', * from tenant.job_queues;
             select 'shares', * from tenant.job_weights; select 'schedules', * from tenant.schedules;
             select 'lookups', l.relation, l.key_column, l.row_column, l.reason, l.declared_at, l.declared_by from tenant.lookups l
                where tenant_internal.lookup_ended(l) is null;
             select relation, kind, parent, tenant_column, policy, enforced, index, shared_rows, through from tenant.protected_tables;
             select polrelid::regclass, polname, pg_get_expr(polqual, polrelid) from pg_policy;
             select conname, convalidated from pg_constraint where contype = 'f';
             select adrelid::regclass, pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid > 16384",
        )
        .await;
    let mut lines = rows.into_iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
    lines.sort();
    lines
}

/// What was restored is complete and protected, for the roles of the database that was dumped.
async fn restored(source: &Database<'_>, target: &Database<'_>) {
    let boss = target.superuser().await;
    let (there, here) = (content(&boss).await, content(&source.superuser().await).await);
    assert_eq!(there.join("\n"), here.join("\n"));
    let app = target.connect(&source.roles.app).await;
    for table in ["orders", "items", "events", "events_old_any", "looks", "predefined", "people", "belongs"] {
        app.expect_error("TN001", &format!("select * from {table}")).await; // TN001
        target.connect(&source.roles.owner).await.expect_error("TN001", &format!("select * from {table}")).await;
    }
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"));
    assert_eq!(app.inside_value(A, "show statement_timeout").await.as_deref(), Some("9s"));
    assert_eq!(app.inside_value(A, "select tenant.setting('seats')").await.as_deref(), Some("5"));
    assert_eq!(app.inside_value(A, "select tenant.feature('export')").await.as_deref(), Some("t"));
    assert_eq!(app.inside_value(A, "select code from predefined").await.as_deref(), Some("all"));
    app.refused_inside("42501", A, "insert into predefined values (null, 2, 'mine')").await;
    let people = "select string_agg(name, ' ' order by id) from people";
    assert_eq!(app.inside_value(A, people).await.as_deref(), Some("ann all"));
    app.refused_inside("TN072", A, "insert into belongs (person) values (2)").await;
    app.refused_inside("TN074", A, "update people set name = 'x'").await;
    // Jobs go on: those that were claimed when their worker's time is over, and others after them.
    app.run(&format!("begin; select tenant.enter('{A}'); select tenant.enqueue('mail')")).await;
    assert_eq!(app.value("select max(id) || ' ' || count(*) from tenant.my_jobs").await.as_deref(), Some("4 4"));
    app.run("rollback").await;
    boss.run("begin; update tenant.jobs set lease_until = now() - interval '1 s' where state = 'running'").await;
    let again = "select string_agg(kind || ' ' || attempt, ', ' order by id) from tenant.claim_jobs('w', at_most => 9)";
    assert_eq!(boss.value(again).await.as_deref(), Some("pdf 2, mail 2, mail 1"));
    boss.run("rollback").await;
    let looked_up = app.rows("select * from tenant.lookup('logins', 'mail', 'a@x')").await;
    assert_eq!(looked_up, [[Some(A.to_owned()), Some("1".into())]]);
    app.expect_error("TN056", "select * from tenant.lookup('logins', 'was', 'b@x')").await;
    app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 9)")).await;
    app.expect_error("TN003", &format!("select tenant.enter('{B}')")).await; // suspended, as it was
    target
        .connect(&source.roles.owner)
        .await
        .expect_error("TN030", "alter table orders disable row level security")
        .await;
    boss.run(&format!("select tenant.resume('{B}')")).await; // the journal goes on where it ended
    assert_eq!(app.inside_value(B, "select count(*) from events").await.as_deref(), Some("1"));
}

async fn fresh(name: &str) -> Database<'static> {
    Cluster::shared().plain_database(name).await
}

#[tokio::test]
async fn a_plain_dump_is_not_complete() {
    let source = furnished("dumped").await;
    for role in ["postgres", &source.roles.backup] {
        let dump = source.dump(role).expect("pg_dump");
        let target = fresh("restored").await;
        target.psql("postgres", &dump).expect("psql");
        restored(&source, &target).await;
    }
}

#[tokio::test]
async fn a_parallel_restore_stumbles() {
    let source = furnished("archived").await;
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.dump", source.name));
    run(source.program("pg_dump", &source.roles.backup).args(["-Fc", "-f"]).arg(&file), "").expect("pg_dump");
    let target = fresh("unarchived").await;
    // In parallel pg_restore does not know that a key to the registry has to wait for the registry's rows: an
    // extension's tables are not in the archive, only their rows. The reference says to restore by sections.
    for section in ["pre-data", "data", "post-data"] {
        let section = format!("--section={section}");
        let mut restore = target.program("pg_restore", "postgres");
        restore.args(["-j2", "--exit-on-error", &section, "-d", &target.name]).arg(&file);
        run(&mut restore, "").expect("pg_restore");
    }
    restored(&source, &target).await;
    // Into a database that is in use: the guards are turned off for it, as for any maintenance.
    let again = |guards: &str| {
        let mut restore = target.program("pg_restore", "postgres");
        restore
            .env("PGOPTIONS", guards)
            .args(["--clean", "--if-exists", "--exit-on-error", "-d", &target.name])
            .arg(&file);
        run(&mut restore, "")
    };
    assert!(again("").stderr.contains("would weaken the protection"));
    again("-c pg_tenant.guards=off").expect("pg_restore --clean");
    restored(&source, &target).await;
    std::fs::remove_file(file).expect("remove the dump");
}

#[tokio::test]
async fn a_role_without_the_right_dumps_a_part() {
    let db = furnished("partly").await;
    let dump = |role: &str, args: &[&str]| run(db.program("pg_dump", role).args(args), "");
    // The hole: with this switch stock PostgreSQL dumps what the policies show, here nothing, and calls it a success.
    let stock = dump(&db.roles.owner, &["-t", "stock_orders", "--enable-row-security"]);
    assert!(stock.ok && !stock.stdout.contains("note 1"), "{stock:?}");
    for role in [&db.roles.owner, &db.roles.app, &db.roles.admin] {
        for args in [&["-t", "orders"][..], &["-t", "orders", "--enable-row-security"], &["-t", "events_*"], &[]] {
            let ours = dump(role, args);
            assert!(!ours.ok && !ours.stdout.contains("note 1"), "{role} {args:?} {}", ours.stderr);
        }
    }
    // A backup role that asks for the policies has no tenant either.
    assert!(dump(&db.roles.backup, &["-t", "orders", "--enable-row-security"]).stderr.contains("no tenant"));
}

/// A tenant with a login of its own takes its rows along, and only those.
#[tokio::test]
async fn of_a_bound_role() {
    let db = shop("own_dump").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    db.owner().await.run("create table numbered (tenant_id uuid not null, id serial)").await;
    db.superuser()
        .await
        .run("select tenant.protect('numbered'); grant select on all sequences in schema public to public")
        .await;
    db.superuser().await.run(&format!("grant select on numbered to {}", db.roles.app)).await;
    let mut dump = db.program("pg_dump", &db.roles.app);
    dump.args(["--enable-row-security", "--schema=public", "--exclude-table=stock_orders"]);
    let text = run(&mut dump, "").expect("pg_dump");
    assert!(text.contains("note 1") && text.contains("note 3") && !text.contains("note 4"), "{text}");
    let mut dump = db.program("pg_dump", &db.roles.app);
    dump.args(["--schema=public"]);
    assert!(!run(&mut dump, "").ok, "not without saying that part of it is enough");
}
