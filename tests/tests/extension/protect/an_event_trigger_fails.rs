//! An event trigger of the application, which finds its tables by the search path, works in what we run: `protect`,
//! `unprotect`, making a partition.

use super::fixture::stage;

const LOG: &str = "
    create table public.audit_ddl (tag text, role name default current_user); grant insert on public.audit_ddl to public;
    create function public.log_ddl() returns event_trigger language plpgsql as $$
        begin insert into audit_ddl (tag) select command_tag from pg_event_trigger_ddl_commands(); end $$;
    create function public.log_drop() returns event_trigger language plpgsql as $$
        begin insert into audit_ddl (tag) select tg_tag from pg_event_trigger_dropped_objects(); end $$;
    create event trigger log_ddl on ddl_command_end execute function public.log_ddl();
    create event trigger log_drop on sql_drop execute function public.log_drop();";

#[tokio::test]
async fn because_of_the_search_path() {
    let (db, owner) = stage("event_triggers").await;
    let boss = db.superuser().await;
    boss.run(LOG).await;
    for session in [&boss, &owner] {
        session
            .run(
                "create table b (tenant_id text, a int unique); create table p (tenant_id text, a int) partition by list (a);
                 select tenant.protect('b', harden => true); select tenant.protect('p');
                 create table p_1 partition of p for values in (1);
                 select tenant.unprotect('b', 'test'); select tenant.protect_schema('public');",
            )
            .await;
        assert_eq!(session.value("select count(*) from tenant.protected_tables").await.as_deref(), Some("3"));
        session.run("select tenant.unprotect('b', 'test'), tenant.unprotect('p', 'test')").await;
        session.run("drop table b, p").await;
    }
    let tags = "select count(*) from public.audit_ddl where tag in ('CREATE POLICY', 'ALTER TABLE', 'DROP POLICY', 'CREATE INDEX')";
    assert!(boss.value(tags).await.unwrap().parse::<i32>().unwrap() > 20);
    // A superuser protects somebody's table: the event trigger runs as it does when its owner alters it.
    owner.run("create table b (tenant_id text) partition by list (tenant_id)").await;
    boss.run("truncate public.audit_ddl; select tenant.protect('b')").await;
    let roles = "select string_agg(distinct role, ' ') from public.audit_ddl";
    assert_eq!(boss.value(roles).await, Some(db.roles.owner.clone()));
    owner.run("create table b_1 partition of b for values in ('x')").await;
    assert_eq!(boss.value(roles).await, Some(db.roles.owner.clone()), "and so a partition of the owner's");
}

/// PostgreSQL's own names come first for our commands, whatever the caller's path says.
#[tokio::test]
async fn or_lends_our_commands_a_name() {
    let (db, owner) = stage("event_path").await;
    db.superuser().await.run(&format!("create schema front authorization {}", db.roles.owner)).await;
    owner
        .run(
            "create function front.eq(text, text) returns boolean language sql as 'select true';
             create operator front.= (function = front.eq, leftarg = text, rightarg = text);
             create function front.current_id() returns text language sql as $$ select 'x' $$;
             create table t (tenant_id text, a int unique); set search_path = front, pg_catalog, public;
             select tenant.protect('public.t', harden => true)",
        )
        .await;
    let operators = "select count(*) from pg_depend d join pg_policy p on p.oid = d.objid
        where d.classid = 'pg_policy'::regclass and d.refobjid = 'front.=(text,text)'::regoperator";
    assert_eq!(owner.value(operators).await.as_deref(), Some("0"));
    assert_eq!(
        owner.value("show search_path").await.as_deref(),
        Some("front, pg_catalog, public"),
        "and the path is back"
    );
}
