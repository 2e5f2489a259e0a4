//! Single statements that keep the type of their rows.

use ::sqlx::postgres::PgRow;
use ::sqlx::query::{Map, Query, QueryAs, QueryScalar};
use ::sqlx::{Error as SqlxError, FromRow, IntoArguments, Postgres};
use futures_util::future::BoxFuture;

use super::builder::TenantHandle;
use super::danger::SystemTxBuilder;
use super::open_tx::{Handle, OpenTx};
use crate::error::Error;

/// A query with a row type: made by `query_as`, `query_scalar`, `query!`, `query_as!`, `query_scalar!` or
/// `query(…).map(…)`. The rows of a plain `query` are `PgRow`s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no query of sqlx whose rows can be read",
    note = "pass what sqlx::query, query_as, query_scalar or their macros return; a text goes to query() or execute()",
    note = "the type that rows are read into implements `sqlx::FromRow<'_, PgRow>`"
)]
pub trait TypedQuery: sealed::Fetch<Row = <Self as TypedQuery>::Output> {
    /// The type of a row.
    type Output;
}

#[diagnostic::do_not_recommend]
impl<Q: sealed::Fetch> TypedQuery for Q {
    type Output = Q::Row;
}

/// Without lifetimes of their own and with boxed futures: of others the compiler does not see that they are Send.
mod sealed {
    use super::*;

    /// The transaction that it runs in.
    pub struct Within<'e>(pub(super) &'e mut OpenTx);

    pub trait Fetch: Send + Sized {
        type Row;

        fn all<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<Vec<Self::Row>, SqlxError>>
        where
            Self: 'e;

        fn one<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<Self::Row, SqlxError>>
        where
            Self: 'e;

        fn optional<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<Option<Self::Row>, SqlxError>>
        where
            Self: 'e;
    }
}

use sealed::Within;

macro_rules! typed {
    ($([$($generic:tt)*] $query:ty, $row:ty $(, where [$($bounds:tt)*])?;)+) => {$(
        impl<'q, A: Send + IntoArguments<Postgres> + 'q, $($generic)*> sealed::Fetch for $query
        where
            $($($bounds)*)?
        {
            type Row = $row;

            fn all<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<Vec<$row>, SqlxError>>
            where
                Self: 'e,
            {
                Box::pin(self.fetch_all(tx.0))
            }

            fn one<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<$row, SqlxError>>
            where
                Self: 'e,
            {
                Box::pin(self.fetch_one(tx.0))
            }

            fn optional<'e>(self, tx: Within<'e>) -> BoxFuture<'e, Result<Option<$row>, SqlxError>>
            where
                Self: 'e,
            {
                Box::pin(self.fetch_optional(tx.0))
            }
        }
    )+};
}

typed! {
    [] Query<'q, Postgres, A>, PgRow;
    [O: Send + Unpin + 'static + for<'r> FromRow<'r, PgRow>] QueryAs<'q, Postgres, O, A>, O;
    [O: Send + Unpin + 'static, F: FnMut(PgRow) -> Result<O, SqlxError> + Send] Map<'q, Postgres, F, A>, O;
    [O: Send + Unpin + 'static] QueryScalar<'q, Postgres, O, A>, O, where [(O,): for<'r> FromRow<'r, PgRow>];
}

macro_rules! calls {
    ($handle:ty) => {
        impl $handle {
            /// Runs one query in a transaction of its own and returns its rows, in the query's own row type.
            ///
            /// # Errors
            /// As every call of this type; nothing was committed then, also where a row cannot be read, unless
            /// [`Error::outcome_unknown`].
            pub async fn fetch_all<Q: TypedQuery>(&self, query: Q) -> Result<Vec<Q::Output>, Error> {
                let mut tx = self.begin().await?.into_open();
                let rows = query.all(Within(&mut tx)).await?;
                tx.commit().await?;
                Ok(rows)
            }

            /// Runs one query in a transaction of its own and returns its first row, in the query's own row type.
            ///
            /// ```no_run
            /// # async fn example(pool: pg_tenant_client::sqlx::TenantPool) -> Result<(), pg_tenant_client::Error> {
            /// #[derive(sqlx::FromRow)]
            /// struct Order {
            ///     id: i64,
            ///     total: i64,
            /// }
            ///
            /// let acme = pool.tenant("acme");
            /// // Likewise query_as! and query_scalar!.
            /// let one = sqlx::query_as("select id, total from orders where id = $1").bind(7i64);
            /// let order: Order = acme.fetch_one(one).await?;
            /// let open: i64 = acme.fetch_one(sqlx::query_scalar("select count(*) from orders where open")).await?;
            /// # let _ = order.id + order.total + open;
            /// # Ok(()) }
            /// ```
            ///
            /// # Errors
            /// As [`fetch_all`](Self::fetch_all), and [`Error::is_no_row`] where there is none: nothing was committed
            /// then.
            pub async fn fetch_one<Q: TypedQuery>(&self, query: Q) -> Result<Q::Output, Error> {
                let mut tx = self.begin().await?.into_open();
                let row = query.one(Within(&mut tx)).await?;
                tx.commit().await?;
                Ok(row)
            }

            /// Runs one query in a transaction of its own and returns its first row, if there is one, in the query's
            /// own row type.
            ///
            /// # Errors
            /// As [`fetch_all`](Self::fetch_all).
            pub async fn fetch_optional<Q: TypedQuery>(&self, query: Q) -> Result<Option<Q::Output>, Error> {
                let mut tx = self.begin().await?.into_open();
                let row = query.optional(Within(&mut tx)).await?;
                tx.commit().await?;
                Ok(row)
            }
        }
    };
}

calls!(TenantHandle);
calls!(SystemTxBuilder);
