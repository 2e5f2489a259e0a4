//! What a ready tenant gets when somebody claims it.

/// What a tenant that was set up before anybody asked for it gets, when somebody claims it
/// ([`Onboarding::claim_ready`](super::Onboarding::claim_ready)). Its id it has already.
#[derive(Clone, Debug, Default)]
#[must_use = "give it to Onboarding::claim_ready"]
pub struct ReadyTenant {
    pub(super) name: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) settings: Option<String>,
}

impl ReadyTenant {
    /// Nothing yet.
    pub fn new() -> ReadyTenant {
        ReadyTenant::default()
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

    /// Its plan.
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Settings of the application: the text of a JSON object.
    pub fn settings(mut self, json: impl Into<String>) -> Self {
        self.settings = Some(json.into());
        self
    }
}
