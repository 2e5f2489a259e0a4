//! Two tenants; users of the first, of the second and of both.

use pg_tenant_tests::{Database, Session, database};

pub const TABLES: &str = "
    create table users (id bigserial primary key, email text unique, secret text);
    create table members (account_id bigint not null, user_id bigint not null references users, role text,
        primary key (account_id, user_id));
    create table posts (account_id bigint not null, id int, author bigint references users, primary key (account_id, id));
    insert into users (email, secret) values ('a@1', 's1'), ('b@2', 's2'), ('both', 's3'), ('nobody', 's4');
    insert into members (account_id, user_id) values (1, 1), (2, 2), (1, 3), (2, 3);
    insert into posts values (1, 1, 1), (2, 1, 2);";

/// The emails that a tenant sees.
pub const SEEN: &str = "select string_agg(email, ' ' order by id) from users";

/// The join table protected, and users not yet; and a session of the owner, who is `tenant_admin` as well.
pub async fn unfenced(name: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.admin().await.run("select tenant.create('1'), tenant.create('2')").await;
    let owner = db.protector().await;
    owner.run(TABLES).await;
    owner.run("select tenant.protect('members', 'account_id'), tenant.protect('posts', 'account_id')").await;
    (db, owner)
}

/// Users reached by membership, too.
pub async fn stage(name: &str) -> (Database<'static>, Session) {
    let (db, owner) = unfenced(name).await;
    owner.run("select tenant.protect_by_membership('users', through => 'members')").await;
    (db, owner)
}

/// A text value of a query's only row.
pub async fn text(session: &Session, sql: &str) -> String {
    session.value(sql).await.unwrap_or_else(|| "null".into())
}
