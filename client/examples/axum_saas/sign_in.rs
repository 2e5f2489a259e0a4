//! From a key to a token.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State as Of;
use pg_tenant_client::edge::CurrentTenantRecord;
use pg_tenant_client::{Signer, Tenant, TenantHandle, TenantPool, TenantStatus, directory::Directory};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Answer, Refused};

#[derive(Deserialize)]
pub struct SignIn {
    tenant: String,
    email: String,
    key: String,
}

const LIFETIME: Duration = Duration::from_secs(15 * 60);

pub async fn sign_in(
    Of(pool): Of<TenantPool>,
    Of(directory): Of<Directory>,
    Of(signer): Of<Arc<Signer>>,
    Json(SignIn { tenant, email, key }): Json<SignIn>,
) -> Answer<Json<Value>> {
    // Here the wire's word is all there is: it says in which tenant the key is looked for, and the key proves it.
    let record = directory.by_slug(&tenant).await?.ok_or(Refused::Unknown)?;
    match record.status {
        TenantStatus::Provisioning => return Err(Refused::NotReady),
        _ if !record.is_active() => return Err(Refused::Unknown),
        _ => {}
    }
    let sql = "select from keys where email = $1 and key_hash = sha256(convert_to($2, 'UTF8'))
        and tenant.current_member_role() is not null";
    pool.tenant(record.id).actor(email.as_str()).query_opt(sql, &[&email, &key]).await?.ok_or(Refused::Unknown)?;

    let expires = SystemTime::now() + LIFETIME;
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "tenant_id": record.id.as_str(), "sub": email, "aud": "members", "exp": expires,
    });
    Ok(Json(json!({"token": *signer.sign_claims(&claims.to_string())})))
}

/// The role is what it is now, whatever it was at sign-in.
pub async fn me(tenant: Tenant, db: TenantHandle, record: CurrentTenantRecord) -> Answer<Json<Value>> {
    let role: Option<String> = db.query_one("select tenant.current_member_role()", &[]).await?.get(0);
    Ok(Json(json!({"tenant": record.slug, "plan": record.plan, "email": tenant.actor(), "role": role})))
}
