//! The same tables, protected and hardened in any order, in several calls, or by hand with the statements of
//! `tenant.hardening`, end in the same schema.

use super::fixture::{A, keys, stage};
use pg_tenant_tests::Session;

/// References between all of them, to itself, to and from a partitioned table, and from one key twice.
const DDL: &str = "create table p (tenant_id uuid, id int primary key, up int references p on delete set null, code text unique);
    create table c (tenant_id uuid, id int primary key, p int references p on delete cascade, q int references p (id) match full);
    create table e (tenant_id uuid, at date, id int, c int references c, primary key (id, at)) partition by range (at);
    create table e1 partition of e for values from ('2020-01-01') to ('2021-01-01');
    create table f (tenant_id uuid, at date, id int, p int references p deferrable initially deferred,
        foreign key (id, at) references e match full);";
const TABLES: [&str; 4] = ["p", "c", "e", "f"];

fn orders(of: &[&'static str]) -> Vec<Vec<&'static str>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    let first = |first: &'static str| {
        let rest: Vec<_> = of.iter().copied().filter(|t| *t != first).collect();
        orders(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    of.iter().copied().flat_map(first).collect()
}

/// What the calls make of the tables, in a transaction that is rolled back.
async fn made_by(owner: &Session, calls: &[String]) -> String {
    owner.run("begin").await;
    for call in calls {
        owner.run(call).await;
    }
    let made = keys(owner).await;
    owner.run("rollback").await;
    made
}

#[tokio::test]
async fn one_order_makes_another_schema() {
    let (_db, owner) = stage("orders").await;
    owner.run(DDL).await;
    let together = made_by(&owner, &["select tenant.protect_schema('public', harden => true)".into()]).await;
    assert!(together.contains("PRIMARY KEY (tenant_id, id)") && together.contains("SET NULL (up)"), "{together}");
    assert!(!together.contains("_tenant "), "nothing stands beside a key any more: {together}");
    for order in orders(&TABLES) {
        let hardened = |table: &&str| format!("select tenant.protect('{table}', harden => true)");
        let plain = |table: &&str| format!("select tenant.protect('{table}')");
        let at_once: Vec<_> = order.iter().map(hardened).collect();
        assert_eq!(made_by(&owner, &at_once).await, together, "{order:?}");
        let later: Vec<_> = order.iter().map(plain).chain(order.iter().rev().map(hardened)).collect();
        assert_eq!(made_by(&owner, &later).await, together, "first plain, then hardened in reverse: {order:?}");
    }
}

#[tokio::test]
async fn a_second_call_changes_it() {
    let (_db, owner) = stage("harden_twice").await;
    owner.run(DDL).await;
    owner.run("select tenant.protect_schema('public', harden => true)").await;
    let once = keys(&owner).await;
    let lines = "select count(*) from tenant.journal where action = 'harden'";
    let journal = owner.value(lines).await;
    assert_ne!(journal.as_deref(), Some("0"));
    owner.run("select tenant.protect_schema('public', harden => true), tenant.protect('p')").await;
    assert_eq!(keys(&owner).await, once);
    assert_eq!(owner.value(lines).await, journal);
    for table in TABLES {
        assert!(owner.rows(&format!("select * from tenant.hardening('{table}')")).await.is_empty(), "{table}");
    }
    // A key made since is completed by the next call.
    owner.run("alter table c add note text unique").await;
    assert_eq!(owner.rows("select * from tenant.hardening('c')").await.len(), 2);
    owner.run("select tenant.protect('c', harden => true)").await;
    assert!(keys(&owner).await.contains("c_note_key UNIQUE (tenant_id, note)"));
}

#[tokio::test]
async fn one_by_one_they_make_another_schema() {
    let (_db, owner) = stage("one_by_one").await;
    owner.run(DDL).await;
    let together = made_by(&owner, &["select tenant.protect_schema('public', harden => true)".into()]).await;
    owner.run("select tenant.protect_schema('public')").await;
    for table in TABLES {
        // As psql's \gexec does: each alone, outside a transaction, and what has no statement left out.
        for row in owner.rows(&format!("select statement, why from tenant.hardening('{table}') order by step")).await {
            assert!(row[1].is_some());
            let statement = row[0].clone().expect("nothing stays as it is here");
            assert!(!statement.starts_with("CREATE UNIQUE INDEX") || statement.contains("CONCURRENTLY"), "{statement}");
            owner.run(&statement).await;
        }
    }
    assert_eq!(keys(&owner).await, together);
}

#[tokio::test]
async fn one_by_one_they_cannot_be_taken_up_again() {
    let (_db, owner) = stage("taken_up").await;
    owner
        .run("create table p (tenant_id uuid, id int primary key); create table c (tenant_id uuid, p int references p)")
        .await;
    owner.run("select tenant.protect('p'), tenant.protect('c')").await;
    let together = made_by(&owner, &["select tenant.protect_schema('public', harden => true)".into()]).await;
    const NEXT: &str =
        "select statement from tenant.hardening('c') union all select statement from tenant.hardening('p')";
    // Whoever stops after each statement and asks anew gets to the same end.
    let mut steps = 0;
    while let Some(row) = owner.rows(NEXT).await.first() {
        owner.run(row[0].as_deref().expect("a statement")).await;
        steps += 1;
        assert!(steps < 10, "it never ends");
    }
    assert_eq!((keys(&owner).await, steps), (together, 5));
    // An index that CREATE INDEX CONCURRENTLY left invalid is made anew: 23505 is how one is left.
    owner.run("create table n (tenant_id uuid, v int); insert into n select gen_random_uuid(), 1 from generate_series(1, 2)").await;
    owner.run("select tenant.protect('n')").await;
    owner.expect_error("23505", "create unique index concurrently v on n (v)").await;
    assert!(owner.rows("select * from tenant.hardening('n')").await.is_empty(), "an invalid index is nobody's key");
}

#[tokio::test]
async fn another_tables_turn_is_never_said() {
    let (db, owner) = stage("held").await;
    owner
        .run("create table p (tenant_id uuid, id int primary key); create table c (tenant_id uuid, p int references p)")
        .await;
    owner.run("create table shared_log (p int references p)").await;
    owner.run("select tenant.protect('c')").await;
    owner.notices();
    owner.run("select tenant.protect('p', harden => true)").await;
    let said: Vec<_> = owner.notices().iter().map(|n| n.message().to_owned()).collect();
    assert!(said.len() == 1 && said[0].starts_with("shared_log_p_fkey of public.shared_log stays"), "{said:?}");
    let rows = owner.rows("select statement, why from tenant.hardening('p')").await;
    assert!(rows.len() == 1 && rows[0][0].is_none(), "{rows:?}");
    // The key that the other table needs stays, and the protected one is held apart all the same.
    let app = db.app().await;
    app.inside(A, "insert into p (id) values (1)").await;
    app.inside(A, "insert into c (p) values (1)").await;
    app.refused_inside("23503", super::fixture::B, "insert into c (p) values (1)").await;
    let made = keys(&owner).await;
    assert!(made.contains("p_pkey PRIMARY KEY (id)") && made.contains("c_p_fkey FOREIGN KEY (tenant_id, p)"), "{made}");
}
