//! What is asked of a token beside its signature.

/// What is asked of a token beside its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The value that `iss` must have.
    pub issuer: Option<String>,
    /// The value that must be, or be among, `aud`. With none, a token that names an audience is refused (RFC 7519,
    /// section 4.1.3): it was made for somebody, and not for us.
    pub audience: Option<String>,
    /// The claim that names the tenant.
    pub tenant_claim: String,
    /// The claim that names the actor, if one is read.
    pub actor_claim: Option<String>,
    /// The claim that names the role, if one is read.
    pub role_claim: Option<String>,
    /// By how many seconds clocks may differ.
    pub leeway: u32,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            issuer: None,
            audience: None,
            tenant_claim: "tenant_id".into(),
            actor_claim: Some("sub".into()),
            role_claim: Some("role".into()),
            leeway: 0,
        }
    }
}
