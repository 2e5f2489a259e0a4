//! Tasks of the tenant's projects.

use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use pg_tenant_client::TenantHandle;
use pg_tenant_client::tokio_postgres::Row;
use serde::{Deserialize, Serialize};

use crate::error::{Answer, Refused};

#[derive(Serialize)]
pub struct Task {
    id: i64,
    project: i64,
    title: String,
    done: bool,
}

const TASK: &str = "id, project, title, done";

#[derive(Deserialize)]
pub struct New {
    title: String,
}

/// What is there is changed.
#[derive(Deserialize)]
pub struct Change {
    title: Option<String>,
    done: Option<bool>,
    /// Moves it to another project.
    project: Option<i64>,
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
}

impl From<Row> for Task {
    fn from(row: Row) -> Task {
        Task { id: row.get(0), project: row.get(1), title: row.get(2), done: row.get(3) }
    }
}

/// Two statements in one transaction: an empty project is not the same as none.
pub async fn list(db: TenantHandle, Path(project): Path<i64>) -> Answer<Json<Vec<Task>>> {
    let tasks = db
        .transaction(async |tx| {
            if tx.query_opt("select from projects where id = $1", &[&project]).await?.is_none() {
                return Ok(None);
            }
            let sql = format!("select {TASK} from tasks where project = $1 order by id");
            Ok(Some(tx.query(&sql, &[&project]).await?))
        })
        .await?;
    Ok(Json(tasks.ok_or(Refused::NotFound)?.into_iter().map(Task::from).collect()))
}

pub async fn create(
    db: TenantHandle,
    Path(project): Path<i64>,
    Json(new): Json<New>,
) -> Answer<(StatusCode, Json<Task>)> {
    let sql = format!("insert into tasks (project, title) values ($1, $2) returning {TASK}");
    Ok((StatusCode::CREATED, Json(db.query_one(&sql, &[&project, &new.title]).await?.into())))
}

pub async fn search(db: TenantHandle, Query(search): Query<Search>) -> Answer<Json<Vec<Task>>> {
    let sql = format!("select {TASK} from tasks where strpos(lower(title), lower($1)) > 0 order by id limit 100");
    Ok(Json(db.query(&sql, &[&search.q]).await?.into_iter().map(Task::from).collect()))
}

pub async fn read(db: TenantHandle, Path(id): Path<i64>) -> Answer<Json<Task>> {
    one(db.query_opt(&format!("select {TASK} from tasks where id = $1"), &[&id]).await?)
}

pub async fn change(db: TenantHandle, Path(id): Path<i64>, Json(change): Json<Change>) -> Answer<Json<Task>> {
    let Change { title, done, project } = change;
    let sql = format!(
        "update tasks set title = coalesce($2, title), done = coalesce($3, done), project = coalesce($4, project)
            where id = $1 returning {TASK}"
    );
    one(db.query_opt(&sql, &[&id, &title, &done, &project]).await?)
}

pub async fn remove(db: TenantHandle, Path(id): Path<i64>) -> Answer<StatusCode> {
    match db.execute("delete from tasks where id = $1", &[&id]).await? {
        0 => Err(Refused::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

fn one(row: Option<Row>) -> Answer<Json<Task>> {
    row.map(|row| Json(row.into())).ok_or(Refused::NotFound)
}
