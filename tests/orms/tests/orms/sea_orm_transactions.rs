//! sea-orm's transactions keep what failed, lose what was committed, or reach into another tenant.

use pg_tenant_sea_orm::{code, is_retryable};
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IsolationLevel, PaginatorTrait, Set, SqlErr,
    StreamTrait, TransactionError, TransactionSession, TransactionTrait,
};

use super::fixture::{Fixture, sea};
use futures_util::TryStreamExt;

mod order {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub total: i64,
        pub note: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn of(total: i64) -> order::ActiveModel {
    order::ActiveModel { total: Set(total), ..Default::default() }
}

/// Entities are read, written, changed and deleted inside one tenant; another's ids are not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_entities_are_seen() {
    let fixture = Fixture::new("o_sea_crud").await;
    let pool = fixture.sqlx(2);
    let (acme, globex) = (sea(&pool, "acme"), sea(&pool, "globex"));
    let ids = async |db| order::Entity::find().all(db).await.unwrap().iter().map(|m| m.id).collect::<Vec<_>>();
    assert_eq!((ids(&acme).await, ids(&globex).await), (vec![1, 2], vec![3, 4]));

    let made = of(900).insert(&acme).await.unwrap();
    let noted = order::ActiveModel { id: Set(made.id), note: Set(Some("acme's".into())), ..Default::default() };
    assert_eq!(noted.clone().update(&acme).await.unwrap().note.as_deref(), Some("acme's"));
    assert!(matches!(noted.update(&globex).await, Err(DbErr::RecordNotUpdated)));
    assert_eq!(order::Entity::find_by_id(made.id).one(&globex).await.unwrap(), None);
    assert_eq!(order::Entity::delete_by_id(made.id).exec(&globex).await.unwrap().rows_affected, 0);
    assert_eq!(order::Entity::delete_many().exec(&globex).await.unwrap().rows_affected, 2);
    assert_eq!(order::Entity::find().paginate(&acme, 2).num_items().await.unwrap(), 3);
    let mut streamed = order::Entity::find().stream(&acme).await.unwrap();
    let mut count = 0;
    while let Some(model) = streamed.try_next().await.unwrap() {
        assert_ne!(model.id, 3);
        count += 1;
    }
    drop(streamed);
    assert_eq!((count, fixture.orders("acme").await, fixture.orders("globex").await), (3, 3, 0));
    fixture.nothing_is_left("reads and writes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_half_way_is_committed() {
    let fixture = Fixture::new("o_sea_half").await;
    let pool = fixture.sqlx(1);
    let acme = sea(&pool, "acme");
    let failed = acme.transaction::<_, (), DbErr>(|tx| {
        Box::pin(async move {
            of(900).insert(tx).await?;
            of(300).insert(tx).await?; // globex's total: unique across tenants
            Ok(())
        })
    });
    let Err(TransactionError::Transaction(error)) = failed.await else { panic!("it was committed") };
    assert!(matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))), "{error}");
    assert!(code(&error).as_deref() == Some("23505") && !is_retryable(&error));
    // A failed transaction cannot be committed, though PostgreSQL answers COMMIT with success.
    let tx = acme.begin().await.unwrap();
    of(900).insert(&tx).await.unwrap();
    of(300).insert(&tx).await.unwrap_err();
    assert_eq!(code(&tx.commit().await.unwrap_err()).as_deref(), Some("25P02"));
    assert_eq!(fixture.orders("acme").await, 2);
    fixture.nothing_is_left("failed transactions").await;
}

/// Nested transactions are savepoints: kept, undone, and undone where they are dropped; one that has ended is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_transaction_is_kept_although_it_was_dropped() {
    let fixture = Fixture::new("o_sea_nested").await;
    let pool = fixture.sqlx(1);
    let tx = sea(&pool, "acme").begin().await.unwrap();
    let kept = tx.begin().await.unwrap();
    of(901).insert(&kept).await.unwrap();
    kept.commit().await.unwrap();
    let undone = tx.begin().await.unwrap();
    of(902).insert(&undone).await.unwrap();
    of(902).insert(&undone).await.unwrap_err();
    undone.rollback().await.unwrap();
    let dropped = tx.begin().await.unwrap();
    of(903).insert(&dropped).await.unwrap();
    let inside = dropped.begin().await.unwrap();
    drop(dropped);
    assert!(of(904).insert(&inside).await.unwrap_err().to_string().contains("has ended"));
    let other = tx.begin().await.unwrap();
    of(905).insert(&other).await.unwrap();
    drop(inside); // not the one that is open now
    other.commit().await.unwrap();
    let again = tx.transaction::<_, (), DbErr>(|tx| {
        Box::pin(async move {
            of(906).insert(tx).await?;
            Err(DbErr::Custom("no".into()))
        })
    });
    assert!(again.await.is_err());
    tx.commit().await.unwrap();
    let totals = "select string_agg(total::text, ' ' order by total) from orders where total > 900";
    assert_eq!(fixture.superuser.value(totals).await.as_deref(), Some("901 905"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_are_lost() {
    let fixture = Fixture::new("o_sea_options").await;
    let pool = fixture.sqlx(1);
    let acme = sea(&pool, "acme");
    let tx = acme.begin_with_config(Some(IsolationLevel::Serializable), Some(AccessMode::ReadOnly)).await.unwrap();
    let level = tx.query_one_raw(sea_orm::Statement::from_string(tx_backend(), "show transaction_isolation")).await;
    assert_eq!(level.unwrap().unwrap().try_get_by_index::<String>(0).unwrap(), "serializable");
    assert_eq!(code(&of(900).insert(&tx).await.unwrap_err()).as_deref(), Some("25006"));
    drop(tx);
    let mut stream =
        StreamTrait::stream_raw(&acme, sea_orm::Statement::from_string(tx_backend(), "select total from orders"))
            .await
            .unwrap();
    stream.try_next().await.unwrap().unwrap();
    drop(stream);
    fixture.nothing_is_left("half a stream").await;
    assert_eq!(order::Entity::find().count(&acme).await.unwrap(), 2);
}

fn tx_backend() -> sea_orm::DbBackend {
    sea_orm::DbBackend::Postgres
}
