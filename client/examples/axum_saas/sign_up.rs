//! A new tenant and its first owner: registered at once, set up in steps by the program's worker.

use axum::Json;
use axum::extract::State as Of;
use axum::http::StatusCode;
use pg_tenant_client::TenantPool;
use pg_tenant_client::admin::NewTenant;
use pg_tenant_client::onboarding::{Onboarding, Step, TenantStep};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Answer;
use crate::worker::Mail;

#[derive(Deserialize)]
pub struct SignUp {
    slug: String,
    name: String,
    email: String,
}

/// What the steps are given. It is kept in `tenant.onboardings`, so the key is not in it.
#[derive(Serialize)]
struct Owner<'a> {
    name: &'a str,
    email: &'a str,
    key_hash: String,
}

/// What a tenant needs before anybody enters it. A step is tried again until it succeeds, and its rows are there once.
pub fn steps(pool: TenantPool) -> Onboarding {
    let owner = async |mut step: TenantStep| {
        let (email, hash): (String, String) = (step.input("email")?, step.input("key_hash")?);
        step.tx()
            .execute("insert into keys (email, key_hash) values ($1, decode($2, 'hex'))", &[&email, &hash])
            .await?;
        step.tx().execute("select tenant.add_member(tenant.current_id(), $1, 'owner', $1)", &[&email]).await?;
        Ok(())
    };
    let welcome = async |mut step: TenantStep| {
        let (name, email): (String, String) = (step.input("name")?, step.input("email")?);
        step.tx().enqueue(&Mail { recipient: email, subject: format!("Welcome to {name}") }).await?;
        Ok(())
    };
    // Undone where an operator gives the tenant up: tenant.abandon_onboarding(id, reason). Its members and its jobs go
    // with it.
    let forget = async |mut step: TenantStep, _: Option<()>| {
        step.tx().execute("delete from keys", &[]).await?;
        Ok(())
    };
    Onboarding::new(pool)
        .step(Step::in_tenant("owner", owner).undo(forget))
        .step(Step::in_tenant("welcome", welcome).after("owner"))
}

/// The tenant with its steps, or nothing. It is entered when they are done; until then a request is told to try again.
/// The key is shown once; the database keeps its hash.
pub async fn sign_up(
    Of(onboarding): Of<Onboarding>,
    Json(SignUp { slug, name, email }): Json<SignUp>,
) -> Answer<(StatusCode, Json<Value>)> {
    let key = format!("{}{}", hex(&random()), hex(&random()));
    let key_hash = hex(digest(&SHA256, key.as_bytes()).as_ref());
    let id = uuid::Builder::from_random_bytes(random()).into_uuid();
    let owner = Owner { name: &name, email: &email, key_hash };
    let id = onboarding.begin(NewTenant::new(id).slug(slug.as_str()).name(name.as_str()), &owner).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": id.as_str(), "tenant": slug, "email": email, "key": key}))))
}

fn random() -> [u8; 16] {
    use rand::Rng as _;
    let mut random = [0_u8; 16];
    rand::rng().fill_bytes(&mut random);
    random
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
