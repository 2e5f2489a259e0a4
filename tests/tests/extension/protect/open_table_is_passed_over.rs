//! `protect_schema` and the doctor report a table that refers to a protected one and has no tenant column, since every
//! tenant reads it.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{stage, text};

#[tokio::test]
async fn in_silence() {
    let (db, owner) = stage("open_child").await;
    owner
        .run(&format!(
            "create table task (tenant_id uuid, id int primary key); create table tag (tenant_id uuid, id int primary key);
             create table a_task_tags (task_id int references task, tag_id int references tag);
             create table note (id int primary key, task_id int not null references task on delete cascade);
             create table note_line (note_id int references note);
             create table country (code text primary key); create table town (code text references country);
             insert into task values ('{A}', 1), ('{B}', 2); insert into tag values ('{A}', 1), ('{B}', 2);
             insert into a_task_tags values (1, 1), (2, 2)"
        ))
        .await;
    let said = text(
        &owner,
        "select string_agg(relation || ': ' || result, E'\\n' order by relation::text) from tenant.protect_schema('public')",
    )
    .await;
    let open = |to: &str| {
        format!(
            "not protected: no column \"tenant_id\", and it refers to {to}: every tenant reads and writes all of it"
        )
    };
    let none = "not protected: no column \"tenant_id\"";
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            &format!("a_task_tags: {}", open("public.task")),
            &format!("country: {none}"),
            &format!("note: {}", open("public.task")),
            &format!("note_line: {}", open("public.task")),
            "tag: protected",
            "task: protected",
            &format!("town: {none}"),
        ]
    );
    // The hole: the other tenant's link is read, and deleted.
    let app = db.app().await;
    assert_eq!(
        app.inside_value(B, "delete from a_task_tags where task_id = 1 returning tag_id").await.as_deref(),
        Some("1")
    );
    let found =
        "select string_agg(object || ' ' || level, ', ' order by object) from tenant.doctor() where code = 'T112'";
    assert_eq!(text(&owner, found).await, "public.a_task_tags warn, public.note warn, public.note_line warn");
    owner.expect_error("TN080", "select tenant.assert_healthy('warn')").await; // TN080
    owner.run("select tenant.share('note', 'for all')").await;
    assert_eq!(text(&owner, found).await, "public.a_task_tags warn");
}
