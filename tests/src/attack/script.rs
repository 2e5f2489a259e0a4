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

impl Names {
    /// Fills the placeholders of a step.
    ///
    /// `{a}` `{b}` tenant ids · `{app}` `{owner}` `{backup}` roles · `{setting}` where the tenant stands ·
    /// `{enter a}` `{enter b}` the tenant of this transaction · `{session a}` `{session b}` what an application does
    /// that sets the tenant for the session · `{protect TABLE}` what protects one more table.
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
        while let Some((before, rest)) = sql.split_once("{protect ") {
            let (table, after) = rest.split_once('}').expect("a placeholder ends with }");
            sql = format!("{before}{}{after}", protect(side, table));
        }
        let setting = match side {
            Side::Stock => "app.tenant",
            Side::Protected => "pg_tenant.id",
        };
        for (placeholder, value) in
            [("{a}", a.as_str()), ("{b}", b), ("{app}", app), ("{owner}", owner), ("{backup}", backup)]
        {
            sql = sql.replace(placeholder, value);
        }
        sql.replace("{setting}", setting)
    }
}

/// The stock policy is the careful one: forced, for all commands, the same for reading and writing, and closed where
/// the setting is missing or empty.
pub(super) fn protect(side: Side, table: &str) -> String {
    match side {
        Side::Stock => format!(
            "alter table {table} enable row level security, force row level security;
             create policy tenant_isolation on {table}
                using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
                with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)"
        ),
        Side::Protected => format!("select tenant.protect('{table}')"),
    }
}
