//! `pgtenant harden` leaves a key without the tenant and says that it is done, or cannot go on where it stopped.

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
    let (status, said) = pgtenant(&["harden", &url, "seats"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("stopped after") && said.contains("55P03"), "{said}");
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
