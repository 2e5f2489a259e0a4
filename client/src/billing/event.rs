//! An event, in the words of `tenant.apply_billing_event`.

use std::time::SystemTime;

use serde_json::Value;

/// What a provider has said, in the server's words.
#[derive(Clone, Debug, PartialEq)]
pub struct BillingEvent {
    /// The provider's own, the same each time that it sends the event.
    pub id: String,
    /// When it happened, not when it was sent: by this the server puts events in order.
    pub occurred_at: SystemTime,
    /// `subscription`, `subscription_ended`, `invoice_paid` or `payment_failed`; others are kept and change nothing.
    pub kind: String,
    /// An object: `customer`, and by the kind `subscription`, `status`, `plan`, `paid_until`, `cancel_at`, `ended_at`.
    /// What else is in it is kept.
    pub payload: Value,
}
