//! `pgtenant harden` gives every key the tenant before it says that it is done, and goes on where it was stopped.

use super::pgtenant;

const SHOP: &str = "create table seats (tenant_id text not null, id int primary key, name text unique);
    create table bookings (tenant_id text not null, id int primary key, seat int references seats);";

const WITHOUT: &str = "select conname from pg_constraint
    where conrelid in ('seats'::regclass, 'bookings'::regclass) and contype in ('p', 'u', 'f')
        and not (select attnum from pg_attribute where attrelid = conrelid and attname = 'tenant_id') = any (conkey)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_does_too_little() {
    let db = pg_tenant_tests::database("cli_harden").await;
    let owner = db.owner().await;
    owner.run(SHOP).await;
    let superuser = db.superuser().await;
    superuser.run(&format!("grant tenant_admin to {}", db.roles.owner)).await;
    superuser.run("select tenant.create('acme'), tenant.create('globex')").await;
    let url = db.url(&db.roles.owner);
    let (status, said) = pgtenant(&["harden", &url, "seats"]);
    assert_eq!(status, Some(2), "not protected: {said}");
    assert!(said.contains("TN028"), "{said}");
    owner.run("select tenant.protect('seats'), tenant.protect('bookings')").await;
    let all = owner.rows(WITHOUT).await.len();
    assert!(all >= 4, "this test shows nothing");

    let (status, said) = pgtenant(&["harden", &url, "seats", "--dry-run"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("CONCURRENTLY") && said.contains("0 steps done"), "{said}");
    assert_eq!(owner.rows(WITHOUT).await.len(), all, "a dry run changed something");

    // A reader of the whole table, whom an index concurrently has to wait for, and who stops the exchange of keys.
    let reader = db.owner().await;
    reader.run(&format!("alter role {} set lock_timeout = '300ms'", db.roles.owner)).await;
    reader.run("begin; lock table seats in share mode").await;
    let (status, said) = pgtenant(&["harden", &url, "seats", "--tries", "2"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("stopped after") && said.contains("55P03") && said.contains("tried again, 2 of 2"), "{said}");
    reader.run("rollback").await;
    reader.run(&format!("alter role {} reset lock_timeout", db.roles.owner)).await;

    for table in ["public.seats", "bookings"] {
        let (status, said) = pgtenant(&["harden", &url, table]);
        assert_eq!(status, Some(0), "{table}: {said}");
        let (status, said) = pgtenant(&["harden", &url, table]);
        assert_eq!(status, Some(0), "{table}: {said}");
        assert!(said.contains("0 steps done, 0 to do"), "{table}: {said}");
    }
    assert_eq!(owner.rows(WITHOUT).await.len(), 0);
    let invalid = "select count(*) from pg_index where not indisvalid and indrelid = 'seats'::regclass";
    assert_eq!(owner.value(invalid).await.as_deref(), Some("0"));
}

/// The exchange of keys waits for a reader no longer than it is told to, and is done when the reader is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_stands_in_everybodys_way() {
    let db = pg_tenant_tests::database("cli_patient").await;
    let owner = db.owner().await;
    owner.run("create table seats (tenant_id text not null, id int primary key, name text)").await;
    let superuser = db.superuser().await;
    superuser.run(&format!("grant tenant_admin to {}", db.roles.owner)).await;
    owner.run("create unique index seats_pkey_tenant on seats (tenant_id, id); select tenant.protect('seats')").await;
    let url = db.url(&db.roles.owner);
    let reader = db.owner().await;
    reader.run("begin; lock table seats in access share mode").await;
    let harden =
        tokio::task::spawn_blocking(move || pgtenant(&["harden", &url, "seats", "--lock-timeout", "100", "--all"]));
    // Whoever comes meanwhile gets through: were the exchange still in the queue, this would be 55P03.
    let tried =
        "select count(*) from pg_stat_activity where datname = current_database() and query like 'alter table%'";
    while superuser.value(tried).await.as_deref() == Some("0") && !harden.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    owner.run("set lock_timeout = '20s'; begin; lock table seats in access share mode; commit").await;
    reader.run("rollback").await;
    let (status, said) = harden.await.expect("the command");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("tried again, 1 of 20") && said.contains("-- for applications: "), "{said}");
    assert_eq!(owner.rows(WITHOUT.replace(", 'bookings'::regclass", "").as_str()).await.len(), 0);
}
