//! An open transaction: what one inside a tenant and one in the system context have in common.

use std::fmt;

use pg_tenant_core::TenantId;
use tokio_postgres::{Client, Row, types::ToSql};

use crate::error::Error;
use crate::observe::Whose;
use crate::pool::lease::{Lease, Wire};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::charge::Riding;
use crate::tenant::generation::Generation;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::token::Token;
use crate::tx::entry::EntryMethod;
use crate::tx::health::Health;
use crate::tx::opening::Opening;
use crate::tx::options::BeginOptions;
use crate::tx::primary::Primary;
use crate::tx::scope::TxScope;
use crate::wire::preamble::{Part, Preamble};
use crate::wire::sql::GENERATION;
use crate::wire::step::{self, Answer, Step, Then};

pub(crate) struct OpenTx {
    pub(super) pool: TenantPool,
    pub(super) lease: Lease,
    pub(super) scope: TxScope,
    /// The grant that it works by.
    pub(super) by: Option<Impersonation>,
    pub(super) opening: Opening,
    pub(super) health: Health,
    /// How many savepoints are open.
    pub(super) savepoints: u32,
    /// Where it goes from the replica that it is on, as long as its caller has seen nothing of it.
    pub(super) primary: Option<Box<Primary>>,
    /// The flight under way was prepared anew for other types of its parameters; that is not done twice.
    pub(super) types_learned: bool,
    /// What entering has told, once it was answered.
    pub(super) generation: Option<Generation>,
    /// What its request is charged for, and it consumes as it begins.
    pub(super) riding: Option<Riding>,
}

/// A transaction as its public type: what the closure of a savepoint gets.
pub(crate) trait Handle {
    /// What sends its statements.
    fn open(&mut self) -> &mut OpenTx;
}

impl OpenTx {
    pub(crate) fn new(pool: TenantPool, lease: Lease, method: EntryMethod, options: &BeginOptions) -> OpenTx {
        let (scope, by) = (TxScope::by(&method), method.by().cloned());
        let (preamble, token) = preamble(method, options, None);
        // Every connection that is there may be of no use, and one more may be made meanwhile.
        let opening = Opening::new(preamble, token, pool.max_size + lease.sessions_to_end());
        OpenTx {
            pool,
            lease,
            scope,
            by,
            opening,
            health: Health::default(),
            savepoints: 0,
            primary: None,
            types_learned: false,
            generation: None,
            riding: None,
        }
    }

    /// As [`new`](Self::new), in a tenant that this statement makes before it is entered.
    pub(crate) fn creating(
        pool: TenantPool,
        lease: Lease,
        method: EntryMethod,
        options: &BeginOptions,
        create: &str,
    ) -> OpenTx {
        let mut tx = OpenTx::new(pool, lease, method, options);
        tx.opening.create_first(&options.begin(), create);
        tx
    }

    /// The tenant. `None` in the system context, and where a token names it and nothing was sent yet.
    pub(crate) fn tenant_id(&self) -> Option<&TenantId> {
        self.scope.tenant()
    }

    /// Whose calls these are.
    pub(crate) fn whose(&self) -> Whose<'_> {
        Whose { tenant: self.scope.tenant(), by: self.by.as_ref() }
    }

    pub(crate) async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.send(Step::rows(sql, params), Then::Stay).await?.rows)
    }

    pub(crate) async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        step::one(self.query(sql, params).await?)
    }

    pub(crate) async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        step::opt(self.query(sql, params).await?)
    }

    pub(crate) async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.send(Step::count(sql, params), Then::Stay).await?.affected)
    }

    /// The last statement of the transaction.
    pub(crate) async fn send_then_commit(mut self, step: Step<'_>) -> Result<Answer, Error> {
        self.send(step, Then::Commit).await
    }

    /// The driver's client, inside the transaction. The connection is never lent again.
    pub(crate) async fn raw_client(&mut self) -> Result<&Client, Error> {
        self.send_preamble().await?;
        self.opening.execute_unseen();
        self.lease.discard();
        Ok(&self.lease.connection().client)
    }

    pub(crate) fn serialization_failed(&self) -> bool {
        self.health.serialization_failed()
    }

    /// Whether a call may follow.
    pub(super) fn usable(&self) -> Result<(), Error> {
        if self.lease.wire() == Wire::Awaiting { Err(Error::interrupted()) } else { self.health.check() }
    }
}

/// Begin and enter. Between the two, where no tenant is entered yet, what is to be `checked`.
pub(super) fn preamble(
    method: EntryMethod,
    options: &BeginOptions,
    checked: Option<&str>,
) -> (Preamble, Option<Token>) {
    let begin = options.begin();
    let mut parts = Vec::with_capacity(2);
    parts.extend(checked.map(|check| Part::Text(format!("{begin}; select {check}"))));
    let entered = |text: String| match (checked, text.strip_prefix(&begin).and_then(|rest| rest.strip_prefix("; "))) {
        (Some(_), Some(enter)) => enter.to_owned(),
        _ => text,
    };
    match method {
        EntryMethod::In(id, actor) => {
            parts.push(Part::Text(entered(options.enter(&id, actor.as_deref(), GENERATION))));
        }
        EntryMethod::By(grant) => parts.push(Part::Text(entered(options.enter_by(&grant, GENERATION)))),
        EntryMethod::System(context, reason) => {
            parts.push(Part::Text(entered(options.enter_system(&reason, context, ""))));
        }
        EntryMethod::Signed(_, token) => {
            if parts.is_empty() {
                parts.push(Part::Text(begin));
            }
            parts.push(Part::EnterSigned);
            parts.extend(options.time_limit().map(|column| Part::Text(format!("select {column}"))));
            return (Preamble::new(parts), Some(token));
        }
    }
    (Preamble::new(parts), None)
}

impl fmt::Debug for OpenTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("OpenTx");
        out.field("scope", &self.scope).field("begun", &self.opening.has_begun());
        out.field("wire", &self.lease.wire()).field("savepoints", &self.savepoints).finish()
    }
}
