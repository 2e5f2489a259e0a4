//! What a step is given: its transaction, what the onboarding began with, what earlier steps returned.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use pg_tenant_core::TenantId;
use serde::de::DeserializeOwned;

use super::claim::Claim;
use crate::danger::SystemTx;
use crate::tx::tenant_tx::TenantTx;
use crate::worker::{WorkError as StepError, lent};

/// What every step is given, wherever it works.
#[derive(Clone)]
pub struct StepContext(Arc<Claim>);

impl StepContext {
    pub(super) fn new(claim: Claim) -> StepContext {
        StepContext(Arc::new(claim))
    }

    pub(super) fn claim(&self) -> &Claim {
        &self.0
    }

    /// The tenant that is being set up.
    pub fn tenant_id(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The step's name.
    pub fn name(&self) -> &str {
        &self.0.step
    }

    /// Which attempt this is, the first being 1.
    pub fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// `tenant/step`, and `tenant/step/undo` where it is undone: the same at each attempt, for services that take one
    /// (`Idempotency-Key`).
    pub fn idempotency_key(&self) -> &str {
        &self.0.key
    }

    /// What the onboarding was begun with under this name.
    ///
    /// # Errors
    /// There is no such value, or it is of another type. It is not tried again: it would be the same.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<T, StepError> {
        read(self.0.input.get(name), || format!("the onboarding was begun without an input \"{name}\""))
    }

    /// What a step that comes before this one has returned.
    ///
    /// # Errors
    /// It is none of those before this one (see [`Step::after`](super::Step::after)), or its result is of another type.
    /// It is not tried again.
    pub fn result_of<T: DeserializeOwned>(&self, step: &str) -> Result<T, StepError> {
        let own = self.name() == step;
        let result = self.0.results.get(step).filter(|_| !own);
        read(result, || format!("step \"{}\" does not come after step \"{step}\"", self.name()))
    }

    /// What the step itself has returned, where it is undone; `None` where it never said so.
    pub(super) fn made<T: DeserializeOwned>(&self) -> Result<Option<T>, StepError> {
        match self.0.results.get(self.name()) {
            None => Ok(None),
            found => read(found, String::new).map(Some),
        }
    }
}

fn read<T: DeserializeOwned>(
    found: Option<&serde_json::Value>,
    missing: impl FnOnce() -> String,
) -> Result<T, StepError> {
    let found = found.ok_or_else(|| StepError::new(missing()).give_up())?;
    serde_json::from_value(found.clone()).map_err(|why| StepError::from(why).give_up())
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepContext").field(&self.idempotency_key()).finish()
    }
}

macro_rules! step_in_tx {
    ($(#[doc = $doc:literal])+ $Step:ident, $Tx:ty) => {
        lent! { $(#[doc = $doc])+ $Step, StepContext, $Tx }

        impl $Step {
            /// The transaction. It is committed, together with the step's end, where the step returns `Ok`, and rolled
            /// back where it returns `Err`, panics, or keeps this value.
            pub fn tx(&mut self) -> &mut $Tx {
                self.lent.tx()
            }
        }

        impl Deref for $Step {
            type Target = StepContext;

            fn deref(&self) -> &StepContext {
                &self.context
            }
        }
    };
}

step_in_tx! {
    /// What a step inside the tenant is given: a transaction in it, which members of `tenant_admin` can enter before
    /// anybody else.
    TenantStep, TenantTx
}

step_in_tx! {
    /// What a step **across tenants** is given: a transaction in the system context that writes (see
    /// [`danger`](crate::danger)).
    SystemStep, SystemTx
}

/// What a step outside of the database is given. There is no transaction: it may happen more than once, with the same
/// [idempotency key](StepContext::idempotency_key).
pub struct OutsideStep {
    pub(super) context: StepContext,
}

impl Deref for OutsideStep {
    type Target = StepContext;

    fn deref(&self) -> &StepContext {
        &self.context
    }
}

impl fmt::Debug for OutsideStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutsideStep").field(&self.idempotency_key()).finish()
    }
}
