//! A bulk write stays in its tenant, takes effect as a whole or not at all, and writes the values that it was given.

use pg_tenant_client::tokio_postgres::types::ToSql;
use pg_tenant_client::{BulkRow, Error, TenantPool, tokio_postgres};
use sqlx::types::Uuid;

use super::fixture::{Fixture, INSERT};
use super::proxy::Proxy;

const MANY: i64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_thousand_rows() {
    let fixture = Fixture::new("b_many").await;
    let pool = fixture.pool(1);
    let written = pool.tenant("acme").insert_many("orders", &["total"], (10..10 + MANY).map(|total| (total,))).await;
    assert_eq!(written.unwrap(), MANY as u64);
    assert_eq!((fixture.orders("acme").await, fixture.orders("globex").await), (2 + MANY, 0));
    let sum = "select sum(total)::int8 from orders where total >= 10";
    let sum: i64 = pool.tenant("acme").query_one(sql(sum), &[]).await.unwrap().get(0);
    assert_eq!(sum, (10..10 + MANY).sum::<i64>());

    // In a transaction, which may still go either way; from a task of its own.
    let task = tokio::spawn(async move {
        let totals: Vec<i64> = (1_000_000..1_000_000 + MANY).collect();
        let mut tx = pool.tenant("globex").begin().await?;
        tx.execute(INSERT, &[]).await?;
        let written = tx.insert_many("public.orders", &["total"], totals.iter().map(|total| [total])).await?;
        tx.rollback().await?;
        Ok::<_, Error>(written)
    });
    assert_eq!(task.await.unwrap().unwrap(), MANY as u64);
    assert_eq!(fixture.orders("globex").await, 0);
    fixture.nothing_is_left("bulk writes").await;
}

fn sql(text: &str) -> &str {
    text
}

/// The policy is asked about each row, wherever it stands among the others.
#[tokio::test]
async fn into_another_tenant() {
    let fixture = Fixture::new("b_cross").await;
    let pool = fixture.pool(1);
    for stranger in [0, 7, 15_000, 29_999] {
        let rows = || (0..30_000i64).map(move |n| (if n == stranger { "globex" } else { "acme" }, 10 + n));
        let columns = ["tenant_id", "total"];
        let error = pool.tenant("acme").insert_many("orders", &columns, rows()).await.unwrap_err();
        assert_eq!(error.code(), Some("42501"), "row {stranger}: {error}");
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        let error = tx.insert_many("orders", &columns, rows()).await.unwrap_err();
        assert_eq!(error.code(), Some("42501"), "row {stranger}: {error}");
        assert_eq!(tx.commit().await.unwrap_err().code(), Some("25P02"));
        assert_eq!((fixture.orders("acme").await, fixture.orders("globex").await), (2, 0), "row {stranger}");
    }
    let own = pool.tenant("acme").insert_many("orders", &["tenant_id", "total"], [("acme", 10i64)]).await;
    assert_eq!(own.unwrap(), 1, "its own name it may give");

    // Why it is no COPY: PostgreSQL has none for a table with policies.
    let client = fixture.db.app().await.into_client();
    client.batch_execute("begin; select tenant.enter('acme')").await.unwrap();
    let refused = client.copy_in::<_, &[u8]>("copy orders (total) from stdin").await;
    assert_eq!(
        refused.err().and_then(|error| error.code().cloned()).map(|code| code.code().to_owned()).as_deref(),
        Some("0A000")
    );
}

/// What failed late must not leave what was sent early to a commit.
#[tokio::test]
async fn by_half() {
    let fixture = Fixture::new("b_half").await;
    fixture.superuser.run("create unique index on orders (tenant_id, total)").await;
    let pool = fixture.pool(1);
    let twice = |at: i64| (0..40_000i64).map(move |n| (10 + if n == at { 0 } else { n },));
    for at in [5, 15_000, 39_999] {
        let error = pool.tenant("acme").insert_many("orders", &["total"], twice(at)).await.unwrap_err();
        assert_eq!(error.code(), Some("23505"), "row {at}: {error}");
        assert_eq!(fixture.orders("acme").await, 2, "row {at}");
    }
    // A row that cannot be encoded: the server never hears of it.
    let rows = |bad: usize| (0..40_000usize).map(move |n| vec![10i64 + n as i64; if n == bad { 2 } else { 1 }]);
    for bad in [0, 5, 25_000, 39_999] {
        let error = pool.tenant("acme").insert_many("orders", &["total"], rows(bad)).await.unwrap_err();
        assert!(error.code().is_none() && error.message().contains(&format!("row {bad} has 2 values")), "{error}");
        assert_eq!(fixture.orders("acme").await, 2, "row {bad}");
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.insert_many("orders", &["total"], rows(bad)).await.unwrap_err();
        let committed = tx.commit().await;
        assert!(bad < 10_000 || committed.is_err_and(|error| error.code() == Some("25P02")), "row {bad}");
        assert_eq!(fixture.orders("acme").await, 2, "row {bad}");
    }
    // Within a savepoint there is no way back either: nobody knows what it would be.
    let acme = pool.tenant("acme");
    let run = acme.run(async |tx| {
        let _ = tx.savepoint(async |tx| tx.insert_many("orders", &["total"], rows(25_000)).await).await;
        Ok::<_, Error>(())
    });
    assert_eq!(run.await.unwrap_err().code(), Some("25P02"));
    fixture.nothing_is_left("bulk writes that failed").await;
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(pool.status().size, 1);
}

struct Note {
    text: Option<String>,
    mood: Mood,
}

#[derive(Debug, PartialEq)]
struct Mood(&'static str);

impl ToSql for Mood {
    fn to_sql(
        &self,
        ty: &tokio_postgres::types::Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &tokio_postgres::types::Type) -> bool {
        ty.name() == "Mood of \"day\""
    }

    tokio_postgres::types::to_sql_checked!();
}

impl BulkRow for Note {
    fn width(&self) -> usize {
        2
    }

    fn value(&self, column: usize) -> Option<&dyn ToSql> {
        match column {
            0 => Some(&self.text),
            1 => Some(&self.mood),
            _ => None,
        }
    }
}

#[tokio::test]
async fn with_values_changed_on_the_way() {
    let fixture = Fixture::new("b_values").await;
    fixture
        .superuser
        .run(
            r#"create schema "the.shop"; create schema shop; grant usage on schema shop to public;
               create type "Mood of ""day""" as enum ('good', 'bad');
               create domain positive as int check (value > 0);
               create table shop."No""tes" (tenant_id text not null, "Te xt" varchar(25), mood "Mood of ""day""",
                   much positive, id uuid, raw bytea, tags text[]);
               grant all on shop."No""tes" to public; select tenant.protect('shop."No""tes"')"#,
        )
        .await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let notes = [
        Note { text: Some("a 'b' \"c\" {d,NULL}\\ é".to_owned()), mood: Mood("good") },
        Note { text: None, mood: Mood("bad") },
        Note { text: Some(String::new()), mood: Mood("good") },
    ];
    assert_eq!(acme.insert_many("shop.No\"tes", &["Te xt", "mood"], &notes).await.unwrap(), 3);
    let rows = acme.query(r#"select "Te xt", mood::text from shop."No""tes" order by ctid"#, &[]).await.unwrap();
    for (note, row) in notes.iter().zip(&rows) {
        assert_eq!((note.text.as_deref(), note.mood.0), (row.get(0), row.get(1)));
    }

    // Values of several types as they come, and one column alone.
    let (id, raw) = (Uuid::from_bytes([7; 16]), vec![0u8, 255]);
    let row: [&(dyn ToSql + Sync); 3] = [&1i32, &id, &raw];
    acme.insert_many("shop.No\"tes", &["much", "id", "raw"], [&row[..], &[&None::<i32>, &id, &raw]]).await.unwrap();
    let found = acme.query_one(r#"select raw, id from shop."No""tes" where much = 1"#, &[]).await.unwrap();
    assert_eq!((found.get::<_, Vec<u8>>(0), found.get::<_, Uuid>(1)), (raw, id));
    assert_eq!(acme.insert_many("shop.No\"tes", &["much"], vec![[5i32]; 10]).await.unwrap(), 10);

    // What the column does not take.
    let refused = async |acme: &pg_tenant_client::TenantHandle, columns: &[&str], row: [&(dyn ToSql + Sync); 1]| {
        acme.insert_many("shop.No\"tes", columns, [row]).await.unwrap_err()
    };
    for (column, value, code) in [
        ("much", &-1i32 as &(dyn ToSql + Sync), Some("23514")),
        ("Te xt", &"longer than twenty characters", Some("22001")),
        ("tags", &"{}", None),
        ("tags\") values ('{}'); --", &"{}", Some("42703")),
        ("much", &"no number", None),
        ("mood", &Mood("other"), Some("22P02")),
    ] {
        let error = refused(&acme, &[column], [value]).await;
        assert_eq!(error.code(), code, "{column}: {error}");
        assert!(code.is_some() || error.message().contains(&format!("row 0, column {column}")), "{error}");
    }
    let error = acme.insert_many("the.shop.notes", &["a"], [(1i32,)]).await.unwrap_err();
    assert!(error.code().is_some_and(|code| code != "42601"), "a name is no syntax: {error}");
    fixture.nothing_is_left("values").await;
}

/// Types that the pool remembers are out of date, and a connection is dirty.
#[tokio::test]
async fn after_the_table_changed() {
    let fixture = Fixture::new("b_changed").await;
    fixture.superuser.run("create table notes (a int); grant all on notes to public").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    acme.insert_many("notes", &["a"], [(1i32,)]).await.unwrap();
    acme.execute("set work_mem = '65kB'", &[]).await.unwrap();
    acme.insert_many("notes", &["a"], (0..20_000i32).map(|n| (n,))).await.unwrap();
    let count = "select count(*) from notes";
    assert_eq!(fixture.superuser.value(count).await.as_deref(), Some("20001"), "once, on a clean connection");
    fixture.superuser.run("alter table notes alter a type text using a::text").await;
    acme.insert_many("notes", &["a"], [("x",)]).await.unwrap_err();
    acme.insert_many("notes", &["a"], [("x",)]).await.unwrap();
    assert!(acme.insert_many("notes", &["a"], [(1i32,); 0]).await.is_ok_and(|written| written == 0));
}

/// What a pooler remembers of the types is out of date as well, again and again.
#[tokio::test]
async fn and_changes_each_time() {
    let fixture = Fixture::new("b_again").await;
    fixture.superuser.run("create table notes (a int); grant all on notes to public").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    acme.insert_many("notes", &["a"], [(1i32,)]).await.unwrap();
    for _ in 0..3 {
        fixture.superuser.run("alter table notes alter a type text using a::text").await;
        acme.insert_many("notes", &["a"], [("x",)]).await.unwrap_err();
        acme.insert_many("notes", &["a"], [("2",)]).await.unwrap();
        fixture.superuser.run("alter table notes alter a type int using a::int").await;
        acme.insert_many("notes", &["a"], [(3i32,)]).await.unwrap_err();
        acme.insert_many("notes", &["a"], [(4i32,)]).await.unwrap();
    }
    assert_eq!(fixture.superuser.value("select count(*) from notes").await.as_deref(), Some("7"));
}

#[tokio::test]
async fn in_more_round_trips_than_it_must() {
    let fixture = Fixture::new("b_trips").await;
    let wire = Proxy::start(fixture.port(), std::time::Duration::from_millis(5)).await;
    let pool: TenantPool = fixture.pool_of(fixture.config_at(wire.port, &fixture.db.roles.app), 2);
    let held = pool.tenant("acme").begin().await.unwrap();
    pool.check().await.unwrap();
    wire.round_trips();
    let rows = |from: i64, n: i64| (from..from + n).map(|total| (total,));
    for (from, flights) in [(10, 3), (20, 1), (30, 1)] {
        pool.tenant("acme").insert_many("orders", &["total"], rows(from, 10)).await.unwrap();
        assert_eq!(
            wire.round_trips(),
            flights,
            "the types of the columns, the statement, the rows; then the rows alone"
        );
    }
    drop(held);
    let lent = pool.tenant("acme").begin().await.unwrap(); // the one that knows it
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.insert_many("orders", &["total"], rows(40, 10)).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "another connection knows the types already");
    drop((lent, tx));
}
