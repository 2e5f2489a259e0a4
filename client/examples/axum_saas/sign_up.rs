//! A new tenant and its first owner.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Of;
use axum::http::StatusCode;
use pg_tenant_client::Error;
use pg_tenant_client::tokio_postgres::{self, NoTls};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Answer;

#[derive(Deserialize)]
pub struct SignUp {
    slug: String,
    name: String,
    email: String,
}

/// Where tenants are made: a connection of its own, since it begins where there is no tenant yet and is rare.
#[derive(Clone)]
pub struct Provisioning(pub Arc<tokio_postgres::Config>);

/// The tenant, its first owner and the mail that welcomes them: all of it or nothing. The key is shown once; the database
/// keeps its hash.
pub async fn sign_up(
    Of(Provisioning(config)): Of<Provisioning>,
    Json(SignUp { slug, name, email }): Json<SignUp>,
) -> Answer<(StatusCode, Json<Value>)> {
    let key = format!("{}{}", uuid(), uuid());
    let (mut client, connection) = config.connect(NoTls).await.map_err(Error::from)?;
    tokio::spawn(connection);
    let id = provision(&mut client, &slug, &name, &email, &key).await.map_err(Error::from)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "tenant": slug, "email": email, "key": key}))))
}

async fn provision(
    client: &mut tokio_postgres::Client,
    slug: &str,
    name: &str,
    email: &str,
    key: &str,
) -> Result<String, tokio_postgres::Error> {
    let tx = client.transaction().await?;
    let id: String = tx.query_one("select new_tenant($1, $2)", &[&slug, &name]).await?.get(0);
    tx.execute("select tenant.enter($1)", &[&id]).await?;
    let owner = "insert into members (email, role, key_hash) values ($1, 'owner', sha256(convert_to($2, 'UTF8')))";
    tx.execute(owner, &[&email, &key]).await?;
    let mail = "insert into mails (recipient, subject) values ($1, 'Welcome to ' || $2)";
    tx.execute(mail, &[&email, &name]).await?;
    tx.commit().await?;
    Ok(id)
}

fn uuid() -> String {
    use rand::Rng as _;
    let mut random = [0_u8; 16];
    rand::rng().fill_bytes(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
