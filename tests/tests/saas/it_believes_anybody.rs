//! What is sealed is read by its tenant alone, and a payment is what the provider has signed.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Method, StatusCode};
use ring::hmac;
use serde_json::json;

use crate::example::{Example, STRIPE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_shows_no_contact() {
    let saas = Example::start("saas_sealed").await;
    let [acme, globex] = saas.tokens().await;
    let mut paths = Vec::new();
    for token in [&acme, &globex] {
        let made = saas.call(token, Method::POST, "/projects", Some(json!({"name": "Website"}))).await.1;
        paths.push(format!("/projects/{}/contact", made["id"]));
    }
    assert_eq!(saas.call(&acme, Method::GET, &paths[0], None).await, (StatusCode::OK, json!({"contact": null})));
    let contact = json!({"contact": "eve@customer.example"});
    assert_eq!(saas.call(&acme, Method::PUT, &paths[0], Some(contact.clone())).await.0, 204);
    assert_eq!(saas.call(&acme, Method::GET, &paths[0], None).await, (StatusCode::OK, contact.clone()));
    let other = if paths[0] == paths[1] { "/projects/999999/contact" } else { &*paths[0] };
    assert_eq!(saas.call(&globex, Method::GET, other, None).await.0, 404);
    // The database has it, and cannot read it.
    let shown = "select count(*) from projects where encode(contact, 'escape') like '%customer%'";
    assert_eq!(saas.superuser.value(shown).await.as_deref(), Some("0"));
    assert_eq!(
        saas.superuser.value("select count(*) from projects where contact is not null").await.as_deref(),
        Some("1")
    );
    // Copied into another tenant's row it does not open.
    saas.superuser
        .run("update projects p set contact = o.contact from projects o where p.tenant_id = 'globex' and o.tenant_id = 'acme'")
        .await;
    let (status, said) = saas.call(&globex, Method::GET, &paths[1], None).await;
    assert!(status.is_server_error() && !said.to_string().contains("customer"), "{status} {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_signed() {
    let saas = Example::start("saas_paid").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let event = json!({"id": "evt_1", "type": "customer.subscription.created", "created": now, "data": {"object": {
        "id": "sub_1", "customer": "cus_globex", "status": "active", "cancel_at": null, "cancel_at_period_end": false,
        "items": {"data": [{"current_period_end": now + 86_400, "price": {"id": "gold_monthly"}}]}}}})
    .to_string();
    let plan = "select plan from tenant.tenants where id = 'globex'";
    let post = |signature: String| {
        saas.request(Method::POST, "/webhooks/stripe").header("Stripe-Signature", signature).body(event.clone()).send()
    };
    let signed = |secret: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{now}.{event}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={now},v1={hex}")
    };
    assert_eq!(post(signed("whsec_of_somebody")).await.expect("an answer").status(), StatusCode::BAD_REQUEST);
    assert_eq!(saas.superuser.value(plan).await, None);
    let answer = post(signed(STRIPE)).await.expect("an answer");
    assert_eq!((answer.status(), &*answer.text().await.expect("a text")), (StatusCode::OK, "applied"));
    assert_eq!(saas.superuser.value(plan).await.as_deref(), Some("gold"));
}
