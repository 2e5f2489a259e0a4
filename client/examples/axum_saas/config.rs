//! What the environment says.

use std::net::SocketAddr;

pub struct Config {
    /// As the application: `SAAS_DATABASE`.
    pub application: String,
    /// As an operator: `SAAS_OPERATOR_DATABASE`.
    pub operator: String,
    /// As who sets tenants up: `SAAS_PROVISIONING_DATABASE`.
    pub provisioning: String,
    /// As who does jobs: `SAAS_WORKER_DATABASE`.
    pub worker: String,
    /// As who reads for reports, `SAAS_REPORTS_DATABASE`, and on which standby if there is one, `SAAS_REPORTS_REPLICA`.
    pub reports: String,
    pub reports_replica: Option<String>,
    /// The directory of the tenants' keys: `SAAS_KEYS`. In production a key service holds them.
    pub keys: String,
    /// What the payment provider says, where it says anything.
    pub billing: Option<Billing>,
    /// Signs the members' tokens: `SAAS_SECRET`, of at least 32 bytes.
    pub secret: String,
    /// Where it listens: `SAAS_LISTEN`, by default any free port of this machine alone.
    pub listen: SocketAddr,
    /// Where Prometheus asks: `SAAS_METRICS`, likewise. Not the public address: load and errors are nobody's business.
    pub metrics: SocketAddr,
}

/// As who keeps what the payment provider says, `SAAS_BILLING_DATABASE`, and what it signs with, `SAAS_STRIPE_SECRET`.
pub struct Billing {
    pub database: String,
    pub secret: String,
}

impl Config {
    /// Says everything that is missing at once.
    pub fn from_environment() -> Result<Config, String> {
        let mut wrong = Vec::new();
        let mut required = |name: &str, what: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                wrong.push(format!("{name} is not set: {what}"));
                String::new()
            })
        };
        let application = required("SAAS_DATABASE", "host=… user=app dbname=shop");
        let operator = required("SAAS_OPERATOR_DATABASE", "host=… user=operator dbname=shop");
        let provisioning = required("SAAS_PROVISIONING_DATABASE", "host=… user=provisioning dbname=shop");
        let worker = required("SAAS_WORKER_DATABASE", "host=… user=worker dbname=shop");
        let reports = required("SAAS_REPORTS_DATABASE", "host=… user=reporting dbname=shop");
        let keys = required("SAAS_KEYS", "a directory that this program alone may read");
        let secret = required("SAAS_SECRET", "a secret of at least 32 bytes");
        let mut address = |name: &str| {
            let text = std::env::var(name).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
            text.parse().unwrap_or_else(|_| {
                wrong.push(format!("{name}={text}: not an address and a port, like 0.0.0.0:8080"));
                SocketAddr::from(([127, 0, 0, 1], 0))
            })
        };
        let (listen, metrics) = (address("SAAS_LISTEN"), address("SAAS_METRICS"));
        if wrong.is_empty() {
            let reports_replica = std::env::var("SAAS_REPORTS_REPLICA").ok();
            let billing = std::env::var("SAAS_BILLING_DATABASE").ok().zip(std::env::var("SAAS_STRIPE_SECRET").ok());
            let billing = billing.map(|(database, secret)| Billing { database, secret });
            Ok(Config {
                application,
                operator,
                provisioning,
                worker,
                reports,
                reports_replica,
                keys,
                billing,
                secret,
                listen,
                metrics,
            })
        } else {
            Err(wrong.join("\n"))
        }
    }
}
