//! A row that was to go to another partition, and that a trigger there keeps out, is gone without a row after it; the
//! statement's other rows are then told with another row's values.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Session, database};

const EVENTS: &str = "
    create table events (tenant_id uuid not null, id int, at int, note text, primary key (tenant_id, id, at)) partition by range (at);
    create table events_old partition of events for values from (0) to (10);
    create table events_new partition of events default;
    create function keep_out() returns trigger language plpgsql as $$ begin return case when new.id <> 2 then new end; end $$;
    create trigger keep_out before insert on events_new for each row execute function keep_out();";

/// Rows 1 and 3 stay; 2 is kept out, whatever else changes.
const MOVE: &str = "update events set note = note || '!', at = case id when 2 then 20 else at end";

#[tokio::test]
async fn where_they_are_paired_by_place() {
    let db = database("audit_stock_pairs").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "{EVENTS} create table told (was int, is_now int);
         create function tell() returns trigger language plpgsql as $$ begin
            insert into told select o.id, n.id from (select *, row_number() over () as nth from was) o
                full join (select *, row_number() over () as nth from is_now) n using (nth);
            return null; end $$;
         create trigger tell after update on events referencing old table as was new table as is_now for each statement execute function tell();
         insert into events select '{A}', n, 0, 'note ' || n from generate_series(1, 3) n; {MOVE}"
    ))
    .await;
    let pairs = "select string_agg(concat_ws('=', was, is_now), ' ' order by was) from told";
    assert_eq!(boss.value(pairs).await.as_deref(), Some("1=1 2=3 3"), "3 is said to have been 2");
}

async fn told(session: &Session, tenant: &str) -> Vec<String> {
    let sql = "select concat_ws(' ', change, key ->> 'id', before ->> 'note', '->', after ->> 'note') from tenant.audit_changes
        where change <> 'insert' order by id, key ->> 'id'";
    session.inside(tenant, sql).await.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn in_the_journal() {
    let db = shop("audit_pairs").await;
    let (owner, boss, app) = (db.owner().await, db.superuser().await, db.app().await);
    owner.run(EVENTS).await;
    boss.run(&format!(
        "select tenant.protect('events'), tenant.audit('events');
         grant tenant_system to {0}; grant select, insert, update, delete on events to {0}, tenant_system",
        db.roles.app
    ))
    .await;
    let fill = "insert into events (id, at, note) select n, 0, 'note ' || n from generate_series(1, 3) n";
    app.inside(A, fill).await;
    app.inside(B, fill).await;
    app.inside(A, MOVE).await;
    let apart = [
        "update 1 note 1 ->",
        "update 2 note 2 ->",
        "update 3 note 3 ->",
        "update 1 -> note 1!",
        "update 3 -> note 3!",
    ];
    assert_eq!(told(&app, A).await, apart);
    assert!(told(&app, B).await.is_empty());
    // Across tenants, each is told its own.
    boss.run("create or replace function keep_out() returns trigger language plpgsql as $$ begin return null; end $$")
        .await;
    let across = format!(
        "update events set note = note || '?', at = case when tenant_id = '{A}' and id = 1 then 20 else at end"
    );
    app.run(&format!("begin; select tenant.enter_system('all', write => true); {across}; commit")).await;
    let mine = told(&app, A).await;
    assert_eq!(mine[5..], ["update 1 note 1! ->", "update 3 note 3! ->", "update 3 -> note 3!?"]);
    let theirs = ["update 1 note 1 ->", "update 2 note 2 ->", "update 3 note 3 ->"];
    assert_eq!(told(&app, B).await[..3], theirs);
    assert_eq!(told(&app, B).await[3..], ["update 1 -> note 1?", "update 2 -> note 2?", "update 3 -> note 3?"]);
    // Where each has its other, they stand together.
    app.inside(B, "update events set note = 'n', at = id").await;
    assert_eq!(told(&app, B).await[6..], ["update 1 note 1? -> n", "update 2 note 2? -> n", "update 3 note 3? -> n"]);
}
