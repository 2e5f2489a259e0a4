//! Pipelines: statements that are sent together, without waiting for each other's answers.
//!
//! ```no_run
//! # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
//! use pg_tenant_client::pipeline::{execute, query, query_one};
//!
//! // Begin, enter, three statements and commit: one round trip, all or nothing.
//! let (customer, orders, touched) = pool
//!     .tenant("acme")
//!     .pipeline((
//!         query_one("select name from customers where id = $1", &[&7i64]),
//!         query("select id, total from orders where customer_id = $1", &[&7i64]),
//!         execute("update customers set seen = now() where id = $1", &[&7i64]),
//!     ))
//!     .await?;
//! let (name, count): (&str, u64) = (customer.get(0), touched);
//!
//! // As many as there are: a Vec or an array of them.
//! let ids = [1i64, 2, 3];
//! let params = ids.each_ref().map(|id| [id as _]);
//! let mut tx = pool.tenant("acme").begin().await?;
//! let counts: Vec<u64> =
//!     tx.pipeline(params.iter().map(|id| execute("delete from carts where id = $1", id)).collect::<Vec<_>>()).await?;
//! tx.commit().await?;
//! # Ok(()) }
//! ```

use std::fmt;

use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;
use crate::tx::builder::TenantHandle;
use crate::tx::open_tx::OpenTx;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::sql::controls_the_transaction;
use crate::wire::step;
use crate::wire::step::{Answer, Step, Then};

/// A statement of a pipeline. Made by [`query`], [`query_one`], [`query_opt`] and [`execute`], which say what it
/// returns.
pub struct Statement<'a, T> {
    step: Step<'a>,
    read: fn(Answer) -> Result<T, Error>,
}

/// A statement that returns its rows.
pub fn query<'a>(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Statement<'a, Vec<Row>> {
    Statement { step: Step::rows(sql, params), read: |answer| Ok(answer.rows) }
}

/// A statement that returns exactly one row.
pub fn query_one<'a>(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Statement<'a, Row> {
    Statement { step: Step::rows(sql, params), read: |answer| step::one(answer.rows) }
}

/// A statement that returns one row or none.
pub fn query_opt<'a>(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Statement<'a, Option<Row>> {
    Statement { step: Step::rows(sql, params), read: |answer| step::opt(answer.rows) }
}

/// A statement that returns the number of rows it affected.
pub fn execute<'a>(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Statement<'a, u64> {
    Statement { step: Step::count(sql, params), read: |answer| Ok(answer.affected) }
}

/// What can be sent as a pipeline: a [`Statement`], and tuples (up to eight), arrays and `Vec`s of pipelines.
pub trait Pipeline: sealed::Sealed<Read = <Self as Pipeline>::Answers> {
    /// The answers, in the same shape.
    type Answers;
}

mod sealed {
    use std::vec::IntoIter;

    use crate::error::Error;
    use crate::wire::step::{Answer, Step};

    pub struct Steps<'s>(pub(crate) Vec<Step<'s>>);

    pub struct Read(pub(crate) IntoIter<Answer>);

    pub trait Sealed {
        type Read;
        fn steps<'s>(&'s self, steps: &mut Steps<'s>);
        fn read(self, answers: &mut Read) -> Result<Self::Read, Error>;
    }
}

use sealed::{Read, Sealed, Steps};

impl<P: Sealed> Pipeline for P {
    type Answers = P::Read;
}

impl<T> Sealed for Statement<'_, T> {
    type Read = T;

    fn steps<'s>(&'s self, steps: &mut Steps<'s>) {
        steps.0.push(self.step);
    }

    fn read(self, answers: &mut Read) -> Result<T, Error> {
        (self.read)(answers.0.next().ok_or_else(Error::interrupted)?)
    }
}

impl<P: Sealed> Sealed for Vec<P> {
    type Read = Vec<P::Read>;

    fn steps<'s>(&'s self, steps: &mut Steps<'s>) {
        self.iter().for_each(|part| part.steps(steps));
    }

    fn read(self, answers: &mut Read) -> Result<Self::Read, Error> {
        self.into_iter().map(|part| part.read(answers)).collect()
    }
}

impl<P: Sealed, const N: usize> Sealed for [P; N] {
    type Read = [P::Read; N];

    fn steps<'s>(&'s self, steps: &mut Steps<'s>) {
        self.iter().for_each(|part| part.steps(steps));
    }

    fn read(self, answers: &mut Read) -> Result<Self::Read, Error> {
        let read = self.into_iter().map(|part| part.read(answers)).collect::<Result<Vec<_>, _>>()?;
        read.try_into().map_err(|_| Error::interrupted())
    }
}

macro_rules! tuples {
    ($(($($part:ident)+))+) => {$(
        #[allow(non_snake_case)]
        impl<$($part: Sealed),+> Sealed for ($($part,)+) {
            type Read = ($($part::Read,)+);

            fn steps<'s>(&'s self, steps: &mut Steps<'s>) {
                let ($($part,)+) = self;
                $($part.steps(steps);)+
            }

            fn read(self, answers: &mut Read) -> Result<Self::Read, Error> {
                let ($($part,)+) = self;
                Ok(($($part.read(answers)?,)+))
            }
        }
    )+};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }

impl TenantTx {
    /// Sends the statements together and waits for all answers: one round trip once they are prepared, begin and enter
    /// included.
    ///
    /// They run in order, each seeing what those before it did.
    ///
    /// # Errors
    /// As [`query`](TenantTx::query), of the first statement that fails ([`Error::statement`] says which); those after
    /// it did not run. A text that begins or ends a transaction is refused with `2D000`, and nothing is sent.
    pub async fn pipeline<P: Pipeline>(&mut self, pipeline: P) -> Result<P::Answers, Error> {
        self.open.pipeline(pipeline, Then::Stay).await
    }

    /// As [`pipeline`](Self::pipeline), with commit in the same round trip.
    ///
    /// # Errors
    /// Those of [`pipeline`](Self::pipeline) and [`commit`](Self::commit). Nothing was committed then, unless
    /// [`Error::outcome_unknown`]. A wrong number of rows for [`query_one`] or [`query_opt`] is noticed after the
    /// commit.
    pub async fn pipeline_then_commit<P: Pipeline>(mut self, pipeline: P) -> Result<P::Answers, Error> {
        self.open.pipeline(pipeline, Then::Commit).await
    }
}

impl OpenTx {
    /// Sends a pipeline, and perhaps commit behind it.
    pub(crate) async fn pipeline<P: Pipeline>(&mut self, pipeline: P, then: Then) -> Result<P::Answers, Error> {
        self.usable()?;
        let mut steps = Steps(Vec::new());
        pipeline.steps(&mut steps);
        let Steps(steps) = steps;
        if let Some(at) = steps.iter().position(|step| controls_the_transaction(step.sql)) {
            return Err(Error::control_in_pipeline().at_statement(at, steps.len()));
        }
        let nothing = steps.is_empty() && (then == Then::Stay || !self.opening.has_begun());
        let answers = if nothing { Vec::new() } else { self.send_all(&steps, then).await? };
        pipeline.read(&mut Read(answers.into_iter()))
    }
}

impl TenantHandle {
    /// Runs statements in a transaction of their own: begin, enter, the statements and commit in one round trip once
    /// they are prepared. All of them take effect, or none.
    ///
    /// # Errors
    /// Those of [`TenantTx::pipeline_then_commit`], and of every call of this type.
    pub async fn pipeline<P: Pipeline>(&self, pipeline: P) -> Result<P::Answers, Error> {
        self.begin().await?.pipeline_then_commit(pipeline).await
    }
}

impl<T> Clone for Statement<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Statement<'_, T> {}

impl<T> fmt::Debug for Statement<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("sql", &self.step.sql).finish_non_exhaustive()
    }
}
