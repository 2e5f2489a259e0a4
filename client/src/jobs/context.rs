//! What a handler is given beside the job: its transaction, and which job it is.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pg_tenant_core::TenantId;

use super::claim::Claim;
use crate::danger::SystemTx;
use crate::tx::tenant_tx::TenantTx;
use crate::worker::lent;

/// Which job this is.
#[derive(Clone)]
pub struct JobContext(Arc<Claim>);

impl JobContext {
    pub(super) fn new(claim: Claim) -> JobContext {
        JobContext(Arc::new(claim))
    }

    pub(super) fn claim(&self) -> &Claim {
        &self.0
    }

    /// The job's number.
    pub fn id(&self) -> i64 {
        self.0.id
    }

    /// The tenant that has queued it; `None` for a job of the system.
    pub fn tenant_id(&self) -> Option<&TenantId> {
        self.0.tenant.as_ref()
    }

    /// Which attempt this is, the first being 1.
    pub fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// `job/<id>`: the same at each attempt, for services that take one (`Idempotency-Key`).
    pub fn idempotency_key(&self) -> String {
        format!("job/{}", self.0.id)
    }

    /// The W3C `traceparent` of who has queued it.
    pub fn trace(&self) -> Option<&str> {
        self.0.trace.as_deref()
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claim { id, kind, attempt, .. } = self.claim();
        f.debug_struct("JobContext").field("id", id).field("kind", kind).field("attempt", attempt).finish()
    }
}

macro_rules! job_tx {
    ($(#[doc = $doc:literal])+ $Name:ident, $Tx:ty) => {
        lent! { $(#[doc = $doc])+ $Name, JobContext, $Tx }

        impl $Name {
            /// Which job this is.
            pub fn job(&self) -> &JobContext {
                &self.context
            }
        }

        impl Deref for $Name {
            type Target = $Tx;

            fn deref(&self) -> &$Tx {
                self.lent.get()
            }
        }

        impl DerefMut for $Name {
            fn deref_mut(&mut self) -> &mut $Tx {
                self.lent.tx()
            }
        }
    };
}

job_tx! {
    /// The transaction of a job, inside its tenant: use it like a [`TenantTx`]. It is committed, together with the
    /// job's end, where the handler returns `Ok`, and rolled back where it returns `Err`, panics, or keeps this value.
    JobTx, TenantTx
}

job_tx! {
    /// The transaction of a job of the system: **across tenants**, in the system context, for writing (see
    /// [`danger`](crate::danger)), for the reason with which the job was queued.
    SystemJobTx, SystemTx
}

/// What a handler outside of the database is given: no transaction. It may happen more than once, with the same
/// [key](JobContext::idempotency_key).
pub struct OutsideJob {
    pub(super) context: JobContext,
}

impl Deref for OutsideJob {
    type Target = JobContext;

    fn deref(&self) -> &JobContext {
        &self.context
    }
}

impl fmt::Debug for OutsideJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutsideJob").field(&self.context).finish()
    }
}
