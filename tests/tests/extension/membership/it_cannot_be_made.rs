//! What cannot be reached by membership, and what the refusal says; and what is taken back by `unprotect`.

use super::fixture::{stage, text, unfenced};

#[tokio::test]
async fn and_says_why() {
    let (db, owner) = unfenced("members_refused").await;
    owner
        .run(
            "create table plain (account_id bigint, user_id bigint references users);
             create table twice (account_id bigint not null, user_id bigint references users, by bigint references users);
             create table odd (account_id bigint not null, user_id numeric, name text);
             create view seen as select * from users;
             select tenant.protect('twice', 'account_id'), tenant.protect('odd', 'account_id');
             create table named (id bigint primary key); create policy tenant_membership on named using (true);
             create table halves (account_id bigint, user_id bigint);
             select tenant.protect('halves', 'account_id', shared_rows => true)",
        )
        .await;
    for (sqlstate, arguments) in [
        ("TN028", "'users', 'plain'"),
        ("TN028", "'users', 'halves', 'user_id', 'id'"),
        ("TN028", "'members', 'members', 'user_id', 'user_id'"),
        ("TN021", "'users', 'odd'"),
        ("TN021", "'users', 'twice'"),
        ("TN021", "'users', 'members', 'nothing', 'id'"),
        ("TN021", "'users', 'members', 'user_id', 'nothing'"),
        ("TN022", "'users', 'odd', 'user_id', 'id'"),
        ("TN022", "'users', 'odd', 'name', 'id'"),
        ("TN020", "'seen', 'members', 'user_id', 'id'"),
        ("TN025", "'posts', 'members', 'user_id', 'id'"),
        ("TN026", "'named', 'members', 'user_id', 'id'"),
        ("22004", "null, 'members'"),
    ] {
        let refused = owner.expect_error(sqlstate, &format!("select tenant.protect_by_membership({arguments})")).await;
        assert!(refused.hint().is_some() && refused.detail().is_some(), "{refused:?}");
    }
    owner.run("create materialized view kept as select id from users").await;
    owner.expect_error("TN027", "select tenant.protect_by_membership('users', 'members')").await;
    owner.run("drop materialized view kept; select tenant.protect_by_membership('users', 'twice', 'by')").await;
    owner.expect_error("TN025", "select tenant.protect_by_membership('users', 'members')").await;
    owner.expect_error("TN025", "select tenant.protect_by_membership('users', 'twice', 'user_id')").await;
    owner.run("alter table users add account_id bigint").await;
    owner.expect_error("TN025", "select tenant.protect('users', 'account_id')").await;
    owner.expect_error("TN027", "create materialized view kept as select id from users").await;
    // Who owns one of the two alone cannot.
    let boss = db.superuser().await;
    boss.run("alter table twice owner to postgres").await;
    owner.expect_error("42501", "select tenant.protect_by_membership('users', 'twice', 'by')").await;
    db.app().await.expect_error("42501", "select tenant.protect_by_membership('users', 'members')").await;
}

#[tokio::test]
async fn twice_or_taken_back() {
    let (_db, owner) = unfenced("members_back").await;
    let catalog = "select string_agg(t, e'\\n' order by t) from (
        select format('%s %s %s', relname, relrowsecurity, relforcerowsecurity) as t from pg_class where relname in ('users', 'members')
        union all select format('%s %s %s', polrelid::regclass, polname, pg_get_expr(polqual, polrelid)) from pg_policy
        union all select format('%s %s', pg_get_triggerdef(oid), tgenabled) from pg_trigger where not tgisinternal and tgrelid in ('users'::regclass, 'members'::regclass)) c";
    let before = text(&owner, catalog).await;
    owner.run("select tenant.protect_by_membership('users', 'members')").await;
    let after = text(&owner, catalog).await;
    assert_ne!(before, after);
    owner.run("select tenant.protect_by_membership('users', 'members', 'user_id', 'id')").await;
    assert_eq!(text(&owner, catalog).await, after);
    let listed = "select format('%s %s %s %s %s', relation, kind, tenant_column, enforced, through) from tenant.protected_tables where relation = 'users'::regclass";
    assert_eq!(text(&owner, listed).await, "users table  t members");
    let schema = "select result from tenant.protect_schema('public', 'account_id', harden => 'true') where relation = 'users'::regclass";
    assert_eq!(text(&owner, schema).await, "reached by membership through public.members");
    assert_eq!(text(&owner, "select count(*) from tenant.hardening('users')").await, "0");
    owner.expect_error("TN030", "select tenant.unprotect('members', 'first')").await;
    owner.run("select tenant.unprotect('users', 'leaving')").await;
    owner.expect_error("TN028", "select tenant.unprotect('users', 'again')").await;
    let journal = "select string_agg(action, ' ' order by id) from tenant.journal where object = 'public.users'";
    assert_eq!(text(&owner, journal).await, "protect protect unprotect");
}

#[tokio::test]
async fn of_other_types() {
    let (db, _) = stage("members_types").await;
    let owner = db.owner().await;
    for (key, member, one, other) in [
        ("uuid", "uuid", "'aaaaaaaa-0000-4000-8000-00000000000a'", "'bbbbbbbb-0000-4000-8000-00000000000b'"),
        ("int", "bigint", "1", "2"),
        ("bigint", "smallint", "1", "2"),
        ("smallint", "int", "1", "2"),
        ("text", "varchar(9)", "'one'", "'two'"),
        ("varchar(9)", "text", "'one'", "'two'"),
    ] {
        owner
            .run(&format!(
                "create table people (id {key} primary key); create table belongs (account_id bigint, person {member});
                 insert into people values ({one}), ({other}); insert into belongs values (1, {one}), (2, {other}), (1, null);
                 create table parts (id {key}, at int, primary key (id, at)) partition by range (at);
                 create table parts_1 partition of parts for values from (0) to (10);
                 create table parts_2 partition of parts for values from (10) to (20);
                 insert into parts select p.id, n from people p, generate_series(9, 10) n;
                 select tenant.protect('belongs', 'account_id');
                 select tenant.protect_by_membership('people', 'belongs', 'person', 'id');
                 select tenant.protect_by_membership('parts', 'belongs', 'person', 'id')"
            ))
            .await;
        let app = db.app().await;
        let both =
            "select count(*) from people union all select count(*) from parts union all select count(*) from parts_1";
        for (scans, table) in [("", "people"), ("set local enable_seqscan = off;", "people"), ("", "parts")] {
            let seen = app.inside("1", &format!("{scans} {both}")).await;
            let counts: Vec<_> = seen.iter().flatten().flatten().map(String::as_str).collect();
            assert_eq!(counts, ["1", "2", "1"], "{key} {member} {table}");
        }
        // A partition that comes later is one of them.
        owner.run("create table parts_3 partition of parts for values from (20) to (30)").await;
        assert_eq!(text(&owner, "select tenant_internal.membership_through('parts_3')").await, "belongs");
        owner.run("drop table people, parts, belongs cascade").await;
    }
}
