//! Validating the new foreign keys locks every row that is referred to, so that all writers of those rows wait, where
//! row-level security is on. `tenant.protect` with `harden` validates in one query, which locks none.

use super::fixture::{A, B, stage};
use pg_tenant_tests::Session;

/// The foreign key comes after the rows: each inserted one would lock its parent.
const ROWS: &str = "create table p (tenant_id uuid not null, id int primary key);
    create table c (tenant_id uuid not null, id int primary key, p int not null);
    insert into p select gen_random_uuid(), g from generate_series(1, 10) g; insert into c select tenant_id, id, id from p;
    alter table c add constraint c_p_fkey foreign key (p) references p";

const PARTITIONED: &str = "create table p (tenant_id uuid not null, id int primary key) partition by hash (id);
    create table p0 partition of p for values with (modulus 2, remainder 0);
    create table p1 partition of p for values with (modulus 2, remainder 1);
    create table c (tenant_id uuid not null, id int primary key, p int not null) partition by hash (id);
    create table c0 partition of c for values with (modulus 2, remainder 0);
    create table c1 partition of c for values with (modulus 2, remainder 1);
    insert into p select gen_random_uuid(), g from generate_series(1, 10) g; insert into c select tenant_id, id, id from p;
    alter table c add constraint c_p_fkey foreign key (p) references p";

const LOCKED: &str = "select count(*) from p where xmax <> 0";
const REFERENCE: &str = "select pg_get_constraintdef(oid) || convalidated from pg_constraint where conname = 'c_p_fkey' and conrelid = 'c'::regclass";

async fn is(boss: &Session, locked: &str, after: &str) {
    assert_eq!(boss.value(LOCKED).await.as_deref(), Some(locked), "{after}");
    let reference = boss.value(REFERENCE).await;
    assert_eq!(reference.as_deref(), Some("FOREIGN KEY (tenant_id, p) REFERENCES p(tenant_id, id)true"), "{after}");
}

/// These tables in a schema of their own, where both sessions look: under the name of a table that was protected
/// another is not open.
async fn make(owner: &Session, boss: &Session, schema: &str, ddl: &str) {
    owner.run(&format!("create schema {schema}; set search_path = {schema}; {ddl}")).await;
    boss.run(&format!("set search_path = {schema}")).await;
}

#[tokio::test]
async fn by_protect() {
    let (db, owner) = stage("parents").await;
    let boss = db.superuser().await;
    // The hole: what was protected first is validated row by row.
    make(&owner, &boss, "by_hand", ROWS).await;
    owner.run("select tenant.protect('p'), tenant.protect('c')").await;
    for row in owner.rows("select statement from tenant.hardening('c') order by step").await {
        owner.run(row[0].as_deref().expect("a statement")).await;
    }
    is(&boss, "10", "this test shows nothing").await;

    let calls = [
        (ROWS, "select tenant.protect_schema('public', harden => true)"),
        (ROWS, "call tenant.protect_schema_stepwise('public', harden => true)"),
        (ROWS, "select tenant.protect_schema('public', harden => 'all')"),
        (ROWS, "select tenant.protect_schema('public', harden => true, keep_old_keys => true)"),
        (ROWS, "select tenant.protect('p', harden => true), tenant.protect('c', harden => true)"),
        (ROWS, "select tenant.protect('c', harden => true); select tenant.protect('p', harden => true)"),
        (ROWS, "select tenant.protect('p'), tenant.protect('c'); select tenant.protect('c', harden => true)"),
        (PARTITIONED, "select tenant.protect_schema('public', harden => true)"),
    ];
    for (round, (ddl, call)) in calls.into_iter().enumerate() {
        let schema = format!("round_{round}");
        make(&owner, &boss, &schema, ddl).await;
        owner.run(&call.replace("public", &schema)).await;
        is(&boss, "0", call).await;
    }
    // A superuser protects the tables of somebody else.
    make(&owner, &boss, "boss", ROWS).await;
    boss.run("select tenant.protect_schema('boss', harden => true)").await;
    is(&boss, "0", "by a superuser").await;
}

/// What one query validates it validates over all tenants' rows, and a failure leaves everything as it was.
#[tokio::test]
async fn though_a_row_crosses() {
    let (db, owner) = stage("parents_cross").await;
    owner.run(ROWS).await;
    db.superuser().await.run(&format!("update c set tenant_id = '{B}' where id = 10")).await;
    let before = super::fixture::keys(&owner).await;
    for call in [
        "select tenant.protect('p', harden => true), tenant.protect('c', harden => true)",
        "select tenant.protect_schema('public', harden => true, stop_on_error => true)",
    ] {
        owner.expect_error("TN087", call).await;
        assert_eq!(super::fixture::keys(&owner).await, before, "{call}");
        assert_eq!(owner.value("select count(*) from tenant.protected_tables").await.as_deref(), Some("0"), "{call}");
    }
    let fenced = "select relrowsecurity from pg_class where relname = 'c'";
    assert_eq!(owner.value(fenced).await.as_deref(), Some("f"));
}

/// What validates past the policies does nothing else past them.
#[tokio::test]
async fn by_who_reads_all_rows() {
    let (db, owner) = stage("parents_read").await;
    // A cast of the owner's, which the validating query calls for each row.
    owner
        .run(
            "create table seen (rows bigint, code text); create type word as enum ('1');
             create table p (tenant_id uuid not null, id int primary key);
             create table c (tenant_id uuid not null, id int primary key, p word not null);
             insert into p values (gen_random_uuid(), 1); insert into c select tenant_id, 1, '1' from p;
             create function spell(word) returns int language plpgsql as $$ begin
                begin insert into seen select count(*), null from p;
                exception when others then insert into seen values (null, sqlstate); end;
                return enum_out($1)::text::int; end $$;
             create cast (word as int) with function spell(word) as implicit;
             alter table c add constraint c_p_fkey foreign key (p) references p;
             truncate seen; select tenant.protect('p'), tenant.protect('c')",
        )
        .await;
    owner.run("select tenant.protect('c', harden => true)").await;
    let seen = owner.rows("select distinct rows, code from seen").await;
    assert_eq!(seen, [[None, Some("TN001".to_owned())]], "called, and refused as ever");

    // By hand it is what run_as_owner is.
    for (code, statement) in
        [("TN001", "select count(*) from p"), ("TN030", "alter table p no force row level security")]
    {
        owner.expect_error(code, &format!("select tenant_internal.run_validation('p', '{statement}')")).await;
    }
    db.app().await.expect_error("42501", "select tenant_internal.run_validation('p', 'select 1')").await;
    db.app().await.refused_inside("42501", A, "select tenant_internal.run_validation('p', 'select 1')").await;
}
