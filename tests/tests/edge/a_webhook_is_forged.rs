//! A webhook takes what no payment provider has sent, or loses what one has.

use std::time::{Duration, SystemTime};

use pg_tenant_client::TenantPool;
use pg_tenant_client::billing::{Stripe, Webhook};
use pg_tenant_tests::{Database, Session, database};
use reqwest::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &str = "whsec_test";
const NEXT: &str = "whsec_next";

struct Hook {
    superuser: Session,
    url: String,
    _db: Database<'static>,
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs()
}

/// As Stripe signs.
fn signed(secret: &str, time: u64, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), format!("{time}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v0=00,v1={hex}")
}

async fn serve(pool: TenantPool) -> String {
    let stripe = Stripe::new(SECRET).also(NEXT).plan(|price| (price == "price_1").then(|| "pro".to_owned()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, Webhook::new(pool, stripe).router("/hook")).into_future());
    url
}

impl Hook {
    async fn new(name: &str) -> Hook {
        let db = database(name).await;
        let (superuser, login) = (db.superuser().await, format!("regress_{}_billing", db.name));
        superuser
            .run(&format!(
                "create role {login} login in role tenant_billing; select tenant.create('acme'), tenant.define_plan('pro');
                 select tenant.link_billing_customer('acme', 'stripe', 'cus_1')"
            ))
            .await;
        let pool = TenantPool::builder(db.config(&login)).max_size(2).build().expect("a pool");
        Hook { superuser, url: serve(pool).await, _db: db }
    }

    async fn post(&self, signature: Option<String>, body: &str) -> (StatusCode, String) {
        post(&self.url, signature, body).await
    }

    async fn events(&self) -> String {
        self.superuser.value("select count(*) from tenant.billing_events").await.unwrap_or_default()
    }
}

async fn post(url: &str, signature: Option<String>, body: &str) -> (StatusCode, String) {
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("Stripe-Signature", signature);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a text"))
}

fn event(id: &str, kind: &str, created: u64, object: Value) -> String {
    json!({"id": id, "type": kind, "created": created, "data": {"object": object}}).to_string()
}

fn subscription(status: &str) -> Value {
    json!({"id": "sub_1", "customer": "cus_1", "status": status, "cancel_at": null, "cancel_at_period_end": false,
        "items": {"data": [{"current_period_end": now() + 86_400, "price": {"id": "price_1", "lookup_key": "other"}}]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_somebody_else() {
    let hook = Hook::new("webhook_forged").await;
    let body = event("evt_1", "customer.subscription.created", now(), subscription("active"));
    for signature in [
        None,
        Some(String::new()),
        Some("t=1".to_owned()),
        Some(format!("t={},v1=", now())),
        Some(format!("t={},v1=zz", now())),
        Some(signed("whsec_other", now(), &body)),
        Some(signed(SECRET, now(), &body.replace("sub_1", "sub_2"))),
        Some(signed(SECRET, now() - 3600, &body)),
        Some(signed(SECRET, now() + 3600, &body)),
        // The time is signed too.
        Some(signed(SECRET, now() - 3600, &body).replace(&(now() - 3600).to_string(), &now().to_string())),
    ] {
        let (status, said) = hook.post(signature.clone(), &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{signature:?}: {said}");
    }
    for body in ["", "{}", "[]", r#"{"id": "evt_1", "type": 7, "created": 1}"#] {
        assert_eq!(hook.post(Some(signed(SECRET, now(), body)), body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let long = format!("{body}{}", " ".repeat(300 * 1024));
    assert_eq!(hook.post(Some(signed(SECRET, now(), &long)), &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(hook.events().await, "0");
    let plan = hook.superuser.value("select plan from tenant.tenants where id = 'acme'").await;
    assert_eq!(plan, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_loses_an_event() {
    let hook = Hook::new("webhook_kept").await;
    let send = async |secret: &str, body: &str| hook.post(Some(signed(secret, now(), body)), body).await;
    let first = event("evt_1", "customer.subscription.created", now() - 100, subscription("active"));
    // Kept when it was answered, once, by either secret.
    assert_eq!(send(SECRET, &first).await, (StatusCode::OK, "applied".to_owned()));
    let plan = hook.superuser.value("select plan from tenant.tenants where id = 'acme'").await;
    assert_eq!(plan.as_deref(), Some("pro"));
    assert_eq!(send(NEXT, &first).await, (StatusCode::OK, "duplicate".to_owned()));
    let other = first.replace("active", "past_due");
    assert_eq!(send(SECRET, &other).await.0, StatusCode::CONFLICT, "another one with its id");
    // What says nothing of a subscription is kept; what came late does not overwrite.
    let told = event("evt_2", "customer.tax_id.created", now(), json!({"customer": "cus_1"}));
    assert_eq!(send(SECRET, &told).await.0, StatusCode::OK);
    let nobody = event("evt_3", "invoice.payment_failed", now(), json!({"customer": "cus_9"}));
    assert_eq!(send(SECRET, &nobody).await, (StatusCode::OK, "unmatched".to_owned()));
    let late = event("evt_4", "customer.subscription.updated", now() - 200, subscription("incomplete"));
    assert_eq!(send(SECRET, &late).await.0, StatusCode::OK);
    let state = "select status || ' ' || access || ' ' || (paid_until > now()) from tenant.subscriptions";
    assert_eq!(hook.superuser.value(state).await.as_deref(), Some("active full true"));
    let end = json!({"id": "sub_1", "customer": {"id": "cus_1"}, "status": "canceled", "ended_at": now()});
    assert_eq!(send(SECRET, &event("evt_5", "customer.subscription.deleted", now(), end)).await.0, StatusCode::OK);
    let ended = hook.superuser.value("select status from tenant.subscriptions").await;
    assert_eq!(ended.as_deref(), Some("ended"));
    assert_eq!(hook.events().await, "5");
}

/// The provider is told to send again what nobody has kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away() {
    let nowhere = "host=127.0.0.1 port=1 user=nobody dbname=nothing connect_timeout=1".parse().expect("an address");
    let pool = TenantPool::builder(nowhere).wait_timeout(Duration::from_millis(300)).build().expect("a pool");
    let url = serve(pool).await;
    let body = event("evt_1", "invoice.paid", now(), json!({"customer": "cus_1"}));
    let (status, _) = post(&url, Some(signed(SECRET, now(), &body)), &body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
