//! Roles and rights: who escapes the policies, and how the application could become one who does.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed("T001", "{x}", "create role {x} login superuser"),
    fixed("T142", "{app} in tenant_reader", "grant tenant_reader to {app}"),
    fixed("T139", "{x} in tenant_user", "create role {x} login; grant tenant_support, tenant_user to {x}"),
    fixed("T139", "{x}", "create role {x} login bypassrls; grant tenant_support to {x}"),
    fixed(
        "T140",
        "00000000-0000-4000-8000-000000000001",
        "insert into tenant.impersonations (id, tenant_id, login, impersonator, reason, write, lasts, requested_at, approval_required, opens_at, expires_at) select '00000000-0000-4000-8000-000000000001', 'acme', 'ann', 'ann', 'x', false, '1 day', now(), false, now(), now() + interval '1 day'",
    ),
    fixed(
        "T140",
        "00000000-0000-4000-8000-000000000002",
        "insert into tenant.impersonations (id, tenant_id, login, impersonator, reason, write, lasts, requested_at, approval_required) select '00000000-0000-4000-8000-000000000002', 'acme', 'ann', 'ann', 'x', false, '15 minutes', now() - interval '2 days', true",
    ),
    fixed("T002", "{x}", "create role {x} login bypassrls"),
    fixed("T003", "{app} in {x}", "create role {x} superuser; grant {x} to {app}"),
    fixed("T004", "{app} in {owner}", "grant {owner} to {app}"),
    by_hand(
        "T004",
        "{x}",
        "create role {x} in role tenant_user; alter table orders owner to {x}",
        "alter table orders owner to {owner}",
    ),
    fixed("T005", "{app} in tenant_admin", "grant tenant_admin to {app}"),
    fixed("T006", "{app} in pg_read_server_files", "grant pg_read_server_files to {app}"),
    fixed("T006", "{app} in pg_monitor", "grant pg_monitor to {app}"),
    fixed("T007", "{app} CREATEROLE", "alter role {app} createrole"),
    fixed("T007", "{app} CREATEDB", "alter role {app} createdb"),
    fixed("T008", "public.orders to {app}", "grant truncate, trigger on orders to {app}"),
    fixed("T008", "public.orders to public", "grant references on orders to public"),
    fixed("T009", "public to {app}", "grant create on schema public to {app}"),
    fixed("T010", "{app}", "grant create on database {db} to {app}"),
    fixed("T011", "{app}", "grant temporary on database {db} to {app}"),
    fixed(
        "T012",
        "public.numbered_id_seq to {app}",
        "create table numbered (tenant_id text, id bigint generated always as identity, primary key (tenant_id, id))
         select tenant.protect('numbered')
         grant select, update on sequence numbered_id_seq to {app}",
    ),
    fixed(
        "T013",
        "{owner} in public to {app}",
        "alter default privileges for role {owner} in schema public grant truncate on tables to {app}",
    ),
    fixed("T014", "dblink", "create extension dblink"),
    fixed(
        "T015",
        "foreign server far to {app}",
        "create extension postgres_fdw
         create server far foreign data wrapper postgres_fdw
         grant usage on foreign server far to {app}",
    ),
    fixed("T016", "stateful to public", "create trusted language stateful handler plpgsql_call_handler"),
    fixed("T017", "session_replication_role to {app}", "grant set on parameter session_replication_role to {app}"),
    fixed(
        "T017",
        "pg_tenant.strict to {app}",
        "set pg_tenant.guards = off; grant set on parameter pg_tenant.strict to {app}",
    ),
    fixed(
        "T018",
        "pg_tenant.id of role {app} in database {db}",
        "set pg_tenant.guards = off; alter role {app} in database {db} set pg_tenant.id = 'acme'",
    ),
    fixed(
        "T019",
        "{x}",
        "create role {x} login in role tenant_user
         select tenant.bind_role('{x}', 'acme')
         grant {x} to {app}",
    ),
    fixed(
        "T019",
        "{x}",
        "create role {x} login in role tenant_user
         select tenant.bind_role('{x}', 'acme')
         grant pg_read_all_data to {x}",
    ),
    fixed(
        "T019",
        "{x}",
        "create role {x} login replication in role tenant_user
         set pg_tenant.guards = off; alter role {x} set pg_tenant.id = 'acme'",
    ),
    fixed("T020", "{app} in tenant_system", "grant tenant_system to {app}"),
    fixed("T020", "{x} in tenant_system", "create role {x} in role tenant_system; grant {x} to {app}"),
    fixed("T021", "tenant.journal to {app}", "grant insert on tenant.journal to {app}"),
    fixed("T021", "all of them to {app}", "grant pg_write_all_data to {app}"),
    by_hand(
        "T022",
        "table public.owned",
        "create table owned (); alter table owned owner to {app}",
        "alter table owned owner to {owner}",
    ),
];

#[tokio::test]
async fn a_role_or_a_right() {
    prove("roles", CASES).await;
}

/// From 16 a membership can be for administration alone: whoever has it can still grant itself the rest.
#[tokio::test]
async fn a_membership_with_admin_alone() {
    let db = crate::case::stage("admin_alone").await;
    if db.cluster().install().is_before(16, "membership with ADMIN alone") {
        return;
    }
    let object = crate::case::fill(&db, "{app} in {x}");
    crate::case::perform(&db, "create role {x} bypassrls").await;
    crate::case::perform(&db, "grant {x} to {app} with admin false, inherit false, set false").await;
    assert_eq!(crate::case::seen(&db, "T003", &object).await, None);
    crate::case::perform(&db, "grant {x} to {app} with admin true, inherit false, set false").await;
    assert!(crate::case::seen(&db, "T003", &object).await.is_some());
}

/// The role of the system context is nobody's login, and no superuser. It belongs to the server, so this has its own.
#[tokio::test]
async fn the_system_role_is_more_than_that() {
    let cluster = pg_tenant_tests::Cluster::start(pg_tenant_tests::Options::default());
    let db = crate::case::stage_on(&cluster, "system_role").await;
    assert_eq!(crate::case::seen(&db, "T002", "tenant_system").await, None);
    crate::case::perform(&db, "alter role tenant_system login").await;
    let finding = crate::case::seen(&db, "T002", "tenant_system").await.expect("T002");
    assert_eq!(finding.level, "error");
    crate::case::perform(&db, &finding.fix.expect("a fix")).await;
    assert_eq!(crate::case::seen(&db, "T002", "tenant_system").await, None);
    let object = crate::case::fill(&db, "{app} in tenant_system");
    crate::case::perform(&db, "grant tenant_system to {app}").await;
    assert_eq!(crate::case::seen(&db, "T003", &object).await, None);
    crate::case::perform(&db, "alter role tenant_system superuser").await;
    let finding = crate::case::seen(&db, "T003", &object).await.expect("T003");
    crate::case::perform(&db, &finding.fix.expect("a fix")).await;
    assert_eq!(crate::case::seen(&db, "T003", &object).await, None);
}
