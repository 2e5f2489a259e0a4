//! Writing many rows: arrays of columns, `INSERT … SELECT … unnest`.

use std::iter::Peekable;

use tokio_postgres::types::{Kind, Type};

use crate::error::Error;
use crate::tx::builder::TenantHandle;
use crate::tx::bulk::chunks::Chunks;
use crate::tx::bulk::columns::Columns;
use crate::tx::bulk::row::BulkRow;
use crate::tx::bulk::value::base;
use crate::tx::bulk::values::Insert;
use crate::tx::open_tx::OpenTx;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::sql::quote;
use crate::wire::step::{Step, Then};

impl TenantTx {
    /// Writes many rows into one table, in as few round trips as their size allows, and returns how many were written.
    ///
    /// ```no_run
    /// # async fn example(mut tx: pg_tenant_client::TenantTx) -> Result<(), pg_tenant_client::Error> {
    /// let orders = (0..100_000i64).map(|id| (id, id * 3, "new"));
    /// let written = tx.insert_many("orders", &["id", "total", "note"], orders).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The table is `table` or `schema.table`; names are taken as they are, quoted. Leave the tenant column out: its
    /// default is the tenant. A row that names another tenant is refused by the policy (`42501`), like any insert's.
    /// Values have the types of their columns, as in [`execute`](TenantTx::execute): enums, domains and `Option`s too,
    /// and a label of an enum may be a text. With a column whose type is an array or composite, rows go in statements
    /// of up to 256 rows, which are slower than the arrays below. Rows are read as they are sent: an iterator may make
    /// them.
    ///
    /// # Why not COPY
    ///
    /// PostgreSQL refuses `COPY … FROM` into a table with row-level security (`0A000`), because it would not ask the
    /// policy about each row. This is the nearest thing: each chunk of rows, of at most about a megabyte, is one
    /// prepared `INSERT` from arrays, one array for each column, and the next chunks are sent while one is written. For
    /// reading many rows there is [`query_stream`](TenantTx::query_stream).
    ///
    /// # Errors
    /// As [`execute`](TenantTx::execute), of the first chunk that fails. Then none of the rows can be committed, also
    /// where what failed was encoding a row after others had been sent.
    #[doc(alias = "copy_in")]
    #[doc(alias = "COPY")]
    #[doc(alias = "bulk_insert")]
    pub fn insert_many<'t, R, I>(
        &'t mut self,
        table: &'t str,
        columns: &'t [&'t str],
        rows: I,
    ) -> impl Future<Output = Result<u64, Error>> + Send + 't
    where
        R: BulkRow + Send + 't,
        I: IntoIterator<Item = R>,
        I::IntoIter: Send + 't,
    {
        // Not an `async fn`, in which the compiler fails to see that an iterator over borrowed rows is Send.
        let rows = rows.into_iter().peekable();
        async move { self.open.insert_many(table, columns, rows, Then::Stay).await }
    }
}

impl OpenTx {
    /// Sends the rows, with what they need before them.
    pub(crate) async fn insert_many<R: BulkRow>(
        &mut self,
        table: &str,
        columns: &[&str],
        mut rows: Peekable<impl Iterator<Item = R>>,
        then: Then,
    ) -> Result<u64, Error> {
        self.usable()?;
        if rows.peek().is_none() {
            return Ok(0);
        }
        let names = columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
        let table = table.split('.').map(quote).collect::<Vec<_>>().join(".");
        // The server tells the types of a single row's insert, which is prepared for that alone.
        let values = (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let one = self.lease.description(format!("insert into {table} ({names}) values ({values})"));
        let types = match self.lease.types_of(&one) {
            Some(types) => types,
            None => self.prepare(&Step::count(&one, &[])).await?.params().into(),
        };
        let types: Vec<_> = types.iter().map(|ty| base(ty).clone()).collect();
        let into = format!("insert into {table} ({names})");
        if types.iter().any(has_no_array) {
            let insert = Insert { into: &into, columns, types: &types };
            let written = self.insert_values(&insert, rows, then).await;
            self.forget_types(&one, &written);
            return written;
        }
        let arrays: Vec<_> = types.iter().enumerate().map(|(i, ty)| array(i + 1, ty)).collect();
        let sql = format!("{into} select * from unnest({})", arrays.join(", "));
        let chunks = Chunks::new(rows, Columns::new(&types, columns));
        let written = self.send_chunks(&sql, chunks, then).await;
        self.forget_types(&one, &written);
        written
    }

    /// What failed here perhaps did because the columns have other types by now.
    fn forget_types(&mut self, one: &str, written: &Result<u64, Error>) {
        if written.as_ref().is_err_and(|error| error.code().is_none_or(|code| code.starts_with("42"))) {
            self.lease.forget_description(one);
        }
    }
}

impl TenantHandle {
    /// Writes many rows in a transaction of their own: all of them, or none. See [`TenantTx::insert_many`].
    ///
    /// # Errors
    /// Those of [`TenantTx::insert_many`] and [`TenantTx::commit`].
    #[doc(alias = "copy_in")]
    #[doc(alias = "COPY")]
    pub fn insert_many<'t, R, I>(
        &'t self,
        table: &'t str,
        columns: &'t [&'t str],
        rows: I,
    ) -> impl Future<Output = Result<u64, Error>> + Send + 't
    where
        R: BulkRow + Send + 't,
        I: IntoIterator<Item = R>,
        I::IntoIter: Send + 't,
    {
        let rows = rows.into_iter().peekable();
        async move { self.begin().await?.open.insert_many(table, columns, rows, Then::Commit).await }
    }
}

/// An array of arrays is one array of more dimensions, which `unnest` takes apart; rows go as the values that they are.
fn has_no_array(ty: &Type) -> bool {
    matches!(ty.kind(), Kind::Array(_) | Kind::Composite(_) | Kind::Pseudo)
}

fn array(n: usize, element: &Type) -> String {
    format!("${n}::{}.{}[]", quote(element.schema()), quote(element.name()))
}
