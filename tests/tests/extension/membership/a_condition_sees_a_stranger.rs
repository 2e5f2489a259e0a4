//! No condition of a statement is evaluated for the row of somebody who is no member, and no plan shows one.

use super::fixture::stage;

/// `{c}` is the condition: it fails for the row of a stranger.
const STATEMENTS: [&str; 18] = [
    "select email from users where {c}",
    "select email from users where id between 1 and 4 and {c}",
    "select email from users where id in (1, 2, 3) and {c}",
    "select email from users where id = any (array(select n from generate_series(1, 4) n)) and {c}",
    "select email from users where id = 2 and {c}",
    "select email from users where (id in (select user_id from members)) and {c}",
    "select email from users where tenant.is_member(id in (select n from generate_series(1, 4) n)) and {c}",
    "select email from users where tenant.is_member(true) and {c}",
    "select email from users where email >= 'a' and {c} order by email limit 2",
    "select email from users where ctid >= '(0,1)' and {c}",
    "select email from users tablesample system (100) where {c}",
    "select email from members m join users u on u.id = m.user_id where {c}",
    "select email from members m left join users u on u.id = m.user_id and {c}",
    "select v.email from posts p, lateral (select * from users u where u.id >= p.author and {c}) v",
    "select email from shown where {c}",
    "with c as materialized (select * from users where {c}) select email from c",
    "select email from users where exists (select from users v where v.id <> users.id and v.secret <> 'x' and {v})",
    "select max(email) from users where {c} group by id having max(id) > 0",
];
const SCANS: [&str; 5] = [
    "",
    "set local enable_seqscan = off;",
    "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_seqscan = off;",
    "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off; set local enable_hashjoin = off;",
    "set local min_parallel_table_scan_size = 0; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; set local work_mem = '64kB';",
];

#[tokio::test]
async fn and_tells() {
    let (db, owner) = stage("members_conditions").await;
    owner.run("create view shown with (security_invoker = true) as select * from users").await;
    let boss = db.superuser().await;
    // Cheaper than anything, and it says that it does not leak: as whoever makes functions may only wish.
    boss.run(
        "create function told(secret text) returns boolean language plpgsql immutable parallel safe cost 0.0000001 leakproof as
         $$ begin if secret in ('s2', 's4') then raise 'a stranger: %', secret using errcode = 'AB123'; end if; return true; end $$;
         analyze users; analyze members;",
    )
    .await;
    assert!(boss.batch_execute("select * from users where told(secret)").await.is_err(), "it does tell");
    let app = db.app().await;
    let mut rows = 0;
    for statement in STATEMENTS {
        let sql = statement.replace("{c}", "told(secret)").replace("{v}", "told(v.secret)");
        for scans in SCANS {
            let found = app.inside("1", &format!("{scans} {sql}")).await;
            let emails: Vec<_> = found.iter().flatten().flatten().map(String::as_str).collect();
            assert!(emails.iter().all(|email| ["a@1", "both"].contains(email)), "{sql}: {emails:?}");
            rows += emails.len();
        }
        // As a plan that is kept, made with no tenant and run in each.
        app.run(&format!("set plan_cache_mode = force_generic_plan; prepare p as {sql}")).await;
        app.inside("1", "execute p").await;
        app.run("deallocate p; reset plan_cache_mode").await;
    }
    assert!(rows > STATEMENTS.len() * SCANS.len(), "{rows}");
}

#[tokio::test]
async fn or_writes() {
    let (db, _owner) = stage("members_dml").await;
    let app = db.app().await;
    let author =
        "update posts p set author = (select max(id) from users) from users u where u.id = p.author returning u.email";
    assert_eq!(app.inside("1", author).await, [[Some("a@1".to_owned())]]);
    let deleted = "delete from posts p using users u where u.id >= 0 returning u.email";
    assert_eq!(app.inside("2", deleted).await, [[Some("b@2".to_owned())]]);
    let merged = "merge into posts p using users u on p.author = u.id when not matched then insert (id, author) values (u.id + 10, u.id)";
    app.inside("1", merged).await;
    let authors = "select string_agg(author::text, ' ' order by author) from posts";
    assert_eq!(app.inside_value("1", authors).await.as_deref(), Some("1 3"));
    // A foreign key's check sees whom it must, and the statement none of them.
    app.inside("1", "insert into posts (id, author) values (40, 4)").await;
    app.refused_inside("23503", "1", "insert into posts (id, author) values (41, 5)").await;
}
