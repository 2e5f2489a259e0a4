//! What PostgreSQL has computed for one tenant is kept beside plans too: for the checks of domains, the expressions and
//! predicates of indexes, the keys of partitions; and it is computed from more than tables.

use super::folded::{World, at_some_time, pair};
use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B};

#[tokio::test]
async fn in_the_check_of_a_domain() {
    let domains =
        "create domain own as text check (value = mine()); create domain known as own check (value is not null);
        create type pair as (note own)";
    let (stock, ours) = (World::stock("domain", domains).await, World::ours("domain", domains).await);
    for cast in [
        "select '{}'::text::own",
        "select ('{}'::text)::known",
        "select ('({})'::pair).note",
        "select (array['{}']::text[]::own[])[1]",
    ] {
        // Which notes are B's, where A has been there before.
        let taken = async |world: &World| {
            let app = world.db.app().await;
            world.value(&app, A, &cast.replace("{}", "note 1")).await;
            let mut taken = Vec::new();
            for note in ["note 1", "note 4"] {
                app.run(&world.begin(B)).await;
                match app.batch_execute(&cast.replace("{}", note)).await {
                    Ok(()) => taken.push(note),
                    Err(refused) => assert_eq!(refused.code().map(|code| code.code()), Some("23514")),
                }
                app.run("rollback").await;
            }
            taken
        };
        at_some_time(&format!("the hole: {cast}"), vec!["note 1"], async || taken(&stock).await).await;
        assert_eq!(taken(&ours).await, ["note 4"], "{cast}");
    }
}

/// Made while the function is what it says it is: with no tenant PostgreSQL could not make them.
const HOLDERS: &str = "create function named() returns text language sql immutable as $$ select 'nobody' $$;
    create table listed (note text); create unique index on listed ((note || ' of ' || named()));
    create table partly (note text, id int); create unique index on partly (id) where note = named();
    create table parted (note text) partition by list ((note = named()));
    create table parted_own partition of parted for values in (true);
    create table parted_other partition of parted for values in (false);
    create table computed (note text, by text generated always as (named()) stored);
    create table checked (note text check (note = named()));
    create or replace function named() returns text language sql immutable as $$ select mine() $$;
    grant insert, select on listed, partly, parted, computed, checked to public;";

#[tokio::test]
async fn in_an_index_or_a_partition() {
    let (stock, ours) = (World::stock("index", HOLDERS).await, World::ours("index", HOLDERS).await);

    // An expression: the key that a refusal shows.
    let key = async |world: &World| {
        let (app, mut keys) = (world.db.app().await, String::new());
        for tenant in [A, B] {
            app.run(&world.begin(tenant)).await;
            keys += refused(&app, "insert into listed values ('x'), ('x')").await.expect("a duplicate").trim();
        }
        keys
    };
    let keys = |b: &str| {
        let one = |note: &str| format!("Key (((note || ' of '::text) || named()))=(x of {note}) already exists.");
        one("note 1") + &one(b)
    };
    at_some_time("the hole: an expression", keys("note 1"), async || key(&stock).await).await;
    assert_eq!(key(&ours).await, keys("note 4"));

    // A predicate: whose rows are unique.
    let twice = async |world: &World| {
        let app = world.db.app().await;
        world.value(&app, A, "insert into partly select 'note 1', count(*) from partly returning id").await;
        app.run(&world.begin(B)).await;
        refused(&app, "insert into partly values ('note 4', 0), ('note 4', 0)").await.is_some()
    };
    at_some_time("the hole: a predicate", false, async || twice(&stock).await).await;
    assert!(twice(&ours).await);

    let place = async |world: &World| {
        let app = world.db.app().await;
        let insert = |note: &str| format!("insert into parted values ('{note}') returning tableoid::regclass");
        let of_a = world.value(&app, A, &insert("note 1")).await;
        [of_a, world.value(&app, B, &insert("note 4")).await]
    };
    let hole = pair("parted_own", "parted_other");
    at_some_time("the hole: a key of partitions", hole, async || place(&stock).await).await;
    assert_eq!(place(&ours).await, pair("parted_own", "parted_own"));

    // PostgreSQL computes these anew for each statement, but for what is in their functions' own plans.
    let app = ours.db.app().await;
    for (tenant, own) in [(A, "note 1"), (B, "note 4")] {
        let by = format!("insert into checked values ('{own}'); insert into computed values ('x') returning by");
        assert_eq!(ours.value(&app, tenant, &by).await.as_deref(), Some(own));
    }
}

/// The DETAIL with which PostgreSQL refuses a duplicate, at the end of the transaction.
async fn refused(app: &Session, sql: &str) -> Option<String> {
    let refused = app.batch_execute(sql).await.err();
    app.run("rollback").await;
    refused.map(|error| error.as_db_error().and_then(|error| error.detail()).expect("a detail").to_owned())
}

#[tokio::test]
async fn by_the_tenant_itself() {
    let world = World::ours("folded_id", "").await;
    let functions = "create function me() returns text language plpgsql immutable as $$ begin return tenant.current_id(); end $$;
        create function typed() returns uuid language sql immutable as $$ select tenant.current_uuid() $$;
        create function set() returns text language plpgsql immutable as $$ begin return current_setting('pg_tenant.id'); end $$;
        create function listed() returns text language sql immutable as $$ select setting from pg_settings where name = 'pg_tenant.id' $$;
        create function chosen() returns text language plpgsql immutable as $$ begin return current_setting('app.chosen', true); end $$;
        create function warm(f text) returns text language plpgsql immutable as $$ begin return tenant.current_id(); end $$";
    world.db.protector().await.run(functions).await;
    for call in ["me()", "typed()", "set()", "listed()", "warm('x')"] {
        let app = world.db.app().await;
        app.run(&format!("prepare p as select {call}")).await;
        for tenant in [A, B] {
            app.run(&world.begin(tenant)).await;
            app.run("select warm(note) from orders").await; // its expression is there before it is folded
            assert_eq!(app.value("execute p").await.as_deref(), Some(tenant), "{call}");
            app.run("commit").await;
        }
        assert_ne!(app.value("execute p").await.as_deref(), Some(B), "{call} with no tenant");
        assert_eq!(world.value(&app, A, "execute p").await.as_deref(), Some(A), "{call}");
    }
    // A setting of the application's own, for the transaction.
    let app = world.db.app().await;
    app.run("prepare p as select chosen()").await;
    for (tenant, value) in [(A, "a"), (B, "b")] {
        let chosen = world.value(&app, tenant, &format!("set local app.chosen = '{value}'; execute p")).await;
        assert_eq!(chosen.as_deref(), Some(value));
    }
}

#[tokio::test]
async fn from_a_table_that_is_protected_later() {
    let late = format!(
        "create table late (tenant_id uuid not null, note text); insert into late values ('{A}', 'of a');
         create function late() returns text language sql immutable as $$ select min(note) from late $$;
         create domain late_own as text check (value = late())"
    );
    let world = World::ours("folded_later", &late).await;
    let app = world.db.app().await;
    app.run("prepare p as select late(); select 'of a'::text::late_own").await;
    assert_eq!(app.value("execute p").await.as_deref(), Some("of a"), "while it is everybody's");
    world.db.superuser().await.run("select tenant.protect('late')").await;
    assert_eq!(world.value(&app, B, "execute p").await, None);
    app.run(&world.begin(B)).await;
    app.run("insert into late (note) values ('of b'); select 'of b'::text::late_own").await;
    app.expect_error("23514", "select 'of a'::text::late_own").await;
}
