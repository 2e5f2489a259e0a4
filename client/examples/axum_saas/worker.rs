//! Work after the answer: sends what the tenants' transactions have left in `mails`.

use std::time::Duration;

use pg_tenant_client::{Error, TenantPool, danger};
use tokio::sync::watch;

/// How long it sleeps when there was nothing to do.
const PAUSE: Duration = Duration::from_millis(200);
/// Mails a transaction, so that one tenant's many do not hold locks for long, nor the others up.
const BATCH: i64 = 20;

/// Goes on until `stop` is true, and ends between two transactions.
pub async fn run(pool: TenantPool, operators: TenantPool, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let sent = match round(&pool, &operators, &stop).await {
            Ok(sent) => sent,
            Err(error) => {
                eprintln!("worker: {error}");
                0
            }
        };
        if sent == 0 {
            let _ = tokio::time::timeout(PAUSE, stop.changed()).await;
        }
    }
}

/// A batch for each tenant that has mails. Who has some is asked across tenants; the mails themselves are read and sent
/// inside the tenant.
async fn round(pool: &TenantPool, operators: &TenantPool, stop: &watch::Receiver<bool>) -> Result<u64, Error> {
    let waiting = "select distinct m.tenant_id from mails m where sent_at is null";
    let tenants = danger::system(operators, "worker: whose mails wait").query(waiting, &[]).await?;
    let mut sent = 0;
    for tenant in tenants {
        if *stop.borrow() {
            break;
        }
        match send_some(pool, tenant.get(0)).await {
            Ok(some) => sent += some,
            // A suspended tenant keeps its mails until it is back.
            Err(error) if error.code() == Some("TN003") => {}
            Err(error) => eprintln!("worker: {error}"),
        }
    }
    Ok(sent)
}

/// At least once: who dies between sending and COMMIT sends again. Other workers skip what this one holds.
async fn send_some(pool: &TenantPool, tenant: &str) -> Result<u64, Error> {
    let mut tx = pool.tenant(tenant).begin().await?;
    let due =
        "select id, recipient, subject from mails where sent_at is null order by id limit $1 for update skip locked";
    let mails = tx.query(due, &[&BATCH]).await?;
    for mail in &mails {
        let (id, recipient, subject): (i64, String, String) = (mail.get(0), mail.get(1), mail.get(2));
        println!("mail to {recipient}: {subject}");
        tx.execute("update mails set sent_at = now() where id = $1", &[&id]).await?;
    }
    tx.commit().await?;
    Ok(mails.len() as u64)
}
