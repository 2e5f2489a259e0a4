//! A tenant to be registered.

use pg_tenant_core::{MalformedTenantId, TenantId};

use crate::error::Error;
use crate::tenant::into_id::IntoTenantId;
use crate::wire::sql::literal;

/// A tenant to be registered: what `tenant.create` takes.
#[derive(Clone, Debug)]
#[must_use = "give it to TenantAdmin::create"]
pub struct NewTenant {
    id: Result<TenantId, MalformedTenantId>,
    pub(crate) name: Option<String>,
    pub(crate) slug: Option<String>,
    pub(crate) plan: Option<String>,
    pub(crate) settings: Option<String>,
}

impl NewTenant {
    /// A tenant with this id, for good, and nothing else.
    pub fn new(id: impl IntoTenantId) -> NewTenant {
        NewTenant { id: id.into_tenant_id(), name: None, slug: None, plan: None, settings: None }
    }

    /// What people call it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its name in addresses: 1 to 63 characters `a-z 0-9 -`, of which no two tenants have the same.
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// Its plan, as the application calls it (see [`Plans::from_directory`](crate::Plans)).
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Settings of the application: the text of a JSON object.
    pub fn settings(mut self, json: impl Into<String>) -> Self {
        self.settings = Some(json.into());
        self
    }

    pub(crate) fn id(&self) -> Result<TenantId, Error> {
        self.id.map_err(Error::malformed)
    }

    /// The statement that registers it, without parameters: it goes with others in one message.
    pub(crate) fn sql(&self) -> Result<String, Error> {
        let mut sql = format!("select tenant.create({}::text", literal(self.id()?.as_str()));
        let texts = [("name", &self.name), ("slug", &self.slug), ("plan", &self.plan), ("settings", &self.settings)];
        for (name, text) in texts {
            if let Some(text) = text {
                sql.push_str(&format!(", {name} => {}", literal(text)));
            }
        }
        sql.push(')');
        Ok(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_stays_a_value() {
        let new = NewTenant::new("Acme").name("O'Neil \\ Söhne").slug("acme");
        assert_eq!(
            new.sql().unwrap(),
            r"select tenant.create('Acme'::text, name =>  E'O''Neil \\ Söhne', slug => 'acme')"
        );
        assert!(NewTenant::new("a'b").sql().unwrap_err().is_malformed_id());
    }
}
