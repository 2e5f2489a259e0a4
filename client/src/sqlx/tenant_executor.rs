//! Code that is written once, for single statements and inside a transaction, over sqlx.

use ::sqlx::PgExecutor;
use pg_tenant_core::TenantId;

use super::builder::TenantHandle;
use super::tenant_tx::TenantTx;
use crate::error::Error;

mod sealed {
    pub trait Sealed {}
}

/// Runs statements inside one tenant: a [`TenantHandle`] runs each statement in a transaction of its own, a
/// [`TenantTx`] runs all in that one. A repository that takes this trait is written once, for both.
///
/// A function with one statement takes any `impl sqlx::PgExecutor<'_>` instead: `&handle` and `&mut tx` are such. sqlx
/// takes its executor by value, so for several statements there is [`executor`](Self::executor), once for each.
///
/// ```no_run
/// use pg_tenant_client::{Error, sqlx::{TenantExecutor, TenantPool}};
///
/// struct Orders<E>(E);
///
/// impl<E: TenantExecutor> Orders<E> {
///     async fn open(&mut self) -> Result<Vec<(i64,)>, Error> {
///         Ok(sqlx::query_as("select id from orders where open").fetch_all(self.0.executor()).await?)
///     }
///
///     /// Both or neither, wherever it is called.
///     async fn close(&mut self, id: i64) -> Result<(), Error> {
///         self.0
///             .transaction(async |tx| {
///                 sqlx::query("update orders set open = false where id = $1").bind(id).execute(&mut *tx).await?;
///                 sqlx::query("insert into events (order_id) values ($1)").bind(id).execute(&mut *tx).await?;
///                 Ok(())
///             })
///             .await
///     }
/// }
///
/// # async fn example(pool: TenantPool) -> Result<(), Error> {
/// Orders(pool.tenant("acme")).close(7).await?;
///
/// let mut tx = pool.tenant("acme").begin().await?;
/// Orders(&mut tx).close(8).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not run statements inside one tenant",
    label = "neither a `sqlx::TenantHandle` nor a `sqlx::TenantTx`",
    note = "take one from a pool: `pool.tenant(id)`, or `&mut tx` of `pool.tenant(id).begin()`",
    note = "the system context works across tenants, and is none"
)]
pub trait TenantExecutor: sealed::Sealed + Send {
    /// What sqlx runs a query with.
    type Executor<'e>: PgExecutor<'e>
    where
        Self: 'e;

    /// The tenant's id; `None` where it is not known yet (a token names it), or is malformed.
    fn tenant_id(&self) -> Option<&TenantId>;

    /// For one query.
    fn executor(&mut self) -> Self::Executor<'_>;

    /// Runs a closure that takes effect as a whole or not at all: in a transaction of its own, or in a savepoint of the
    /// open one.
    ///
    /// # Errors
    /// Those of [`TenantHandle::run`] or [`TenantTx::savepoint`].
    fn run<T, E, F>(&mut self, work: F) -> impl Future<Output = Result<T, E>>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>;

    /// As [`run`](Self::run), whose error is this crate's [`Error`]: the closure ends with a plain `Ok(value)`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    fn transaction<T, F>(&mut self, work: F) -> impl Future<Output = Result<T, Error>>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error>,
    {
        self.run(work)
    }
}

macro_rules! executor {
    ([$($generic:tt)*] $executor:ty, $lends:ty, $target:ty, $run:ident, |$this:ident| $lend:expr, $id:expr) => {
        impl<$($generic)*> sealed::Sealed for $executor {}

        impl<$($generic)*> TenantExecutor for $executor {
            type Executor<'e>
                = $lends
            where
                Self: 'e;

            fn tenant_id(&self) -> Option<&TenantId> {
                let $this = self;
                $id
            }

            fn executor(&mut self) -> Self::Executor<'_> {
                let $this = self;
                $lend
            }

            async fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
            where
                F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
                E: From<Error>,
            {
                <$target>::$run(self, work).await
            }
        }
    };
}

executor!([] TenantHandle, &'e TenantHandle, TenantHandle, run, |handle| handle, TenantHandle::tenant_id(handle));
executor!([] & TenantHandle, &'e TenantHandle, TenantHandle, run, |handle| handle, TenantHandle::tenant_id(handle));
executor!([] TenantTx, &'e mut TenantTx, TenantTx, savepoint, |tx| tx, Some(tx.tenant_id()));
executor!([X: TenantExecutor] &mut X, X::Executor<'e>, X, run, |x| X::executor(x), X::tenant_id(x));
