//! A value that diesel has serialized is read as another type by the server, or the other way round.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::fixture::{Fixture, diesel};

#[derive(diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "mood"))]
pub struct MoodType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = MoodType)]
enum Mood {
    Calm,
    Cross,
}

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write;
        out.write_all(match self {
            Mood::Calm => b"calm",
            Mood::Cross => b"cross",
        })?;
        Ok(IsNull::No)
    }
}

impl FromSql<MoodType, Pg> for Mood {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        match bytes.as_bytes() {
            b"calm" => Ok(Mood::Calm),
            b"cross" => Ok(Mood::Cross),
            other => Err(format!("{other:?} is no mood").into()),
        }
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::MoodType;

    orders (id) {
        id -> BigInt,
        total -> BigInt,
        note -> Nullable<Varchar>,
        mood -> Nullable<MoodType>,
        moods -> Nullable<Array<MoodType>>,
    }
}

/// Where the text does not say a type, diesel's counts: the server would take `$1` for a text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_is_taken_for_another_type() {
    let fixture = Fixture::new("o_diesel_types").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    for _ in 0..2 {
        let one = diesel::select(7i32.into_sql::<Integer>()).get_result::<i32>(acme).await;
        let other = diesel::select(7i64.into_sql::<BigInt>()).get_result::<i64>(acme).await;
        let text = diesel::select("7".into_sql::<Text>()).get_result::<String>(acme).await;
        let real = diesel::select(7.5f64.into_sql::<Double>()).get_result::<f64>(acme).await;
        let none = diesel::select(None::<bool>.into_sql::<Nullable<Bool>>()).get_result::<Option<bool>>(acme).await;
        let many = diesel::select(vec![7, 8].into_sql::<Array<Integer>>()).get_result::<Vec<i32>>(acme).await;
        assert_eq!(
            (one, other, text, real, none, many),
            (Ok(7), Ok(7), Ok("7".into()), Ok(7.5), Ok(None), Ok(vec![7, 8]))
        );
    }
}

/// A type of the database's own: in a parameter, in an array, and by the number that diesel could not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_of_ones_own_is_not_found() {
    let fixture = Fixture::new("o_diesel_mood").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    let set =
        (orders::mood.eq(Mood::Cross), orders::moods.eq(vec![Mood::Calm, Mood::Cross]), orders::note.eq("a note"));
    assert_eq!(diesel::update(orders::table.find(1)).set(set).execute(acme).await.unwrap(), 1);
    type Read = (Option<Mood>, Option<Vec<Mood>>, Option<String>);
    let read =
        orders::table.filter(orders::mood.eq_any([Mood::Cross])).select((orders::mood, orders::moods, orders::note));
    let read = acme.transaction(async |conn| read.load::<Read>(conn).await).await.unwrap();
    assert_eq!(read, [(Some(Mood::Cross), Some(vec![Mood::Calm, Mood::Cross]), Some("a note".to_owned()))]);
    let globex = &mut diesel(&pool, "globex");
    assert_eq!(orders::table.filter(orders::mood.is_not_null()).count().get_result(globex).await, Ok(0i64));
}

#[derive(QueryableByName, Debug, PartialEq)]
struct Named {
    #[diesel(sql_type = BigInt)]
    total: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_is_not_found_by_its_name() {
    let fixture = Fixture::new("o_diesel_named").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    let query =
        diesel::sql_query("select id, total from orders where total > $1 order by id").bind::<BigInt, _>(100i64);
    assert_eq!(query.load::<Named>(acme).await, Ok(vec![Named { total: 200 }]));
}
