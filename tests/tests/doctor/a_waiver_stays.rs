//! A waiver needs a reason and an end, and is over when its time is.

use pg_tenant_tests::{Cluster, Options};

use crate::case::{fill, perform, seen, stage, stage_on};

const PLANT: &str = "create table forgotten (tenant_id text); grant select on forgotten to {app}";
const WAIVE: &str = "select tenant.waive('T031', 'public.forgotten', 'until the migration', now() + interval '1 day')";

#[tokio::test]
async fn it_runs_out() {
    let db = stage("waiver").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    perform(&db, PLANT).await;
    admin.run(WAIVE).await;
    assert_eq!(seen(&db, "T031", "public.forgotten").await, None);
    let shown = "select waived_until > now() from tenant.doctor(with_waived => true) where object = 'public.forgotten'";
    assert_eq!(admin.value(shown).await.as_deref(), Some("t"));
    // Another object of the same finding is not waived.
    perform(&db, "create table forgotten_too (tenant_id text)").await;
    assert!(seen(&db, "T031", "public.forgotten_too").await.is_some());

    // Time passes: no hand can set an end that is over.
    boss.expect_error("TN082", "update tenant.waivers set until = now() - interval '1 second'").await;
    boss.run("alter table tenant.waivers disable trigger user").await;
    boss.run("update tenant.waivers set until = now() - interval '1 second'").await;
    boss.run("alter table tenant.waivers enable trigger user").await;
    assert!(seen(&db, "T031", "public.forgotten").await.is_some(), "the waiver has run out");

    admin.run(WAIVE).await; // again, with a new end
    assert_eq!(seen(&db, "T031", "public.forgotten").await, None);
    admin.run("select tenant.unwaive('t031', 'public.forgotten', 'done')").await;
    assert!(seen(&db, "T031", "public.forgotten").await.is_some(), "the waiver was taken back");
    let said = "select string_agg(concat_ws(' ', action, object, reason), ', ' order by id) from tenant.journal where action like '%waive'";
    assert_eq!(
        admin.value(said).await.as_deref(),
        Some(
            "waive T031 public.forgotten until the migration, waive T031 public.forgotten until the migration, \
             unwaive T031 public.forgotten done"
        )
    );
}

#[tokio::test]
async fn it_has_no_reason_or_no_end() {
    let db = stage("no_reason").await;
    let admin = db.admin().await;
    let in_a_day = "now() + interval '1 day'";
    admin.expect_error("TN029", &format!("select tenant.waive('T031', 'public.orders', ' ', {in_a_day})")).await;
    admin.expect_error("TN081", &format!("select tenant.waive('T999', 'public.orders', 'why', {in_a_day})")).await;
    for until in ["now()", "null", "'infinity'", "now() - interval '1 day'"] {
        admin.expect_error("TN082", &format!("select tenant.waive('T031', 'public.orders', 'why', {until})")).await;
    }
    admin.expect_error("TN083", "select tenant.unwaive('T031', 'public.orders', 'why')").await;
    admin.expect_error("TN029", "select tenant.unwaive('T031', 'public.orders', '')").await;
    admin
        .expect_error(
            "42501",
            "insert into tenant.waivers (code, object, reason, until, waived_by) values ('T031', 'a', 'b', now(), 'c')",
        )
        .await;
}

#[tokio::test]
async fn the_gate_is_open() {
    let cluster = Cluster::start(Options::default());
    let db = stage_on(&cluster, "gate").await;
    let admin = db.admin().await;
    admin.run("select tenant.assert_healthy()").await;
    perform(&db, PLANT).await;
    let error = admin.expect_error("TN080", "select tenant.assert_healthy()").await;
    assert!(error.detail().is_some_and(|detail| detail.starts_with("T031 public.forgotten: ")), "{error:?}");
    admin.run(WAIVE).await;
    admin.run("select tenant.assert_healthy()").await;
    admin.expect_error("TN080", "select tenant.assert_healthy('warn')").await; // the backup role of this server
    admin.expect_error("TN084", "select tenant.assert_healthy('fatal')").await;
    admin.expect_error("TN084", "select tenant.assert_healthy(null)").await;
}

#[tokio::test]
async fn anybody_may_ask_or_waive() {
    let db = stage("anybody").await;
    let app = db.app().await;
    for call in ["doctor()", "assert_healthy()", "waive('T031', 'a', 'b', now())", "unwaive('T031', 'a', 'b')"] {
        app.expect_error("42501", &format!("select tenant.{call}")).await;
    }
    app.expect_error("42501", "select * from tenant.waivers").await;
    app.expect_error("42501", "select * from tenant_internal.doctor_findings").await;
    assert!(fill(&db, "{app}").starts_with("regress_"));
}
