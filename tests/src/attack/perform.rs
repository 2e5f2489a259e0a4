//! One attack, step by step, in a database of its own.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use futures_util::TryStreamExt as _;
use pg_tenant_client::{Error, TenantPool, TenantTx};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::measure::{Outcome, foreign};
use super::script::{Names, Side};
use super::{Step, Tenant, Who};
use crate::Session;
use crate::cluster::Cluster;

pub(super) struct Run<'s> {
    cluster: &'s Cluster,
    names: &'s Names,
    side: Side,
    database: String,
    sessions: Vec<(Who, Session)>,
    lender: Lender,
    outcome: Outcome,
}

/// Pools with one connection, so that the next borrower gets the same one.
enum Lender {
    Usual(Pool),
    Tenants(TenantPool),
}

impl<'s> Run<'s> {
    pub(super) fn new(cluster: &'s Cluster, names: &'s Names, side: Side, database: String) -> Run<'s> {
        let config = cluster.config(&database, &names.app);
        let lender = match side {
            Side::Stock => {
                let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
                let pool = Pool::builder(Manager::from_config(config, NoTls, recycling)).max_size(1).build();
                Lender::Usual(pool.expect("a pool of one"))
            }
            Side::Protected => Lender::Tenants(TenantPool::builder(config).max_size(1).build().expect("a pool of one")),
        };
        Run { cluster, names, side, database, sessions: Vec::new(), lender, outcome: Outcome::default() }
    }

    pub(super) fn finish(self) -> Outcome {
        self.outcome
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match *step {
            Step::Run(who, sql) | Step::Read(who, sql) => {
                let sql = self.fill(sql);
                let answer = self.session(who).await.simple_query(&sql).await;
                match answer {
                    Ok(messages) if matches!(step, Step::Read(..)) => self.outcome.seen += self.count(&messages),
                    Ok(_) => {}
                    Err(error) => self.refuse(&error),
                }
            }
            Step::Tells(who, code, sql) => {
                let sql = self.fill(sql);
                match self.session(who).await.simple_query(&sql).await {
                    Ok(_) => {}
                    Err(error) if error.as_db_error().is_some_and(|e| e.code().code() == code) => {
                        self.outcome.seen += 1
                    }
                    Err(error) => self.refuse(&error),
                }
            }
            Step::Copy(who, sql) => {
                let sql = self.fill(sql);
                match copied(self.session(who).await, &sql).await {
                    Ok(text) => self.outcome.seen += foreign(text.lines().map(Some), &self.names.a),
                    Err(error) => self.refuse(&error),
                }
            }
            Step::Connect(who, options) => {
                let mut config = self.cluster.config(&self.database, self.role(who));
                match Session::try_connect(config.options(self.fill(options))).await {
                    Ok(session) => self.sessions.insert(0, (who, session)),
                    Err(error) => self.refuse(&error),
                }
            }
            Step::Lend(tenant, sql) | Step::LendRead(tenant, sql) => {
                let (tenant, sql) = (self.tenant(tenant).to_owned(), self.fill(sql));
                let reads = matches!(step, Step::LendRead(..));
                let (before, query) = match sql.rsplit_once(';') {
                    _ if !reads => (sql.as_str(), None),
                    Some((before, query)) => (before, Some(query)),
                    None => ("", Some(sql.as_str())),
                };
                match self.lender.lend(&tenant, before, query).await {
                    Ok(rows) => {
                        self.outcome.seen += foreign(rows.iter().map(|row| Some(row.as_str())), &self.names.a);
                    }
                    Err((code, message)) => self.outcome.refuse(&code, &message),
                }
            }
        }
    }

    async fn session(&mut self, who: Who) -> &Session {
        let at = match self.sessions.iter().position(|(whose, _)| *whose == who) {
            Some(at) => at,
            None => {
                let config = self.cluster.config(&self.database, self.role(who));
                self.sessions.push((who, Session::connect(&config).await));
                self.sessions.len() - 1
            }
        };
        &self.sessions[at].1
    }

    fn count(&self, messages: &[SimpleQueryMessage]) -> u64 {
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get("tenant_id").ok(),
            _ => None, // not a row, or one of a statement that reads no rows of the table
        });
        foreign(rows, &self.names.a)
    }

    fn refuse(&mut self, error: &tokio_postgres::Error) {
        let Some(db) = error.as_db_error() else { panic!("the connection failed: {error}") };
        self.outcome.refuse(db.code().code(), db.message());
    }

    fn fill(&self, sql: &str) -> String {
        self.names.fill(self.side, sql)
    }

    fn role(&self, who: Who) -> &'s str {
        match who {
            Who::App => &self.names.app,
            Who::Owner => &self.names.owner,
            Who::Dba => "postgres",
        }
    }

    fn tenant(&self, tenant: Tenant) -> &'s str {
        match tenant {
            Tenant::A => &self.names.a,
            Tenant::B => &self.names.b,
        }
    }
}

impl Lender {
    /// Returns the tenant ids that the query read; SQLSTATE and message where something refused.
    async fn lend(&self, tenant: &str, sql: &str, query: Option<&str>) -> Result<Vec<String>, (String, String)> {
        match self {
            Lender::Usual(pool) => usual(pool, tenant, sql, query).await.map_err(|error| {
                let db = error.as_db_error().unwrap_or_else(|| panic!("the connection failed: {error}"));
                (db.code().code().to_owned(), db.message().to_owned())
            }),
            Lender::Tenants(pool) => {
                let work = async |tx: &mut TenantTx| {
                    tx.batch_execute(sql).await?;
                    let Some(query) = query else { return Ok(Vec::new()) };
                    Ok(tx.query(query, &[]).await?.iter().map(|row| row.get(0)).collect())
                };
                let refused = |error: Error| (error.code().unwrap_or("client").to_owned(), error.message().to_owned());
                pool.tenant(tenant).run(work).await.map_err(refused)
            }
        }
    }
}

async fn copied(session: &Session, sql: &str) -> Result<String, tokio_postgres::Error> {
    let (mut stream, mut text) = (std::pin::pin!(session.copy_out(sql).await?), String::new());
    while let Some(chunk) = stream.try_next().await? {
        text += &String::from_utf8_lossy(&chunk);
    }
    Ok(text)
}

async fn usual(
    pool: &Pool,
    tenant: &str,
    sql: &str,
    query: Option<&str>,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let mut client = pool.get().await.expect("the pool lends its connection");
    let tx = client.transaction().await?;
    tx.query("select set_config('app.tenant', $1, true)", &[&tenant]).await?;
    tx.batch_execute(sql).await?;
    let rows = match query {
        Some(query) => tx.query(query, &[]).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
