//! Whom to write to about a project: sealed, so that neither a backup nor the database's operators can read it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pg_tenant_client::TenantHandle;
use pg_tenant_client::keys::{Column, Sealed, TenantKeys};
use serde::{Deserialize, Serialize};

use crate::error::{Answer, Refused};

const CONTACT: Column = Column::new("projects", "contact");
/// What the keys are for: another purpose has others.
const PURPOSE: &str = "contacts";

#[derive(Deserialize, Serialize)]
pub struct Contact {
    contact: Option<String>,
}

pub async fn read(db: TenantHandle, State(keys): State<TenantKeys>, Path(id): Path<i64>) -> Answer<Json<Contact>> {
    let mut tx = db.begin().await?;
    let own = keys.enter(&mut tx, PURPOSE).await?;
    let row = tx.query_opt("select contact from projects where id = $1", &[&id]).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    let sealed: Option<Sealed<String>> = row.get(0);
    let contact = sealed.map(|sealed| own.open(&CONTACT, &sealed)).transpose()?;
    Ok(Json(Contact { contact }))
}

pub async fn write(
    db: TenantHandle,
    State(keys): State<TenantKeys>,
    Path(id): Path<i64>,
    Json(new): Json<Contact>,
) -> Answer<StatusCode> {
    let mut tx = db.begin().await?;
    let own = keys.enter(&mut tx, PURPOSE).await?;
    let sealed = new.contact.map(|contact| own.seal(&CONTACT, &contact)).transpose()?;
    let done = tx.execute("update projects set contact = $2 where id = $1", &[&id, &sealed]).await?;
    tx.commit().await?;
    if done == 0 { Err(Refused::NotFound) } else { Ok(StatusCode::NO_CONTENT) }
}
