//! One tenant on one pool, where diesel has a connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::vec::IntoIter;

use diesel::connection::{CacheSize, DynInstrumentation, Instrumentation, InstrumentationEvent, StrQueryHelper};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use futures_util::stream::{Iter, iter};
use pg_tenant_client::{Error, TenantHandle, TenantTx};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::binds::{Bind, Oids, Query, TypeName};
use crate::error::into_diesel;
use crate::row::TenantRow;
use crate::transaction::{State, TenantTransactionManager};

const TYPE: &str =
    "select t.oid, t.typarray from pg_catalog.pg_type t where t.oid = pg_catalog.quote_ident($1)::regtype";
const TYPE_OF_SCHEMA: &str = "select t.oid, t.typarray from pg_catalog.pg_type t \
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace where t.typname = $1 and n.nspname = $2";

/// A connection for diesel-async inside one tenant. Outside `transaction`, each statement is a transaction of its own,
/// in one round trip once it is prepared; inside, the statements share one. It holds a connection of the pool only
/// then.
///
/// Nested `transaction` calls are savepoints. A future of `transaction` that is dropped leaves nothing: what it did is
/// rolled back, at the latest before the next statement runs.
pub struct TenantConnection {
    handle: TenantHandle,
    pub(crate) tx: Option<TenantTx>,
    pub(crate) state: State,
    /// The numbers of types that are not built in, as far as they were asked for.
    types: HashMap<TypeName, Oids>,
    instrumentation: DynInstrumentation,
    last_error: Option<Arc<Error>>,
}

impl TenantConnection {
    /// The same as [`From`].
    pub fn new(handle: TenantHandle) -> TenantConnection {
        TenantConnection {
            handle,
            tx: None,
            state: State::default(),
            types: HashMap::new(),
            instrumentation: DynInstrumentation::default_instrumentation(),
            last_error: None,
        }
    }

    /// The client's error behind the last `DatabaseError` that diesel returned here: with its SQLSTATE, and what may be
    /// done next (see [`Error`]). diesel's own has no place for them.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_deref()
    }

    pub(crate) async fn open(&mut self) -> QueryResult<()> {
        let begun = self.handle.begin().await;
        self.tx = Some(self.tell(begun)?);
        Ok(())
    }

    /// Runs a text, which may hold several statements.
    pub(crate) async fn run_text(&mut self, sql: &str) -> QueryResult<()> {
        let done = match &mut self.tx {
            Some(tx) => tx.batch_execute(sql).await,
            None => self.handle.run(async |tx| tx.batch_execute(sql).await).await,
        };
        self.tell(done)
    }

    /// What the client returned, in diesel's words.
    pub(crate) fn tell<T>(&mut self, done: Result<T, Error>) -> QueryResult<T> {
        done.map_err(|error| {
            let error = Arc::new(error);
            self.last_error = Some(Arc::clone(&error));
            into_diesel(error)
        })
    }

    async fn load_rows(&mut self, query: QueryResult<Query>) -> QueryResult<Vec<Row>> {
        let (sql, binds, types) = self.prepared(query).await?;
        let params = params(&binds, &types);
        self.instrumentation.on_connection_event(InstrumentationEvent::start_query(&StrQueryHelper::new(&sql)));
        let rows = match &mut self.tx {
            Some(tx) => tx.query_typed(&sql, &params).await,
            None => self.handle.query_typed(&sql, &params).await,
        };
        self.finished(&sql, rows)
    }

    async fn count(&mut self, query: QueryResult<Query>) -> QueryResult<usize> {
        let (sql, binds, types) = self.prepared(query).await?;
        let params = params(&binds, &types);
        self.instrumentation.on_connection_event(InstrumentationEvent::start_query(&StrQueryHelper::new(&sql)));
        let affected = match &mut self.tx {
            Some(tx) => tx.execute_typed(&sql, &params).await,
            None => self.handle.execute_typed(&sql, &params).await,
        };
        Ok(usize::try_from(self.finished(&sql, affected)?).unwrap_or(usize::MAX))
    }

    fn finished<T>(&mut self, sql: &str, done: Result<T, Error>) -> QueryResult<T> {
        let done = self.tell(done);
        let query = StrQueryHelper::new(sql);
        self.instrumentation.on_connection_event(InstrumentationEvent::finish_query(&query, done.as_ref().err()));
        done
    }

    /// Undoes what was dropped, and asks the server about types that are not built in.
    async fn prepared(&mut self, query: QueryResult<Query>) -> QueryResult<(String, Vec<Bind>, Vec<Type>)> {
        self.settle().await?;
        let mut query = query?;
        for name in query.unknown.keys() {
            if !self.types.contains_key(name) {
                let oids = self.look_up(name).await?;
                self.types.insert(name.clone(), oids);
            }
        }
        query.resolve(&self.types);
        Ok(query.binds())
    }

    async fn look_up(&mut self, (schema, name): &TypeName) -> QueryResult<Oids> {
        let named: Vec<&(dyn ToSql + Sync)> = match schema {
            Some(schema) => vec![name, schema],
            None => vec![name],
        };
        let sql = if schema.is_some() { TYPE_OF_SCHEMA } else { TYPE };
        let row = match &mut self.tx {
            Some(tx) => tx.query_one(sql, &named).await,
            None => self.handle.query_one(sql, &named).await,
        };
        let row = self.tell(row)?;
        Ok((row.get(0), row.get(1)))
    }
}

fn params<'a>(binds: &'a [Bind], types: &[Type]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    binds.iter().map(|bind| bind as &(dyn ToSql + Sync)).zip(types.iter().cloned()).collect()
}

/// `pool.tenant("acme")`, with what was chosen on it.
impl From<TenantHandle> for TenantConnection {
    fn from(handle: TenantHandle) -> TenantConnection {
        TenantConnection::new(handle)
    }
}

impl SimpleAsyncConnection for TenantConnection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.settle().await?;
        self.run_text(query).await
    }
}

impl AsyncConnectionCore for TenantConnection {
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type Stream<'conn, 'query> = Iter<IntoIter<QueryResult<TenantRow>>>;
    type Row<'conn, 'query> = TenantRow;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let query = Query::of(&source.as_query());
        Box::pin(async move {
            let rows = self.load_rows(query).await?;
            Ok(iter(TenantRow::all(rows).map(Ok).collect::<Vec<_>>()))
        })
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let query = Query::of(&source);
        Box::pin(self.count(query))
    }
}

impl AsyncConnection for TenantConnection {
    type TransactionManager = TenantTransactionManager;

    /// Refused: a URL names no tenant.
    async fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("a URL names no tenant: use TenantConnection::from(pool.tenant(…))".into()))
    }

    fn transaction_state(&mut self) -> &mut State {
        &mut self.state
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = instrumentation.into();
    }

    /// Of no effect: the client's pool keeps prepared statements (`statement_cache` of its builder).
    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl fmt::Debug for TenantConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantConnection").field("handle", &self.handle).field("tx", &self.tx).finish_non_exhaustive()
    }
}
