//! A key that is there already, under whatever name, and is what hardening would make is taken over: it gets the name
//! of the key whose place it takes. One that differs stays beside what is made.

use super::fixture::{keys, stage};

const TABLES: &str = "create table p (tenant_id uuid not null, id int primary key, email text unique);
    create table c (tenant_id uuid not null, id int generated always as identity primary key, p int not null, q int);";
const KEY: &str = "create unique index mine on p (tenant_id, id);";

/// The foreign keys of `c`, and all indexes of `p`, after hardening.
async fn made(name: &str, ddl: &str) -> (Vec<String>, Vec<String>) {
    let (_db, owner) = stage(name).await;
    owner.run(&format!("{TABLES}{ddl}")).await;
    let first = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().collect::<Vec<_>>();
    const REFERENCES: &str =
        "select conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated from pg_constraint
        where conrelid = 'c'::regclass and contype = 'f' order by conname";
    const INDEXES: &str = "select indexrelid::regclass || ' ' || substring(pg_get_indexdef(indexrelid) from '\\(.*\\)')
        from pg_index where indrelid = 'p'::regclass order by 1";
    owner.run("begin; select tenant.protect_schema('public', harden => true, stop_on_error => true)").await;
    let at_once = (first(owner.rows(REFERENCES).await), first(owner.rows(INDEXES).await));
    let whole = keys(&owner).await;
    owner.run("select tenant.protect_schema('public', harden => true, stop_on_error => true)").await;
    assert_eq!(keys(&owner).await, whole, "again, it changes nothing");
    owner.run("rollback").await;
    // One by one, before the tables are protected: the same.
    for table in ["c", "p"] {
        let steps =
            format!("select statement from tenant.hardening('{table}', tenant_column => 'tenant_id') order by step");
        for row in owner.rows(&steps).await {
            owner.run(row[0].as_deref().expect("a statement")).await;
        }
    }
    assert_eq!((first(owner.rows(REFERENCES).await), first(owner.rows(INDEXES).await)), at_once, "one by one");
    at_once
}

#[tokio::test]
async fn of_a_reference() {
    for (name, prepared) in [
        ("twice_simple", ""),
        ("twice_full", " match full"), // p is never null: then it says the same
    ] {
        let ddl = format!(
            "{KEY} alter table c add constraint c_p_fkey foreign key (p) references p on delete cascade,
                add constraint c_mine foreign key (tenant_id, p) references p (tenant_id, id){prepared} on delete cascade"
        );
        let (references, indexes) = made(name, &ddl).await;
        let full = prepared.to_uppercase();
        let expected =
            format!("c_p_fkey FOREIGN KEY (tenant_id, p) REFERENCES p(tenant_id, id){full} ON DELETE CASCADE true");
        assert_eq!(references, [expected]);
        // An index of this key takes the place of the primary key's; of the other there is none yet.
        assert!(indexes.contains(&"p_pkey (tenant_id, id)".to_owned()), "{indexes:?}");
        assert!(!indexes.iter().any(|index| index.starts_with("mine")), "{indexes:?}");
    }
}

/// A reference that is MATCH FULL itself, with the columns in another order, not validated yet, or deferred.
#[tokio::test]
async fn of_a_reference_of_another_form() {
    for (name, old, prepared, becomes) in [
        (
            "twice_was_full",
            "(p) references p match full",
            "(p, tenant_id) references p (id, tenant_id) match full",
            "FOREIGN KEY (p, tenant_id) REFERENCES p(id, tenant_id) MATCH FULL true",
        ),
        (
            "twice_not_valid",
            "(p) references p",
            "(tenant_id, p) references p (tenant_id, id) not valid",
            "FOREIGN KEY (tenant_id, p) REFERENCES p(tenant_id, id) true",
        ),
        (
            "twice_deferred",
            "(p) references p deferrable",
            "(tenant_id, p) references p (tenant_id, id) deferrable",
            "FOREIGN KEY (tenant_id, p) REFERENCES p(tenant_id, id) DEFERRABLE true",
        ),
        (
            "twice_set_null",
            "(q) references p on delete set null",
            "(tenant_id, q) references p (tenant_id, id) on delete set null (q)",
            "FOREIGN KEY (tenant_id, q) REFERENCES p(tenant_id, id) ON DELETE SET NULL (q) true",
        ),
    ] {
        let ddl = format!(
            "{KEY} alter table c add constraint old foreign key {old}, add constraint mine foreign key {prepared}"
        );
        let (references, _) = made(name, &ddl).await;
        assert_eq!(references, [format!("old {becomes}")], "{name}");
    }
}

#[tokio::test]
async fn that_differs() {
    for (name, old, other) in [
        ("twice_null", "(q) references p", "(tenant_id, q) references p (tenant_id, id) match full"), // q may be null alone
        ("twice_action", "(p) references p on delete cascade", "(tenant_id, p) references p (tenant_id, id)"),
        ("twice_update", "(p) references p", "(tenant_id, p) references p (tenant_id, id) on update cascade"),
        ("twice_late", "(p) references p", "(tenant_id, p) references p (tenant_id, id) deferrable initially deferred"),
    ] {
        let ddl = format!(
            "{KEY} alter table c add constraint old foreign key {old}, add constraint mine foreign key {other}"
        );
        let (references, _) = made(name, &ddl).await;
        assert_eq!(references.len(), 2, "{references:?}");
        assert!(
            references[0].starts_with("mine ") && references[1].starts_with("old FOREIGN KEY (tenant_id, "),
            "{references:?}"
        );
    }
}

/// Of two that are alike one takes it over, and the other is made.
#[tokio::test]
async fn of_one_for_two() {
    let ddl = format!(
        "{KEY} alter table c add constraint a foreign key (p) references p, add constraint b foreign key (p) references p,
            add constraint mine foreign key (tenant_id, p) references p (tenant_id, id)"
    );
    let (references, _) = made("twice_two", &ddl).await;
    assert_eq!(references.len(), 2, "{references:?}");
    assert!(references.iter().all(|reference| reference.contains(" FOREIGN KEY (tenant_id, p)")), "{references:?}");
}

#[tokio::test]
async fn of_a_key() {
    for (name, prepared) in [
        ("twice_index", "create unique index mine on p (tenant_id, email)"),
        ("twice_unique", "alter table p add constraint mine unique (tenant_id, email)"),
    ] {
        let (_, indexes) =
            made(name, &format!("{prepared}; {KEY}").replace("mine on p (tenant_id, id)", "pk on p (tenant_id, id)"))
                .await;
        assert_eq!(indexes, ["p_email_key (tenant_id, email)", "p_pkey (tenant_id, id)"], "{name}");
    }
    // Another index is none of these.
    let (_, indexes) = made("twice_other", "create unique index mine on p (tenant_id, lower(email))").await;
    assert_eq!(indexes, ["mine (tenant_id, lower(email))", "p_email_key (tenant_id, email)", "p_pkey (tenant_id, id)"]);
}

/// On partitioned tables a reference is exchanged at once.
#[tokio::test]
async fn of_a_partitioned_table() {
    let (_db, owner) = stage("twice_parts").await;
    owner
        .run(
            "create table p (tenant_id uuid not null, id int primary key, unique (tenant_id, id));
             create table c (tenant_id uuid not null, at date, p int) partition by range (at);
             create table c0 partition of c default;
             alter table c add constraint old foreign key (p) references p;
             alter table c add constraint mine foreign key (tenant_id, p) references p (tenant_id, id);
             create table w (tenant_id uuid not null, at date, id int, primary key (at, id), unique (tenant_id, at, id)) partition by range (at);
             create table w0 partition of w default;
             create table v (tenant_id uuid not null, at date, id int);
             alter table v add constraint old foreign key (at, id) references w;
             alter table v add constraint mine foreign key (tenant_id, at, id) references w (tenant_id, at, id);
             select tenant.protect_schema('public', harden => true, stop_on_error => true)",
        )
        .await;
    let references = owner
        .rows(
            "select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
            where contype = 'f' and conparentid = 0 and conrelid in ('c'::regclass, 'v'::regclass) order by 1",
        )
        .await;
    let references: Vec<_> = references.into_iter().flatten().flatten().collect();
    assert_eq!(
        references,
        [
            "c old FOREIGN KEY (tenant_id, p) REFERENCES p(tenant_id, id)",
            "v old FOREIGN KEY (tenant_id, at, id) REFERENCES w(tenant_id, at, id)"
        ]
    );
}
