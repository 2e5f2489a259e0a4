//! Whoever asks for some of the tenant's members, in the words of the policy, is given those and not all: the
//! statement, and a policy of the owner's.

use super::fixture::stage;

/// Each gives the first tenant's administrator, who is one of its two.
const STATEMENTS: [&str; 8] = [
    "select email from users where id = any (array(select user_id from members where role = 'admin'))",
    "select email from users where id = any (array(select user_id from members where user_id < 2))",
    "select email from users where id = any (array(select user_id from members where ctid = (select ctid from members where user_id = 1)))",
    "select email from users where id = any (array(select user_id from members tablesample system (100) where user_id = 1))",
    "select email from users where tenant.is_member(id in (select user_id from members where role = 'admin'))",
    "select email from users where tenant.is_member(id in (select user_id from members where user_id < 2)) and id > 0",
    "select email from users where id = any (array(select user_id from members where current_setting('a.b', true) is null)) and id = 1",
    "select email from users where id = any (array(select 1 from members)) and tenant.is_member(id in (select user_id from members))",
];
const SCANS: [&str; 5] = [
    "",
    "set local enable_seqscan = off;",
    "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_seqscan = off;",
    "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off;",
    "set local enable_indexonlyscan = off; set local enable_bitmapscan = off;",
];

#[tokio::test]
async fn by_a_statement() {
    let (db, owner) = stage("members_some").await;
    db.superuser().await.run("update members set role = case user_id when 3 then 'user' else 'admin' end").await;
    // Of an index that has the administrators alone, the plan does not say again that it asks for those.
    owner.run("create index on members (account_id, user_id) where role = 'admin'").await;
    let app = db.app().await;
    for sql in STATEMENTS {
        for scans in SCANS {
            let found = app.inside("1", &format!("{scans} {sql}")).await;
            assert_eq!(found, [[Some("a@1".to_owned())]], "{scans} {sql}");
        }
    }
    let none = "select count(*) from users where id = any (array(select user_id from members where false))";
    assert_eq!(app.inside_value("1", none).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn by_a_policy_of_the_owner() {
    let (db, owner) = stage("members_narrow").await;
    db.superuser().await.run("update members set role = case user_id when 3 then 'user' else 'admin' end").await;
    let app = db.app().await;
    for narrow in [
        "tenant.is_member(id in (select user_id from members where role = 'admin'))",
        "id = any (array(select user_id from members where role = 'admin'))",
    ] {
        owner.run(&format!("create policy narrow on users as restrictive using ({narrow})")).await;
        for scans in SCANS {
            let found = app.inside("1", &format!("{scans} select email from users")).await;
            assert_eq!(found, [[Some("a@1".to_owned())]], "{scans} {narrow}");
        }
        owner.run("drop policy narrow on users").await;
    }
}
