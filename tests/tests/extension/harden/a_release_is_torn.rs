//! While an application goes over, both its old statements and its new ones work; what was made for it beforehand is
//! taken over, and nothing else of the same name.

use super::fixture::{A, keys, stage};

const DDL: &str = "create table u (tenant_id uuid not null, id int primary key, email text unique, low text);
    create unique index low on u (lower(low)) where low <> '';
    create table o (tenant_id uuid not null, id int primary key, u int references u)";

#[tokio::test]
async fn by_keys_that_go_at_once() {
    let (db, owner) = stage("both_keys").await;
    owner.run(&format!("{DDL}; grant select, insert, update on u, o to {}", db.roles.app)).await;
    owner.run("select tenant.protect_schema('public', harden => 'all', keep_old_keys => true)").await;
    let app = db.app().await;
    let old = "insert into u (id, email) values (1, 'a') on conflict (id) do nothing; insert into u (id, email) values (1, 'a') on conflict (email) do nothing";
    let new = "insert into u (id, email) values (1, 'a') on conflict (tenant_id, id) do nothing; insert into u (id, email) values (1, 'a') on conflict (tenant_id, email) do nothing";
    app.inside(A, old).await;
    app.inside(A, new).await;
    let kept = keys(&owner).await;
    assert!(kept.contains("u_pkey PRIMARY KEY (id)") && kept.contains("o_u_fkey FOREIGN KEY (tenant_id, u)"), "{kept}");
    assert!(kept.contains("low_tenant ON public.u USING btree (tenant_id, lower(low)) WHERE"), "{kept}");
    owner.run("select tenant.protect_schema('public', harden => 'all', keep_old_keys => true)").await;
    assert_eq!(keys(&owner).await, kept, "again, it changes nothing");
    assert!(owner.rows("select * from tenant.hardening('u', keep_old_keys => true)").await.is_empty());

    // What changes with the release after is said before.
    let said = owner.rows("select distinct changes from tenant.hardening('u')").await;
    let said = said.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
    assert!(said.contains("on conflict (email) becomes on conflict (tenant_id, email)."), "{said}");
    assert!(said.contains("group by id alone (42803)") && said.contains("(42830)"), "{said}");
    owner.run("select tenant.protect_schema('public', harden => true)").await;
    app.inside(A, new).await;
    app.refused_inside("42P10", A, old).await;
    let made = keys(&owner).await;
    assert!(!made.contains("_tenant "), "{made}");
}

#[tokio::test]
async fn by_keys_that_were_made_beforehand() {
    let (_db, owner) = stage("prepared").await;
    owner.run(DDL).await;
    owner
        .run(
            "create unique index u_pkey_tenant on u (tenant_id, id); create unique index o_pkey_tenant on o (tenant_id, id);
             alter table o add constraint o_u_fkey_tenant foreign key (tenant_id, u) references u (tenant_id, id) not valid;
             alter table o validate constraint o_u_fkey_tenant;
             select tenant.protect_schema('public')",
        )
        .await;
    let steps = owner.rows("select statement from tenant.hardening('o') order by step").await;
    let steps: Vec<String> = steps.into_iter().flatten().flatten().collect();
    assert_eq!(steps.len(), 3, "the exchange of two keys and of the reference: {steps:?}");
    owner.run("begin; select tenant.protect_schema('public', harden => true)").await;
    let made = keys(&owner).await;
    assert!(
        made.contains("o_u_fkey FOREIGN KEY (tenant_id, u) REFERENCES u(tenant_id, id)") && !made.contains("_tenant "),
        "{made}"
    );
    owner.run("rollback").await;

    for (ddl, of) in [
        (
            "alter table o drop constraint o_u_fkey_tenant, add constraint o_u_fkey_tenant foreign key (tenant_id, u) references u (tenant_id, id) on delete cascade",
            "o",
        ),
        ("alter table o drop constraint o_u_fkey_tenant, add constraint o_u_fkey_tenant check (u > 0)", "o"),
        (
            "alter table o drop constraint o_u_fkey_tenant; drop index u_pkey_tenant; create unique index u_pkey_tenant on u (tenant_id, id, email)",
            "u",
        ),
        ("create table u_email_key_tenant ()", "u"),
    ] {
        owner.run(&format!("begin; {ddl}")).await;
        let refused = owner.expect_error("TN086", &format!("select tenant.protect('{of}', harden => true)")).await;
        assert!(refused.message().contains("has a name that is needed"), "{refused:?}");
        owner.run("rollback").await;
    }
}

/// A foreign key that is validated on protected tables locks each row that it refers to. Before they are protected it
/// locks none; so the keys can come first.
#[tokio::test]
async fn by_rows_that_are_locked() {
    let (db, owner) = stage("validated").await;
    let rows = "create table p (tenant_id uuid not null, id int primary key);
        create table c (tenant_id uuid not null, id int primary key, p int);
        insert into p select gen_random_uuid(), g from generate_series(1, 10) g; insert into c select tenant_id, id, id from p;
        alter table c add constraint c_p_fkey foreign key (p) references p";
    owner.run(rows).await;
    let steps = async |call: &str| {
        let steps = owner.rows(&format!("select statement from tenant.hardening({call}) order by step")).await;
        for statement in steps.into_iter().flatten() {
            owner.run(&statement.expect("a statement")).await;
        }
    };
    let boss = db.superuser().await;
    const LOCKED: &str = "select count(*) from p where xmax <> 0";
    owner.expect_error("TN028", "select * from tenant.hardening('c')").await;
    owner.expect_error("TN021", "select * from tenant.hardening('c', tenant_column => 'account')").await;
    owner.run("alter table c alter tenant_id drop not null").await;
    owner.expect_error("TN024", "select * from tenant.hardening('c', tenant_column => 'tenant_id')").await;
    owner.run("alter table c alter tenant_id set not null").await;
    steps("'c', tenant_column => 'tenant_id'").await;
    assert_eq!(boss.value(LOCKED).await.as_deref(), Some("0"));
    let made = keys(&owner).await;
    assert!(
        made.contains("c_p_fkey FOREIGN KEY (tenant_id, p)") && made.contains("p_pkey PRIMARY KEY (tenant_id, id)"),
        "{made}"
    );
    owner.run("select tenant.protect_schema('public', harden => true, stop_on_error => true)").await;
    assert_eq!(keys(&owner).await, made, "protect finds nothing left to harden");

    boss.run("drop table c, p").await;
    owner.run(rows).await;
    owner.run("select tenant.protect('p'), tenant.protect('c')").await;
    steps("'c'").await;
    assert_eq!(boss.value(LOCKED).await.as_deref(), Some("10"), "this test shows nothing");
}
