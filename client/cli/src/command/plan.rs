//! `pgtenant plan`: plans and their limits; and limits as they are given.

use clap::{Args, Subcommand};

use crate::ask::{Common, Session};
use crate::output::Row;
use crate::wire::Fault;

/// What is done with plans.
#[derive(Subcommand)]
pub enum Plan {
    /// All plans.
    List,
    /// One plan.
    Show {
        /// Its name.
        plan: String,
    },
    /// Make a plan, or change it.
    Define(Define),
    /// Remove a plan that no tenant has.
    Drop {
        /// Its name.
        plan: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
    /// The limits of its tenants' sessions together: change them with --set and --drop.
    Limits {
        /// Its name.
        plan: String,
        #[command(flatten)]
        given: LimitGiven,
    },
}

#[derive(Args)]
pub struct Define {
    /// Its name.
    plan: String,
    /// Its place among plans: the dearer, the higher.
    #[arg(long, default_value_t = 0)]
    rank: i32,
    /// As PostgreSQL reads an interval.
    #[arg(long)]
    statement_timeout: Option<String>,
    /// As PostgreSQL reads an interval.
    #[arg(long)]
    lock_timeout: Option<String>,
    /// As PostgreSQL reads it.
    #[arg(long)]
    work_mem: Option<String>,
    /// A JSON object of quotas, by meter.
    #[arg(long)]
    quotas: Option<String>,
    /// A JSON object of settings.
    #[arg(long)]
    settings: Option<String>,
    /// A JSON object of features.
    #[arg(long)]
    features: Option<String>,
}

/// Limits that are set and dropped.
#[derive(Args)]
pub struct LimitGiven {
    /// NAME=HARD, NAME=HARD:SOFT or NAME=HARD:SOFT:BURST; an empty part is none.
    #[arg(long, value_name = "LIMIT")]
    set: Vec<String>,
    /// The name of one that is taken away.
    #[arg(long, value_name = "NAME")]
    drop: Vec<String>,
}

const LIST: &str =
    "select p.plan, p.rank, count(t.id) as tenants, p.statement_timeout_ms, p.lock_timeout_ms, p.work_mem_kb
    from tenant.plans p left join tenant.tenants t using (plan) group by p.plan order by p.rank, p.plan";
const ONE: &str =
    "select plan, rank, statement_timeout_ms, lock_timeout_ms, work_mem_kb, features, settings, quotas, rates as limits
    from tenant.plans where plan = $1";
const LIMITS: &str =
    "select r.key as name, r.value -> 'hard' as hard, r.value -> 'soft' as soft, r.value -> 'burst' as burst
    from tenant.plans p cross join lateral jsonb_each(p.rates) r where p.plan = $1 order by 1";

/// Does it.
pub async fn run(common: &Common, plan: &Plan) -> Result<(), Fault> {
    let session = common.session().await?;
    match plan {
        Plan::List => session.show(LIST, &[], "no plans").await,
        Plan::Show { plan } => session.show_one(ONE, &[Some(plan)], &format!("there is no plan \"{plan}\"")).await,
        Plan::Define(define) => {
            let sql = "select tenant.define_plan($1, $2::text::integer, statement_timeout => $3::text::interval,
                lock_timeout => $4::text::interval, work_mem => $5, quotas => coalesce($6::text::jsonb, '{}'),
                settings => coalesce($7::text::jsonb, '{}'), features => coalesce($8::text::jsonb, '{}'))";
            let rank = define.rank.to_string();
            let texts =
                [&define.statement_timeout, &define.lock_timeout, &define.work_mem, &define.quotas, &define.settings];
            let mut params = vec![Some(&*define.plan), Some(&*rank)];
            params.extend(texts.map(Option::as_deref));
            params.push(define.features.as_deref());
            session.change(sql, &params, &format!("plan {} is defined", define.plan)).await
        }
        Plan::Drop { plan, reason } => {
            let sql = "select tenant.drop_plan($1, $2)";
            session.change(sql, &[Some(plan), Some(reason)], &format!("plan {plan} is dropped")).await
        }
        Plan::Limits { plan, given } if given.is_none() => session.show(LIMITS, &[Some(plan)], "no limits").await,
        Plan::Limits { plan, given } => given.give(&session, "plan_limit", plan).await,
    }
}

impl LimitGiven {
    pub fn is_none(&self) -> bool {
        self.set.is_empty() && self.drop.is_empty()
    }

    /// Sets and drops them, all or none, by `tenant.set_…` and `tenant.drop_…`.
    pub async fn give(&self, session: &Session, what: &str, whose: &str) -> Result<(), Fault> {
        session
            .within(async {
                for given in &self.set {
                    let told = || Fault::Usage(format!("\"{given}\" is not NAME=HARD[:SOFT[:BURST]]"));
                    let (name, numbers) = given.split_once('=').ok_or_else(told)?;
                    let mut numbers = numbers.split(':').map(|number| Some(number).filter(|number| !number.is_empty()));
                    let mut next = || numbers.next().flatten();
                    let params = [Some(whose), Some(name), next(), next(), next()];
                    let sql = format!(
                        "select tenant.set_{what}($1, $2, $3::text::bigint, $4::text::bigint, $5::text::bigint)"
                    );
                    session.rows(&sql, &params).await?;
                }
                for name in &self.drop {
                    session.rows(&format!("select tenant.drop_{what}($1, $2)"), &[Some(whose), Some(name)]).await?;
                }
                Ok(())
            })
            .await?;
        let count = self.set.len() + self.drop.len();
        session.tell(&format!("{count} limits of {whose} are changed"), Row::new())
    }
}
