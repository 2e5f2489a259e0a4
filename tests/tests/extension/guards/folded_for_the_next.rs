//! A plan holds what PostgreSQL has computed for one tenant, and the next on the connection gets it: the result of a
//! function that says IMMUTABLE and reads a protected table.

use super::folded::{World, at_some_time, pair};
use pg_tenant_tests::shop::{A, B};

const FUNCTIONS: &str = "
    create function by_variable() returns text language plpgsql as $$ declare v text; begin v := mine(); return v; end $$;
    create function by_query() returns text language plpgsql as $$ declare v text; begin select mine() into v; return v; end $$;
    create function deep() returns text language plpgsql immutable as $$ begin return mine(); end $$;
    create function by_two() returns text language plpgsql as $$ declare v text; begin v := mine(); return v || ' ' || deep(); end $$;
    create function caught() returns text language plpgsql immutable as $$ begin
        begin perform mine(), 1/0; exception when division_by_zero then null; end; return mine(); end $$;
    create table kept (note text default mine(), at int);
    create function by_default() returns text language plpgsql as $$ declare v text; begin
        insert into kept (at) values (1) returning note into v; return v; end $$;
    create view notes as select note from {t};
    create function fetched(c refcursor) returns text language plpgsql immutable as $$ declare v text; begin fetch c into v; return v; end $$;
    create view seen as select mine() as note;
    create table filtered as select n, 'note ' || n as note from generate_series(1, 5) n;
    alter table filtered enable row level security; create policy p on filtered using (note = mine());
    grant select on filtered, notes to public;
    create function same(text, text) returns boolean language sql immutable as $$ select $1 = $2 and $2 = (select min(note) from {t}) $$;
    create operator ~~~ (leftarg = text, rightarg = text, function = same);";

const PREPARE: &str = "prepare called as select mine(); prepare viewed as select note from seen;
    prepare filtering as select note from filtered; prepare caught as select caught();
    prepare deeper as select deep() where now() is not null;
    prepare operated as select case when 'note 1' ~~~ 'note 1' then 'note 1' else 'note 4' end;
    prepare fetching as select fetched('c');
    prepare written as insert into kept values (default, 2) returning note";

/// Each statement whose answer a plan holds.
const PLANS: &[&str] = &[
    "select by_variable()",
    "select by_query()",
    "select by_default()",
    "execute called",
    "execute viewed",
    "execute filtering",
    "execute caught",
    "execute operated",
    "execute deeper",
    "execute written",
    "declare c cursor for select min(note) from notes; execute fetching",
];

#[tokio::test]
async fn in_a_plan() {
    let (stock, ours) = (World::stock("folded", FUNCTIONS).await, World::ours("folded", FUNCTIONS).await);
    for sql in PLANS {
        let hole = pair("note 1", "note 1");
        at_some_time(&format!("the hole: {sql}"), hole, async || stock.both(PREPARE, sql).await).await;
        assert_eq!(ours.both(PREPARE, sql).await, pair("note 1", "note 4"), "{sql}");
    }
    // A second plan is folded from the first, which holds the value by then.
    let hole = pair("note 1 note 1", "note 1 note 1");
    at_some_time("two plans", hole, async || stock.both("", "select by_two()").await).await;
    assert_eq!(ours.both("", "select by_two()").await, pair("note 1 note 1", "note 4 note 4"));
    let stored = "select at, string_agg(note, ', ' order by note) from kept group by 1 order by 1";
    let of_both = |at: &str| vec![Some(at.into()), Some("note 1, note 4".into())];
    assert_eq!(ours.db.owner().await.rows(stored).await, [of_both("1"), of_both("2")]);
}

#[tokio::test]
async fn in_a_statement_of_the_protocol() {
    let (stock, ours) = (World::stock("parsed", "").await, World::ours("parsed", "").await);
    for sql in ["select mine()", "select mine() where $1::int = 1"] {
        let next = async |world: &World| {
            let app = world.db.app().await;
            app.run("set plan_cache_mode = force_generic_plan").await; // one plan for all parameters
            let statement = app.prepare(sql).await.expect("parse");
            let mut seen = Vec::new();
            for tenant in [A, B] {
                app.run(&world.begin(tenant)).await;
                let parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&1];
                let row = app.query_one(&statement, &parameters[..statement.params().len()]).await.expect("a row");
                seen.push(row.get::<_, String>(0));
                app.run("commit").await;
            }
            seen
        };
        at_some_time("the hole", vec!["note 1".into(), "note 1".into()], async || next(&stock).await).await;
        assert_eq!(next(&ours).await, ["note 1", "note 4"], "{sql}");
    }
}

#[tokio::test]
async fn however_the_transaction_ends() {
    let world = World::ours("folded_ends", "").await;
    let app = world.db.app().await;
    app.run("prepare called as select mine()").await;
    for end in ["commit", "rollback", "select 1/0", "savepoint s; rollback to s; commit"] {
        app.run(&world.begin(A)).await;
        assert_eq!(app.value("execute called").await.as_deref(), Some("note 1"));
        let _ = app.batch_execute(end).await;
        app.run("rollback").await;
        app.expect_error("TN001", "execute called").await; // with no tenant, nobody's value
        assert_eq!(world.value(&app, B, "execute called").await.as_deref(), Some("note 4"), "{end}");
    }
    // In a procedure that goes from tenant to tenant.
    let visit = format!(
        "create procedure visit(inout said text) language plpgsql as $$ begin
            perform tenant.enter('{A}'); said := mine(); commit; perform tenant.enter('{B}'); said := said || ', ' || mine(); commit; end $$"
    );
    world.db.owner().await.run(&visit).await;
    assert_eq!(app.value("call visit('')").await.as_deref(), Some("note 1, note 4"));
    // Before the tenant is entered, by a superuser: of all tenants.
    let boss = world.db.superuser().await;
    boss.run("prepare called as select mine(); begin; execute called").await;
    boss.run(&format!("set local role {}; select tenant.enter('{B}')", world.db.roles.app)).await;
    assert_eq!(boss.value("execute called").await.as_deref(), Some("note 4"));
}

#[tokio::test]
async fn everyday_work_keeps_its_plans() {
    let world = World::ours(
        "folded_not",
        "create function slug(t text) returns text language plpgsql immutable as $$ begin raise notice 'planned'; return lower(t); end $$;
         create table words (word text); insert into words values ('x');
         create function looked_up(t text) returns text language plpgsql immutable as $$ begin raise notice 'planned'; return (select word from words); end $$;
         create function own() returns text language sql stable as $$ select min(note) from {t} $$;
         create function read(t text) returns text language plpgsql stable as $$ begin return own(); end $$;
         create function by_slug() returns text language plpgsql as $$ declare v text; begin v := slug('A'); return v || own(); end $$;
         create function fails() returns text language plpgsql immutable as $$ begin perform 1/0; return ''; end $$;
         create function after_failing() returns text language plpgsql as $$ declare v text; begin
            begin v := fails(); exception when division_by_zero then null; end; v := own(); v := slug('A') || v; return v; end $$",
    )
    .await;
    let prepare =
        "prepare p as select slug('A') || (select min(note) from orders where tenant_id = tenant.current_uuid());
        prepare q as select note from orders where note = own() and note = read('x') and slug('B') = 'b';
        prepare r as select looked_up('x')";
    for sql in ["execute p", "execute q", "select by_slug()", "execute r", "select after_failing()"] {
        let planned = async || {
            let app = world.db.app().await;
            app.run(prepare).await;
            for (tenant, own) in [(A, "note 1"), (B, "note 4"), (A, "note 1")] {
                let value = world.value(&app, tenant, sql).await.expect("a value");
                assert!(value.ends_with(own) || value == "x", "{sql}: {value}");
            }
            app.notices().len()
        };
        at_some_time(&format!("{sql} is planned once"), 1, planned).await;
    }
}
