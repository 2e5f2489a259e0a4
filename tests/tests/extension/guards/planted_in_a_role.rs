//! What is stored for a role is in force in its next login, whichever tenant's: who enters tenants stores nothing.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

/// By a session that may enter tenants, and by one that is bound; `{r}` is its own role, `{o}` another, `{d}` the
/// database.
const CHANGES: &[&str] = &[
    "alter role {r} set search_path = scratch, pg_catalog, public",
    "alter user {r} set work_mem = '4MB'",
    "alter role {r} reset all",
    "alter role {r} reset work_mem",
    "alter role session_user set timezone from current",
    "alter role {r} in database {d} set default_transaction_read_only = on",
    "alter role {r} password 'x'",
    "alter user current_user with encrypted password 'x'",
    "do $$ begin execute 'alter role current_user set work_mem = ''4MB'''; end $$",
    "select plant()",
    "select plant_for_others()",
    "explain analyze select plant()",
];

/// As above, where the role has been given more rights than it should have.
const CHANGES_BY_RIGHT: &[&str] = &[
    "alter database {d} set work_mem = '4MB'",
    "alter database {d} reset all",
    "comment on database {d} is 'x'",
    "alter role {o} set work_mem = '4MB'",
    "alter role {o} connection limit 0",
    "alter role {o} rename to {o}_x",
    "alter group {o} add user {r}",
    "create role {o}_y",
    "create user {o}_y in role {o}",
    "drop role {o}",
    "grant {o} to {r}",
    "revoke {o} from {r}",
    "comment on role {o} is 'x'",
];

fn fill(sql: &str, role: &str, db: &pg_tenant_tests::Database<'_>) -> String {
    sql.replace("{r}", role).replace("{o}", &format!("regress_{}_other", db.name)).replace("{d}", &db.name)
}

async fn stored(boss: &Session, role: &str) -> Option<String> {
    boss.value(&format!("select count(*) from pg_db_role_setting where setrole = '{role}'::regrole")).await
}

#[tokio::test]
async fn by_one_tenant_for_the_next() {
    let db = shop("planted").await;
    let (boss, app) = (db.superuser().await, db.roles.app.clone());
    boss.run(&format!(
        "create schema scratch authorization {app};
         create function plant() returns void language plpgsql as $$ begin alter role current_user set work_mem = '4MB'; end $$;
         create function plant_for_others() returns void language plpgsql security definer as $$
            begin execute format('alter role %I set work_mem = ''4MB''', session_user); end $$;
         create role regress_{}_other",
        db.name
    ))
    .await;
    // The hole: the next login looks for its functions where the last tenant has put them.
    boss.run(&format!("alter role {app} set pg_tenant.guards = off")).await;
    let session = db.app().await;
    session.run("create function scratch.lower(text) returns text language sql as $$ select 'taken: ' || $1 $$").await;
    let plant = "alter role current_user set search_path = scratch, pg_catalog, public";
    session.inside(A, plant).await;
    boss.run(&format!("alter role {app} reset pg_tenant.guards")).await;
    assert_eq!(
        db.app().await.inside_value(B, "select min(lower(note)) from orders").await.as_deref(),
        Some("taken: note 4")
    );
    boss.run(&format!("alter role {app} reset all")).await;

    let session = db.app().await;
    for change in CHANGES {
        let change = fill(change, &app, &db);
        if !change.starts_with("explain") {
            let refused = session.refused_inside("TN039", A, &change).await; // TN039
            assert!(refused.hint().is_some_and(|hint| hint.contains("no tenant")), "{change}: {refused:?}");
        }
        let refused = session.expect_error("TN039", &change).await; // after the transaction, or in another database
        assert!(refused.detail().is_some_and(|detail| detail.contains(&app)), "{change}: {refused:?}");
    }
    for change in ["grant {o} to {r}", "create role {o}_y", "alter system set work_mem = '4MB'", "drop owned by {o}"] {
        session.expect_error("42501", &fill(change, &app, &db)).await; // who lacks the right is told so
    }
    boss.run(&format!("alter role {app} createrole; alter database {} owner to {app}", db.name)).await;
    if pg_tenant_tests::Install::current().major >= 16 {
        boss.run(&format!("grant regress_{}_other to {app} with admin option", db.name)).await;
    }
    for change in CHANGES_BY_RIGHT {
        let change = fill(change, &app, &db);
        session.expect_error("TN039", &change).await;
        session.refused_inside("TN039", A, &change).await;
    }
    boss.run(&format!("alter role {app} nocreaterole; alter database {} owner to postgres", db.name)).await;
    boss.run(&format!("revoke regress_{}_other from {app}", db.name)).await;
    assert_eq!(stored(&boss, &app).await.as_deref(), Some("0"));
    // From a database without the extension it would be in force in this one.
    let elsewhere = db.cluster().plain_database("planted_from").await;
    elsewhere.connect(&app).await.expect_error("TN039", plant).await;
    assert_eq!(stored(&boss, &app).await.as_deref(), Some("0"));
    boss.run(&format!("drop role regress_{}_other", db.name)).await;
}

#[tokio::test]
async fn by_a_bound_login_for_its_own() {
    let db = shop("planted_bound").await;
    let app = db.roles.app.clone();
    db.admin().await.run(&format!("select tenant.bind_role('{app}', '{A}')")).await;
    let bound = db.app().await;
    for change in CHANGES.iter().filter(|change| !change.contains("plant")) {
        bound.expect_error("TN039", &fill(change, &app, &db)).await;
    }
    // What it owns is its own; of a role that tenants share it is everybody's, and so are the rights that go with it.
    bound.run("begin; drop owned by current_user; rollback").await;
    db.admin().await.run(&format!("select tenant.unbind_role('{app}')")).await;
    let app = db.app().await;
    app.refused_inside("TN039", A, "drop owned by current_user").await;
    app.refused_inside("TN039", A, "reassign owned by current_user to current_user").await;
    app.run("begin; drop owned by current_user; rollback").await;
}

#[tokio::test]
async fn by_a_user_mapping() {
    if pg_tenant_tests::Install::current().lacks("postgres_fdw") {
        return;
    }
    let db = shop("mapping").await;
    let app = &db.roles.app;
    db.superuser()
        .await
        .run(&format!("create extension postgres_fdw; create server far foreign data wrapper postgres_fdw; grant usage on foreign server far to {app}"))
        .await;
    let session = db.app().await;
    session.refused_inside("TN039", A, "create user mapping for current_user server far options (user 'x')").await;
    session.expect_error("TN039", "create user mapping for user server far options (user 'x')").await;
    db.superuser().await.run(&format!("create user mapping for {app} server far")).await;
    session.refused_inside("TN039", A, "alter user mapping for user server far options (add user 'x')").await;
    session.refused_inside("TN039", A, "drop user mapping for user server far").await;
}

#[tokio::test]
async fn but_who_administers_may() {
    let db = shop("planting").await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    let app = db.roles.app.clone();
    boss.run(&format!("alter role {app} set work_mem = '4MB'; alter role {app} reset all")).await;
    boss.run(&format!("alter database {} set work_mem = '4MB'; alter database {0} reset all", db.name)).await;
    // A member of tenant_admin, also where it may enter tenants; and who may not enter any.
    boss.run(&format!("grant tenant_user to {}", db.roles.admin)).await;
    admin.run("alter role current_user set work_mem = '4MB'; alter role current_user reset all").await;
    db.owner().await.run("alter role current_user set work_mem = '4MB'; alter role current_user reset all").await;
    // Inside a tenant nobody does, not even a superuser.
    boss.refused_inside("TN039", A, &format!("alter role {app} set work_mem = '4MB'")).await;
    admin.refused_inside("TN039", A, "alter role current_user set work_mem = '4MB'").await;
    admin.inside(A, &format!("select tenant.bind_role('{app}', '{A}'), tenant.unbind_role('{app}')")).await;
}
