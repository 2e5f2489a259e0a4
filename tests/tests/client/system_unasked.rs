//! Only who may, gives a reason and asks to write, works across tenants in that way, and each time is recorded.

use pg_tenant_client::{Error, IsolationLevel, Refusal, TenantPool, danger, sqlx as over_sqlx};
use sqlx::Row;

use super::fixture::{Fixture, SYSTEM_INSERT};

const COUNT: &str = "select count(*) from orders";

#[tokio::test]
async fn by_a_role_that_is_no_operator() {
    let fixture = Fixture::new("u_stranger").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    for _ in 0..2 {
        let error = danger::system(&pool, "curiosity").query(COUNT, &[]).await.unwrap_err();
        assert!(error.is_system_refused() && error.refusal() == Some(Refusal::SystemRefused), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("grant tenant_system")), "{error}");
        let error = danger::system(&pool, "curiosity").write().execute(SYSTEM_INSERT, &[]).await.unwrap_err();
        assert!(error.is_system_refused(), "{error}");
        let error = over_sqlx::danger::system(&sqlx, "curiosity").begin().await.unwrap_err();
        assert!(error.is_system_refused() && error.hint().is_some(), "{error}");
    }
    assert_eq!(pool.status().size, 1, "a refusal costs no connection");
    assert_eq!(pool.tenant("acme").query("select from orders", &[]).await.unwrap().len(), 2);

    // A role of no membership at all, over a driver that does not look at the extension first.
    let bystander = fixture.sqlx_at(fixture.port(), &fixture.db.roles.bystander, 1);
    let error = over_sqlx::danger::system(&bystander, "curiosity").begin().await.unwrap_err();
    assert!(error.is_system_refused() && error.code() == Some("42501"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("tenant_system")), "{error}");
    fixture.nothing_is_left("refusals").await;
}

#[tokio::test]
async fn without_a_reason() {
    // Nobody listens there: whatever were sent would fail otherwise.
    let config = "host=127.0.0.1 port=1 user=operator dbname=shop connect_timeout=1";
    let pool = TenantPool::builder(config.parse().unwrap())
        .wait_timeout(std::time::Duration::from_millis(100))
        .build()
        .unwrap();
    let sqlx = over_sqlx::TenantPool::new(Default::default(), "postgres://operator@127.0.0.1:1/shop".parse().unwrap());
    for reason in ["", " \t\n", "\u{a0}", "month\0end"] {
        let error = danger::system(&pool, reason).query(COUNT, &[]).await.unwrap_err();
        assert!(error.is_reason_missing() && error.hint().is_some(), "{reason:?}: {error}");
        assert!(danger::system(&pool, reason).begin().await.unwrap_err().is_reason_missing());
        assert!(over_sqlx::danger::system(&sqlx, reason).begin().await.unwrap_err().is_reason_missing());
    }
    assert!(danger::system(&pool, "month end").query(COUNT, &[]).await.unwrap_err().is_closed());
    // What the server says is the same.
    let fixture = Fixture::new("u_reason").await;
    let raw = danger::connection_without_tenant(&fixture.operators(1)).await.unwrap();
    let error = Error::from(raw.batch_execute("select tenant.enter_system('')").await.unwrap_err());
    assert!(error.is_reason_missing(), "{error}");
}

#[tokio::test]
async fn to_write() {
    let fixture = Fixture::new("u_write").await;
    let (pool, sqlx) = (fixture.operators(1), fixture.sqlx_operators(1));
    let refused = |error: Error| assert!(error.is_read_only(), "{error}");
    for builder in [
        danger::system(&pool, "a look"),
        danger::system(&pool, "a look").read_only(false),
        danger::system(&pool, "a look").isolation_level(IsolationLevel::Serializable).read_only(true).deferrable(true),
    ] {
        assert_eq!(builder.query_one(COUNT, &[]).await.unwrap().get::<_, i64>(0), 2);
        refused(builder.execute(SYSTEM_INSERT, &[]).await.unwrap_err());
        let mut tx = builder.begin().await.unwrap();
        refused(tx.execute("delete from orders", &[]).await.unwrap_err());
    }
    let look = over_sqlx::danger::system(&sqlx, "a look");
    refused(look.execute(SYSTEM_INSERT).await.unwrap_err());
    // Asked for, but the transaction cannot.
    refused(danger::system(&pool, "a repair").write().read_only(true).execute(SYSTEM_INSERT, &[]).await.unwrap_err());
    assert_eq!(fixture.orders("globex").await, 0);

    let repair = danger::system(&pool, "a repair").write();
    assert_eq!(repair.execute(SYSTEM_INSERT, &[]).await.unwrap(), 1);
    repair.run(async |tx| tx.savepoint(async |tx| tx.execute(SYSTEM_INSERT, &[]).await).await).await.unwrap();
    let undone = repair.run(async |tx| {
        tx.execute(SYSTEM_INSERT, &[]).await?;
        Err::<(), Error>(tx.query_one("select 1 where false", &[]).await.unwrap_err())
    });
    undone.await.unwrap_err();
    let repair = over_sqlx::danger::system(&sqlx, "a repair").write();
    assert_eq!(repair.execute(SYSTEM_INSERT).await.unwrap().rows_affected(), 1);
    repair
        .run(async |tx| {
            sqlx::query(SYSTEM_INSERT).execute(&mut *tx).await?;
            let undone = tx.savepoint(async |tx| {
                sqlx::query(SYSTEM_INSERT).execute(&mut *tx).await?;
                Ok::<_, Error>(sqlx::query("select 1/0").execute(tx).await?)
            });
            assert_eq!(undone.await.unwrap_err().code(), Some("22012"));
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(fixture.orders("globex").await, 4);
    let row = over_sqlx::danger::system(&sqlx, "a look").query_one(COUNT).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 6, "both tenants' orders");
}

/// Whatever its characters: it is a literal in the same message as BEGIN.
#[tokio::test]
async fn with_nothing_written_down() {
    let fixture = Fixture::new("u_journal").await;
    let (pool, sqlx) = (fixture.operators(1), fixture.sqlx_operators(1));
    let reasons = ["month's end", r"a back\slash's \' end", "', true); delete from orders; --", "größer als 3 € {two}"];
    for reason in reasons {
        danger::system(&pool, reason).query(COUNT, &[]).await.unwrap();
        over_sqlx::danger::system(&sqlx, reason).write().query("select 1").await.unwrap();
        let lines = fixture
            .superuser
            .rows("select reason, detail ->> 'write', session_role from tenant.journal order by id desc limit 2")
            .await;
        let line = |write: &str| [reason, write, &fixture.operator].map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(lines, [line("true"), line("false")]);
    }
    assert_eq!(fixture.orders("acme").await, 2);
    // One that would forge a line is refused, by the server.
    let forged = danger::system(&pool, "a look\nLOG:  all is well").query(COUNT, &[]).await.unwrap_err();
    assert_eq!(forged.code(), Some("TN100"));

    // What was begun read-only has its line in the log, and nothing was entered where nothing was sent.
    danger::system(&pool, "for the log alone").read_only(true).query(COUNT, &[]).await.unwrap();
    danger::system(&pool, "never sent").begin().await.unwrap().commit().await.unwrap();
    let last = "select count(*) from tenant.journal where reason in ('for the log alone', 'never sent')";
    assert_eq!(fixture.superuser.value(last).await.as_deref(), Some("0"));
    let (log, operator) = (fixture.db.cluster().log(), &fixture.operator);
    assert!(log.contains(&format!(
        "role \"{operator}\" enters the system context of pg_tenant for reading: for the log alone"
    )));
    assert!(!log.contains("never sent"));
}

/// Its future is Send, as a handler's must be.
#[tokio::test]
async fn on_another_thread() {
    async fn count(pool: TenantPool, reason: String) -> Result<i64, Error> {
        let system = danger::system(&pool, &reason);
        system.run(async |tx| tx.savepoint(async |tx| Ok(tx.query_one(COUNT, &[]).await?.get(0))).await).await
    }
    async fn count_sqlx(pool: over_sqlx::TenantPool, reason: String) -> Result<i64, Error> {
        let system = over_sqlx::danger::system(&pool, &reason);
        system.run(async |tx| Ok(sqlx::query_scalar(COUNT).fetch_one(tx).await?)).await
    }
    let fixture = Fixture::new("u_spawn").await;
    assert_eq!(tokio::spawn(count(fixture.operators(1), "a task".to_owned())).await.unwrap().unwrap(), 2);
    assert_eq!(tokio::spawn(count_sqlx(fixture.sqlx_operators(1), "a task".to_owned())).await.unwrap().unwrap(), 2);
}
