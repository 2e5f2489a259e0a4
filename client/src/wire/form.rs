//! How a statement gets to the server.

use std::sync::Arc;

use tokio_postgres::{Statement, types::Type};

/// How a statement gets to the server.
pub(crate) enum Form {
    /// By the name it was prepared under on this connection for an earlier call. The schema may have changed since.
    Kept(Statement),
    /// By the name it was prepared under on this connection just now.
    Prepared(Statement),
    /// Whole and without a name, with parameters of these types, while preparing it rides along for the next time.
    ///
    /// Only where no rows are wanted: tokio-postgres asks the server for a column's type that it does not know while
    /// the rows wait, so an answer too large for its buffers would wait for ever.
    Typed(Arc<[Type]>),
    /// Whole and without a name, each time. Where rows are wanted, only if the driver knows all their types.
    Unnamed(Arc<[Type]>),
}
