//! `pgtenant tenant`: the registry, and one tenant from every side.

use clap::{Args, Subcommand};

use crate::ask::{Common, Session};
use crate::command::plan::LimitGiven;
use crate::output::Row;
use crate::wire::Fault;

/// What is done with tenants.
#[derive(Subcommand)]
pub enum Tenant {
    /// The registry's tenants.
    List(List),
    /// One tenant, by its id or its slug.
    Show(Named),
    /// Register a tenant.
    Create(Create),
    /// Keep everybody out.
    Suspend(Because),
    /// Let them in again.
    Resume(Because),
    /// Let them read, and not write.
    ReadOnly(Because),
    /// Let a tenant in that was being set up.
    Activate(Because),
    /// Begin to remove a tenant: its rows are purged after a while.
    Offboard(Offboard),
    /// Give it a plan.
    SetPlan(SetPlan),
    /// Its settings; with NAME=VALUE, change them. A value is JSON, or a text.
    Settings(Settings),
    /// Its members.
    Members(Named),
    /// What it has used of each meter in this period.
    Usage(Named),
    /// The limits of its sessions together; with --set and --drop, change them.
    Limits(Limits),
    /// What was done to it, the latest first.
    Journal(Journal),
}

#[derive(Args)]
pub struct Named {
    /// The tenant's id.
    id: String,
}

#[derive(Args)]
pub struct List {
    /// Those in this state.
    #[arg(long)]
    status: Option<String>,
    /// Those of this plan.
    #[arg(long)]
    plan: Option<String>,
    /// Those whose id, slug or name has this in it.
    #[arg(long)]
    search: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Args)]
pub struct Create {
    /// The tenant's id.
    id: String,
    #[arg(long)]
    name: Option<String>,
    /// Its name in addresses: lower-case letters, digits, hyphens.
    #[arg(long)]
    slug: Option<String>,
    #[arg(long)]
    plan: Option<String>,
}

#[derive(Args)]
pub struct Because {
    /// The tenant's id.
    id: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args)]
pub struct Offboard {
    /// The tenant's id.
    id: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: String,
    /// After how long its rows may be purged, as PostgreSQL reads an interval.
    #[arg(long, default_value = "30 days")]
    purge_after: String,
}

#[derive(Args)]
pub struct SetPlan {
    /// The tenant's id.
    id: String,
    /// The plan.
    plan: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args)]
pub struct Settings {
    /// The tenant's id.
    id: String,
    /// NAME=VALUE
    set: Vec<String>,
    /// Why, for the journal.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args)]
pub struct Limits {
    /// The tenant's id.
    id: String,
    #[command(flatten)]
    given: LimitGiven,
}

#[derive(Args)]
pub struct Journal {
    /// The tenant's id.
    id: String,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

const LIST: &str = "select id, slug, name, plan, status, created_at from tenant.tenants
    where ($1::text is null or status = $1) and ($2::text is null or plan = $2)
        and ($3::text is null or position(lower($3) in lower(concat_ws(' ', id, slug, name))) > 0)
    order by id limit $4::text::integer";
const ONE: &str =
    "select t.id, t.slug, t.name, t.plan, t.status, t.status_since, t.status_detail, t.purge_after, t.created_at,
        t.statement_timeout_ms, t.lock_timeout_ms, t.work_mem_kb, t.settings
    from tenant.tenants t where t.id = $1 or t.slug = $1 or t.id = lower($1)";
const SETTINGS: &str =
    "select d.name, d.kind, coalesce(t.settings -> d.name, p.settings -> d.name, d.default_value) as value,
        case when t.settings ? d.name then 'tenant' when p.settings ? d.name then 'plan' else 'default' end as source
    from tenant.setting_definitions d cross join tenant.tenants t left join tenant.plans p using (plan)
    where t.id = tenant.canonical_id($1) order by d.name";
const MEMBERS: &str = "select user_id, email, display_name, role, status, added_at from tenant.members
    where tenant_id = tenant.canonical_id($1) order by user_id";
const USAGE: &str =
    "select meter, used, unit, soft_limit, hard_limit, period, nullif(resets_at, 'infinity') as resets_at
    from tenant.usage_state where tenant_id = tenant.canonical_id($1) order by meter";
const LIMITS: &str = "select name, hard, soft, burst, source, in_use, refused, above_soft from tenant.limit_state
    where tenant_id = tenant.canonical_id($1) order by name";
const JOURNAL: &str = "select at, action, role, actor, reason, detail from tenant.journal
    where object = tenant.canonical_id($1) or tenant_id = tenant.canonical_id($1) order by id desc limit $2::text::integer";

/// Does it.
pub async fn run(common: &Common, tenant: &Tenant) -> Result<(), Fault> {
    let session = common.session().await?;
    match tenant {
        Tenant::List(List { status, plan, search, limit }) => {
            let limit = limit.to_string();
            let params = [status.as_deref(), plan.as_deref(), search.as_deref(), Some(&*limit)];
            session.show(LIST, &params, "no tenant").await
        }
        Tenant::Show(Named { id }) => session.show_one(ONE, &[Some(id)], &format!("there is no tenant \"{id}\"")).await,
        Tenant::Create(Create { id, name, slug, plan }) => {
            let sql = "select tenant.create($1, name => $2, slug => $3, plan => $4) as id";
            let params = [Some(&**id), name.as_deref(), slug.as_deref(), plan.as_deref()];
            session.change(sql, &params, &format!("tenant {id} is registered")).await
        }
        Tenant::Suspend(because) => state(&session, "suspend", because, "is suspended").await,
        Tenant::Resume(because) => state(&session, "resume", because, "is active again").await,
        Tenant::ReadOnly(because) => state(&session, "set_read_only", because, "is read-only").await,
        Tenant::Activate(because) => state(&session, "activate", because, "is active").await,
        Tenant::Offboard(Offboard { id, reason, purge_after }) => {
            let sql = "select tenant.offboard($1, $2, purge_after => now() + $3::text::interval)";
            session.change(sql, &[Some(id), Some(reason), Some(purge_after)], &format!("tenant {id} is leaving")).await
        }
        Tenant::SetPlan(SetPlan { id, plan, reason }) => {
            let sql = "select tenant.set_plan($1, $2, $3)";
            let params = [Some(&**id), Some(plan), reason.as_deref()];
            session.change(sql, &params, &format!("tenant {id} has plan {plan}")).await
        }
        Tenant::Settings(settings) if settings.set.is_empty() => {
            session.show(SETTINGS, &[Some(&settings.id)], "no settings are declared, or there is no such tenant").await
        }
        Tenant::Settings(settings) => set(&session, settings).await,
        Tenant::Members(Named { id }) => session.show(MEMBERS, &[Some(id)], "no members").await,
        Tenant::Usage(Named { id }) => session.show(USAGE, &[Some(id)], "no meters").await,
        Tenant::Limits(Limits { id, given }) if given.is_none() => session.show(LIMITS, &[Some(id)], "no limits").await,
        Tenant::Limits(Limits { id, given }) => given.give(&session, "limit", id).await,
        Tenant::Journal(Journal { id, limit }) => {
            session.show(JOURNAL, &[Some(id), Some(&limit.to_string())], "no lines").await
        }
    }
}

async fn state(session: &Session, function: &str, because: &Because, is: &str) -> Result<(), Fault> {
    let sql = format!("select tenant.{function}($1, $2)");
    let params = [Some(&*because.id), because.reason.as_deref()];
    session.change(&sql, &params, &format!("tenant {} {is}", because.id)).await
}

/// Each in one transaction with the others.
async fn set(session: &Session, settings: &Settings) -> Result<(), Fault> {
    let mut done = Row::new();
    session
        .within(async {
            for pair in &settings.set {
                let told = || Fault::Usage(format!("\"{pair}\" is not NAME=VALUE"));
                let (name, value) = pair.split_once('=').ok_or_else(told)?;
                let json: serde_json::Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                let params = [Some(&*settings.id), Some(name), Some(&*json.to_string()), settings.reason.as_deref()];
                session.rows("select tenant.set_setting($1, $2, $3::text::jsonb, $4)", &params).await?;
                done.insert(name.to_owned(), json);
            }
            Ok(())
        })
        .await?;
    session.tell(&format!("{} settings of tenant {} are set", done.len(), settings.id), done)
}
