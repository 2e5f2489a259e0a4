//! Work after the answer: mails, each queued in the transaction that is the reason for it.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_client::jobs::{Job, OutsideJob, RunningWorker, Worker};
use pg_tenant_client::tokio_postgres::Config;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Mail {
    pub recipient: String,
    pub subject: String,
}

impl Job for Mail {
    const KIND: &'static str = "mail";
}

/// Sends them, fairly between tenants. Those of a suspended tenant wait until it is back.
pub fn start(pool: TenantPool, config: Config) -> RunningWorker {
    // At least once: who dies after sending sends again, with the same key, by which a mail service knows it.
    let send = async |job: OutsideJob, mail: Mail| {
        println!("mail {} to {}: {}", job.idempotency_key(), mail.recipient, mail.subject);
        Ok(())
    };
    Worker::new(pool).on_outside(send).concurrency(4).poll(Duration::from_millis(500)).listen(config).start()
}
