//! The state of the transaction and of the backend.

use pgrx::pg_sys;

/// Whether this backend is a parallel worker: its leader has decided for it.
pub fn is_parallel_worker() -> bool {
    // SAFETY: plain reads of variables of this backend.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 || pg_sys::InitializingParallelWorker }
}

/// Whether a parallel query is running, in its leader or in a worker.
pub fn is_parallel() -> bool {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::IsInParallelMode() }
}

/// Whether the transaction is read-only: begun so, made so, or on a standby.
pub fn is_read_only() -> bool {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether catalogs can be read: inside a transaction that has not failed.
pub fn is_live() -> bool {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::IsTransactionState() }
}

/// Whether statements follow in the same transaction: it was begun by BEGIN, or several came in one message.
pub fn is_block() -> bool {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::IsTransactionBlock() }
}

/// The number of the savepoint that the transaction is in: later ones have higher numbers.
pub fn savepoint() -> u32 {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// Whether each statement of the transaction sees what was committed before it, as under READ COMMITTED.
pub fn sees_each_commit() -> bool {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

/// Whether the transaction has an id, as it has from its first write on.
pub fn has_written() -> bool {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}
