//! A key that contains the tenant does not tell that another tenant has a value: neither by an error, nor by a row that
//! is not inserted, nor by waiting. Without it, it does.

use super::fixture::{A, B, each, keys, three};
use pg_tenant_tests::{Database, Install};

const DDL: &str = "create table acct (tenant_id uuid not null, id int primary key, email text unique)";

async fn accounts(name: &str) -> Database<'static> {
    let rows = format!("insert into acct values ('{A}', 1, 'own@a'), ('{B}', 101, 'victim@b')");
    three(name, &["acct"], DDL, &rows).await.0
}

/// What a probe for a value that another tenant has, and for one that nobody has, come to.
async fn told(db: &Database<'_>, sql: impl Fn(&str, i32) -> String) -> [bool; 3] {
    let hidden = each(db, A, &sql("victim@b", 101)).await;
    let absent = each(db, A, &sql("nobody", 999)).await;
    std::array::from_fn(|at| hidden[at] != absent[at])
}

const TELLS: [bool; 3] = [true, true, false]; // stock, protected, hardened

#[tokio::test]
async fn d01_an_error_tells() {
    let db = accounts("d01").await;
    assert_eq!(told(&db, |email, _| format!("insert into acct values ('{A}', 2, '{email}')")).await, TELLS);
    assert_eq!(told(&db, |_, id| format!("insert into acct values ('{A}', {id}, 'x')")).await, TELLS);
    assert_eq!(told(&db, |email, _| format!("update acct set email = '{email}'")).await, TELLS);
}

#[tokio::test]
async fn d01c_no_row_inserted_tells() {
    let db = accounts("d01c").await;
    let insert = |_: &str, id| format!("insert into acct values ('{A}', {id}, 'x') on conflict do nothing");
    assert_eq!(told(&db, insert).await, TELLS);
}

#[tokio::test]
async fn d01d_on_conflict_update_tells() {
    let db = accounts("d01d").await;
    // By the constraint's name, which stays; the column list of a conflict target is another afterwards.
    let upsert = |_: &str, id| {
        format!(
            "insert into acct values ('{A}', {id}, 'x') on conflict on constraint acct_pkey do update set email = 'y'"
        )
    };
    assert_eq!(told(&db, upsert).await, TELLS);
    let [stock, plain, hard] =
        each(&db, A, "insert into acct values (default, 3, 'z') on conflict (id) do nothing").await;
    assert_eq!((&*plain, &*hard), ("ok 1", "42P10"), "{stock}");
    let by_columns =
        "insert into acct (id, email) values (1, 'z') on conflict (tenant_id, id) do update set email = 'z'";
    assert_eq!(each(&db, A, by_columns).await[2], "ok 1");
}

#[tokio::test]
async fn d06_waiting_tells() {
    let db = accounts("d06").await;
    let other = db.app().await;
    for schema in ["stock", "plain", "hard"] {
        other
            .run(&format!(
                "begin; set local search_path = {schema}; select set_config('app.tenant', '{B}', true), tenant.enter('{B}');
                 insert into acct values ('{B}', 7, 'in flight')"
            ))
            .await;
        let came_to = &each(&db, A, &format!("insert into acct values ('{A}', 8, 'in flight')")).await;
        let at = ["stock", "plain", "hard"].iter().position(|s| *s == schema).expect("one of them");
        assert_eq!(came_to[at], if schema == "hard" { "ok 1" } else { "55P03" }, "{schema}");
        other.run("rollback").await;
    }
}

#[tokio::test]
async fn d04b_an_exclusion_tells() {
    let extension = "create extension if not exists btree_gist schema public";
    let ddl = "create table book (tenant_id uuid not null, room int, during int4range,
        exclude using gist (room with =, during with &&))";
    if Install::current().lacks(extension) {
        return;
    }
    let ddl = format!("{extension}; {ddl}");
    let (db, _) = three("d04b", &["book"], &ddl, &format!("insert into book values ('{B}', 1, '[10,20)')")).await;
    let hidden = each(&db, A, &format!("insert into book values ('{A}', 1, '[15,16)')")).await;
    assert_eq!(hidden, ["23P01", "23P01", "ok 1"]);
    // Within a tenant it still excludes.
    let own = "insert into book (room, during) values (2, '[1,3)'), (2, '[2,4)')";
    assert_eq!(each(&db, A, own).await[2], "23P01");
}

#[tokio::test]
async fn d08_a_tenant_may_have_what_another_has() {
    let db = accounts("d08").await;
    assert_eq!(
        each(&db, A, "insert into acct (tenant_id, id, email) values (default, 101, 'victim@b')").await[2],
        "ok 1"
    );
    assert_eq!(
        each(&db, B, "insert into acct (tenant_id, id, email) values (default, 102, 'victim@b')").await[2],
        "23505"
    );
}

/// The time of a probe says whether the index has an entry that the policy then hides; so the index is asked for the
/// tenant first. What is asserted is the plan: a clock would not be the same on every machine.
#[tokio::test]
async fn e11_the_index_is_asked_for_others() {
    let db = accounts("e11").await;
    let owner = db.owner().await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    for (schema, tells) in [("plain", true), ("hard", false)] {
        owner.run(&format!("drop index {schema}.acct_tenant_id_idx")).await;
        let plan = app
            .inside(A, &format!("set local enable_seqscan = off; explain (costs off) select from {schema}.acct where email = 'victim@b'"))
            .await;
        let plan = plan.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
        let condition = plan.lines().find(|line| line.contains("Index Cond")).expect("an index").to_owned();
        assert_eq!(!condition.contains("tenant_id"), tells, "{schema}: {plan}");
    }
    assert!(keys(&owner).await.contains("hard.acct acct_email_key UNIQUE (tenant_id, email)"));
}
