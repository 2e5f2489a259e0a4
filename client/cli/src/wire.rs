//! A connection that answers within seconds, or says that it does not.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::connect::Connection;

/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to do where a connection broke midway. Whether a change was committed is not known at its very end.
const LOST: &str = "the connection was lost before the command was done: look what is there, and run the command again";

/// What the server says where it was not asked to the end: who, which database, not now, no longer.
const UNASKED: [&str; 7] = ["28P01", "28000", "3D000", "53300", "57P01", "57P02", "57P03"];

pub struct Wire {
    pub client: Client,
    /// The process id that the connection was told when it was made.
    pub told: Option<i32>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// An error of the server, or of what stands before it: SQLSTATE, message, DETAIL, HINT.
    Said(String, String, String, String),
    /// What this program refuses itself.
    Refused(String),
    /// What it was told is not what it takes.
    Usage(String),
    /// Nothing came in time.
    Silent,
    /// The connection broke before the answer was there.
    Lost(String),
    /// There was no connection, or what came over it made no sense.
    Broken(String),
}

pub type Rows = Vec<Vec<Option<String>>>;

impl Wire {
    pub async fn connect(config: &Config) -> Result<Wire, Fault> {
        let connected = timeout(PATIENCE, config.connect(NoTls)).await.map_err(|_| Fault::Silent)?;
        let (client, connection) = connected?;
        tokio::spawn(connection);
        let told = pg_tenant_client::internal::process_id(&client.cancel_token()).await;
        Ok(Wire { client, told })
    }

    /// As [`connect`](Self::connect), by what was given or stands in the environment, encrypted where that says so.
    pub async fn open(connection: &Connection) -> Result<Wire, Fault> {
        let (config, tls) = connection.resolve().map_err(Fault::Usage)?;
        let tls = tls.connector().map_err(Fault::Usage)?;
        let connected = timeout(PATIENCE, config.connect(tls)).await.map_err(|_| Fault::Silent)?;
        let (client, connection) = connected?;
        tokio::spawn(connection);
        Ok(Wire { client, told: None })
    }

    /// The rows of one message, of all its statements.
    pub async fn ask(&self, sql: &str) -> Result<Rows, Fault> {
        self.ask_within(PATIENCE, sql).await
    }

    /// As [`ask`](Self::ask), however long it takes.
    pub async fn ask_patiently(&self, sql: &str) -> Result<Rows, Fault> {
        self.ask_within(Duration::MAX, sql).await
    }

    pub async fn ask_within(&self, patience: Duration, sql: &str) -> Result<Rows, Fault> {
        let messages = timeout(patience, self.client.simple_query(sql)).await.map_err(|_| Fault::Silent)??;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// The first value.
    pub async fn value(&self, sql: &str) -> Result<String, Fault> {
        let rows = self.ask(sql).await?;
        Ok(rows.into_iter().flatten().next().flatten().unwrap_or_default())
    }

    /// Which of the server's processes answers.
    pub async fn pid(&self) -> Result<String, Fault> {
        self.value("select pg_catalog.pg_backend_pid()").await
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Broken(error.to_string())
    }
}

impl Fault {
    /// What to do about it, where that is clear.
    pub fn advice(&self) -> Option<&'static str> {
        match self.code() {
            _ if self.is_without_extension() => Some(
                "this database has no pg_tenant, or an older one: pgtenant init, or alter extension pg_tenant update",
            ),
            "42501" => Some(
                "the login may not do this: grant tenant_admin to it, or connect as another one (--url); init and prove \
                 need a superuser",
            ),
            "57P01" | "57P02" => Some(LOST),
            "53300" | "57P03" => Some("the server takes no connections now: run the command again later"),
            "28P01" | "28000" => Some("check user and password: --url, PGUSER, PGPASSWORD, ~/.pgpass"),
            "3D000" => Some("check the name of the database: --url, PGDATABASE"),
            "" => match self {
                Fault::Lost(_) => Some(LOST),
                Fault::Broken(_) => Some("check host and port: --url, PGHOST, PGPORT, PGSERVICE"),
                _ => None,
            },
            _ => None,
        }
    }

    /// The exit status: 1 where the server has refused, 2 where it could not be asked.
    pub fn status(&self) -> u8 {
        match self {
            Fault::Said(code, ..) if !UNASKED.contains(&&**code) && !code.starts_with("08") => {
                u8::from(self.is_without_extension()) + 1
            }
            Fault::Refused(_) => 1,
            _ => 2,
        }
    }

    /// The HINT of the server.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Fault::Said(.., hint) if !hint.is_empty() => Some(hint),
            _ => None,
        }
    }

    fn is_without_extension(&self) -> bool {
        matches!(self.code(), "3F000" | "42883" | "42P01") && self.to_string().contains("tenant")
    }
}

impl Fault {
    pub fn code(&self) -> &str {
        match self {
            Fault::Said(code, ..) => code,
            _ => "",
        }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Fault {
        match error.as_db_error() {
            Some(db) => Fault::Said(
                db.code().code().to_owned(),
                db.message().to_owned(),
                db.detail().unwrap_or_default().to_owned(),
                db.hint().unwrap_or_default().to_owned(),
            ),
            None if error.is_closed() => Fault::Lost("the connection was closed".to_owned()),
            None => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                Fault::Broken(format!("{error}{}", source.unwrap_or_default()))
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Said(code, message, detail, _) if detail.is_empty() => write!(f, "{message} ({code})"),
            Fault::Said(code, message, detail, _) => write!(f, "{message} ({code}): {detail}"),
            Fault::Silent => write!(f, "no answer within {} s", PATIENCE.as_secs()),
            Fault::Lost(what) | Fault::Broken(what) | Fault::Refused(what) | Fault::Usage(what) => f.write_str(what),
        }
    }
}
