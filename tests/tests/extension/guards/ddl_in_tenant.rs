//! Inside a tenant's transaction nothing is redefined that other tenants use: a default, a trigger or a dropped table
//! reaches all of them.

use pg_tenant_tests::shop::{A, B, shop};

const COMMANDS: [&str; 26] = [
    "alter table TABLE add stamp uuid default tenant.current_uuid()",
    "alter table TABLE alter note set default 'x'",
    "alter table TABLE add constraint c check (id < 9)",
    "alter table TABLE owner to current_user",
    "alter table TABLE rename to other",
    "alter table TABLE rename note to remark",
    "alter table TABLE disable trigger all",
    "create index on TABLE (note)",
    "alter index TABLE_pkey rename to other_key",
    "alter index TABLE_pkey set (fillfactor = 50)",
    "alter table TABLE set schema elsewhere",
    "cluster TABLE using TABLE_pkey",
    "reindex table TABLE",
    "reindex index TABLE_pkey",
    "analyze TABLE",
    "analyze plain, TABLE (note)",
    "analyze",
    "create policy extra on TABLE using (true)",
    "create rule r as on delete to TABLE do instead nothing",
    "create trigger t before insert on TABLE for each row execute function suppress_redundant_updates_trigger()",
    "drop policy if exists extra on TABLE",
    "drop table TABLE",
    "drop table TABLE cascade",
    "do $$ begin drop table TABLE; end $$",
    "do $$ begin execute 'alter table TABLE add more int'; end $$",
    "drop schema public cascade",
];

#[tokio::test]
async fn a_tenant_redefines_a_table_of_all() {
    let db = shop("redefines").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_user to {}; alter schema public owner to {0}", db.roles.owner)).await;
    boss.run(&format!("create schema elsewhere authorization {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.run("create table plain (id int)").await;
    for command in COMMANDS {
        // The hole: on the stock table the command runs, and reaches the rows and the sessions of every tenant.
        let stock = command.replace("TABLE", "stock_orders");
        if !stock.starts_with("drop schema") {
            owner.run(&format!("begin; set local app.tenant = '{A}'; {stock}; rollback")).await;
        }
        let refused = owner.refused_inside("TN032", A, &command.replace("TABLE", "orders")).await; // TN032
        assert!(refused.hint().is_some_and(|hint| hint.contains("entered no tenant")), "{refused:?}");
    }
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5"));
    // Nor with the guards off: what would be done to every tenant's rows is not a matter of maintenance.
    boss.refused_inside("TN032", A, "set local pg_tenant.guards = off; alter table orders add more int").await;
}

#[tokio::test]
async fn every_tenants_rows_are_stamped_as_ones_own() {
    let db = shop("stamped").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    // The story of the rule: the default of a new column is evaluated once, for the rows of every tenant.
    let add = "alter table TABLE add stamp uuid default tenant.current_uuid()";
    let count = format!("select count(*) from stock_orders where stamp = '{A}' and tenant_id = '{B}'");
    let unguarded = format!("set local pg_tenant.guards = off; {}", add.replace("TABLE", "stock_orders"));
    db.superuser().await.inside(A, &unguarded).await;
    assert_eq!(db.superuser().await.value(&count).await.as_deref(), Some("2"));
    owner.refused_inside("TN032", A, &add.replace("TABLE", "orders")).await;
}

#[tokio::test]
async fn a_tenant_works_with_tables_of_its_own() {
    let db = shop("own_tables").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_user to {}; create schema elsewhere authorization {0}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.run("create table plain (id int)").await;
    owner
        .inside(
            A,
            "create temp table work (id int) on commit drop;
             alter table work add note text;
             create index work_id on work (id);
             alter index work_id rename to work_key;
             analyze work, plain;
             insert into work select id, note from orders;
             create temp view notes as select id from work;
             drop table work cascade;
             alter table stock_orders add more int",
        )
        .await;
    // Without a tenant all of it is the owner's business.
    for command in COMMANDS.iter().filter(|c| !c.contains("current_uuid") && !c.contains("drop schema")) {
        owner.run(&format!("begin; {}; rollback", command.replace("TABLE", "orders"))).await;
    }
}

#[tokio::test]
async fn a_protection_changes_inside_a_tenant() {
    let db = shop("protects_inside").await;
    db.superuser().await.run(&format!("grant tenant_user, tenant_admin to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.refused_inside("TN032", A, "select tenant.unprotect('orders', 'from inside')").await;
    owner.inside(A, "select tenant.protect('orders')").await; // there is nothing to change
    db.superuser().await.run("set pg_tenant.guards = off; alter table orders no force row level security").await;
    owner.refused_inside("TN032", A, "select tenant.protect('orders')").await;
    owner.run("create table fresh (tenant_id uuid)").await;
    owner.refused_inside("TN032", A, "select tenant.protect('fresh')").await;
}

/// What a column is made of: its owner is not always that of the table, and a new check is run on every value.
#[tokio::test]
async fn a_type_below_a_column_changes() {
    let db = shop("types").await;
    db.superuser().await.run(&format!("grant tenant_user, tenant_admin to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    let leak = "create function leak(value text) returns boolean language plpgsql as $$ begin raise warning '%', value; return true; end $$";
    owner
        .run(&format!(
            "{leak}; create domain words as text; create domain short as words; create type state as enum ('new', 'paid');
             create type place as (street words, no int); create domain unused as text; create type mood as enum ('ok');
             create table stock_lines (tenant_id uuid, line words);
             create table lines (tenant_id uuid, line words);
             create table states (tenant_id uuid, states state[]);
             create table places (tenant_id uuid, place place, short short);
             select tenant.protect('lines'), tenant.protect('states'), tenant.protect('places');
             create table free (line unused, mood mood)"
        ))
        .await;
    // The hole: a check on a domain reads the rows of every tenant.
    let check = "alter domain words add check (leak(value))";
    owner
        .run(&format!("begin; set local app.tenant = '{A}'; alter table lines rename to hidden; drop table hidden, places; {check}; rollback"))
        .await;
    for change in [
        check,
        "alter domain short add constraint c check (leak(value))",
        "alter domain words set not null",
        "alter domain words set default 'x'",
        "alter type state add value 'gone'",
        "alter type state rename value 'new' to 'old'",
        "do $$ begin alter domain words add check (true); end $$",
    ] {
        let refused = owner.refused_inside("TN032", A, change).await; // TN032
        assert!(refused.message().contains("cannot be redefined"), "{refused:?}");
        if change.contains(" short ") || change.contains("alter type") {
            owner.run(&format!("begin; {change}; rollback")).await; // with no tenant it is the owner's business
        }
    }
    owner.inside(A, "alter domain unused add check (leak(value)); alter type mood add value 'bad'").await;
}

#[tokio::test]
async fn a_part_of_a_table_goes_with_what_it_needs() {
    let db = shop("parts").await;
    db.superuser().await.run(&format!("grant tenant_user, tenant_admin to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner
        .run(
            "create function one() returns int immutable language sql as 'select 1';
             create function nothing() returns trigger language plpgsql as $$ begin return new; end $$;
             create domain words as text",
        )
        .await;
    for table in ["stock_parts", "parts"] {
        owner
            .run(&format!(
                "create table {table} (tenant_id uuid, id int default one(), line words, constraint {table}_c check (id > one()));
                 create index {table}_i on {table} (id); create trigger {table}_t before insert on {table} for each row execute function nothing();
                 create rule {table}_r as on delete to {table} where old.id = 7 do instead nothing"
            ))
            .await;
    }
    owner.run("select tenant.protect('parts')").await;
    for drop in [
        "drop index TABLE_i",
        "drop trigger TABLE_t on TABLE",
        "drop rule TABLE_r on TABLE",
        "drop function nothing() cascade",
        "drop function one() cascade",
        "drop domain words cascade",
    ] {
        // The hole: the part is gone for every tenant.
        owner
            .run(&format!(
                "begin; set local app.tenant = '{A}'; drop table parts cascade; {}; rollback",
                drop.replace("TABLE", "stock_parts")
            ))
            .await;
        owner.refused_inside("TN032", A, &drop.replace("TABLE", "parts")).await; // TN032
        owner.run(&format!("begin; {}; rollback", drop.replace("TABLE", "parts"))).await;
    }
    owner.inside(A, "drop index stock_parts_i; drop rule stock_parts_r on stock_parts").await;
}
