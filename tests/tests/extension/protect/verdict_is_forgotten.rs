//! That a hierarchy has nothing protected in it is remembered until a table of it changes, and no longer.

use super::fixture::{stage, text};
use pg_tenant_tests::Session;

const PARTS: &str = "create table parts (tenant_id uuid, id int) partition by range (id);
    create table parts_1 partition of parts for values from (1) to (2);
    create table parts_2 partition of parts for values from (2) to (3) partition by range (id);
    create table parts_21 partition of parts_2 default;
    create table other (tenant_id uuid, id int)";

/// How often this transaction has looked up what stands below a table, or above one.
async fn lookups(session: &Session) -> String {
    text(
        session,
        "select pg_stat_get_xact_numscans('pg_inherits_parent_index'::regclass)
            + pg_stat_get_xact_numscans('pg_inherits_relid_seqno_index'::regclass)",
    )
    .await
}

#[tokio::test]
async fn by_a_stranger() {
    let (db, owner) = stage("stranger_changes").await;
    owner.run(PARTS).await;
    let reader = db.superuser().await;
    reader.run("begin").await;
    for _ in 0..3 {
        reader.run("select count(*) from parts; select count(*) from parts_21").await;
    }
    let before = lookups(&reader).await;
    for note in 1..=3 {
        owner.run(&format!("alter table other add note_{note} text")).await;
        reader.run("select count(*) from parts; select count(*) from parts_21").await;
    }
    assert_eq!(lookups(&reader).await, before, "nothing of the hierarchy has changed");
    reader.run("commit").await;
}

/// What makes a table of it protected, and where it then shows. With the guards off, since they would refuse it.
#[tokio::test]
async fn not_when_a_member_changes() {
    const FENCE: &str = "as restrictive using (tenant_id = tenant.current_uuid() and tenant.is_current(tenant_id))
        with check (tenant_id = tenant.current_uuid() and tenant.is_current(tenant_id))";
    let (db, owner) = stage("member_changes").await;
    let boss = db.superuser().await;
    owner.run(PARTS).await;
    owner.run("create table child () inherits (other); create table joins (tenant_id uuid, id int); create table late (tenant_id uuid, id int)").await;
    boss.run("set pg_tenant.guards = off; set pg_tenant.new_tables = allow").await;
    let app = db.app().await;
    let all = ["parts", "parts_1", "parts_2", "parts_21", "other", "child"];
    let policy = |table: &str| format!("create policy fence on {table} {FENCE}");
    let undo = |table: &str| format!("drop policy fence on {table}");
    let cases: Vec<(String, String, &[&str])> = vec![
        (policy("parts_21"), undo("parts_21"), &["parts", "parts_2"]),
        (policy("parts_1"), undo("parts_1"), &["parts"]),
        (policy("parts"), undo("parts"), &["parts_1", "parts_2", "parts_21"]),
        (policy("child"), undo("child"), &["other"]),
        (policy("other"), undo("other"), &["child"]),
        (
            format!("{}; alter table joins inherit other", policy("joins")),
            format!("alter table joins no inherit other; {}", undo("joins")),
            &["other"],
        ),
        (
            format!("{}; alter table parts attach partition late for values from (7) to (8)", policy("late")),
            format!("alter table parts detach partition late; {}", undo("late")),
            &["parts"],
        ),
    ];
    boss.run(&format!("alter table joins owner to {0}; alter table late owner to {0}", db.roles.owner)).await;
    for (change, undo, broken) in cases {
        for table in all {
            app.run(&format!("select count(*) from {table}")).await; // nothing is protected, and now that is known
        }
        boss.run(&change).await;
        for table in broken {
            app.expect_error("TN012", &format!("select count(*) from {table}")).await;
        }
        boss.run(&undo).await;
    }
    for table in all {
        app.run(&format!("select count(*) from {table}")).await;
    }
}
