//! sqlx's macros against a protected schema. `DATABASE_URL` is asked while this is compiled, as a role for development;
//! the program then works as the application.
//!
//! `DATABASE_URL=postgres://dev@localhost/shop cargo run -p pg-tenant-query-macros -- postgres://app@…`

use pg_tenant_client::sqlx::TenantPool;
use sqlx::postgres::PgPoolOptions;

struct Project {
    id: i64,
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the application's address")?;
    let pool = TenantPool::new(PgPoolOptions::new().max_connections(1), url.parse()?);
    let mut tx = pool.tenant("acme").begin().await?;
    let made = sqlx::query!("insert into projects (name) values ($1) returning id, tenant_id", "Website")
        .fetch_one(&mut tx)
        .await?;
    let (id, tenant): (i64, String) = (made.id, made.tenant_id);
    sqlx::query!("insert into tasks (project, title) values ($1, 'Logo')", id).execute(&mut tx).await?;
    sqlx::query!("insert into projects (name) values ('Empty')").execute(&mut tx).await?;
    // sqlx guesses from the plan what may be null; where it matters, one says so.
    let join = sqlx::query!(
        r#"select p.name, t.title as "title?" from projects p left join tasks t on t.project = p.id order by p.name"#
    );
    let rows = join.fetch_all(&mut tx).await?;
    let titles: Vec<(String, Option<String>)> = rows.into_iter().map(|row| (row.name, row.title)).collect();
    let done = sqlx::query_scalar!("update tasks set title = title || '!' where project = $1 returning title", id)
        .fetch_one(&mut tx)
        .await?;
    tx.rollback().await?;
    // Single statements keep the type that the macro has found.
    let acme = pool.tenant("acme");
    let made: Project = acme
        .fetch_one(sqlx::query_as!(Project, "insert into projects (name) values ('One') returning id, name"))
        .await?;
    let names: Vec<String> =
        acme.fetch_all(sqlx::query_scalar!("select name from projects where id = $1", made.id)).await?;
    let gone =
        acme.fetch_optional(sqlx::query!("delete from projects where name = $1 returning id", made.name)).await?;
    assert_eq!((names, gone.map(|row| row.id)), (vec![made.name], Some(made.id)));
    println!("{tenant} {titles:?} {done}");
    Ok(())
}
