//! Keys in the transit engine of HashiCorp Vault, or OpenBao: a key for each tenant.
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/transit>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pg_tenant_core::TenantId;
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::service::{KeyFuture, KeyService};
use crate::error::Error;

/// A key `tenant-<id>` for each tenant in a transit engine. Its token may create, use, configure and delete them.
///
/// For TLS turn on a feature of the crate `reqwest` in the application, or give a client
/// ([`with_client`](Self::with_client)).
#[derive(Clone, Debug)]
pub struct VaultKeys {
    client: Client,
    base: String,
    mount: String,
    token: SecretString,
}

impl VaultKeys {
    /// At this address, such as `https://vault.internal:8200`, by this token; each call takes 10 seconds at most.
    ///
    /// # Errors
    /// There can be no HTTP client.
    pub fn new(address: &str, token: SecretString) -> Result<VaultKeys, reqwest::Error> {
        let client = Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(VaultKeys::with_client(client, address, token))
    }

    /// By a client of one's own.
    pub fn with_client(client: Client, address: &str, token: SecretString) -> VaultKeys {
        VaultKeys { client, base: address.trim_end_matches('/').to_owned(), mount: "transit".to_owned(), token }
    }

    /// Where the engine is mounted; `transit` by default.
    pub fn mount(mut self, path: impl Into<String>) -> Self {
        self.mount = path.into();
        self
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value), String> {
        let url = format!("{}/v1/{}/{path}", self.base, self.mount);
        let request = self.client.request(method, url).header("X-Vault-Token", self.token.expose_secret());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        // An address may have a password in it.
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| error.without_url().to_string())?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn asked(&self, verb: &str, tenant: &TenantId, body: Value, field: &str) -> Result<String, String> {
        let path = format!("{verb}/{}", name(tenant));
        let (status, answer) = self.call(Method::POST, &path, Some(body)).await?;
        let found = answer["data"][field].as_str().map(str::to_owned);
        found.filter(|_| status.is_success()).ok_or_else(|| said(status, &answer))
    }
}

/// The names of two tenants are never the same; a transit key has letters, digits, `_`, `.` and `-`.
fn name(tenant: &TenantId) -> String {
    let id = tenant.as_str();
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        return format!("tenant-{id}");
    }
    format!("tenant_hex-{}", id.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn said(status: StatusCode, answer: &Value) -> String {
    let errors = answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    format!("It has answered {status}: {}", errors.collect::<Vec<_>>().join("; "))
}

impl KeyService for VaultKeys {
    fn wrap<'a>(&'a self, tenant: &'a TenantId, key: &'a [u8]) -> KeyFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let body = json!({"plaintext": STANDARD.encode(key)});
            let wrapped = self.asked("encrypt", tenant, body, "ciphertext").await;
            wrapped.map(String::into_bytes).map_err(|why| Error::key_service(tenant, "wrapped", why))
        })
    }

    fn unwrap<'a>(&'a self, tenant: &'a TenantId, wrapped: &'a [u8]) -> KeyFuture<'a, Zeroizing<Vec<u8>>> {
        Box::pin(async move {
            let failed = |why| Error::key_service(tenant, "unwrapped", why);
            let text = std::str::from_utf8(wrapped).map_err(|_| failed("It was wrapped by another service.".into()))?;
            let plain =
                self.asked("decrypt", tenant, json!({"ciphertext": text}), "plaintext").await.map_err(failed)?;
            let plain = Zeroizing::new(plain);
            let key = STANDARD.decode(plain.as_bytes()).map_err(|_| failed("It has answered no key.".into()))?;
            Ok(Zeroizing::new(key))
        })
    }

    fn destroy<'a>(&'a self, tenant: &'a TenantId) -> KeyFuture<'a, ()> {
        Box::pin(async move {
            let failed = |why| Error::key_service(tenant, "destroyed", why);
            let path = format!("keys/{}", name(tenant));
            let (allow, allowed) = (format!("{path}/config"), json!({"deletion_allowed": true}));
            let (status, answer) = self.call(Method::POST, &allow, Some(allowed)).await.map_err(failed)?;
            if status == StatusCode::NOT_FOUND || answer["errors"].to_string().contains("no existing key") {
                return Ok(()); // it was destroyed before, or never made
            } else if !status.is_success() {
                return Err(failed(said(status, &answer)));
            }
            let (status, answer) = self.call(Method::DELETE, &path, None).await.map_err(failed)?;
            if status.is_success() { Ok(()) } else { Err(failed(said(status, &answer))) }
        })
    }
}
