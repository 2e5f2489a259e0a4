//! Hardening a table of which some rows are everybody's: those stay unique, references to them stay, the tenants' tell
//! nothing.

use super::fixture::{A, B, stage};

const TABLES: &str = "create table sites (tenant_id uuid, id int generated always as identity primary key);
    create table roles (id int generated always as identity primary key, tenant_id uuid, code text not null unique, alias text unique,
        site int references sites on delete set null, upper int references roles);
    create unique index short on roles (lower(code)) where alias is null;
    create table codes (tenant_id uuid, code text primary key);
    create table uses (tenant_id uuid, id int primary key, role int not null references roles, code text references codes);
    create table parts (tenant_id uuid, id int not null, unique (id)) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (1000);";

const PROTECT: &str =
    "select tenant.protect(t, shared_rows => true) from unnest('{roles, codes, parts}'::regclass[]) t;
    select tenant.protect('sites'), tenant.protect('uses')";

const KEYS: &str = "select string_agg(format('%s: %s', conname, pg_get_constraintdef(oid)), E'\\n' order by conname::text) from pg_constraint
    where contype in ('p', 'u', 'f') and conrelid = any ('{roles, codes, uses, parts}'::regclass[])";

#[tokio::test]
async fn when_the_tenant_gets_in() {
    let (db, owner) = stage("nobodys_keys").await;
    owner.run(TABLES).await;
    owner.run(PROTECT).await;
    owner.run("grant all on sites, roles, codes, uses, parts to public; grant usage on all sequences in schema public to public").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    boss.run("insert into roles (code) values ('admin'); insert into codes values (null, 'x'); insert into parts values (null, 1)")
        .await;
    app.inside(B, "insert into roles (code) values ('secret'); insert into sites default values; insert into parts (id) values (2)").await;
    // The hole: a tenant learns what another has.
    app.refused_inside("23505", A, "insert into roles (code) values ('secret')").await;
    app.refused_inside("23505", A, "insert into parts (id) values (2)").await;
    app.inside(A, "insert into roles (code, site) values ('mine', 1)").await;
    boss.run("update roles set site = null").await;

    for form in ["true", "all"] {
        for table in ["uses", "roles", "codes", "sites", "parts"] {
            owner.run(&format!("select tenant.protect('{table}', harden => '{form}')")).await;
        }
        let left = "select count(*) from unnest('{roles, codes, uses, parts, sites}'::regclass[]) t, tenant.hardening(t) where statement is not null";
        assert_eq!(owner.value(left).await.as_deref(), Some("0"));
    }
    let keys = owner.value(KEYS).await.expect("keys");
    assert_eq!(
        keys.lines().collect::<Vec<_>>(),
        [
            "codes_pkey: PRIMARY KEY (code)",
            "parts_id_key: UNIQUE NULLS NOT DISTINCT (tenant_id, id)",
            "roles_alias_key: UNIQUE (alias)",
            "roles_code_key: UNIQUE NULLS NOT DISTINCT (tenant_id, code)",
            "roles_pkey: PRIMARY KEY (id)",
            "roles_site_fkey: FOREIGN KEY (tenant_id, site) REFERENCES sites(tenant_id, id) ON DELETE SET NULL (site)",
            "roles_upper_fkey: FOREIGN KEY (upper) REFERENCES roles(id)",
            "uses_code_fkey: FOREIGN KEY (code) REFERENCES codes(code)",
            "uses_pkey: PRIMARY KEY (tenant_id, id)",
            "uses_role_fkey: FOREIGN KEY (role) REFERENCES roles(id)",
        ]
    );
    let why = "select string_agg(why, E'\\n' order by why) from tenant.hardening('roles', 'all')";
    let why = owner.value(why).await.expect("reasons");
    for said in [
        "roles_pkey of public.roles stays without the tenant: the tenant column may be null, and a primary key has no such column.",
        "roles_alias_key of public.roles stays without the tenant: with the tenant in it",
        "short of public.roles stays without the tenant: with the tenant in it",
        "uses_role_fkey of public.uses stays without the tenant, and so does the key of public.roles that it refers to: rows of public.roles may be every tenant's.",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    owner.run("drop index short").await;
    // Nothing is told any more, and nobody's are unique among each other.
    app.inside(A, "insert into roles (code) values ('secret'), ('admin'); insert into parts (id) values (1), (2)")
        .await;
    boss.expect_error("23505", "insert into roles (code) values ('admin')").await;
    boss.expect_error("23505", "insert into parts values (null, 1)").await;
    app.refused_inside("23505", A, "insert into roles (code) values ('secret')").await;
    app.refused_inside("23503", A, "update roles set site = 1").await;
    // A tenant refers to what is everybody's, and to its own.
    app.inside(A, "insert into uses (id, role, code) select row_number() over (), id, 'x' from roles").await;
    assert_eq!(
        app.inside_value(A, "select string_agg(distinct r.code, ' ') from uses join roles r on r.id = role")
            .await
            .as_deref(),
        Some("admin mine secret")
    );
    // The doctor has no remedy that it could not keep.
    let promised = "select string_agg(concat_ws(' ', code, object), ', ' order by code, object) from tenant.doctor(every_object => true)
        where code in ('T050', 'T051', 'T052') and (fix is not null or level <> 'info' and code = 'T052')";
    assert_eq!(boss.value(promised).await, None);
}
