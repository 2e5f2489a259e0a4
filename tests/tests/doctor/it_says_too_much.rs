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
