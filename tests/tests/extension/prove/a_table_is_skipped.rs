//! A table that the proof leaves out is named, with the reason.

use super::fixture::{proof, shop};

#[tokio::test]
async fn every_protected_table_has_its_rows() {
    let (_db, boss) = shop("all_there", true).await;
    let tables = boss.value("select count(*) from tenant.protected_tables").await;
    let proved = boss.value("select count(distinct relation) from tenant.prove()").await;
    assert_eq!(proved, tables);
    let planted = proof(&boss, "", "path = 'plant'").await;
    let filled: Vec<_> = ["customers", "events", "lines", "orders", "people", "staff"]
        .iter()
        .map(|t| format!("{t}: plant: a row of each tenant"))
        .collect();
    assert_eq!(planted, filled);
}

#[tokio::test]
async fn a_table_that_cannot_be_filled_is_not_said_to_be_proved() {
    let (db, boss) = shop("unfilled", false).await;
    let owner = db.owner().await;
    owner
        .run(
            "create table odd (tenant_id uuid, n int not null check (n * n = 1764 and n < 0));
             create table needs_odd (tenant_id uuid, id int primary key);
             create table numbered (tenant_id bigint not null, id int primary key, tiny smallint unique not null);
             select tenant.protect('odd'), tenant.protect('needs_odd'), tenant.protect('numbered')",
        )
        .await;
    let untried = proof(&boss, "", "path = 'plant' and passed is null").await;
    assert_eq!(
        untried,
        [
            "numbered: plant: keyed by bigint: select * from tenant.prove(keyed_by => 'bigint')",
            "odd: plant: new row for relation \"odd\" violates check constraint \"odd_n_check\"",
        ]
    );
    // What needs no row is tried all the same.
    assert!(proof(&boss, "", "passed").await.contains(&"odd: select with no tenant: TN001".to_owned()));
    let by_number = proof(&boss, "keyed_by => 'bigint'", "relation = 'numbered'::regclass and passed").await;
    assert!(by_number.contains(&"numbered: own rows: 1 rows".to_owned()), "{by_number:?}");
    assert_eq!(proof(&boss, "keyed_by => 'bigint'", "passed is false").await, [""; 0]);
}

#[tokio::test]
async fn who_may_not_prove_is_told_that_all_is_well() {
    let (db, boss) = shop("who", false).await;
    db.app().await.expect_error("42501", "select * from tenant.prove()").await;
    db.admin().await.expect_error("42501", "select * from tenant.prove()").await;
    for role in ["postgres", &db.roles.bystander, &db.roles.backup, "nobody_of_this_name"] {
        boss.expect_error("TN088", &format!("select * from tenant.prove('{role}')")).await;
    }
    let inside = "begin; select tenant.enter('cccccccc-0000-4000-8000-00000000000c'); select * from tenant.prove()";
    boss.expect_error("TN088", inside).await;
    boss.run("rollback").await;
    // A superuser in the role of another is none.
    boss.run(&format!(
        "grant execute on function tenant.prove to {0}; grant usage on schema tenant to {0}",
        db.roles.backup
    ))
    .await;
    boss.run(&format!("set role {}", db.roles.backup)).await;
    boss.expect_error("TN088", "select * from tenant.prove()").await;
}

#[tokio::test]
async fn other_tables_than_those_asked_for() {
    let (_db, boss) = shop("asked_for", false).await;
    let all = boss.value("select count(distinct relation) from tenant.prove()").await;
    assert_ne!(all.as_deref(), Some("1"));
    boss.notices();
    let orders = "select string_agg(distinct relation::text, ' '), bool_and(passed) from tenant.prove(tables => array['orders'::regclass])";
    let rows = boss.rows(orders).await;
    assert_eq!(rows[0].iter().flatten().map(String::as_str).collect::<Vec<_>>(), ["orders", "t"]);
    let said: Vec<_> = boss.notices().into_iter().map(|notice| notice.message().to_owned()).collect();
    assert!(said.iter().any(|notice| notice.ends_with("orders")), "it says where it is: {said:?}");
}

/// A table that cannot be filled says so; others than those asked for are not touched at all.
#[tokio::test]
async fn rows_are_planted_in_tables_that_nobody_named() {
    let (db, boss) = shop("named", false).await;
    let filled = "create table planted (relation text);
        create function note() returns trigger language plpgsql security definer as $$ begin
            raise log 'planted: % %', current_database(), tg_table_name; return null; end $$;
        do $$ declare r regclass; begin
            for r in select relation from tenant.protected_tables where kind <> 'partition' loop
                execute format('create trigger note after insert on %s for each row execute function public.note();
                    alter table %1$s enable always trigger note', r);
            end loop; end $$";
    boss.run(filled).await;
    let planted = async |call: &str| {
        let from = db.cluster().log().len();
        boss.run(&format!("select * from tenant.prove({call})")).await;
        let (log, mark) = (db.cluster().log(), format!("planted: {} ", db.name));
        let mut tables: Vec<_> =
            log[from..].lines().filter_map(|line| line.split(&mark).nth(1)).map(str::to_owned).collect();
        tables.sort();
        tables.dedup();
        tables
    };
    let all = planted("").await;
    assert!(all.contains(&"people".to_owned()) && all.contains(&"lines".to_owned()), "{all:?}");
    // Its references lead to customers, and on to nothing that is protected.
    assert_eq!(planted("tables => array['orders'::regclass]").await, ["customers", "orders"]);
    assert_eq!(planted("tables => array['lines'::regclass]").await, ["customers", "lines", "orders"]);
    assert_eq!(planted("tables => array['people'::regclass]").await, ["people"]);
}
