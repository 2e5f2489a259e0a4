//! `tenant.lookup` gives what sign-in needs and no other column, key or row; only who may declares it, and the
//! declaration ends with what was declared.

use pg_tenant_tests::{Database, Session, database};

/// `users` of two tenants, one address in both; an application that may read the table.
async fn stage(name: &str) -> (Database<'static>, Session, Session) {
    let db = database(name).await;
    db.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    let owner = db.protector().await;
    owner
        .run(&format!(
            "create table users (tenant_id text, id int, email text, secret text, primary key (tenant_id, id));
             create index on users (email);
             insert into users values ('acme', 1, 'a@x', 's1'), ('globex', 2, 'g@x', 's2'), ('globex', 3, 'a@x', 's3');
             grant select, insert, update on users to {};
             select tenant.protect('users');",
            db.roles.app
        ))
        .await;
    let app = db.app().await;
    (db, owner, app)
}

const ALLOW: &str = "select tenant.allow_lookup('users', 'email', 'sign-in')";

async fn found(session: &Session, value: &str) -> Vec<String> {
    let sql = format!("select * from tenant.lookup('users', 'email', {value})");
    let rows = session.rows(&sql).await;
    let mut rows: Vec<_> =
        rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn another_column_or_row() {
    let (db, owner, app) = stage("looked_up").await;
    // What people write in its place is refused.
    owner
        .run(&format!(
            "create function of_email(text) returns setof text language sql security definer as
                'select tenant_id from public.users where email = $1'; grant execute on function of_email to {}",
            db.roles.app
        ))
        .await;
    app.expect_error("TN001", "select of_email('a@x')").await;
    app.expect_error("TN056", "select tenant.lookup('users', 'email', 'a@x')").await;
    owner.run(ALLOW).await;
    assert_eq!(found(&app, "'a@x'").await, ["acme 1", "globex 3"]);
    assert_eq!(found(&app, "'g@x'").await, ["globex 2"]);
    for value in ["'nobody'", "'%'", "'A@x'", "''", "null", "'a@x'' or true --'"] {
        assert_eq!(found(&app, value).await, Vec::<String>::new(), "{value}");
    }
    for (code, call) in [
        ("TN056", "tenant.lookup('users', 'secret', 's1')"),
        ("TN056", "tenant.lookup('users', 'id', '1')"),
        ("TN056", "tenant.lookup('pg_authid', 'rolname', 'postgres')"),
        ("TN056", "tenant.lookup('tenant.tenants', 'slug', 'acme')"),
        ("42501", "tenant_internal.run_lookup('users', 'select secret from public.users', '')"),
        ("42501", "tenant_internal.count_lookup('users', 3::smallint)"),
        ("42501", "tenant.allow_lookup('users', 'secret', 'why not')"),
        ("42501", "tenant_internal.lookup_operator('users', 'email')"),
    ] {
        app.expect_error(code, &format!("select {call}")).await;
    }
    app.expect_error("42501", "select * from tenant.lookups").await;
    app.expect_error("42501", "insert into tenant.lookups (relation, key_column) values ('users', 'secret')").await;
    db.bystander().await.expect_error("42501", "select tenant.lookup('users', 'email', 'a@x')").await;
    // The table itself is as closed as before, in the transaction of a lookup too.
    app.run("begin").await;
    assert_eq!(found(&app, "'a@x'").await.len(), 2);
    app.expect_error("TN001", "select * from users").await;
    app.run("rollback; begin").await;
    assert_eq!(found(&app, "'g@x'").await, ["globex 2"]);
    app.run("select tenant.enter('globex')").await;
    assert_eq!(app.value("select count(*) from users").await.as_deref(), Some("2"));
    app.run("rollback").await;
}

#[tokio::test]
async fn inside_a_tenant() {
    let (db, owner, app) = stage("looked_up_inside").await;
    owner.run(ALLOW).await;
    let call = "select * from tenant.lookup('users', 'email', 'g@x')";
    app.run("begin; select tenant.enter('acme')").await;
    app.expect_error("TN110", call).await;
    app.run("rollback; begin; savepoint s; select tenant.enter('acme'); rollback to s").await;
    app.expect_error("TN110", call).await;
    app.run("rollback").await;
    // A cursor that was opened before the tenant was entered, and one in a statement that was prepared.
    app.run(&format!("prepare look as {call}; begin; select tenant.enter('acme')")).await;
    app.expect_error("TN110", "execute look").await;
    app.run("rollback").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', 'acme')", db.roles.app)).await;
    db.app().await.expect_error("TN110", call).await;
    db.admin().await.run(&format!("select tenant.unbind_role('{}')", db.roles.app)).await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    db.app().await.expect_error("TN090", call).await;
    db.superuser().await.run(&format!("alter role {} reset pg_tenant.require_signed", db.roles.app)).await;
}

#[tokio::test]
async fn a_guess_too_many() {
    let (db, owner, app) = stage("guessed").await;
    owner.run(ALLOW).await;
    let boss = db.superuser().await;
    app.expect_error("42501", "set pg_tenant.max_lookups_per_minute = -1").await;
    boss.run(&format!("alter role {} set pg_tenant.max_lookups_per_minute = 0", db.roles.app)).await;
    let refused = db.app().await.expect_error("TN058", "select tenant.lookup('users', 'email', 'a@x')").await;
    assert_eq!(refused.message(), "too many lookups of public.users by \"email\" in a minute");
    // Counted over sessions, and whatever becomes of the transaction. Two minutes of the clock may be in it.
    boss.run(&format!("alter role {} set pg_tenant.max_lookups_per_minute = 5", db.roles.app)).await;
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..6 {
        let app = db.app().await;
        for _ in 0..3 {
            app.run("begin").await;
            match app.batch_execute("select tenant.lookup('users', 'email', 'a@x')").await {
                Ok(()) => passed += 1,
                Err(error) => {
                    assert_eq!(error.code().map(|code| code.code()), Some("TN058"));
                    refused += 1;
                }
            }
            app.run("rollback").await;
        }
    }
    assert!((5..=10).contains(&passed) && refused >= 8, "{passed} passed, {refused} refused");
    boss.run(&format!("alter role {} reset pg_tenant.max_lookups_per_minute", db.roles.app)).await;
    // A value that is no key is not told.
    owner.run("select tenant.unprotect('users', 'to fill it'); insert into users select 'acme', n, 'all' from generate_series(10, 110) n").await;
    owner.run(&format!("select tenant.protect('users'); {ALLOW}")).await;
    boss.expect_error("TN058", "select tenant.lookup('users', 'email', 'all')").await;
}

#[tokio::test]
async fn it_is_not_in_the_journal() {
    let (db, owner, app) = stage("looked_up_journal").await;
    owner.run(ALLOW).await;
    for _ in 0..20 {
        assert_eq!(found(&app, "'a@x'").await.len(), 2);
    }
    // With no transaction that could write it, in no journal, and answered.
    app.run("begin read only").await;
    assert_eq!(found(&app, "'g@x'").await.len(), 1);
    app.run("commit").await;
    owner.run("select tenant.disallow_lookup('users', 'email', 'no more')").await;
    owner.run(&format!("{ALLOW}; select tenant.unprotect('users', 'moved')")).await;
    let owner_role = owner.value("select current_user").await.expect("a role");
    let journal =
        "select action || ' ' || coalesce(reason, '') || ' ' || role || coalesce(' ' || (detail ->> 'lookups'), '')
        from tenant.journal where object = 'public.users' and action <> 'protect' order by id";
    let lines: Vec<_> = owner.rows(journal).await.into_iter().flatten().flatten().collect();
    let (protector, app) = (&owner_role, &db.roles.app);
    assert_eq!(
        lines,
        [
            format!("allow_lookup sign-in {protector}"),
            format!("lookup  {app} 1"),
            format!("disallow_lookup no more {protector}"),
            format!("allow_lookup sign-in {protector}"),
            format!("disallow_lookup  {protector}"),
            format!("unprotect moved {protector}"),
        ]
    );
}

#[tokio::test]
async fn it_outlives_what_was_declared() {
    let (db, owner, app) = stage("outlived").await;
    let ended = |why: &'static str| {
        let app = &app;
        async move {
            let refused = app.expect_error("TN056", "select tenant.lookup('users', 'email', 'a@x')").await;
            assert_eq!(refused.detail(), Some(why));
        }
    };
    let gone = "The column was dropped or has another name.";
    for (change, back, why) in [
        ("rename email to mail", "rename mail to email", gone),
        (
            "rename email to mail; alter table users rename secret to email",
            "rename email to secret; alter table users rename mail to email",
            gone,
        ),
        (
            "drop constraint users_pkey",
            "add primary key (tenant_id, id)",
            "The table's primary key is not the tenant column and at most one other, which would say which row it is.",
        ),
        (
            "drop constraint users_pkey, add primary key (tenant_id, secret)",
            "drop constraint users_pkey, add primary key (tenant_id, id)",
            "The table has got another primary key.",
        ),
        ("rename id to no", "rename no to id", "The table has got another primary key."),
    ] {
        owner.run(&format!("{ALLOW}; alter table users {change}")).await;
        ended(why).await;
        owner.run(&format!("alter table users {back}")).await;
        assert_eq!(found(&app, "'g@x'").await, ["globex 2"], "{change}");
    }
    owner.run("drop index users_email_idx").await;
    ended("No btree or hash index without a condition begins with it, in its own collation.").await;
    owner.run("create index on users using hash (email)").await;
    assert_eq!(found(&app, "'g@x'").await, ["globex 2"]);
    owner.run("select tenant.unprotect('users', 'moved')").await;
    ended("tenant.lookups has no such line.").await;
    owner.run("select tenant.protect('users')").await;
    ended("tenant.lookups has no such line.").await;
    // Dropped and made again under its name it is another column.
    owner
        .run(&format!(
            "{ALLOW}; alter table users drop column email, add email text default 's'; create index on users (email)"
        ))
        .await;
    ended(gone).await;
    let seen = "select problem from tenant.doctor(every_object => true) where code = 'T118'";
    assert!(db.admin().await.value(seen).await.is_some_and(|problem| problem.contains("has ended")));
    owner.run(ALLOW).await;
    assert!(db.admin().await.value(seen).await.is_some_and(|problem| problem.contains("with no tenant entered: ")));
    assert_eq!(found(&app, "'s'").await.len(), 3);
    owner
        .run("drop table users; create table users (tenant_id text, id int, email text, primary key (tenant_id, id))")
        .await;
    owner.run("create index on users (email); select tenant.protect('users')").await;
    ended("tenant.lookups has no such line.").await;
}

#[tokio::test]
async fn somebody_else_declares_it() {
    let (db, owner, _app) = stage("declared").await;
    let admin = db.admin().await;
    for sql in [
        ALLOW,
        "insert into tenant.lookups (relation, key_column, row_column, reason) values ('users', 'email', 'id', 'mine')",
        "insert into tenant.lookups (relation, key_column, row_column, reason, key_number) values ('users', 'email', 'id', 'x', 4)",
        "update tenant.lookups set key_column = 'secret'",
        "truncate tenant.lookups",
    ] {
        admin.expect_error("42501", sql).await;
    }
    owner.expect_error("TN029", "select tenant.allow_lookup('users', 'email', ' ')").await;
    owner.expect_error("TN056", "select tenant.disallow_lookup('users', 'email', 'x')").await;
    owner.run(ALLOW).await;
    admin.expect_error("42501", "select tenant.disallow_lookup('users', 'email', 'x')").await;
    admin.expect_error("42501", "delete from tenant.lookups").await;
    owner
        .run(
            "create table open (tenant_id text, id int, k text, primary key (tenant_id, id)); create index on open (k);
             create table wide (tenant_id text, a int, b int, k text, l text, primary key (tenant_id, a, b)); create index on wide (k);
             create table bare (tenant_id text, id int, k text, l text, primary key (tenant_id, id));
             create index on bare (k) where id > 0; create index on bare (lower(l));
             select tenant.protect('wide'), tenant.protect('bare')",
        )
        .await;
    for call in [
        "'open', 'k'",
        "'users', 'tenant_id'",
        "'users', 'none'",
        "'users', 'ctid'",
        "'wide', 'k'",
        "'bare', 'k'",
        "'bare', 'l'",
    ] {
        owner.expect_error("TN057", &format!("select tenant.allow_lookup({call}, 'x')")).await;
    }
    // A line that was written past the function stands for nothing that the function would refuse.
    owner.run("insert into tenant.lookups (relation, key_column, row_column, reason) values ('users', 'secret', 'id', 'x'), ('wide', 'k', 'b', 'x')").await;
    db.app().await.expect_error("TN056", "select tenant.lookup('users', 'secret', 's1')").await;
    db.app().await.expect_error("TN056", "select tenant.lookup('wide', 'k', 's1')").await;
}

/// Types and kinds of tables: the equality is that of the column's index, whatever the caller puts in front of it.
#[tokio::test]
async fn another_equality() {
    let (db, owner, app) = stage("equality").await;
    let boss = db.superuser().await;
    boss.run("create extension citext").await;
    owner
        .run(
            "create domain address as varchar(8) check (value <> 'x');
             create table keys (tenant_id text, id uuid default gen_random_uuid(), c citext unique, n char(3) unique, u uuid unique,
                v varchar(4) unique, a address unique, b bytea unique, primary key (id)) ;
             insert into keys (tenant_id, c, n, u, v, a, b) values
                ('acme', 'Ann@X', 'ab', '00000000-0000-0000-0000-00000000000a', 'abcd', 'addr', '\\x0a');
             select tenant.protect('keys');
             create table hosts (id text primary key, host text) partition by list (id);
             create table hosts_acme partition of hosts for values in ('acme'); create index on hosts (host);
             insert into hosts values ('acme', 'acme.example'); select tenant.protect('hosts', 'id');
             select tenant.allow_lookup('hosts', 'host', 'webhooks')",
        )
        .await;
    for column in ["c", "n", "u", "v", "a", "b"] {
        owner.run(&format!("select tenant.allow_lookup('keys', '{column}', 'x')")).await;
    }
    // Nothing of the caller's is called, by whichever path.
    boss.run(&format!("create schema mine authorization {0}; grant usage on schema mine to public", db.roles.app))
        .await;
    app.run(
        "create function mine.always(text, text) returns boolean language sql as 'select true';
         create operator mine.= (leftarg = text, rightarg = text, function = mine.always);
         create function mine.always(citext, citext) returns boolean language sql as 'select true';
         create operator mine.= (leftarg = citext, rightarg = citext, function = mine.always);
         set search_path = mine, public, pg_catalog",
    )
    .await;
    let rows = async |column: &str, value: &str| {
        app.rows(&format!("select * from tenant.lookup('public.keys', '{column}', '{value}')")).await.len()
    };
    for (column, value, count) in [
        ("c", "ann@x", 1),
        ("c", "ann", 0),
        ("n", "ab", 1),
        ("n", "a", 0),
        ("u", "00000000-0000-0000-0000-00000000000A", 1),
        ("v", "abcd", 1),
        ("v", "abcde", 0), // nothing is cut off
        ("a", "addr", 1),
        ("a", "addr     ", 0),
        ("b", "\\x0a", 1),
    ] {
        assert_eq!(rows(column, value).await, count, "{column} {value}");
    }
    app.expect_error("22P02", "select tenant.lookup('public.keys', 'u', 'no uuid')").await;
    app.expect_error("23514", "select tenant.lookup('public.keys', 'a', 'x')").await;
    let host = app.rows("select * from tenant.lookup('public.hosts', 'host', 'acme.example')").await;
    assert_eq!(host, [[Some("acme".to_owned()), Some("acme".into())]]);
    // Workers, and what the caller has set, change nothing.
    app.run("set row_security = off; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0").await;
    assert_eq!(rows("c", "ann@x").await, 1);
}

/// What the owner wrote runs as the owner, in a path that has nothing of the caller's, and no policy of theirs is
/// asked.
#[tokio::test]
async fn it_lends_a_superusers_rights() {
    let (db, owner, app) = stage("lends").await;
    owner
        .run(
            "create function who(text) returns boolean language plpgsql as $$ begin
                raise notice '% in %', current_user, current_setting('search_path'); return true; end $$;
             create domain address as text check (who(value));
             create table seen (tenant_id text, id int, k address, primary key (tenant_id, id)); create index on seen (k);
             insert into seen values ('acme', 1, 'k'); select tenant.protect('seen');
             create policy nobody on seen as restrictive using (who('x') and false);
             select tenant.allow_lookup('seen', 'k', 'x')",
        )
        .await;
    app.run("set search_path = pg_temp, public").await;
    let _ = app.notices();
    assert_eq!(app.rows("select * from tenant.lookup('public.seen', 'k', 'k')").await.len(), 1);
    let said: Vec<_> = app.notices().into_iter().map(|notice| notice.message().to_owned()).collect();
    assert!(!said.is_empty());
    let expected = format!("{} in pg_catalog, pg_temp", db.roles.owner);
    assert!(said.iter().all(|line| *line == expected), "{said:?}");
}
