//! A step: its name, what it waits for, what it does, and how that is undone.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::context::{OutsideStep, StepContext, SystemStep, TenantStep};
use crate::worker::WorkError as StepError;

pub(super) type Ending = Pin<Box<dyn Future<Output = Result<String, StepError>> + Send>>;
/// What a step does with what it is given; gives its result as JSON.
pub(super) type Work<S> = Arc<dyn Fn(S) -> Ending + Send + Sync>;

/// What is done for a step, and how it is undone.
pub(super) struct Works<S> {
    pub(super) run: Work<S>,
    pub(super) undo: Option<Work<S>>,
}

/// Where a step works.
pub(super) enum Place {
    Tenant(Works<TenantStep>),
    System(Works<SystemStep>),
    Outside(Works<OutsideStep>),
}

/// A step of an [`Onboarding`](super::Onboarding) that returns `T`: made by [`in_tenant`](Step::in_tenant),
/// [`in_system`](Step::in_system) or [`outside`](Step::outside).
///
/// It may be attempted more than once, so what it is given is not what an earlier attempt has used up. What it returns
/// is kept as JSON in `tenant.onboarding.result`, for the steps after it and for undoing it: no place for secrets.
#[must_use = "give it to Onboarding::step"]
pub struct Step<S, T> {
    pub(super) name: String,
    after: Vec<String>,
    at_claim: bool,
    max_attempts: Option<u32>,
    works: Works<S>,
    place: fn(Works<S>) -> Place,
    outside: bool,
    returns: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + 'static> Step<TenantStep, T> {
    /// A step inside the tenant: what it writes is committed together with its end, once, or not at all.
    pub fn in_tenant<F, Fut>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(TenantStep) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, StepError>> + Send + 'static,
    {
        Step::new(name.into(), run, Place::Tenant, false)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Step<SystemStep, T> {
    /// A step across tenants, in the system context (see [`Onboarding::operators`](super::Onboarding::operators)): what
    /// it writes is committed together with its end, once, or not at all.
    pub fn in_system<F, Fut>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(SystemStep) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, StepError>> + Send + 'static,
    {
        Step::new(name.into(), run, Place::System, false)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Step<OutsideStep, T> {
    /// A step outside of the database. It happens at least once, each time with the same
    /// [key](StepContext::idempotency_key), and its end is recorded afterwards.
    pub fn outside<F, Fut>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(OutsideStep) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, StepError>> + Send + 'static,
    {
        Step::new(name.into(), run, Place::Outside, true)
    }
}

impl<S, T> Step<S, T>
where
    S: std::ops::Deref<Target = StepContext> + Send + 'static,
    T: Serialize + DeserializeOwned + 'static,
{
    fn new<F, Fut>(name: String, run: F, place: fn(Works<S>) -> Place, outside: bool) -> Self
    where
        F: Fn(S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, StepError>> + Send + 'static,
    {
        let run: Work<S> = Arc::new(move |given| {
            let working = run(given);
            Box::pin(async move { Ok(serde_json::to_string(&working.await?)?) })
        });
        let works = Works { run, undo: None };
        Step {
            name,
            after: Vec::new(),
            at_claim: false,
            max_attempts: None,
            works,
            place,
            outside,
            returns: PhantomData,
        }
    }

    /// It waits for this step. Called several times, for all of them.
    pub fn after(mut self, step: impl Into<String>) -> Self {
        self.after.push(step.into());
        self
    }

    /// How it is undone, where the onboarding is given up: with what it returned, or `None` where nobody knows whether
    /// it happened (of a step outside of the database). Without it there is nothing to undo.
    pub fn undo<F, Fut>(mut self, undo: F) -> Self
    where
        F: Fn(S, Option<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StepError>> + Send + 'static,
    {
        self.works.undo = Some(Arc::new(move |given: S| {
            let working = given.made().map(|made| undo(given, made));
            Box::pin(async move { working?.await.map(|()| "null".to_owned()) })
        }));
        self
    }

    /// It waits until somebody has claimed the tenant, where that waits in a pool (see
    /// [`Onboarding::claim_ready`](super::Onboarding::claim_ready)).
    pub fn at_claim(mut self) -> Self {
        self.at_claim = true;
        self
    }

    /// How often it is tried, from 1 to 1000; 10 by default.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// What `tenant.begin_onboarding` is told of it.
    pub(super) fn described(&self) -> Value {
        let mut told = Map::new();
        told.insert("step".into(), json!(self.name));
        told.insert("undo".into(), json!(self.works.undo.is_some()));
        if !self.after.is_empty() {
            told.insert("after".into(), json!(self.after));
        }
        if let Some(attempts) = self.max_attempts {
            told.insert("max_attempts".into(), json!(attempts));
        }
        for (key, is) in [("outside", self.outside), ("at_claim", self.at_claim)] {
            if is {
                told.insert(key.into(), json!(true));
            }
        }
        Value::Object(told)
    }

    pub(super) fn into_place(self) -> Place {
        (self.place)(self.works)
    }
}

impl<S, T> std::fmt::Debug for Step<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("name", &self.name).finish_non_exhaustive()
    }
}
