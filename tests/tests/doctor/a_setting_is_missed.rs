//! The server: what its log keeps, what it loads, which version it is.

use pg_tenant_tests::{Cluster, Database, Options};

use crate::case::{Case, Finding, by_hand, fixed, perform, prove, seen, stage_on};
use crate::page;

pub const CASES: &[Case] = &[
    fixed("T080", "log_statement of role {app}", "alter role {app} set log_statement = 'all'"),
    fixed("T080", "log_statement of database {db}", "alter database {db} set log_statement = 'ddl'"),
    fixed("T082", "log_parameter_max_length_on_error of role {app}", "alter role {app} set log_parameter_max_length_on_error = -1"),
    fixed("T083", "auto_explain.log_min_duration of database {db}", "load 'auto_explain'; alter database {db} set auto_explain.log_min_duration = 0"),
    fixed("T084", "aside.pg_stat_statements to public", "create schema aside; create extension pg_stat_statements schema aside"),
    fixed("T086", "session_preload_libraries of role {app}", "alter role {app} set session_preload_libraries = 'auto_explain'"),
    by_hand(
        "T087",
        "CVE-0000-0000",
        "insert into tenant.row_security_cves select 'CVE-0000-0000', current_setting('server_version_num')::int / 10000, 999, 'all is lost'",
        "delete from tenant.row_security_cves where fixed_in = 999",
    ),
    by_hand(
        "T088",
        "pg_stats_ext_exprs",
        "create table public.mended as select pg_get_viewdef('pg_stats_ext_exprs') as text
         set allow_system_table_mods = on; do $$ begin execute 'create or replace view pg_catalog.pg_stats_ext_exprs as ' || (select replace(text, 'pg_has_role', 'has_table_privilege') from public.mended); end $$",
        "set allow_system_table_mods = on; do $$ begin execute 'create or replace view pg_catalog.pg_stats_ext_exprs as ' || (select text from public.mended); end $$",
    ),
    fixed("T089", "session_replication_role of role {app}", "alter role {app} set session_replication_role = replica"),
    fixed("T090", "pg_tenant.strict of role {app}", "alter role {app} set pg_tenant.strict = off"),
    fixed("T090", "pg_tenant.strict of database {db}", "alter database {db} set pg_tenant.strict = log"),
    fixed("T090", "pg_tenant.guards of role all", "alter role all set pg_tenant.guards = off"),
    by_hand(
        "T091",
        "pg_tenant",
        "update pg_extension set extversion = '0.0.0' where extname = 'pg_tenant'",
        "update pg_extension set extversion = tenant.version() where extname = 'pg_tenant'",
    ),
];

#[tokio::test]
async fn a_setting_of_a_role_or_a_database() {
    prove("settings", CASES).await;
}

/// What is set for the whole server is planted on one of its own.
#[tokio::test]
async fn a_setting_of_the_server() {
    let cluster = Cluster::start(Options::default());
    let db = stage_on(&cluster, "server").await;
    for (code, setting, value) in [
        ("T080", "log_statement", "mod"),
        ("T081", "log_min_duration_statement", "0"),
        ("T090", "pg_tenant.guards", "off"),
    ] {
        assert_eq!(seen(&db, code, setting).await, None, "{code} before it was planted");
        let before = current(&db, setting).await;
        perform(&db, &format!("alter system set {setting} = {value}\nselect pg_reload_conf()")).await;
        until_not(&db, setting, &before).await;
        let now = current(&db, setting).await;
        let Some(Finding { fix: Some(fix), .. }) = seen(&db, code, setting).await else { panic!("{code} is missed") };
        perform(&db, &fix).await;
        if code != "T081" {
            until_not(&db, setting, &now).await;
        } else {
            until_not(&db, "log_parameter_max_length", "-1").await;
        }
        assert_eq!(seen(&db, code, setting).await, None, "{code} after its fix");
    }
}

async fn current(db: &Database<'_>, setting: &str) -> String {
    db.admin().await.value(&format!("show {setting}")).await.expect("a value")
}

/// A server reads its configuration when it comes to it: sessions that begin before have the old value.
async fn until_not(db: &Database<'_>, setting: &str, value: &str) {
    for _ in 0..500 {
        if current(db, setting).await != value {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{setting} stays {value}");
}

#[tokio::test]
async fn a_library_in_front() {
    let cluster = Cluster::start(Options::default());
    let db = stage_on(&cluster, "libraries").await;
    assert_eq!(seen(&db, "T085", "shared_preload_libraries").await, None);
    perform(&db, "alter system set shared_preload_libraries = 'pg_tenant', 'auto_explain'").await;
    restart(&cluster);
    let finding = seen(&db, "T085", "shared_preload_libraries").await.expect("a finding");
    page::must_tell_of("T085", &finding);
    perform(&db, &finding.fix.expect("a fix")).await;
    restart(&cluster);
    assert_eq!(seen(&db, "T085", "shared_preload_libraries").await, None);
}

fn restart(cluster: &Cluster) {
    cluster.stop();
    cluster.start_again();
}
