//! What handlers work with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pg_tenant_client::directory::Directory;
use pg_tenant_client::keys::{FileKeys, TenantKeys};
use pg_tenant_client::onboarding::Onboarding;
use pg_tenant_client::{Signer, TenantPool, TokenVerifier};

use crate::config::Config;
use crate::sign_up::steps;

#[derive(Clone, FromRef)]
pub struct State {
    /// As the application.
    pub pool: TenantPool,
    /// As an operator: a role and a pool of its own.
    #[from_ref(skip)]
    pub operators: TenantPool,
    /// Does jobs: likewise.
    #[from_ref(skip)]
    pub worker: TenantPool,
    /// Reads across tenants, on a replica where there is one: likewise.
    #[from_ref(skip)]
    pub reports: TenantPool,
    pub directory: Directory,
    pub signer: Arc<Signer>,
    pub jwks: Arc<str>,
    /// Seals what only its tenant may read.
    pub keys: TenantKeys,
    /// Sets tenants up: a role and a pool of its own.
    pub onboarding: Onboarding,
}

impl State {
    pub fn new(config: &Config) -> Result<State, Box<dyn std::error::Error>> {
        let pool = |config: &str, size| -> Result<TenantPool, Box<dyn std::error::Error>> {
            Ok(TenantPool::builder(config.parse()?).max_size(size).wait_timeout(Duration::from_secs(5)).build()?)
        };
        let onboarding = steps(pool(&config.provisioning, 4)?);
        let (pool, operators) = (pool(&config.application, 16)?, pool(&config.operator, 2)?);
        let worker = TenantPool::builder(config.worker.parse()?).max_size(5).build()?;
        let mut reports = TenantPool::builder(config.reports.parse()?).max_size(1);
        if let Some(replica) = &config.reports_replica {
            reports = reports.replica(replica.parse()?);
        }
        let reports = reports.build()?;
        let directory = Directory::new(pool.clone());
        let secret = config.secret.as_bytes();
        let signer = Arc::new(Signer::hs256(Some("saas"), secret)?);
        let key = URL_SAFE_NO_PAD.encode(secret);
        let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"saas","alg":"HS256","k":"{key}"}}]}}"#).into();
        let keys = TenantKeys::new(FileKeys::new(&config.keys));
        Ok(State { pool, operators, worker, reports, directory, signer, jwks, keys, onboarding })
    }
}

/// Tokens of members.
pub fn members(jwks: &str) -> TokenVerifier {
    verifier(jwks, "members")
}

/// Tokens of operators, which no member's sign-in gives out. They name the tenant `operators`, which need not exist.
pub fn operators(jwks: &str) -> TokenVerifier {
    verifier(jwks, "operators")
}

fn verifier(jwks: &str, audience: &str) -> TokenVerifier {
    // The set was made from the secret that the signer has taken.
    TokenVerifier::new(jwks.as_bytes()).expect("a key set of our own").audience(audience)
}
