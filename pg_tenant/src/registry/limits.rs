//! What an administrator has given a tenant.

/// The limits of a tenant. Milliseconds and kilobytes; 0 where the tenant has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub statement_timeout: i32,
    pub lock_timeout: i32,
    pub idle_in_transaction_session_timeout: i32,
    pub work_mem: i32,
    pub read_only: bool,
}

impl Limits {
    pub const NONE: Limits = Limits {
        statement_timeout: 0,
        lock_timeout: 0,
        idle_in_transaction_session_timeout: 0,
        work_mem: 0,
        read_only: false,
    };
}
