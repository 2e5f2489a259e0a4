//! What the registry says of a tenant, and how shared memory has it.

use crate::pg::remembered::Value;
use crate::registry::Limits;
use pg_tenant_core::TenantStatus;
use pg_tenant_core::gates::Given;

#[derive(Clone, Copy)]
pub enum Entry {
    Known { status: TenantStatus, limits: Limits, given: Given },
    UnknownStatus,
    Absent,
}

/// An entry, and of which generation it is.
#[derive(Clone, Copy)]
pub struct Found {
    pub entry: Entry,
    pub generation: u64,
}

impl Found {
    /// As shared memory has it; only of a tenant that everybody may enter.
    pub fn pack(self) -> Option<Value> {
        let Entry::Known { status: status @ (TenantStatus::Active | TenantStatus::ReadOnly), limits, given } =
            self.entry
        else {
            return None;
        };
        let flags = u64::from(limits.read_only) | u64::from(status == TenantStatus::ReadOnly) << 1;
        let two = |first: i32, second: i32| u64::from(first as u32) << 32 | u64::from(second as u32);
        let [a, b, c, d, e, f, g] = given.pack();
        let timeouts = two(limits.statement_timeout, limits.lock_timeout);
        let others = two(limits.idle_in_transaction_session_timeout, limits.work_mem);
        Some([timeouts, others, flags, self.generation, a, b, c, d, e, f, g])
    }

    /// From there.
    pub fn unpack([timeouts, others, flags, generation, given @ ..]: Value) -> Found {
        let entry = Entry::Known {
            status: if flags & 2 == 0 { TenantStatus::Active } else { TenantStatus::ReadOnly },
            limits: Limits {
                statement_timeout: (timeouts >> 32) as i32,
                lock_timeout: timeouts as i32,
                idle_in_transaction_session_timeout: (others >> 32) as i32,
                work_mem: others as i32,
                read_only: flags & 1 != 0,
            },
            given: Given::unpack(given),
        };
        Found { entry, generation }
    }
}
