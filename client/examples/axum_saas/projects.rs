//! Projects of the tenant.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use pg_tenant_client::TenantHandle;
use pg_tenant_client::tokio_postgres::Row;
use serde::{Deserialize, Serialize};

use crate::error::{Answer, Refused};

#[derive(Serialize)]
pub struct Project {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
pub struct Named {
    name: String,
}

impl From<Row> for Project {
    fn from(row: Row) -> Project {
        Project { id: row.get(0), name: row.get(1) }
    }
}

pub async fn list(db: TenantHandle) -> Answer<Json<Vec<Project>>> {
    let rows = db.query("select id, name from projects order by name", &[]).await?;
    Ok(Json(rows.into_iter().map(Project::from).collect()))
}

pub async fn create(db: TenantHandle, Json(new): Json<Named>) -> Answer<(StatusCode, Json<Project>)> {
    let row = db.query_one("insert into projects (name) values ($1) returning id, name", &[&new.name]).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

pub async fn read(db: TenantHandle, Path(id): Path<i64>) -> Answer<Json<Project>> {
    one(db.query_opt("select id, name from projects where id = $1", &[&id]).await?)
}

pub async fn rename(db: TenantHandle, Path(id): Path<i64>, Json(new): Json<Named>) -> Answer<Json<Project>> {
    let sql = "update projects set name = $2 where id = $1 returning id, name";
    one(db.query_opt(sql, &[&id, &new.name]).await?)
}

/// For members with the permission `projects.delete`, as the route asks for it and the table too.
pub async fn remove(db: TenantHandle, Path(id): Path<i64>) -> Answer<StatusCode> {
    match db.execute("delete from projects where id = $1", &[&id]).await? {
        0 => Err(Refused::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

fn one(row: Option<Row>) -> Answer<Json<Project>> {
    row.map(|row| Json(row.into())).ok_or(Refused::NotFound)
}
