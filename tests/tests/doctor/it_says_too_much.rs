//! What looks like a defect and is none.

use crate::case::{perform, seen, stage};

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
