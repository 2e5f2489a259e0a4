//! What protects a table that is reached by membership cannot be taken away, in part or by a detour.

use super::fixture::{SEEN, stage, text};

const WEAKEN: [&str; 18] = [
    "drop policy tenant_membership on users",
    "alter policy tenant_membership on users using (true)",
    "alter policy tenant_membership on users with check (true)",
    "alter policy tenant_membership on users rename to other",
    "alter table users disable row level security",
    "alter table users no force row level security",
    "alter table users drop column id cascade",
    "drop table members cascade",
    "alter table members drop column user_id cascade",
    "drop policy tenant_isolation on members",
    "alter table members no force row level security",
    "select tenant.unprotect('members', 'why not')",
    "drop trigger \"~tenant_members\" on members",
    "drop trigger \"~tenant_members_user_id\" on members",
    "alter table members disable trigger \"~tenant_members\"",
    "create or replace trigger \"~tenant_members\" before insert on members for each row when (false) execute function tenant.refuse_member()",
    "alter table members disable trigger user",
    "alter table members enable trigger \"~tenant_members\"",
];

#[tokio::test]
async fn by_a_command() {
    let (db, owner) = stage("members_weakened").await;
    for command in WEAKEN {
        owner.expect_error("TN030", command).await;
    }
    let app = db.app().await;
    for command in
        ["alter table users add more int", "drop table users cascade", "create policy p on users using (true)"]
    {
        assert!(app.batch_execute(&format!("begin; select tenant.enter('1'); {command}")).await.is_err(), "{command}");
        app.run("rollback").await;
    }
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
    owner
        .run(
            "create table p (account_id bigint not null, user_id bigint references users) partition by list (account_id);
             create table p_1 partition of p default; select tenant.protect('p', 'account_id');
             create table others (id bigint primary key); select tenant.protect_by_membership('others', 'p', 'user_id', 'id')",
        )
        .await;
    owner.expect_error("TN030", "alter table p_1 disable trigger \"~tenant_members\"").await;
    owner.run("alter table p detach partition p_1; drop table p, p_1, others cascade").await;
    // What does not weaken it goes through.
    owner.run("alter table users add more int; create index on users (more); alter table members rename user_id to person").await;
    owner.run("alter table members rename to people; alter table users rename id to number").await;
    assert_eq!(app.inside_value("1", &SEEN.replace("by id", "by number")).await.as_deref(), Some("a@1 both"));
    app.refused_inside("TN072", "1", "insert into people values (1, 2)").await;
    app.refused_inside("TN072", "1", "update people set person = 2").await;
    assert_eq!(text(&owner, "select count(*) from tenant_internal.missing_member_triggers('people')").await, "0");
    // A restore of data alone, as a superuser.
    let boss = db.superuser().await;
    boss.run("alter table people disable trigger all; alter table people enable trigger all").await;
    assert_eq!(
        text(&owner, "select code from tenant.doctor() where object = 'public.users' and level = 'error'").await,
        "T121"
    );
    owner.run("select tenant.protect_by_membership('users', 'people')").await;
    assert_eq!(text(&owner, "select count(*) from tenant.doctor() where code = 'T121'").await, "0");
    owner.run("drop table users, people cascade").await;
}

#[tokio::test]
async fn behind_our_back() {
    let (db, owner) = stage("members_broken").await;
    let app = db.app().await;
    let boss = db.superuser().await;
    // Each with the guards off, and what a tenant is told then.
    let broken = [
        "alter table users disable row level security",
        "alter table users no force row level security",
        "drop policy tenant_isolation on members",
        "alter table members no force row level security",
        "alter policy tenant_isolation on members using (true) with check (true)",
        "alter policy tenant_isolation on members using (account_id = tenant.current_bigint()) with check (account_id = tenant.current_bigint())",
    ];
    for command in broken {
        boss.run(&format!("set pg_tenant.guards = off; {command}; reset pg_tenant.guards")).await;
        let refused = app.refused_inside("TN012", "1", "select * from users").await;
        assert!(refused.hint().is_some(), "{command}: {refused:?}");
        app.expect_error("TN012", "select * from users").await;
        boss.run(
            "set pg_tenant.guards = off; alter table users enable row level security, force row level security;
             drop policy if exists tenant_isolation on members; reset pg_tenant.guards",
        )
        .await;
        owner.run("select tenant.protect('members', 'account_id')").await;
        assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"), "{command}");
    }
    // Another way to say who is a member is none that we know; it opens nothing that the journal does not remember.
    boss.run("set pg_tenant.guards = off; drop policy tenant_membership on users; reset pg_tenant.guards").await;
    assert_eq!(
        text(&owner, "select code from tenant.doctor() where object = 'public.users' and level = 'error'").await,
        "T030"
    );
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"), "the other policy");
    owner.run("select tenant.protect_by_membership('users', 'members')").await;
    assert_eq!(text(&owner, "select count(*) from tenant.doctor() where code = 'T030'").await, "0");
}
