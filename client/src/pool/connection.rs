//! A connection of the pool.

use crate::pool::age::Age;
use crate::pool::pooler::Pooler;
use crate::wire::link::Link;
use crate::wire::statement_cache::Statements;

/// One connection and what the client knows of it.
pub(crate) struct Connection {
    pub(crate) client: Link,
    pub(crate) statements: Statements,
    /// What stands before its server.
    pub(crate) pooler: Pooler,
    pub(crate) age: Age,
}
