//! Whoever adds a row to the join table sees the row that it refers to: in a tenant nobody does, unless it is asked
//! for.

use super::fixture::{SEEN, stage, text, unfenced};

const ADDS: [&str; 12] = [
    "insert into members values (1, 2)",
    "insert into members (user_id) values (2)",
    "insert into members (user_id) select 2",
    "insert into members values (1, 3) on conflict (account_id, user_id) do update set user_id = 2",
    "insert into members values (1, 3) on conflict do nothing",
    "update members set user_id = 2 where user_id = 1",
    "update members set user_id = case when user_id = 1 then 2 else user_id end",
    "with u as (update members set user_id = 2 where user_id = 1 returning *) select * from u",
    "merge into members m using (values (2)) v (u) on m.user_id = v.u when not matched then insert (user_id) values (v.u)",
    "merge into members m using (values (1)) v (u) on m.user_id = v.u when matched then update set user_id = 2",
    "insert into mine (user_id) values (2)",
    "set local session_replication_role = replica; insert into members values (1, 2)",
];

#[tokio::test]
async fn and_sees_a_stranger() {
    let (db, owner) = unfenced("members_added").await;
    owner.run("create view mine with (security_invoker = true) as select * from members").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant set on parameter session_replication_role to {}", db.roles.app)).await;
    let app = db.app().await;
    // Without the triggers each of them is a membership, or changes none.
    owner.run("alter table users enable row level security, force row level security").await;
    owner.run("create policy by_hand on users using (exists (select from members m where m.user_id = users.id))").await;
    let mut strangers = 0;
    for add in ADDS {
        app.run(&format!("begin; select tenant.enter('1'); {add}")).await;
        strangers += usize::from(text(&app, SEEN).await.contains("b@2"));
        app.run("rollback").await;
    }
    assert_eq!(strangers, ADDS.len() - 1, "the hole: all but DO NOTHING");

    owner.run("drop policy by_hand on users; select tenant.protect_by_membership('users', 'members')").await;
    for add in ADDS {
        let refused = app.refused_inside("TN072", "1", add).await;
        assert!(refused.hint().is_some(), "{refused:?}");
    }
    app.refused_inside("0A000", "1", "copy members (user_id) from stdin").await; // PostgreSQL's own, under row-level security
}

#[tokio::test]
async fn or_by_a_key_that_follows() {
    let (db, owner) = stage("members_follow").await;
    // A table of the tenant's own, to which the join table refers as well: what follows its key is a change like any
    // other.
    owner
        .run(
            "create table seats (account_id bigint not null, user_id bigint, unique (account_id, user_id));
             insert into seats values (1, 1), (1, 3), (2, 2), (2, 3); select tenant.protect('seats', 'account_id')",
        )
        .await;
    owner
        .run("alter table members add foreign key (account_id, user_id) references seats (account_id, user_id) on update cascade")
        .await;
    let app = db.app().await;
    app.refused_inside("TN072", "1", "update seats set user_id = 2 where user_id = 1").await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
}

#[tokio::test]
async fn below_the_join_table() {
    let (db, owner) = unfenced("members_parts").await;
    owner
        .run(
            "create table p (account_id bigint not null, user_id bigint references users) partition by list (account_id);
             create table p_1 partition of p for values in (1); create table p_2 partition of p for values in (2);
             create table c (account_id bigint not null, user_id bigint references users); create table c_1 () inherits (c);
             insert into p values (1, 1), (2, 2); insert into c values (1, 1), (2, 2); insert into c_1 values (1, 3);
             select tenant.protect('p', 'account_id'), tenant.protect('c', 'account_id')",
        )
        .await;
    for through in ["p", "c"] {
        owner.run(&format!("select tenant.protect_by_membership('users', '{through}')")).await;
        let app = db.app().await;
        let expected = if through == "p" { "a@1" } else { "a@1 both" };
        assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some(expected));
        for table in [through.to_owned(), format!("{through}_1")] {
            app.refused_inside("TN072", "1", &format!("insert into {table} values (1, 2)")).await;
            app.refused_inside("TN072", "1", &format!("update {table} set user_id = 2")).await;
        }
        if through == "p" {
            owner.run("create table p_3 partition of p default").await;
            owner.run("create table p_4 (like p including defaults); select tenant.protect('p_4', 'account_id'); alter table p detach partition p_3").await;
            owner.run("alter table p attach partition p_4 for values in (4, 5)").await;
        }
        assert_eq!(text(&owner, "select count(*) from tenant_internal.missing_member_triggers('p')").await, "0");
        owner.run("select tenant.unprotect('users', 'the other one')").await;
        let left = "select count(*) from pg_trigger where tgfoid = 'tenant.refuse_member'::regproc";
        assert_eq!(text(&owner, left).await, "0");
    }
}

#[tokio::test]
async fn below_a_join_table_that_has_grown() {
    let (db, owner) = stage("members_grown").await;
    let app = db.app().await;
    owner
        .run(
            "create table m_1 () inherits (members); select tenant.protect('members', 'account_id');
             create table m_2 (like members including defaults); select tenant.protect('m_2', 'account_id')",
        )
        .await;
    app.refused_inside("TN072", "1", "insert into m_1 values (1, 2)").await;
    // It would bring what tenants have written into it.
    owner.expect_error("TN030", "alter table m_2 inherit members").await;
    owner.run("select tenant.unprotect('m_2', 'it goes below another'); alter table m_2 inherit members").await;
    owner.run("select tenant.protect('members', 'account_id')").await;
    app.refused_inside("TN072", "1", "insert into m_2 values (1, 2)").await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
}

/// A trigger of the application's own, which fires later than most by its name, says who the member is.
#[tokio::test]
async fn by_a_trigger_that_fires_later() {
    let (db, owner) = stage("members_later").await;
    owner
        .run(
            "create function named() returns trigger language plpgsql as
             $$ begin new.user_id := coalesce(substring(new.role from '[0-9]+')::bigint, new.user_id); return new; end $$;
             create trigger zz_named before insert or update on members for each row execute function named()",
        )
        .await;
    let app = db.app().await;
    app.refused_inside("TN072", "1", "update members set role = 'is 2' where user_id = 1").await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
}

#[tokio::test]
async fn unless_it_is_asked_for() {
    let (db, owner) = unfenced("members_open").await;
    owner.run("select tenant.protect_by_membership('users', 'members', tenants_add_members => true)").await;
    let app = db.app().await;
    let adds = format!("insert into members values (1, 2); {SEEN}");
    assert_eq!(app.inside("1", &adds).await[0][0].as_deref(), Some("a@1 b@2 both"));
    // Said again without it, it is taken back.
    owner.run("select tenant.protect_by_membership('users', 'members')").await;
    app.refused_inside("TN072", "1", "insert into members values (1, 4)").await;
    // What a tenant does to its own members but to add one is its affair.
    app.inside("1", "update members set role = 'x', user_id = user_id; delete from members where user_id = 2").await;
    assert_eq!(app.inside_value("1", SEEN).await.as_deref(), Some("a@1 both"));
}
