//! What a tenant's transactions may take.

use std::time::Duration;

/// The limits of a tenant's transactions, which entering applies and nothing in the transaction may raise (`TN009`). A
/// limit that is not given is none; a plan's may hold in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "give it to TenantAdmin::set_limits"]
pub struct TenantLimits {
    statement_timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
    idle_in_transaction_session_timeout: Option<Duration>,
    work_mem_kb: Option<u32>,
    read_only: bool,
}

impl TenantLimits {
    /// None at all.
    pub fn new() -> TenantLimits {
        TenantLimits::default()
    }

    /// How long a statement may run: from 1 ms to 24 days.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// How long a statement may wait for a lock: from 1 ms to 24 days.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = Some(timeout);
        self
    }

    /// How long a transaction may wait for its next statement: from 1 ms to 24 days.
    pub fn idle_in_transaction_session_timeout(mut self, timeout: Duration) -> Self {
        self.idle_in_transaction_session_timeout = Some(timeout);
        self
    }

    /// The memory of a sort or a hash table, in kB: from 64.
    pub fn work_mem_kb(mut self, kb: u32) -> Self {
        self.work_mem_kb = Some(kb);
        self
    }

    /// Whether its transactions are read-only.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// What [`SET_LIMITS`] takes after the tenant.
    pub(crate) fn values(&self) -> [Option<String>; 5] {
        let timeout =
            |timeout: Option<Duration>| timeout.map(|timeout| format!("{} milliseconds", timeout.as_millis()));
        [
            timeout(self.statement_timeout),
            timeout(self.lock_timeout),
            timeout(self.idle_in_transaction_session_timeout),
            self.work_mem_kb.map(|kb| format!("{kb}kB")),
            Some(self.read_only.to_string()),
        ]
    }
}

/// Takes the tenant and the values of its limits, as texts.
pub(crate) const SET_LIMITS: &str = "select tenant.set_limits($1, $2::text::interval, $3::text::interval, \
                                     $4::text::interval, $5::text, $6::text::boolean)";
