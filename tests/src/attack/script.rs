//! What a statement says on either side: the same steps, with each side's own way to name the tenant.

/// Where an attack runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// A stock policy: `tenant_id = current_setting('app.tenant')`, forced, for all commands.
    Stock,
    /// `tenant.protect()`.
    Protected,
}

/// The two tenants and the roles of a stage.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) app: String,
    pub(super) owner: String,
    pub(super) backup: String,
}

/// What is done to a table.
type Says = fn(Side, &str) -> String;
const TABLES: [(&str, Says); 4] = [("{protect ", protect), ("{fence ", fence), ("{harden ", harden), ("{join ", join)];

impl Names {
    /// Fills the placeholders of a step.
    ///
    /// `{a}` `{b}` tenant ids · `{app}` `{owner}` `{backup}` roles · `{setting}` where the tenant stands · `{enter a}`
    /// `{enter b}` the tenant of this transaction · `{bind a}` makes it that of the role `{app}` · `{session a}`
    /// `{session b}` what an application does that sets the tenant for the session · `{tenant}` an expression for the
    /// tenant · `{protect TABLE}` what protects one more table, whose column is a uuid (`{protect TABLE as TYPE}`: of
    /// this type) · `{fence TABLE}` the same, but on the stock side a restrictive policy beside an open one · `{harden
    /// TABLE}` what puts the tenant into its keys: nothing on the stock side · `{join TABLE by JOIN}` what shows the
    /// rows whose `id` is in column TABLE of the tenant's part of JOIN · `{registered}` the tenant in a setting that a
    /// library has registered, `{by registered}` makes the stock policy of `orders` read it.
    pub(super) fn fill(&self, side: Side, sql: &str) -> String {
        let Names { a, b, app, owner, backup } = self;
        let mut sql = sql.to_owned();
        for (tenant, id) in [("a", a), ("b", b)] {
            let (enter, session) = match side {
                Side::Stock => (
                    format!("pg_catalog.set_config('app.tenant', '{id}', true)"),
                    format!("pg_catalog.set_config('app.tenant', '{id}', false)"),
                ),
                // There is no tenant for a session.
                Side::Protected => (format!("tenant.enter('{id}')"), format!("tenant.enter('{id}')")),
            };
            sql = sql.replace(&format!("{{enter {tenant}}}"), &enter);
            sql = sql.replace(&format!("{{session {tenant}}}"), &session);
        }
        let bind = match side {
            Side::Stock => format!("alter role {app} set app.tenant = '{a}'"),
            Side::Protected => format!("select tenant.bind_role('{app}', '{a}')"),
        };
        sql = sql.replace("{bind a}", &bind);
        for (placeholder, says) in TABLES {
            while let Some((before, rest)) = sql.split_once(placeholder) {
                let (table, after) = rest.split_once('}').expect("a placeholder ends with }");
                sql = format!("{before}{}{after}", says(side, table));
            }
        }
        let (setting, registered, by_registered, tenant) = match side {
            Side::Stock => (
                "app.tenant",
                "application_name",
                "alter policy tenant_isolation on orders using (tenant_id::text = current_setting('application_name'))",
                "nullif(current_setting('app.tenant', true), '')::uuid",
            ),
            Side::Protected => ("pg_tenant.id", "pg_tenant.id", "select 1", "tenant.current_uuid()"),
        };
        for (placeholder, value) in
            [("{a}", a.as_str()), ("{b}", b), ("{app}", app), ("{owner}", owner), ("{backup}", backup)]
        {
            sql = sql.replace(placeholder, value);
        }
        for (placeholder, value) in [
            ("{setting}", setting),
            ("{registered}", registered),
            ("{by registered}", by_registered),
            ("{tenant}", tenant),
        ] {
            sql = sql.replace(placeholder, value);
        }
        sql
    }
}

/// The stock policy is the careful one: forced, for all commands, the same for reading and writing, and closed where
/// the setting is missing or empty.
pub(super) fn protect(side: Side, table: &str) -> String {
    let (table, of_type) = table.split_once(" as ").unwrap_or((table, "uuid"));
    match side {
        Side::Stock => format!(
            "alter table {table} enable row level security, force row level security;
             create policy tenant_isolation on {table}
                using (tenant_id = nullif(current_setting('app.tenant', true), '')::{of_type})
                with check (tenant_id = nullif(current_setting('app.tenant', true), '')::{of_type})"
        ),
        Side::Protected => format!("select tenant.protect('{table}')"),
    }
}

/// The shape that other policies cannot widen.
fn fence(side: Side, table: &str) -> String {
    let tenant = "nullif(current_setting('app.tenant', true), '')::uuid";
    match side {
        Side::Stock => format!(
            "alter table {table} enable row level security, force row level security;
             create policy fence on {table} as restrictive using (tenant_id = (select {tenant}));
             create policy open on {table} using (true)"
        ),
        Side::Protected => protect(side, table),
    }
}

/// By membership.
fn join(side: Side, tables: &str) -> String {
    let (table, by) = tables.split_once(" by ").expect("{join TABLE by JOIN}");
    match side {
        Side::Stock => format!(
            "alter table {table} enable row level security, force row level security;
             create policy by_members on {table} using (exists (select from {by} m where m.{table} = {table}.id))"
        ),
        Side::Protected => format!("select tenant.protect_by_membership('{table}', '{by}', '{table}', 'id')"),
    }
}

fn harden(side: Side, table: &str) -> String {
    match side {
        Side::Stock => "select 1".into(),
        Side::Protected => format!("select tenant.protect('{table}', harden => true)"),
    }
}
