//! Statements inside a tenant's transaction, as an application runs them: enter, work, commit.

use std::future::Future;
use std::panic::Location;

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::DbError;

use crate::database::Database;
use crate::sql::{Session, describe};

impl Session {
    /// Run statements in a transaction of `tenant`; they must succeed. The rows of all of them but `enter`, as text.
    #[track_caller]
    pub fn inside(&self, tenant: &str, sql: &str) -> impl Future<Output = Vec<Vec<Option<String>>>> {
        let at = Location::caller();
        async move {
            let script = format!("begin; select tenant.enter('{tenant}'); {sql}; commit");
            let answer = self.simple_query(&script).await;
            let messages = answer.unwrap_or_else(|e| panic!("{at}: inside {tenant}: {sql}\n{}", describe(&e)));
            let row = |message| match message {
                SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
                _ => None,
            };
            messages.into_iter().filter_map(row).skip(1).collect()
        }
    }

    /// As [`inside`](Self::inside), for the first column of the only row.
    #[track_caller]
    pub fn inside_value(&self, tenant: &str, sql: &str) -> impl Future<Output = Option<String>> {
        let at = Location::caller();
        let rows = self.inside(tenant, sql);
        async move {
            let mut rows = rows.await;
            assert_eq!(rows.len(), 1, "{at}: {sql}\nexpected one row, not {rows:?}");
            rows.swap_remove(0).swap_remove(0)
        }
    }

    /// Run statements in a transaction of `tenant`; the last of them must be refused with `sqlstate`.
    #[track_caller]
    pub fn refused_inside(&self, sqlstate: &str, tenant: &str, sql: &str) -> impl Future<Output = DbError> {
        let at = Location::caller();
        async move {
            let answer = self.batch_execute(&format!("begin; select tenant.enter('{tenant}'); {sql}")).await;
            self.batch_execute("rollback").await.unwrap_or_else(|e| panic!("{at}: rollback\n{}", describe(&e)));
            let Err(error) = answer else {
                panic!("{at}: {sql}\nwas not refused inside tenant {tenant}; expected SQLSTATE {sqlstate}")
            };
            match error.as_db_error() {
                Some(e) if e.code().code() == sqlstate => e.clone(),
                _ => panic!("{at}: {sql}\nexpected SQLSTATE {sqlstate}\n{}", describe(&error)),
            }
        }
    }
}

impl Database<'_> {
    /// Run statements as a superuser inside `tenant`, and undo them. The superuser is a member of tenant_user no longer
    /// than that: the role is the whole server's, and doctors in other databases would report it.
    #[track_caller]
    pub fn superuser_inside(&self, tenant: &str, sql: &str) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let grant = "grant tenant_user to current_user";
            let script = format!("begin; {grant}; select tenant.enter('{tenant}'); {sql}; rollback");
            let done = self.superuser().await.batch_execute(&script).await;
            done.unwrap_or_else(|e| panic!("{at}: inside {tenant}: {sql}\n{}", describe(&e)));
        }
    }

    /// From the next login on, what tells of other tenants is refused rather than hidden.
    pub async fn refuse_side_channels(&self) {
        let sql = format!("alter database {} set pg_tenant.side_channels = refuse", self.name);
        self.superuser().await.run(&sql).await;
    }

    /// A session of the tables' owner, who from now on may protect them: the DBA of a small application.
    pub async fn protector(&self) -> Session {
        self.superuser().await.run(&format!("grant tenant_admin to {}", self.roles.owner)).await;
        self.owner().await
    }
}
