//! A row that several tenants see is neither written nor locked by one of them.

use super::fixture::{SEEN, stage, text};

const WRITES: [&str; 16] = [
    "insert into users (email) values ('new')",
    "insert into users (email) values ('both') on conflict (email) do update set secret = 'x' where users.secret > 'a'",
    "insert into users (email) values ('both') on conflict do nothing",
    "with i as (insert into users (email) values ('new') returning 1) select * from i",
    "update users set secret = 'x'",
    "update users set secret = 'x' where id = 3",
    "update users u set secret = 'x' from members m where m.user_id = u.id",
    "delete from users",
    "delete from users where id = 3",
    "merge into users u using (values (3)) v (i) on u.id = v.i when matched then update set secret = 'x'",
    "merge into users u using (values (9)) v (i) on u.id = v.i when not matched then insert (email) values ('new')",
    "select * from users for update",
    "select * from users for no key update",
    "select * from users for share",
    "select * from users for key share",
    "update shown set secret = 'x'",
];

#[tokio::test]
async fn by_a_tenant() {
    let (db, owner) = stage("members_written").await;
    owner.run("create view shown with (security_invoker = true) as select * from users where id > 0").await;
    // Its own policies may be as wide as they like.
    for policy in ["", "create policy wide on users using (true) with check (true)"] {
        owner.run(policy).await;
        let app = db.app().await;
        for write in WRITES {
            let refused = app.refused_inside("TN074", "1", write).await;
            assert!(refused.message().contains("read-only") && refused.hint().is_some(), "{refused:?}");
        }
        app.run("prepare w as delete from users where id = 3").await;
        app.refused_inside("TN074", "1", "execute w").await;
        app.refused_inside("TN074", "1", "copy users (email) from stdin").await;
        app.run("deallocate w").await;
        assert_eq!(app.inside_value("2", SEEN).await.as_deref(), Some("b@2 both"));
    }
    // Nor do the policies let anything pass, where they are asked alone.
    let boss = db.superuser().await;
    let alone = "select count(*) from pg_policy where polrelid = 'users'::regclass and polcmd in ('*', 'r') and coalesce(pg_get_expr(polwithcheck, polrelid), 'false') = 'false'";
    assert_eq!(text(&boss, alone).await, "2");
}

#[tokio::test]
async fn of_an_owner_who_administers_nothing() {
    let db = pg_tenant_tests::database("members_plain").await;
    db.owner().await.run(super::fixture::TABLES).await;
    let boss = db.superuser().await;
    boss.run(
        "select tenant.create('1'), tenant.create('2'); select tenant.protect('members', 'account_id');
         select tenant.protect_by_membership('users', 'members')",
    )
    .await;
    let app = db.app().await;
    app.refused_inside("TN072", "1", "insert into members values (1, 2)").await;
    app.refused_inside("TN074", "1", "delete from users").await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
    boss.run("select tenant.unprotect('users', 'over'), tenant.unprotect('members', 'over')").await;
}

#[tokio::test]
async fn by_nobody() {
    let (db, owner) = stage("members_system").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_system to {}", db.roles.owner)).await;
    boss.run("grant all on users, members, posts to tenant_system; grant usage on all sequences in schema public to tenant_system").await;
    let system = "begin; select tenant.enter_system('support', write => true);";
    owner
        .run(&format!(
            "{system} update users set email = 'two' where id = 2; insert into members values (1, 2); commit"
        ))
        .await;
    owner
        .run(&format!(
            "{system} insert into users (id, email) values (9, 'new'); delete from users where id = 9; commit"
        ))
        .await;
    owner
        .run("begin; select tenant.enter_system_as_owner('migration'); update users set secret = secret || '!'; commit")
        .await;
    let app = db.app().await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 two both"));
    // A user who goes takes its memberships along, where the key says so.
    owner.run("alter table members drop constraint members_user_id_fkey, add foreign key (user_id) references users on delete cascade").await;
    owner.run(&format!("{system} delete from posts; delete from users where id = 3; commit")).await;
    assert_eq!(app.inside_value("2", SEEN).await.as_deref(), Some("two"));
    assert_eq!(text(&boss, "select count(*) from members where user_id = 3").await, "0");
}
