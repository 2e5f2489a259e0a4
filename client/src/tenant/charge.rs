//! What a request is charged for: with the first transaction of its tenant that it begins, once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use pg_tenant_core::TenantId;

use crate::error::usage::Usage;

const PENDING: u8 = 0;
const RIDING: u8 = 1;
const PAID: u8 = 2;

/// An amount of a meter, and whether it was consumed.
#[derive(Debug)]
pub(crate) struct Charge {
    tenant: TenantId,
    meter: String,
    amount: f64,
    state: AtomicU8,
    /// A transaction has taken it along, whatever became of that.
    taken: AtomicBool,
    refused: Mutex<Option<Usage>>,
}

/// It travels with a transaction: dropped, unless it was [kept](Self::keep), another one may take it.
#[derive(Debug)]
pub(crate) struct Riding(Arc<Charge>);

impl Charge {
    #[cfg(feature = "tower")]
    pub(crate) fn new(tenant: TenantId, meter: &str, amount: f64) -> Arc<Charge> {
        let (state, taken, refused) = (AtomicU8::new(PENDING), AtomicBool::new(false), Mutex::new(None));
        Arc::new(Charge { tenant, meter: meter.to_owned(), amount, state, taken, refused })
    }

    pub(crate) fn meter(&self) -> &str {
        &self.meter
    }

    pub(crate) fn amount(&self) -> f64 {
        self.amount
    }

    /// For a transaction of this tenant, unless another has it.
    pub(crate) fn ride(self: &Arc<Charge>, tenant: Option<&TenantId>) -> Option<Riding> {
        let mine = tenant == Some(&self.tenant)
            && self.state.compare_exchange(PENDING, RIDING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        mine.then(|| {
            self.taken.store(true, Ordering::Release);
            Riding(Arc::clone(self))
        })
    }

    /// No transaction has taken it along.
    #[cfg(feature = "tower")]
    pub(crate) fn is_untouched(&self) -> bool {
        self.state.load(Ordering::Acquire) == PENDING && !self.taken.load(Ordering::Acquire)
    }

    /// It was refused to a transaction that took it along.
    #[cfg(feature = "tower")]
    pub(crate) fn refused(&self) -> Option<Usage> {
        self.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Riding {
    pub(crate) fn charge(&self) -> &Charge {
        &self.0
    }

    /// The transaction was committed, or may have been.
    pub(crate) fn keep(&self) {
        self.0.state.store(PAID, Ordering::Release);
    }

    /// The transaction ended with nothing sent.
    pub(crate) fn withdraw(&self) {
        self.0.taken.store(false, Ordering::Release);
    }

    pub(crate) fn refuse(&self, usage: Usage) {
        *self.0.refused.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(usage);
    }
}

impl Drop for Riding {
    fn drop(&mut self) {
        let _ = self.0.state.compare_exchange(RIDING, PENDING, Ordering::AcqRel, Ordering::Acquire);
    }
}
