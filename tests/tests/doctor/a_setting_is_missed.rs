//! The server: what its log keeps, what it loads, which version it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, Instant};

use pg_tenant_tests::{Cluster, Database, Install, Options};

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
    fixed(
        "T102",
        "search_path of role {app}",
        "create schema aside_of_app authorization {app}
         alter role {app} set search_path = aside_of_app, public",
    ),
    fixed(
        "T102",
        "search_path of role {app}",
        "create schema aside_of_dba
         alter role {app} set search_path = aside_of_dba, pg_catalog, public",
    ),
    fixed(
        "T102",
        "search_path of database {db}",
        "create schema aside_of_all; grant create on schema aside_of_all to {app}
         alter database {db} set search_path = public, aside_of_all",
    ),
    fixed("T116", "pg_tenant.test_mode of database {db}", "alter database {db} set pg_tenant.test_mode = on"),
    fixed("T102", "row_security of role {app}", "alter role {app} set row_security = off"),
    fixed("T102", "transform_null_equals of role {app} in database {db}", "alter role {app} in database {db} set transform_null_equals = on"),
    fixed("T103", "{x} over {app}", "create role {x} createrole
         do $$ begin if current_setting('server_version_num')::int >= 160000 then execute 'grant {app} to {x} with admin true, inherit false, set false'; end if; end $$"),
    by_hand(
        "T103",
        "database {db}",
        "create role {x} login; alter database {db} owner to {x}",
        "alter database {db} owner to postgres",
    ),
    fixed("T135", "plan gone", "select tenant.define_plan('there'); update tenant.tenants set plan = 'gone' where id = 'acme'"),
    by_hand(
        "T136",
        "setting t136",
        "select tenant.declare_setting('t136'); set row_security = off; update tenant.tenants set settings = '{\"t136\": \"sk_live_0123456789abcdef\"}' where id = 'acme'",
        "select tenant.set_setting('acme', 't136', null)",
    ),
    by_hand(
        "T136",
        "setting t136b",
        "set row_security = off; insert into tenant.setting_definitions (name, kind, default_value) values ('t136b', 'json', '{\"a\": [\"amqp://a:b@c\"]}')",
        "delete from tenant.setting_definitions where name = 't136b'",
    ),
    by_hand(
        "T137",
        "setting t137",
        "set row_security = off; update tenant.plans set features = '{\"t137\": true}'; update tenant.tenants set settings = '{\"t137\": 1}'",
        "update tenant.plans set features = '{}'; update tenant.tenants set settings = settings - 't137'",
    ),
    by_hand(
        "T138",
        "setting t138",
        "select tenant.declare_setting('t138', 'integer'); set row_security = off; update tenant.tenants set settings = '{\"t138\": \"x\"}' where id = 'acme'",
        "select tenant.set_setting('acme', 't138', '1')",
    ),
    by_hand(
        "T138",
        "setting t138b",
        "select tenant.declare_setting('t138b', secret => true); set row_security = off; update tenant.tenants set settings = '{\"t138b\": \"hunter2\"}' where id = 'acme'",
        "select tenant.set_setting('acme', 't138b', '\"env:HUNTER\"')",
    ),
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
    // And for all roles.
    let all = "pg_tenant.guards of role all";
    perform(&db, "alter role all set pg_tenant.guards = off").await;
    let Some(Finding { fix: Some(fix), .. }) = seen(&db, "T090", all).await else { panic!("{all} is missed") };
    perform(&db, &fix).await;
    assert_eq!(seen(&db, "T090", all).await, None, "{all} after its fix");
}

async fn current(db: &Database<'_>, setting: &str) -> String {
    db.superuser().await.value(&format!("show {setting}")).await.expect("a value")
}

/// A server reads its configuration when it comes to it: sessions that begin before have the old value.
async fn until_not(db: &Database<'_>, setting: &str, value: &str) {
    let since = Instant::now();
    while current(db, setting).await == value {
        assert!(since.elapsed() < Duration::from_secs(60), "{setting} stays {value}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_library_in_front() {
    if Install::current().lacks("auto_explain") {
        return;
    }
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

/// Roles that must sign, a file of keys, and directories on the way to it.
#[tokio::test]
async fn keys_that_are_missing_or_within_reach() {
    let cluster = Cluster::start(Options::default().set("pg_tenant.jwks_file", "keys/set.json"));
    let db = stage_on(&cluster, "keys").await;
    let (role, file) = (crate::case::fill(&db, "pg_tenant.require_signed of role {app}"), "pg_tenant.jwks_file");
    let data = db.superuser().await.value("show data_directory").await.expect("a directory");
    let (directory, path) = (Path::new(&data).join("keys"), Path::new(&data).join("keys/set.json"));
    let secret = r#"{"keys":[{"kty":"oct","alg":"HS256","k":"YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcy4uLi4"}]}"#;
    write_as_server(&data, &directory, None);
    write_as_server(&data, &path, Some(secret));

    perform(&db, "alter role {app} set pg_tenant.require_signed = on").await;
    for (mode_of, mode, level, needle, is_read) in [
        (&path, 0o644, "warn", "others may read", false),
        (&path, 0o622, "warn", "others may write", false),
        (&directory, 0o777, "error", "keys has mode 0777: others may write it", true),
    ] {
        assert_eq!((seen(&db, "T092", &role).await, seen(&db, "T093", file).await), (None, None), "before {needle}");
        let before = fs::metadata(mode_of).expect("a mode").permissions();
        fs::set_permissions(mode_of, Permissions::from_mode(mode)).expect("chmod");
        let finding = seen(&db, "T093", file).await.unwrap_or_else(|| panic!("T093 is missed: {needle}"));
        page::must_tell_of("T093", &finding);
        assert_eq!((&*finding.level, finding.fix), (level, None));
        let problem = db.admin().await.value("select problem from tenant.doctor() where code = 'T093'").await;
        assert!(problem.as_ref().is_some_and(|problem| problem.contains(needle)), "{problem:?}");
        assert_eq!(seen(&db, "T092", &role).await.is_none(), is_read, "T092 at {needle}");
        fs::set_permissions(mode_of, before).expect("chmod back");
    }
    fs::remove_file(&path).expect("remove the keys");
    page::must_tell_of("T092", &seen(&db, "T092", &role).await.expect("T092 with no file"));
    assert!(seen(&db, "T093", file).await.is_some(), "T093 with no file");
    perform(&db, "alter system set pg_tenant.jwks_file = ''\nselect pg_reload_conf()").await;
    until_not(&db, file, "keys/set.json").await;
    assert!(seen(&db, "T092", &role).await.is_some(), "T092 with no file configured");
    assert_eq!(seen(&db, "T093", file).await, None, "no file is no defect");
    perform(&db, "alter role {app} reset pg_tenant.require_signed").await;
    assert_eq!(seen(&db, "T092", &role).await, None);
}

/// A file, or a directory where there is no text, that the server's user owns and nobody else reaches.
fn write_as_server(data: &str, path: &Path, text: Option<&str>) {
    match text {
        Some(text) => fs::write(path, text).expect("write"),
        None => fs::create_dir(path).expect("make a directory"),
    }
    let owner = fs::metadata(data).expect("the data directory");
    if fs::metadata(path).expect("it").uid() != owner.uid() {
        chown(path, Some(owner.uid()), Some(owner.gid())).expect("give it to the server");
    }
    fs::set_permissions(path, Permissions::from_mode(if text.is_some() { 0o600 } else { 0o700 })).expect("chmod");
}
