//! A system context that was entered for reading does not write, whatever becomes of the transaction's read-only
//! setting.

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Install, copy_in};

use super::fixture::{COUNT, READ, WRITE, operator, operator_of, system_shop};

const WRITES: &[&str] = &[
    "insert into orders (tenant_id, id) values ('{a}', 100)",
    "update orders set note = 'x'",
    "delete from orders",
    "merge into orders o using (values (1)) v (id) on o.id = v.id when matched then delete",
    "with d as (delete from orders returning 1) select count(*) from d",
    "select * from orders for update",
    "select * from orders for key share",
    "truncate orders",
    "truncate orders cascade",
    "create table loot as table orders",
    "alter table orders add more int",
    "alter table orders disable row level security",
    "drop table orders",
    "create index on orders (note)",
    "do $$ begin delete from orders; end $$",
    "do $$ begin execute 'truncate orders'; end $$",
    "select writes()",
    "explain analyze delete from orders",
    "deallocate all; prepare p as delete from orders; execute p",
    "select nextval('numbers')",
];

/// What would make the transaction writable again; `{refused}` ones are PostgreSQL's own refusals.
const ATTEMPTS: &[&str] = &[
    "select 1",
    "savepoint t; select 1; release t",
    "do $$ begin begin perform 1; exception when others then null; end; end $$",
    "savepoint t; set transaction read only; release t",
];

const REFUSED: &[&str] = &[
    "set transaction read write",
    "set local transaction_read_only = off",
    "set transaction_read_only = off",
    "select set_config('transaction_read_only', 'off', true)",
    "savepoint t; set transaction read write",
];

#[tokio::test]
async fn whatever_it_tries() {
    let db = system_shop("system_read_only").await;
    // The operator owns the table, so that nothing but the context is in the way; and so does the role.
    let boss = db.superuser().await;
    boss.run(
        "create sequence numbers; grant usage on sequence numbers to tenant_system;
         create function writes() returns bigint language sql volatile as $$
            with d as (delete from orders returning 1) select count(*) from d $$;
         create table log (note text); grant insert on log to tenant_system",
    )
    .await;
    let session = operator(&db).await;
    session.run("begin; set local role tenant_system; delete from stock_orders; rollback").await; // stock: BYPASSRLS writes

    let mut attempts: Vec<String> = ATTEMPTS.iter().map(|&attempt| attempt.to_owned()).collect();
    if Install::current().major == 15 {
        // From 16 it is an error.
        attempts.push("reset transaction_read_only".into());
        attempts.push("do $$ begin reset transaction_read_only; end $$".into());
    }
    // Entered inside a savepoint that is released, and in a block with an exception handler.
    let blocks = [
        READ.to_owned(),
        format!("savepoint s; {READ}; release s"),
        "do $$ begin begin perform tenant.enter_system('a test'); exception when others then raise; end; end $$".into(),
    ];
    for enter in &blocks {
        for attempt in &attempts {
            for write in WRITES {
                let sql = format!("begin; {enter}; {attempt}; {}", write.replace("{a}", A));
                let error = session.batch_execute(&sql).await.expect_err(&sql);
                let code = error.code().map(|c| c.code().to_owned()).unwrap_or_default();
                assert!(["25006", "TN015", "TN034", "TN030"].contains(&code.as_str()), "{sql}: {error:?}");
                session.run("rollback").await;
            }
            session.expect_error("25006", &format!("begin; {enter}; {attempt}; insert into log values ('x')")).await;
            session.run("rollback").await;
        }
    }
    for attempt in REFUSED {
        let error = session.batch_execute(&format!("begin; {READ}; {attempt}")).await.expect_err(attempt);
        assert_eq!(error.code().map(|c| c.code()), Some("25001"), "{attempt}: {error:?}");
        session.run("rollback").await;
    }
    session.run(&format!("begin; {READ}")).await;
    assert_eq!(session.value(COUNT).await.as_deref(), Some("5"));
    session.run("commit").await;
}

/// COPY FROM asks for its rights before it asks whether the transaction may write: the check itself must say no.
#[tokio::test]
async fn by_a_utility_command() {
    let db = system_shop("system_copy").await;
    let session = operator(&db).await;
    let row = || std::iter::once(format!("{B}\t100\tx\n"));
    let copy = "copy orders (tenant_id, id, note) from stdin";
    let error = session.expect_error("TN015", &format!("begin; {READ}; {copy}")).await;
    assert!(error.hint().is_some_and(|h| h.contains("write => true")), "{error:?}");
    session.run("rollback").await;

    session.expect_error("25006", &format!("begin; {READ}; truncate orders")).await;
    session.run("rollback").await;

    session.run(&format!("begin; {WRITE}")).await;
    assert_eq!(copy_in(&session, copy, row()).await.expect("copy"), 1);
    session.run("truncate orders; rollback").await;
    // TRUNCATE is no way out of a tenant, as ever; and in the context it is the role's own rights that count.
    session.refused_inside("TN031", A, "truncate orders").await;
    session.expect_error("TN016", &format!("begin; {WRITE}; reset role; truncate orders")).await;
    session.run("rollback").await;
    session.expect_error("TN034", &format!("begin; {WRITE}; create table loot as table orders")).await;
    session.run("rollback").await;
    session.expect_error("TN034", &format!("begin; {WRITE}; select * into loot from orders")).await;
    session.run("rollback").await;
    session.expect_error("42501", &format!("begin; {WRITE}; drop table orders")).await; // it owns nothing
    session.run("rollback").await;
    // Owning it changes nothing of what guards a table.
    db.superuser().await.run(&format!("alter table orders owner to {}", operator_of(&db))).await;
    session.expect_error("42501", &format!("begin; {WRITE}; alter table orders add more int")).await;
    session.run("rollback").await;
}

/// A read-only transaction does not enter for writing: then every context that writes is in the journal.
#[tokio::test]
async fn in_a_transaction_that_cannot() {
    let db = system_shop("system_cannot").await;
    let session = operator(&db).await;
    let error = session.expect_error("TN015", &format!("begin read only; {WRITE}")).await;
    assert!(error.hint().is_some(), "{error:?}");
    session.run(&format!("rollback; begin read only; {READ}; {COUNT}; commit")).await;
    session.run("set default_transaction_read_only = on").await;
    session.expect_error("TN015", WRITE).await;
    session.run("begin read write").await;
    session.run(&format!("{WRITE}; update orders set note = 'x'; rollback")).await;
}
