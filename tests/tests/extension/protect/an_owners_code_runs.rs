//! A superuser can protect the table of an owner whom they do not trust: what the owner wrote does not run with a
//! superuser's rights.

use pg_tenant_tests::{Database, Session};

use super::fixture::stage;

/// `spy()` says whom it runs as, and tries to become somebody else, now or at the end of the transaction.
const SPY: &str = "
    create table later (role text);
    create function late() returns trigger language plpgsql as $$
        begin raise warning 'ran as %', current_user; return null; end $$;
    create constraint trigger late after insert on later deferrable initially deferred for each row execute function late();
    create function spy() returns int language plpgsql as $$ begin
        raise warning 'ran as %', current_user;
        begin reset role; exception when others then null; end;
        begin set role postgres; exception when others then null; end;
        begin set session authorization default; exception when others then null; end;
        begin insert into later values (current_user); exception when others then null; end;
        begin create temp table pg_class (oid int); exception when others then null; end;
        begin prepare planted as select 1; exception when others then null; end;
        raise warning 'ran as %', current_user;
        return 1; end $$;
    create function spy_is(int) returns boolean language plpgsql immutable as $$
        begin raise warning 'ran as %', current_user; return true; end $$;
    create type t_enum as enum ('a');
    create function cast_spy(t_enum) returns int language plpgsql as $$ begin return spy(); end $$;
    create cast (t_enum as int) with function cast_spy(t_enum) as implicit;
    create domain t_domain as int check (value = spy());";

/// Tables whose owner's code is run by what is called, and the same done by plain DDL, where there is such.
const WAYS: &[(&str, &str, &str)] = &[
    (
        "create table hp (tenant_id uuid, id int primary key);
         create table hc (tenant_id uuid, pid t_enum references hp);
         insert into hp values ('{a}', 1); insert into hc values ('{a}', 'a'); select tenant.protect('hp')",
        "select tenant.protect('hc'); select tenant.protect('hp', harden => true)",
        "alter table hc add foreign key (pid) references hp",
    ),
    (
        "create table hp (tenant_id uuid, id int primary key);
         create table hc (tenant_id uuid, pid t_domain references hp);
         insert into hp values ('{a}', 1); insert into hc values ('{a}', 1)",
        "select tenant.protect_schema('public', harden => true)",
        "",
    ),
    (
        "create table hi (tenant_id uuid, id int, note text); insert into hi values ('{a}', 1, 'x');
         create function spy_text(text) returns text language plpgsql immutable as $$
            begin raise warning 'ran as %', current_user; return $1; end $$;
         create unique index on hi (id, spy_text(note)); create unique index hu on hi (spy_text(note)) where spy_is(id)",
        "select tenant.protect('hi', harden => true)",
        "",
    ),
    ("create table hk (tenant_id uuid, id int, check (spy_is(1)))", "select tenant.protect('hk')", "alter table hk alter tenant_id set not null"),
    (
        "create table hk (tenant_id uuid, id int, check (spy_is(1))) partition by list (id)",
        "select tenant.protect('hk'); create table hk_1 partition of hk for values in (1)",
        "",
    ),
    (
        "create table hk (tenant_id uuid, id int, check (spy_is(1))); select tenant.protect('hk')",
        "select tenant.unprotect('hk', 'why')",
        "",
    ),
];

/// Whom it ran as since the last call.
fn ran_as(session: &Session) -> Vec<String> {
    let said = session.notices().into_iter().filter_map(|n| n.message().strip_prefix("ran as ").map(str::to_owned));
    said.collect()
}

async fn clean(db: &Database<'_>) {
    let boss = db.superuser().await;
    boss.run(
        "set pg_tenant.guards = off; drop table if exists hp, hc, hi, hk cascade; drop function if exists spy_text",
    )
    .await;
}

#[tokio::test]
async fn as_the_superuser_who_protects() {
    let (db, owner) = stage("owners_code").await;
    let boss = db.superuser().await;
    owner.run(SPY).await;
    let mut seen = 0;
    for (tables, call, plain) in WAYS {
        owner.run(&tables.replace("{a}", super::fixture::A)).await;
        ran_as(&boss);
        if !plain.is_empty() {
            // The hole: plain DDL of a superuser runs the owner's code.
            boss.run(&format!("begin; {plain}; rollback")).await;
            assert!(ran_as(&boss).contains(&"postgres".to_owned()), "{plain}");
        }
        boss.run(&format!("deallocate all; truncate later; {call}")).await;
        let roles = ran_as(&boss);
        seen += roles.len();
        assert!(roles.iter().all(|role| *role == db.roles.owner), "{call}: ran as {roles:?}");
        let left = "select concat((select count(*) from pg_prepared_statements), (select count(*) from later),
            (select count(*) from pg_class where relname = 'pg_class' and relnamespace = pg_my_temp_schema()))";
        assert_eq!(boss.value(left).await.as_deref(), Some("000"), "{call}");
        clean(&db).await;
    }
    assert!(seen > 4, "the owner's code runs: {seen}");
}

/// What is not the owner's to do is refused, whoever asks; nobody becomes somebody else by this.
#[tokio::test]
async fn by_the_way_that_was_made_for_it() {
    let (db, owner) = stage("owners_way").await;
    let boss = db.superuser().await;
    boss.run("create table of_boss (tenant_id uuid); create schema closed; create table closed.t (tenant_id uuid)")
        .await;
    boss.run(&format!("alter table closed.t owner to {0}; grant usage on schema closed to {0}", db.roles.owner)).await;
    owner
        .expect_error("42501", "select tenant_internal.run_as_owner('of_boss', 'create role regress_pwned superuser')")
        .await;
    assert_eq!(
        owner.value("select tenant_internal.run_as_owner('of_boss', 'select current_user')").await,
        Some(db.roles.owner.clone())
    );
    db.app().await.expect_error("42501", "select tenant_internal.run_as_owner('of_boss', 'select 1')").await;
    // An index takes a right on the schema, which the owner has not.
    boss.run("select tenant.protect('closed.t')").await;
}

/// One command for a table and what is below it is run as one role.
#[tokio::test]
async fn in_a_hierarchy_of_several_owners() {
    let (db, owner) = stage("owners_several").await;
    let boss = db.superuser().await;
    owner.run("create table h (tenant_id uuid, id int) partition by list (id)").await;
    boss.run("create table h_1 partition of h for values in (1)").await;
    let refused = boss.expect_error("TN054", "select tenant.protect('h')").await; // TN054
    boss.run(refused.hint().expect("a hint")).await;
    boss.run("select tenant.protect('h')").await;
    // Later ones may be anybody's, and so may all where the column has what it needs.
    boss.run("create table h_2 partition of h for values in (2); select tenant.protect('h')").await;
    assert_eq!(boss.value("select count(*) from tenant.protected_tables where enforced").await.as_deref(), Some("3"));
}
