//! What is to change of a tenant.

/// What is to change of a tenant; the rest stays as it is. Its id stays for good.
#[derive(Clone, Debug, Default)]
#[must_use = "give it to TenantAdmin::change"]
pub struct TenantChange {
    /// Columns of the registry, and their values.
    pub(super) columns: Vec<(&'static str, Option<String>)>,
}

impl TenantChange {
    /// Nothing yet.
    pub fn new() -> TenantChange {
        TenantChange::default()
    }

    /// What people call it; `None` takes the name away.
    pub fn name<'a>(self, name: impl Into<Option<&'a str>>) -> Self {
        self.set("name", name.into())
    }

    /// Its name in addresses; with `None` it has none.
    pub fn slug<'a>(self, slug: impl Into<Option<&'a str>>) -> Self {
        self.set("slug", slug.into())
    }

    /// Its plan; with `None` it has none.
    pub fn plan<'a>(self, plan: impl Into<Option<&'a str>>) -> Self {
        self.set("plan", plan.into())
    }

    /// Settings of the application: the text of a JSON object.
    pub fn settings(self, json: &str) -> Self {
        self.set("settings", Some(json))
    }

    fn set(mut self, column: &'static str, value: Option<&str>) -> Self {
        self.columns.retain(|(other, _)| *other != column);
        self.columns.push((column, value.map(str::to_owned)));
        self
    }

    /// The statement and its values, of which the tenant is the first; none where nothing changes.
    #[cfg(feature = "sqlx")]
    pub(crate) fn statement(&self) -> Option<(String, impl Iterator<Item = Option<&str>>)> {
        let values = self.columns.iter().map(|(_, value)| value.as_deref());
        (!self.columns.is_empty()).then(|| (self.sql(), values))
    }

    /// `$1` is the tenant, the values follow.
    pub(super) fn sql(&self) -> String {
        let set = self.columns.iter().enumerate().map(|(at, (column, _))| {
            let cast = if *column == "settings" { "::text::jsonb" } else { "" };
            format!("{column} = ${}{cast}", at + 2)
        });
        let set: Vec<_> = set.collect();
        format!("update tenant.tenants set {} where id = $1 returning id", set.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_column_counts() {
        let change = TenantChange::new().name("A").plan(None).name("B").settings("{}");
        let sql =
            "update tenant.tenants set plan = $2, name = $3, settings = $4::text::jsonb where id = $1 returning id";
        assert_eq!(change.sql(), sql);
        assert_eq!(change.columns[1], ("name", Some("B".to_owned())));
    }
}
