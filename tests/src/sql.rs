//! A session, and what it expects. What is not as expected panics with the whole error and the caller's line.

use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Notification, SimpleQueryMessage};

/// A connection of one role. All of tokio-postgres' `Client` is there too.
pub struct Session {
    client: Client,
    notices: Arc<Mutex<Vec<DbError>>>,
    notifications: Arc<Mutex<Vec<Notification>>>,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Session {
    /// Connect, or panic.
    pub async fn connect(config: &Config) -> Session {
        let connected = Session::try_connect(config).await;
        connected.unwrap_or_else(|e| panic!("connect as {:?}: {}", config.get_user(), describe(&e)))
    }

    /// Connect where that may fail.
    pub async fn try_connect(config: &Config) -> Result<Session, Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let (notices, notifications) = (Arc::default(), Arc::default());
        let (heard, told) = (Arc::clone(&notices), Arc::clone(&notifications));
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    AsyncMessage::Notice(notice) => push(&heard, notice),
                    AsyncMessage::Notification(notification) => push(&told, notification),
                    _ => {}
                }
            }
        });
        Ok(Session { client, notices, notifications })
    }

    /// What this session has heard of NOTIFY since it was asked last.
    pub fn notifications(&self) -> Vec<Notification> {
        std::mem::take(&mut self.notifications.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// tokio-postgres' client alone, where its methods want it for themselves.
    pub fn into_client(self) -> Client {
        self.client
    }

    /// Run statements that must succeed.
    #[track_caller]
    pub fn run(&self, sql: &str) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let mut done = self.batch_execute(sql).await;
            while done.as_ref().is_err_and(|e| is_deadlock_over_roles(e, sql)) {
                let _ = self.batch_execute("rollback").await; // where the statements began a transaction
                done = self.batch_execute(sql).await;
            }
            done.unwrap_or_else(|e| panic!("{at}: {sql}\n{}", describe(&e)))
        }
    }

    /// Run statements that must be refused with `sqlstate`; returns the error for a look at its text.
    #[track_caller]
    pub fn expect_error(&self, sqlstate: &str, sql: &str) -> impl Future<Output = DbError> {
        let at = Location::caller();
        async move {
            let Err(error) = self.batch_execute(sql).await else {
                panic!("{at}: {sql}\nwas not refused; expected SQLSTATE {sqlstate}")
            };
            match error.as_db_error() {
                Some(e) if e.code().code() == sqlstate => e.clone(),
                _ => panic!("{at}: {sql}\nexpected SQLSTATE {sqlstate}\n{}", describe(&error)),
            }
        }
    }

    /// All rows of one or more queries, as text; SQL NULL is `None`.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> impl Future<Output = Vec<Vec<Option<String>>>> {
        let at = Location::caller();
        async move {
            let answer = self.simple_query(sql).await;
            let messages = answer.unwrap_or_else(|e| panic!("{at}: {sql}\n{}", describe(&e)));
            let row = |message| match message {
                SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
                _ => None,
            };
            messages.into_iter().filter_map(row).collect()
        }
    }

    /// The first column of the only row, as text.
    #[track_caller]
    pub fn value(&self, sql: &str) -> impl Future<Output = Option<String>> {
        let at = Location::caller();
        let rows = self.rows(sql);
        async move {
            let mut rows = rows.await;
            assert_eq!(rows.len(), 1, "{at}: {sql}\nexpected one row, not {rows:?}");
            rows.swap_remove(0).swap_remove(0)
        }
    }

    /// The notices and warnings since the last call.
    pub fn notices(&self) -> Vec<DbError> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(|e| e.into_inner()))
    }
}

/// All that the server said of an error: severity, SQLSTATE, message, detail, hint, context.
pub fn describe(error: &Error) -> String {
    let Some(db) = error.as_db_error() else {
        let source = std::error::Error::source(error).map(|s| format!(": {s}"));
        return format!("{error}{}", source.unwrap_or_default());
    };
    let mut text = format!("{} {}: {}", db.severity(), db.code().code(), db.message());
    for (name, value) in [("DETAIL", db.detail()), ("HINT", db.hint()), ("CONTEXT", db.where_())] {
        if let Some(value) = value {
            let _ = write!(text, "\n{name}: {value}");
        }
    }
    text
}

/// Roles are the whole server's: tests that grant the same two in another order wait in a circle. Nothing was done
/// then.
fn is_deadlock_over_roles(error: &Error, sql: &str) -> bool {
    error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) && sql.contains("role ") && sql.contains("grant ")
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(|e| e.into_inner()).push(item);
}
