//! Stripe: its signatures, and what its events mean.
//! Sources: <https://docs.stripe.com/webhooks#verify-manually>, <https://docs.stripe.com/api/events/types>.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use ring::hmac;
use serde_json::{Map, Value, json};

use super::event::BillingEvent;
use super::provider::{BillingProvider, Unverified};

type PlanOf = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Stripe's webhooks. The signature is an HMAC-SHA256 over time and body, which `ring` verifies in constant time: the
/// crates of Stripe's that do it bring its whole API.
pub struct Stripe {
    secrets: Vec<hmac::Key>,
    tolerance: Duration,
    plan: PlanOf,
    raw: bool,
}

impl Stripe {
    /// By the signing secret of the endpoint, `whsec_…`.
    pub fn new(secret: impl AsRef<[u8]>) -> Stripe {
        let stripe =
            Stripe { secrets: Vec::new(), tolerance: Duration::from_secs(300), plan: Box::new(|_| None), raw: true };
        stripe.also(secret)
    }

    /// Another secret that is valid too, while they are rotated.
    pub fn also(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets.push(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()));
        self
    }

    /// How far the time of a signature may be from this machine's clock, either way; five minutes by default.
    pub fn tolerance(mut self, most: Duration) -> Self {
        self.tolerance = most;
        self
    }

    /// Which plan a price is: by its id. Without one it is the price's `lookup_key`.
    pub fn plan(mut self, plan_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.plan = Box::new(plan_of);
        self
    }

    /// Keeps of an event what is understood, and not the rest of it, in which there are addresses of people.
    pub fn without_raw(mut self) -> Self {
        self.raw = false;
        self
    }

    fn understood(&self, kind: &str, object: &Value) -> (String, Map<String, Value>) {
        let mut payload = Map::new();
        let customer = match &object["customer"] {
            Value::Object(expanded) => expanded.get("id").cloned(),
            other => Some(other.clone()),
        };
        payload.insert("customer".into(), customer.unwrap_or_default());
        let kind = match kind {
            "customer.subscription.deleted" => {
                payload.insert("subscription".into(), object["id"].clone());
                payload.insert("ended_at".into(), object["ended_at"].clone());
                "subscription_ended"
            }
            subscription if subscription.starts_with("customer.subscription.") => {
                let item = &object["items"]["data"][0];
                let price = &item["price"];
                let known = price["id"].as_str().and_then(|id| (self.plan)(id)).map(Value::String);
                // Since 2025 the period is the item's.
                let period = [&item["current_period_end"], &object["current_period_end"]];
                let period = period.into_iter().find(|time| !time.is_null()).cloned().unwrap_or_default();
                let ends = object["cancel_at_period_end"].as_bool().unwrap_or(false);
                let cancel = if object["cancel_at"].is_null() && ends { &period } else { &object["cancel_at"] };
                payload.insert("subscription".into(), object["id"].clone());
                payload.insert("status".into(), status(&object["status"]));
                payload.insert("plan".into(), known.unwrap_or_else(|| price["lookup_key"].clone()));
                payload.insert("cancel_at".into(), cancel.clone());
                payload.insert("ended_at".into(), object["ended_at"].clone());
                // What is not paid yet is not paid until then.
                if matches!(object["status"].as_str(), Some("active" | "trialing")) {
                    payload.insert("paid_until".into(), period);
                }
                "subscription"
            }
            "invoice.paid" | "invoice.payment_succeeded" => {
                let ends = object["lines"]["data"].as_array().into_iter().flatten();
                let until = ends.filter_map(|line| line["period"]["end"].as_i64()).max();
                payload.insert("paid_until".into(), json!(until));
                "invoice_paid"
            }
            "invoice.payment_failed" => "payment_failed",
            other => other,
        };
        (kind.to_owned(), payload)
    }
}

/// In the server's words.
fn status(status: &Value) -> Value {
    match status.as_str() {
        Some("canceled" | "incomplete_expired") => json!("ended"),
        Some("unpaid") => json!("past_due"),
        _ => status.clone(),
    }
}

impl BillingProvider for Stripe {
    fn name(&self) -> &str {
        "stripe"
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<BillingEvent, Unverified> {
        let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
        let (mut time, mut signatures) = (None, Vec::new());
        for part in header.ok_or(Unverified::NoSignature)?.split(',') {
            match part.trim().split_once('=') {
                Some(("t", value)) => time = Some(value),
                Some(("v1", value)) => signatures.extend(bytes(value)),
                _ => {}
            }
        }
        let text = time.ok_or(Unverified::NoSignature)?;
        let signed_at: u64 = text.parse().map_err(|_| Unverified::NoSignature)?;
        if signatures.is_empty() {
            return Err(Unverified::NoSignature);
        }
        let signed = [text.as_bytes(), b".", body].concat();
        let fits = |secret: &hmac::Key| signatures.iter().any(|tag| hmac::verify(secret, &signed, tag).is_ok());
        if !self.secrets.iter().any(fits) {
            return Err(Unverified::OtherSignature);
        }
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if now.abs_diff(signed_at) > self.tolerance.as_secs() {
            return Err(Unverified::OtherTime);
        }
        let event: Value = serde_json::from_slice(body).map_err(|_| Unverified::NoEvent)?;
        let (id, kind) = (event["id"].as_str(), event["type"].as_str());
        let (Some(id), Some(kind), Some(created)) = (id, kind, event["created"].as_u64()) else {
            return Err(Unverified::NoEvent);
        };
        let object = &event["data"]["object"];
        let (kind, mut payload) = self.understood(kind, object);
        payload.retain(|_, value| !value.is_null());
        if self.raw {
            payload.insert("raw".into(), object.clone());
        }
        let occurred_at =
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(created)).ok_or(Unverified::NoEvent)?;
        Ok(BillingEvent { id: id.to_owned(), occurred_at, kind, payload: Value::Object(payload) })
    }
}

/// Of hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}
