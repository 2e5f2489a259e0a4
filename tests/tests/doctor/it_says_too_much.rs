//! The doctor does not report what only looks like a defect.

use pg_tenant_tests::{Cluster, Options};

use crate::case::{perform, seen, stage, stage_on};

#[tokio::test]
async fn a_sound_thing() {
    let db = stage("sound").await;
    let sound: &[(&str, &str, &str)] = &[
        // Not a table of the application's, or said to be the same for everyone.
        (
            "T031",
            "public.agreed",
            "create table agreed (tenant_id text)\nselect tenant.share('agreed', 'the same for all')",
        ),
        // A policy of the application's own that narrows.
        (
            "T037",
            "public.orders.narrow",
            "create policy narrow on orders as restrictive using (tenant_id = tenant.current_id() and id > 0)",
        ),
        (
            "T036",
            "public.orders.checked",
            "create policy checked on orders using (tenant_id = 'acme') with check (false)",
        ),
        // The application's everyday rights.
        ("T008", "public.orders to {app}", "grant select, insert, update, delete on orders to {app}"),
        // IMMUTABLE, and it reads nothing.
        ("T045", "public.plain()", "create function plain() returns text language sql immutable as 'select 1::text'"),
        // IMMUTABLE, with a parameter of the name of a protected table.
        (
            "T104",
            "public.worded(jsonb)",
            "create function worded(orders jsonb) returns bigint language sql immutable as 'select /* from */ count(*) from jsonb_each(orders) where extract(year from date ''2001-01-01'') > 0'",
        ),
        // Not IMMUTABLE, and nothing is stored with it.
        (
            "T105",
            "default value for public.stable.note",
            "create function stable() returns text language sql stable as 'select min(note) from orders'\ncreate table stable (note text default stable())",
        ),
        // An unprotected copy made and dropped leaves nothing to report.
        ("T030", "public.gone", "create table gone (tenant_id text)\nselect tenant.protect('gone')\ndrop table gone"),
    ];
    for (code, object, sql) in sound {
        perform(&db, sql).await;
        let object = crate::case::fill(&db, object);
        assert_eq!(seen(&db, code, &object).await, None, "{code} on {object}");
    }
}

/// Names are quoted wherever they come from.
#[tokio::test]
async fn a_name_becomes_sql() {
    let db = stage("names").await;
    perform(
        &db,
        r#"create schema "a b; drop table orders"
           create table "a b; drop table orders"."c""d'e" (tenant_id text)"#,
    )
    .await;
    let object = r#""a b; drop table orders"."c""d'e""#;
    let fix = seen(&db, "T031", object).await.and_then(|finding| finding.fix).expect("a fix");
    perform(&db, &fix).await;
    assert_eq!(seen(&db, "T031", object).await, None);
    db.admin().await.run("select 'orders'::regclass").await;
}

#[tokio::test]
async fn a_name_is_a_second_command() {
    let db = stage("line_break").await;
    let owner = db.owner().await;
    owner
        .run(&format!(
            "create table \"x\nalter role {0} superuser;--\" (tenant_id text); create table plain (tenant_id text);
             create table y (tenant_id text, \"a\"\"b\nalter role {0} superuser;--\" int);",
            db.roles.owner
        ))
        .await;
    let admin = db.admin().await;
    let fixes = "select object, fix from tenant.doctor() where code = 'T031' order by fix nulls first";
    let fixes = admin.rows(fixes).await;
    assert!(fixes[0][0].as_deref().is_some_and(|object| object.contains('\n')) && fixes[0][1].is_none(), "{fixes:?}");
    assert!(fixes.iter().any(|row| row[1].as_deref().is_some_and(|fix| fix.contains("plain"))), "{fixes:?}");
    let broken = "select count(*) from tenant.doctor() where fix ~ E'\\n *alter role'";
    assert_eq!(admin.value(broken).await.as_deref(), Some("0"));
}

/// One line for what is the same on many objects; each of them can be listed, waived and mended.
#[tokio::test]
async fn the_same_again_and_again() {
    let cluster = Cluster::start(Options::default()); // the gate counts what other tests do on a shared one
    let db = stage_on(&cluster, "many").await;
    let admin = db.admin().await;
    perform(
        &db,
        "do $$ begin for i in 1 .. 22 loop execute format('create table t_%s (tenant_id text)', i); end loop; end $$",
    )
    .await;
    let lines = "select object, objects, fix from tenant.doctor() where code = 'T031'";
    let found = admin.rows(lines).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0][0].as_deref(), found[0][1].as_deref()), (Some("22 objects"), Some("22")));
    let listed = admin.rows(found[0][2].as_deref().expect("a query for the list")).await;
    assert_eq!(listed.len(), 22);

    admin
        .expect_error("TN081", "select tenant.waive('T031', '22 objects', 'all of them', now() + interval '1 day')")
        .await;
    admin.run("select tenant.waive('T031', 'public.t_1', 'this one', now() + interval '1 day')").await;
    assert_eq!(admin.value("select objects from tenant.doctor() where code = 'T031'").await.as_deref(), Some("21"));
    let counted = admin.expect_error("TN080", "select tenant.assert_healthy('warn')").await;
    let all = "select count(*) from tenant.doctor(every_object => true) where level <> 'info'";
    let all = admin.value(all).await.unwrap_or_default();
    assert!(counted.message().starts_with(&format!("the doctor has {all} findings")), "{counted:?}");
    assert!(counted.detail().is_some_and(|detail| detail.contains("T031 21 objects: ")), "{counted:?}");

    // With fewer of them, each is a line again, with the SQL that mends it.
    admin.run("select tenant.waive('T031', 'public.t_2', 'this one too', now() + interval '1 day')").await;
    let each = admin.rows(lines).await;
    assert_eq!(each.len(), 20, "{each:?}");
    assert!(each.iter().all(|row| row[2].as_deref().is_some_and(|fix| fix.contains("tenant.protect("))), "{each:?}");
}

/// The same with whatever stands beside the line break: a rule that looks for names is passed by how they are quoted.
#[tokio::test]
async fn a_name_is_quoted_in_another_way() {
    let db = stage("quoted").await;
    let owner = db.owner().await;
    let second = format!("\nalter role {} superuser;--", db.roles.owner);
    for before in ["x", "x''", "x'", "x\\", "x\\'", "x\"\"", "x\"\"''\\", "x\r", "''", "x--", "x$$", "x\u{2028}"] {
        let name = format!("\"{before}{second}\"");
        owner.run(&format!("create table {name} (tenant_id text)")).await; // T031
        let mut protected = name.clone();
        protected.insert(1, 'p');
        owner.run(&format!("create table {protected} (tenant_id text)")).await;
        let quoted = protected.replace('\'', "''");
        owner.run(&format!("set standard_conforming_strings = on; select tenant.protect('{quoted}')")).await;
        owner
            .run(&format!("grant truncate on {protected} to public; grant trigger on {protected} to {}", db.roles.app))
            .await; // T008
    }
    owner.run("create table \"beep\u{7}\" (tenant_id text); create table \"esc\u{1b}[201~\" (tenant_id text)").await;
    let admin = db.admin().await;
    let hostile =
        "select count(*), count(fix) from tenant.doctor(every_object => true) where object ~ E'[\\n\\x07\\x1b]'";
    let seen = admin.rows(hostile).await.remove(0);
    assert!(seen[0].as_deref().is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 36)), "{seen:?}");
    assert_eq!(seen[1].as_deref(), Some("0"), "{seen:?}");
    // Other fixes are there, also those of several lines, and of names with quotes.
    perform(&db, "create table \"it's \\ \"\"x\"\"\" (tenant_id text)").await;
    let plain = "select count(*) from tenant.doctor(every_object => true) where code = 'T031' and fix is not null and object ~ 'it''s'";
    assert_eq!(admin.value(plain).await.as_deref(), Some("1"));
    // One finding, one line.
    let error = admin.expect_error("TN080", "select tenant.assert_healthy('info')").await;
    let detail = error.detail().expect("a detail");
    assert!(detail.contains("superuser") && detail.lines().all(|line| line.starts_with('T')), "{detail}");
}

/// A message stays in one line, and its hint is no second command.
#[tokio::test]
async fn a_name_breaks_a_message() {
    let db = stage("messages").await;
    let owner = db.owner().await;
    owner.run("create table \"o\nselect 1;--\" (tenant_id text); select tenant.protect('\"o\nselect 1;--\"')").await;
    let error = owner.expect_error("TN030", "alter table \"o\nselect 1;--\" disable row level security").await;
    for text in [Some(error.message()), error.detail(), error.hint()] {
        assert!(text.is_some_and(|text| !text.contains('\n')), "{error:?}");
    }
    assert!(error.message().contains("o\\nselect 1;--") && !error.hint().is_some_and(|hint| hint.contains("select")));
}
